"""Expression text in, JSON value out: one Python expression of a small, closed part of the language.

An attribute is a dict's item (`order.items` is the field), only named functions can be called, and there are no
methods, so an expression reaches nothing but the names it is given. Compiled expressions are cached by their text.
"""

import ast
from collections.abc import Sequence
from functools import cache
from string import Formatter
from types import CodeType
from typing import Any

from tdscaling_assets.errors import SpecError

Names = dict[str, Any]  # values and functions an expression may use, by name; never Python's own builtins

_NOTHING: Names = {}
_ALLOWED = (
    *(ast.Expression, ast.Name, ast.Load, ast.Store, ast.Constant, ast.Attribute, ast.Subscript, ast.Slice),
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.IfExp, ast.Compare, ast.cmpop),
    *(ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Call, ast.keyword),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.comprehension, ast.JoinedStr, ast.FormattedValue),
)
_FAILURES = (NameError, TypeError, ValueError, ArithmeticError, LookupError)


@cache
def parse_expression(source: str) -> ast.expr:
    """The syntax tree; SpecError for text that is not one expression of the allowed kind."""
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpecError(
            f"cannot parse {source!r} ({getattr(error, 'msg', error)}); write one Python expression, texts in quotes"
        ) from error
    return _allowed(tree, source)


@cache
def parse_message(source: str) -> ast.expr:
    """The syntax tree of a message with `{expression}`, `{expression:format}` or `{expression!r}` (in quotes).

    SpecError when it cannot be parsed.
    """
    parts: list[ast.expr] = []
    try:
        for text, field, layout, conversion in Formatter().parse(source):
            if text:
                parts.append(ast.Constant(text))
            if field is not None:
                shown = ast.JoinedStr([ast.Constant(layout)]) if layout else None
                quoting = ord(conversion) if conversion else -1
                parts.append(ast.FormattedValue(parse_expression(field), quoting, shown))
    except (ValueError, SpecError) as error:
        raise SpecError(f"cannot parse the message {source!r} ({error}); write text with {{expressions}}") from error
    return ast.fix_missing_locations(ast.JoinedStr(parts))


def evaluate(source: str, names: Names) -> Any:
    """The expression's value; SpecError when it uses something undefined or cannot be computed."""
    return _run(_value_code(source), source, names)


def evaluate_each(source: str, rows: Sequence[Any], names: Names, variable: str = "row") -> list[Any]:
    """The expression's value for each row in turn, bound to `variable`."""
    values: list[Any] = _run(_loop_code(source, variable), source, {**names, "_rows": rows})
    return values


def render(source: str, names: Names) -> str:
    """A message with its `{expressions}` filled in."""
    return str(_run(_message_code(source), source, names))


def possible_values(source: str) -> set[Any] | None:
    """The constants that the expression can come to (`'a' if x else 'b'`), None when it computes anything else."""
    return _outcomes(parse_expression(source))


def _outcomes(tree: ast.expr) -> set[Any] | None:
    match tree:
        case ast.Constant(value):
            return {value}
        case ast.IfExp(_, one, other):
            first, second = _outcomes(one), _outcomes(other)
            return None if first is None or second is None else first | second
        case _:
            return None


def _allowed(tree: ast.expr, source: str) -> ast.expr:
    for node in ast.walk(tree):
        if not isinstance(node, _ALLOWED):
            raise SpecError(f"{source!r} uses {type(node).__name__}, which specs cannot; write a plain expression")
        if isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            raise SpecError(f"{source!r} calls a method; call a named function instead (docs/services.md lists them)")
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            raise SpecError(f"{source!r} assigns to a part of something; write a loop over plain names")
        if isinstance(node, ast.comprehension) and node.is_async:
            raise SpecError(f"{source!r} uses an async loop, which specs cannot; write a plain one")
        if isinstance(node, ast.keyword) and node.arg is None:
            raise SpecError(f"{source!r} spreads a dict; write its items out")
        if isinstance(node, ast.Name | ast.Attribute) and _name(node).startswith("_"):
            raise SpecError(f"{source!r} uses {_name(node)!r}; names start with a letter")
    return tree


def _name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr


class _Items(ast.NodeTransformer):
    """Attributes become items: `order.status` → `order['status']`."""

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        return ast.Subscript(self.visit(node.value), ast.Constant(node.attr), node.ctx)


def _compile(tree: ast.expr) -> CodeType:
    copied = ast.parse(ast.unparse(tree), mode="eval")  # the cached tree stays as it was written
    return compile(ast.fix_missing_locations(_Items().visit(copied)), "<spec>", "eval")


@cache
def _value_code(source: str) -> CodeType:
    return _compile(parse_expression(source))


@cache
def _loop_code(source: str, variable: str) -> CodeType:
    rows = ast.comprehension(ast.Name(variable, ast.Store()), ast.Name("_rows", ast.Load()), [], 0)
    return _compile(ast.fix_missing_locations(ast.ListComp(parse_expression(source), [rows])))


@cache
def _message_code(source: str) -> CodeType:
    return _compile(parse_message(source))


def _run(code: CodeType, source: str, names: Names) -> Any:
    try:
        names["__builtins__"] = _NOTHING  # else Python would put its own there
        return eval(code, names)
    except _FAILURES as error:
        told = f"there is no {error}" if isinstance(error, KeyError) else error
        raise SpecError(f"cannot evaluate {source!r}: {told}; use only defined names and matching types") from error
