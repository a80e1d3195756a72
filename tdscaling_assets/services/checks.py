"""A service's records in; SpecError when an expression, name or reference in them cannot work.

What is found here would otherwise fail in the middle of a conversation.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NoReturn

from jinja2 import nodes
from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.engine import STATE_NAMES
from tdscaling_assets.services.expressions import check_filters, parse_expression, parse_message
from tdscaling_assets.services.grammar import (
    Create,
    Delete,
    Each,
    EntitySpec,
    FieldSpec,
    Find,
    Get,
    Let,
    OperationSpec,
    ParameterSpec,
    Refuse,
    ReturnSpec,
    ServiceSpec,
    Step,
    Update,
)
from tdscaling_assets.services.seeding import SEED_NAMES
from tdscaling_assets.services.state import literal_or_expression

Scope = dict[str, str]  # variable → the entity whose row or rows it holds, "" for other values

_TOOL_NAME = re.compile(r"^[a-z]+(_[a-z0-9]+)+$")


def check_service(spec: ServiceSpec) -> None:
    """SpecError naming file and place for the first thing that cannot work."""
    file = f"{spec.name}.yaml"
    for name, entity in spec.entities.items():
        _Checker(spec, f"{file}, entity {name}").entity(name, entity)
    for name, operation in spec.operations.items():
        _Checker(spec, f"{file}, operation {name}").operation(name, operation)
    for invariant in spec.invariants:
        checker = _Checker(spec, f"{file}, invariant {invariant.name!r}")
        checker.known_entity(invariant.each)
        checker.expression(invariant.holds, {"row": invariant.each} if invariant.each else {})


class _Checker:
    """Checks of one place in a spec; `where` starts every error."""

    def __init__(self, spec: ServiceSpec, where: str) -> None:
        self.spec = spec
        self.where = where

    def fail(self, problem: str) -> NoReturn:
        raise SpecError(f"{self.where}: {problem}")

    # ── entities ──

    def entity(self, name: str, entity: EntitySpec) -> None:
        if not entity.fields or next(iter(entity.fields.values())) != FieldSpec():
            self.fail(f"the first field is the key; write `{name}_id: string` first")
        if not entity.table and entity.rows is None and not entity.each:
            self.fail("it has no rows; write `rows:` (how many), `each:` (another entity) or `table:`")
        self.known_entity(entity.each)
        scope = {"row": name, "parent": entity.each}
        for source in (entity.when, entity.rows if isinstance(entity.rows, str) else ""):
            self.expression(source, scope, SEED_NAMES)
        preset = set(entity.table[0]) if entity.table else set()
        if any(set(row) != preset for row in entity.table) or preset - set(entity.fields):
            self.fail("rows of `table` differ in fields or name unknown ones; give every row the same known fields")
        for field_name, field in list(entity.fields.items())[1:]:
            self.field(field_name, field, scope, seeded=field_name in preset)

    def field(self, name: str, field: FieldSpec, scope: Scope, seeded: bool) -> None:
        self.reference(field.ref)
        for inner_name, inner in field.items.items():
            self.field(inner_name, inner, {**scope, "item": ""}, seeded=seeded)
        self.expression(field.seed_last, scope, SEED_NAMES)
        if field.items:
            self.expression(str(field.count), scope, SEED_NAMES)
        elif field.seed is not None:
            source, _ = literal_or_expression(field, field.seed)
            self.expression(source, scope, SEED_NAMES)
        elif not (seeded or field.seed_last or field.ref or field.nullable or field.enum or field.default is not None):
            self.fail(f"field {name!r} has no first value; write `seed:` with an expression, or `nullable: true`")

    # ── operations ──

    def operation(self, name: str, operation: OperationSpec) -> None:
        if not _TOOL_NAME.match(name):
            self.fail("the name is not a verb and a noun; write one such as `get_order`")
        if operation.read_only is not None and operation.read_only != operation.is_read_only:
            self.fail(f"read_only is {operation.read_only}, but effects say otherwise; leave `read_only` out")
        if operation.is_read_only and operation.destructive:
            self.fail("it is destructive without effects; write the effects or leave `destructive` out")
        for parameter_name, parameter in operation.parameters.items():
            self.parameter(parameter_name, parameter)
        scope: Scope = dict.fromkeys(operation.parameters, "")
        self.steps(operation.given, scope, writes=False)
        self.steps(operation.effects, scope, writes=True)
        if operation.effects and not any(_writes(operation.effects)):
            self.fail("effects change nothing; move the steps to `given` or write create, update or delete")
        for key, value in operation.returns.items():
            self.returned(key, value, scope)

    def parameter(self, name: str, parameter: ParameterSpec) -> None:
        self.reference(parameter.ref)
        self.expression(parameter.when, {"row": parameter.ref.partition(".")[0]})
        if not (parameter.description or parameter.ref):
            self.fail(f"parameter {name!r} has no description; write one sentence that a caller needs")
        target = self.spec.field(parameter.ref) if parameter.ref else parameter
        free = not (parameter.ref or target.enum or parameter.examples)
        if free and parameter.type in ("string", "email", "phone"):
            self.fail(f"parameter {name!r} is free text; give `examples`, `enum` or `ref`")
        if free and parameter.type in ("integer", "number", "money") and parameter.maximum is None:
            self.fail(f"parameter {name!r} has no range; give `minimum` and `maximum`")
        if free and parameter.type == "list" and not parameter.items:
            self.fail(f"parameter {name!r} is a list of nothing; give `items` or `examples`")
        for inner_name, inner in parameter.items.items():
            self.parameter(f"{name}.{inner_name}", inner)

    def returned(self, key: str, value: ReturnSpec, scope: Scope) -> None:
        self.reference(value.ref)
        for entity in (value.entity, value.rows):
            self.known_entity(entity)
            if entity:
                self.known_fields(entity, value.fields)
        self.expression(value.value or key, scope)

    def steps(self, steps: tuple[Step, ...], scope: Scope, writes: bool) -> None:
        for step in steps:
            if isinstance(step, Create | Update | Delete) and not writes:
                self.fail("`given` changes state; move create, update and delete to `effects`")
            if isinstance(step, Refuse) and writes:
                self.fail("`effects` refuses; move the refusal to `given`")
            self.step(step, scope, writes)

    def step(self, step: Step, scope: Scope, writes: bool) -> None:
        match step:
            case Get():
                self.known_entity(step.get)
                self.known_fields(step.get, [step.by] if step.by else [])
                self.expression(step.key or step.by or self.spec.entities[step.get].key, scope)
                scope[step.name or step.get] = step.get
            case Find():
                self.known_entity(step.find)
                self.known_fields(step.find, (*step.match, *(field.removeprefix("-") for field in step.sort)))
                for name in step.match:
                    self.expression(name, scope)
                self.expression(step.where, {**scope, "row": step.find})
                self.expression(step.limit, scope)
                scope[step.name] = step.find
            case Let():
                for name, value in step.let.items():
                    self.value(value, scope)
                    scope[name] = ""
            case Refuse():
                self.expression(step.refuse, scope)
                self.message(step.message, scope)
            case Each():
                self.expression(step.elements, scope)
                inner = {**scope, step.each: scope.get(step.elements, "")}
                self.steps(step.do, inner, writes)
                for value in step.value.values():
                    self.value(value, inner)
                if step.collect:
                    scope[step.collect] = ""
            case Create():
                self.create(step, scope)
            case Update():
                self.expression(step.when, scope)
                self.assignments(self.entity_in(step.update, scope), step.set, scope)
            case Delete():
                self.entity_in(step.delete, scope)

    def create(self, step: Create, scope: Scope) -> None:
        self.known_entity(step.create)
        self.assignments(step.create, step.set, scope)
        fields = list(self.spec.entities[step.create].fields.items())[1:]
        missing = [
            name for name, field in fields if not (name in step.set or field.nullable or field.default is not None)
        ]
        if missing:
            self.fail(f"create {step.create} leaves out {', '.join(missing)}; set them, or give the fields a `default`")
        scope[step.name or step.create] = step.create

    def assignments(self, entity: str, values: Mapping[str, JsonValue], scope: Scope) -> None:
        self.known_fields(entity, values)
        for name, value in values.items():
            source, _ = literal_or_expression(self.spec.entities[entity].fields[name], value)
            self.expression(source, scope)

    def entity_in(self, variable: str, scope: Scope) -> str:
        if not scope.get(variable):
            rows = ", ".join(name for name, entity in scope.items() if entity) or "none yet"
            self.fail(f"{variable!r} holds no row; load it with `get` or `find` first (rows: {rows})")
        return scope[variable]

    # ── names and expressions ──

    def known_entity(self, entity: str) -> None:
        if entity and entity not in self.spec.entities:
            self.fail(f"there is no entity {entity!r}; write one of {', '.join(self.spec.entities)}")

    def known_fields(self, entity: str, names: Iterable[str]) -> None:
        fields = self.spec.entities[entity].fields
        for name in names:
            if name not in fields:
                self.fail(f"{entity} has no field {name!r}; write one of {', '.join(fields)}")

    def reference(self, ref: str) -> None:
        if ref:
            entity, _, field = ref.partition(".")
            self.known_entity(entity)
            self.known_fields(entity, [field])

    def value(self, value: JsonValue, scope: Scope) -> None:
        if isinstance(value, str):
            self.expression(value, scope)

    def expression(self, source: str, scope: Scope, functions: Iterable[str] = STATE_NAMES) -> None:
        if not source:
            return
        try:
            tree = parse_expression(source)
            check_filters(tree, source)
        except SpecError as error:
            raise SpecError(f"{self.where}: {error}") from error
        self.uses(tree, scope, source, functions)

    def message(self, source: str, scope: Scope) -> None:
        try:
            tree = parse_message(source)
            check_filters(tree, source)
        except SpecError as error:
            raise SpecError(f"{self.where}: {error}") from error
        self.uses(tree, scope, source, STATE_NAMES)

    def uses(self, tree: nodes.Node, scope: Scope, source: str, functions: Iterable[str]) -> None:
        root = nodes.Output([tree]) if isinstance(tree, nodes.Expr) else tree  # find_all looks below a node
        for name in root.find_all(nodes.Name):
            if name.name not in scope and name.name not in functions:
                known = ", ".join([*scope, *sorted(functions)])
                self.fail(f"{source!r} uses {name.name!r}, which is nothing here; write one of {known}")
        for attribute in root.find_all(nodes.Getattr):
            entity = scope.get(attribute.node.name) if isinstance(attribute.node, nodes.Name) else ""
            if entity:
                self.known_fields(entity, [attribute.attr])


def _writes(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, Create | Update | Delete):
            yield step
        elif isinstance(step, Each):
            yield from _writes(step.do)
