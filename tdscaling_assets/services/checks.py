"""A service's records in; SpecError when an expression, name or reference in them cannot work.

What is found here would otherwise fail in the middle of a conversation.
"""

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from typing import NoReturn

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.effects import changes_state, is_destructive
from tdscaling_assets.services.engine import STATE_NAMES
from tdscaling_assets.services.expressions import parse_expression, parse_message
from tdscaling_assets.services.functions import FUNCTIONS
from tdscaling_assets.services.grammar import (
    Call,
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
    Program,
    Refuse,
    ReturnSpec,
    ServiceSpec,
    Step,
    Update,
)
from tdscaling_assets.services.programs import PROGRAMS
from tdscaling_assets.services.schemas import parameter_schema
from tdscaling_assets.services.seeding import SEED_NAMES
from tdscaling_assets.services.state import literal_or_expression

Scope = dict[str, str]  # variable → the entity whose row or rows it holds, "" for other values

_TOOL_NAME = re.compile(r"^[a-z]+(_[a-z0-9]+)+$")
_READERS = ("rows", "get", "pick", "plant")  # functions whose first argument names an entity


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
        if name in FUNCTIONS:
            self.fail("it is named after a function; choose another name")
        keyed = bool(entity.table) and entity.key in entity.table[0]
        if not keyed and not {part[1] for part in Formatter().parse(entity.id)} & {"n", "code"}:
            self.fail(f"its id {entity.id!r} gives every row the same key; write one such as `ABC-{{n}}`")
        if entity.table and isinstance(entity.rows, str):
            self.fail("`rows` of a table is a number of its rows, not an expression")
        if entity.table and isinstance(entity.rows, int) and entity.rows > len(entity.table):
            self.fail(f"`rows` is {entity.rows}, but the table has {len(entity.table)}; write fewer, or add rows")
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
        if field.moves and (set(field.moves) != set(field.enum) or not {*field.lost} <= set(field.moves)):
            self.fail(f"field {name!r} has states outside `moves`; name every state there, and leave `enum` out")
        if unknown := next(
            (after for goal in field.moves.values() for after in goal if after not in field.moves), None
        ):
            self.fail(f"field {name!r} moves to {unknown!r}, which is no state; write `{unknown}: []` under `moves`")
        for inner_name, inner in field.items.items():
            self.field(inner_name, inner, {**scope, "item": ""}, seeded=seeded or field.seed is not None)
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
            if parameter_name in STATE_NAMES:
                self.fail(f"parameter {parameter_name!r} hides the function of that name; choose another name")
            self.parameter(parameter_name, parameter)
        scope: Scope = dict.fromkeys(operation.parameters, "")
        self.steps(operation.given, scope, writes=False)
        self.steps(operation.effects, scope, writes=True)
        if operation.effects and not changes_state(self.spec, operation):
            self.fail("effects change nothing; move the steps to `given` or write create, update, delete or call")
        if operation.destructive and is_destructive(self.spec, operation.model_copy(update={"destructive": False})):
            self.fail("that it is destructive follows from what it does; leave `destructive` out")
        if operation.program is not None:
            self.program(operation, operation.program, scope)
            return
        for key, value in operation.returns.items():
            self.returned(key, value, scope)

    def program(self, operation: OperationSpec, program: Program, scope: Scope) -> None:
        if program.run not in PROGRAMS:
            self.fail(f"there is no program {program.run!r}; write one of {', '.join(PROGRAMS)}")
        wanted = set(inspect.signature(PROGRAMS[program.run]).parameters)
        if wanted != set(program.arguments):
            self.fail(f"{program.run} needs {', '.join(sorted(wanted))} under `with`")
        if not operation.is_read_only:
            self.fail("it runs a program and changes state; split it into two operations")
        for value in program.arguments.values():
            self.value(value, scope)
        for returned in operation.returns.values():
            self.reference(returned.ref)

    def parameter(self, name: str, parameter: ParameterSpec) -> None:
        self.reference(parameter.ref)
        self.expression(parameter.when, {"row": parameter.ref.rpartition(".")[0]})
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
        if parameter.minimum is not None and parameter.maximum is not None and parameter.minimum > parameter.maximum:
            self.fail(f"parameter {name!r} has a minimum above its maximum; swap them")
        accepts = Draft202012Validator(parameter_schema(self.spec, parameter))
        for value in (*parameter.examples, *([] if parameter.default is None else [parameter.default])):
            for problem in accepts.iter_errors(value):
                self.fail(f"parameter {name!r} does not accept its own {value!r}: {problem.message}")
        for inner_name, inner in parameter.items.items():
            self.parameter(f"{name}.{inner_name}", inner)

    def returned(self, key: str, value: ReturnSpec, scope: Scope) -> None:
        self.reference(value.ref)
        for entity in (value.entity, value.rows):
            self.known_entity(entity)
            if entity:
                self.known_fields(entity, value.fields)
        self.expression(value.value or key, scope)
        if value.type == "list" and not (value.items or value.of or value.rows):
            self.fail(f"{key!r} returns a list of nothing; give `items` (fields of objects) or `of` (a type)")

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
                self.expression(step.key or step.by or self.spec.entity(step.get).key, scope)
                self.bind(step.name or step.noun, step.get, scope)
            case Find():
                self.known_entity(step.find)
                self.known_fields(step.find, (*step.match, *(field.removeprefix("-") for field in step.sort)))
                for name in step.match:
                    self.expression(name, scope)
                self.expression(step.where, {**scope, "row": step.find})
                self.expression(step.limit, scope)
                self.bind(step.name, step.find, scope)
            case Let():
                for name, value in step.let.items():
                    self.value(value, scope)
                    self.bind(name, "", scope)
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
                    self.bind(step.collect, "", scope)
            case Create():
                self.own_entity(step.create)
                self.create(step, scope)
            case Update():
                self.expression(step.when, scope)
                entity = self.entity_in(step.update, scope)
                self.own_entity(entity)
                self.assignments(entity, step.set, scope)
            case Delete():
                self.own_entity(self.entity_in(step.delete, scope))
            case Call():
                self.call(step, scope, writes)

    def create(self, step: Create, scope: Scope) -> None:
        self.known_entity(step.create)
        self.assignments(step.create, step.set, scope)
        fields = list(self.spec.entities[step.create].fields.items())[1:]
        missing = [
            name for name, field in fields if not (name in step.set or field.nullable or field.default is not None)
        ]
        if missing:
            self.fail(f"create {step.create} leaves out {', '.join(missing)}; set them, or give the fields a `default`")
        self.bind(step.name or step.create, step.create, scope)

    def call(self, step: Call, scope: Scope, writes: bool) -> None:
        if step.service not in self.spec.uses:
            self.fail(f"it calls {step.call}; list {step.service!r} under `uses` with what it is used for")
        partner = self.spec.partner(step.service)
        operation = partner.operations.get(step.operation)
        if operation is None or operation.program is not None:
            self.fail(f"there is no {step.call} to call; write one of {', '.join(partner.operations)}")
        if not (operation.is_read_only or writes):
            self.fail(f"`given` calls {step.call}, which changes state; move the call to `effects`")
        for name in step.arguments:
            if name not in operation.parameters:
                self.fail(f"{step.call} has no parameter {name!r}; write one of {', '.join(operation.parameters)}")
        for name, parameter in operation.parameters.items():
            if name not in step.arguments and not parameter.optional and parameter.default is None:
                self.fail(f"{step.call} needs {name!r}; give it under `with`")
        self.expression(step.when, scope)
        for value in step.arguments.values():
            self.value(value, scope)
        self.bind(step.name or step.operation, "", scope)

    def assignments(self, entity: str, values: Mapping[str, JsonValue], scope: Scope) -> None:
        self.known_fields(entity, values)
        for name, value in values.items():
            field = self.spec.entities[entity].fields[name]
            source, literal = literal_or_expression(field, value)
            self.expression(source, scope)
            if not source and field.enum and literal is not None and literal not in field.enum:
                self.fail(f"{entity}.{name} is set to {literal!r}; write one of {', '.join(field.enum)}")

    def entity_in(self, variable: str, scope: Scope) -> str:
        if not scope.get(variable):
            rows = ", ".join(name for name, entity in scope.items() if entity) or "none yet"
            self.fail(f"{variable!r} holds no row; load it with `get` or `find` first (rows: {rows})")
        return scope[variable]

    # ── names and expressions ──

    def bind(self, name: str, entity: str, scope: Scope) -> None:
        if name in STATE_NAMES:
            self.fail(f"variable {name!r} hides the function of that name; write another `as`")
        scope[name] = entity

    def known_entity(self, entity: str) -> None:
        if not entity:
            return
        service, _, name = self.spec.table(entity).partition(".")
        if service not in (self.spec.name, *self.spec.uses):
            self.fail(f"{entity!r} is of a service that it does not use; list {service!r} under `uses`")
        partner = self.spec.partner(service)
        if name not in partner.entities:
            self.fail(f"there is no entity {entity!r}; write one of {', '.join(partner.entities)}")

    def own_entity(self, entity: str) -> None:
        if "." in entity:
            self.fail(f"it changes rows of {entity}; only that service may: `call` one of its operations")

    def known_fields(self, entity: str, names: Iterable[str]) -> None:
        self.known_entity(entity)
        fields = self.spec.entity(entity).fields
        for name in names:
            if name not in fields:
                self.fail(f"{entity} has no field {name!r}; write one of {', '.join(fields)}")

    def reference(self, ref: str) -> None:
        if ref:
            entity, _, field = ref.rpartition(".")
            if not entity:
                self.fail(f"ref {ref!r} names no field; write entity.field or service.entity.field")
            self.known_entity(entity)
            self.known_fields(entity, [field])

    def value(self, value: JsonValue, scope: Scope) -> None:
        if isinstance(value, str):
            self.expression(value, scope)

    def expression(self, source: str, scope: Scope, functions: Iterable[str] = STATE_NAMES) -> None:
        if source:
            self.uses(self.parsed(parse_expression, source), scope, source, functions)

    def message(self, source: str, scope: Scope) -> None:
        self.uses(self.parsed(parse_message, source), scope, source, STATE_NAMES)

    def parsed(self, parse: Callable[[str], ast.expr], source: str) -> ast.expr:
        try:
            return parse(source)
        except SpecError as error:
            raise SpecError(f"{self.where}: {error}") from error

    def uses(self, tree: ast.expr, scope: Scope, source: str, functions: Iterable[str]) -> None:
        scope = {**scope, **self.loop_variables(tree, scope)}
        self.compared_states(tree, scope, source)
        for node in ast.walk(tree):
            match node:
                case ast.Name(name) if name not in scope and name not in functions:
                    known = ", ".join([*scope, *sorted(functions)])
                    self.fail(f"{source!r} uses {name!r}, which is nothing here; write one of {known}")
                case ast.Attribute(ast.Name("data"), constant) if constant not in self.spec.data:
                    known = ", ".join(self.spec.data) or "empty"
                    self.fail(f"{source!r} uses data.{constant}, which `data` does not have; it is {known}")
                case ast.Attribute(ast.Name(name), field) if scope.get(name):
                    self.known_fields(scope[name], [field])
                case ast.Call(ast.Name(function), [ast.Constant(str(entity)), *_], keywords) if function in _READERS:
                    self.known_entity(entity)
                    self.known_fields(entity, [keyword.arg for keyword in keywords if keyword.arg])

    def compared_states(self, tree: ast.expr, scope: Scope, source: str) -> None:
        """Texts that are compared with a field of named values are among those."""
        for node in ast.walk(tree):
            match node:
                case ast.Compare(ast.Attribute(ast.Name(name), field), _, [other]) if scope.get(name):
                    self.states(scope[name], field, other, source)
                case ast.Call(ast.Name(function), [ast.Constant(str(entity)), *_], keywords) if function in _READERS:
                    self.known_entity(entity)
                    for keyword in keywords:
                        self.states(entity, keyword.arg or "", keyword.value, source)

    def states(self, entity: str, field: str, value: ast.expr, source: str) -> None:
        self.known_fields(entity, [field])
        found = self.spec.entity(entity).fields[field]
        owner = self.spec.partner(self.spec.table(entity).partition(".")[0])
        enum = owner.field(found.ref).enum if found.ref else found.enum
        parts = value.elts if isinstance(value, ast.List | ast.Tuple | ast.Set) else [value]
        for part in parts:
            if enum and isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value not in enum:
                self.fail(f"{source!r} compares {entity}.{field} with {part.value!r}; it is one of {', '.join(enum)}")

    def loop_variables(self, tree: ast.expr, scope: Scope) -> Scope:
        """The variables of comprehensions, with the entity of those that run over `rows('entity')` or found rows."""
        found: set[str] = set()
        kinds: dict[str, set[str]] = defaultdict(set)
        for loop in (node for node in ast.walk(tree) if isinstance(node, ast.comprehension)):
            for target in (node for node in ast.walk(loop.target) if isinstance(node, ast.Name)):
                found.add(target.id)
            match loop.target, loop.iter:
                case ast.Name(name), ast.Call(ast.Name("rows"), [ast.Constant(str(entity)), *_]):
                    kinds[name].add(entity)
                case ast.Name(name), ast.Name(rows):
                    kinds[name].add(scope.get(rows, ""))
        return {name: kinds[name].pop() if len(kinds[name]) == 1 else "" for name in found}
