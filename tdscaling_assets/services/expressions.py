"""Expression text in, JSON value out: Jinja2's immutable sandbox, strict about everything undefined.

Dict items win over dict methods (`order.items` is the field). Compiled expressions are cached by their text.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.exceptions import SecurityError
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import JsonValue

from tdscaling_assets.errors import SpecError

Names = dict[str, Any]  # values and functions an expression may use, by name


class _Environment(ImmutableSandboxedEnvironment):
    """A sandbox in which a dict has items and nothing else."""

    def getattr(self, obj: object, attribute: str) -> object:
        if isinstance(obj, dict):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: object, argument: object) -> object:
        if isinstance(obj, dict):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=str(argument))
        return super().getitem(obj, argument)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """As in the sandbox, without looking for template-only calling conventions: seeding is mostly calls."""
        if not self.is_safe_callable(obj):
            raise SecurityError(f"{obj!r} is not safely callable")
        kwargs.pop("_loop_vars", None)  # Jinja2 adds these two inside loops
        kwargs.pop("_block_vars", None)
        return obj(*args, **kwargs)


@lru_cache(maxsize=1)
def _environment() -> _Environment:
    return _Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)


@cache
def parse_expression(source: str) -> nodes.Expr:
    """The syntax tree; SpecError for text that is not one expression."""
    parser = Parser(_environment(), source, state="variable")
    try:
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError(f"unexpected {parser.stream.current.value!r} after the expression", 1)
    except TemplateSyntaxError as error:
        raise SpecError(
            f"cannot parse {source!r} ({error.message}); write one Jinja expression, texts in quotes"
        ) from error
    return tree


def parse_message(source: str) -> nodes.Template:
    """The syntax tree of a message with `{{ expressions }}`; SpecError when it cannot be parsed."""
    try:
        return _environment().parse(source)
    except TemplateSyntaxError as error:
        raise SpecError(f"cannot parse {source!r} ({error.message}); write text with {{{{ expressions }}}}") from error


def check_filters(tree: nodes.Node, source: str) -> None:
    """SpecError when an expression or message uses an unknown filter or test."""
    known = _environment()
    used = nodes.Output([tree]) if isinstance(tree, nodes.Expr) else tree  # find_all looks below a node
    for kind, names in ((nodes.Filter, known.filters), (nodes.Test, known.tests)):
        for node in used.find_all(kind):
            if node.name not in names:
                raise SpecError(f"{source!r} uses {node.name!r}, which is nothing; write a filter or test of Jinja2")


def evaluate(source: str, names: Names) -> Any:
    """The expression's value; SpecError when it uses something undefined or cannot be computed."""
    return _guard(source, lambda: _defined(_run(_value_template(source), names).vars["result"]))


def evaluate_each(source: str, rows: Sequence[Any], names: Names, variable: str = "row") -> list[Any]:
    """The expression's value for each row in turn, bound to `variable`, in one pass."""
    values: list[Any] = []
    _guard(source, lambda: _run(_loop_template(source, variable), {**names, "_rows": rows, "_put": values.append}))
    _guard(source, lambda: [_defined(value) for value in values])
    return values


def fill_row(fields: tuple[tuple[str, str], ...], put: Callable[[str, JsonValue], None], names: Names) -> None:
    """Evaluate (field, expression) pairs in order and hand each value to `put`, in one pass."""
    if not fields:
        return
    _guard(str([source for _, source in fields]), lambda: _run(_row_template(fields), {**names, "_put": put}))


def render(source: str, names: Names) -> str:
    """A message with its `{{ expressions }}` filled in."""
    template = _message_template(source)
    return str(_guard(source, lambda: "".join(template.root_render_func(template.new_context(names, shared=True)))))


def _guard(source: str, action: Callable[[], Any]) -> Any:
    try:
        return action()
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise SpecError(f"cannot evaluate {source!r}: {error}; use only defined names and matching types") from error


def _defined(value: Any) -> Any:
    if isinstance(value, Undefined):
        bool(value)  # raises UndefinedError, which says what is missing
    return value


def _run(template: Template, names: Mapping[str, Any]) -> Any:
    context = template.new_context(names, shared=True)  # type: ignore[arg-type]
    for _ in template.root_render_func(context):
        pass
    return context


def _template(body: list[nodes.Node]) -> Template:
    tree = nodes.Template(body, lineno=1)
    tree.set_lineno(1)
    tree.set_environment(_environment())
    return _environment().from_string(tree)


@cache
def _value_template(source: str) -> Template:
    return _template([nodes.Assign(nodes.Name("result", "store"), parse_expression(source))])


@cache
def _loop_template(source: str, variable: str) -> Template:
    body: list[nodes.Node] = [nodes.ExprStmt(_call_put([parse_expression(source)]))]
    rows = nodes.Name("_rows", "load")
    return _template([nodes.For(nodes.Name(variable, "store"), rows, body, [], None, False)])


@cache
def _row_template(fields: tuple[tuple[str, str], ...]) -> Template:
    return _template([nodes.ExprStmt(_call_put([nodes.Const(name), parse_expression(text)])) for name, text in fields])


@cache
def _message_template(source: str) -> Template:
    return _environment().from_string(source)


def _call_put(arguments: list[nodes.Expr]) -> nodes.Call:
    return nodes.Call(nodes.Name("_put", "load"), arguments, [], None, None)
