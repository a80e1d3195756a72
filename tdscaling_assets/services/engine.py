"""One operation on one state: arguments in, a new state and an output out, or a Refusal.

The engine interprets the steps of grammar.py; it knows no business. Reads share rows with the state; writes go to
a draft, so a refused call leaves nothing behind.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.expressions import Names, evaluate, evaluate_each, render
from tdscaling_assets.services.functions import FUNCTIONS, sorted_by
from tdscaling_assets.services.grammar import (
    Call,
    Create,
    Delete,
    Each,
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
from tdscaling_assets.services.programs import PROGRAMS
from tdscaling_assets.services.schemas import input_validator
from tdscaling_assets.services.state import Row, State, coerce, copy_json, literal_or_expression

STATE_NAMES = frozenset({"now", "today", "data", "rows", "get"}) | set(FUNCTIONS)


class Refusal(Exception):  # noqa: N818
    """The business says no: `code` is for programs, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Frame:
    """What one running call sees: the state it works on, its variables, and which variable holds which entity's row."""

    spec: ServiceSpec
    state: State
    names: Names
    kinds: dict[str, str]


def run_operation(spec: ServiceSpec, tool: str, state: State, arguments: JsonObject) -> tuple[State, JsonObject | str]:
    """The state after the call and its output, or the program that prints its output; raises Refusal, and SpecError
    when the spec itself is wrong."""
    working = state if spec.operations[tool].is_read_only else state.draft()
    return working, _run_on(spec, tool, working, arguments)


def _run_on(spec: ServiceSpec, tool: str, state: State, arguments: JsonObject) -> JsonObject | str:
    """The output of a call that changes this very state."""
    operation = spec.operations[tool]
    frame = Frame(spec, state, {**state_names(spec, state), **_complete(operation, arguments)}, {})
    try:
        _run_steps(operation.given, frame)
        _run_steps(operation.effects, frame)
        if operation.program is not None:
            inputs = {name: _value(value, frame) for name, value in operation.program.arguments.items()}
            return PROGRAMS[operation.program.run](**inputs)
        return {name: _returned(name, value, frame) for name, value in operation.returns.items()}
    except SpecError as error:
        raise SpecError(f"{spec.name}.yaml, operation {tool}: {error}") from error


def state_names(spec: ServiceSpec, state: State) -> Names:
    """The functions and constants that expressions of a service may use over a state."""

    def rows(entity: str, **equals: JsonValue) -> list[Row]:
        return state.rows(spec.table(entity), **equals)

    def get(entity: str, key: str) -> Row | None:
        return state.get(spec.table(entity), key)

    return {**FUNCTIONS, "now": state.now, "today": state.now[:10], "data": spec.data, "rows": rows, "get": get}


def _complete(operation: OperationSpec, arguments: JsonObject) -> JsonObject:
    given = {name: arguments.get(name, parameter.default) for name, parameter in operation.parameters.items()}
    return {name: _argument(operation.parameters[name], value) for name, value in given.items()}


def _argument(parameter: ParameterSpec, value: Any) -> Any:
    """A copy of the caller's value, as its type stores it: JSON's 7.0 is the integer 7, money has 2 decimals."""
    if parameter.items and isinstance(value, list):
        return [{name: _argument(parameter.items[name], item) for name, item in one.items()} for one in value]
    if isinstance(value, float) and parameter.type == "integer":
        return int(value)
    if isinstance(value, float) and parameter.type == "money":
        return round(value, 2)
    return copy_json(value)


def _run_steps(steps: tuple[Step, ...], frame: Frame) -> None:
    for step in steps:
        match step:
            case Get():
                _get(step, frame)
            case Find():
                _find(step, frame)
            case Let():
                for name, value in step.let.items():
                    frame.names[name] = _value(value, frame)
            case Refuse():
                if evaluate(step.refuse, frame.names):
                    raise Refusal(step.code, render(step.message, frame.names))
            case Each():
                _each(step, frame)
            case Create():
                _create(step, frame)
            case Update():
                _update(step, frame)
            case Delete():
                entity, row = _row_in(step.delete, frame)
                frame.state.remove(frame.spec.table(entity), row[frame.spec.entities[entity].key])
            case Call():
                _call(step, frame)


def _get(step: Get, frame: Frame) -> None:
    field = step.by or frame.spec.entity(step.get).key
    wanted = evaluate(step.key or field, frame.names)
    row: Row | None
    if step.by:
        row = next((row for row in frame.state.rows(frame.spec.table(step.get)) if _same(row[field], wanted)), None)
    else:
        row = frame.state.get(frame.spec.table(step.get), wanted)
    if row is None and not step.optional:
        raise Refusal(
            f"{step.noun}_not_found", f"No {step.noun.replace('_', ' ')} has {field.replace('_', ' ')} {wanted!r}."
        )
    _bind(step.name or step.noun, step.get, row, frame)


def _find(step: Find, frame: Frame) -> None:
    rows = frame.state.rows(frame.spec.table(step.find))
    for field in step.match:
        wanted = frame.names[field]
        if wanted is not None:
            rows = [row for row in rows if _same(row[field], wanted)]
    if step.where:
        keep = evaluate_each(step.where, rows, frame.names)
        rows = [row for row, kept in zip(rows, keep, strict=True) if kept]
    rows = sorted_by(rows, *step.sort)
    if step.limit:
        rows = rows[: evaluate(step.limit, frame.names)]
    _bind(step.name, step.find, rows, frame)


def _each(step: Each, frame: Frame) -> None:
    kind = frame.kinds.get(step.elements, "")
    collected: list[Any] = []
    for element in evaluate(step.elements, frame.names):
        _bind(step.each, kind, element, frame)
        _run_steps(step.do, frame)
        if step.collect:
            collected.append({name: _value(value, frame) for name, value in step.value.items()})
    if step.collect:
        frame.names[step.collect] = collected


def _create(step: Create, frame: Frame) -> None:
    entity, table = frame.spec.entities[step.create], frame.spec.table(step.create)
    row: Row = {}
    for name, field in entity.fields.items():
        if name == entity.key:
            row[name] = frame.state.next_key(table, entity)
        elif name in step.set:
            row[name] = _field_value(step.create, name, field, step.set[name], frame)
        else:
            row[name] = copy_json(field.default)
    frame.state.put(table, row[entity.key], row)
    _bind(step.name or step.create, step.create, row, frame)


def _update(step: Update, frame: Frame) -> None:
    if step.when and not evaluate(step.when, frame.names):
        return
    entity, row = _row_in(step.update, frame)
    fields = frame.spec.entities[entity].fields
    changes = {name: _field_value(entity, name, fields[name], value, frame) for name, value in step.set.items()}
    for name, state in changes.items():
        if fields[name].moves and state != row[name] and state not in fields[name].moves.get(row[name], ()):
            raise SpecError(f"{entity}.{name} goes from {row[name]} to {state}; refuse that, or list it under `moves`")
    changed = {**row, **changes}
    frame.state.put(frame.spec.table(entity), row[frame.spec.entities[entity].key], changed)
    frame.names[step.update] = changed


def _call(step: Call, frame: Frame) -> None:
    frame.names[step.name or step.operation] = None
    if step.when and not evaluate(step.when, frame.names):
        return
    partner = frame.spec.partner(step.service)
    values = {name: _value(value, frame) for name, value in step.arguments.items()}
    arguments = {name: value for name, value in values.items() if value is not None}
    for problem in input_validator(partner, step.operation).iter_errors(arguments):
        raise SpecError(f"calls {step.call} with {arguments}, but {problem.message}")
    frame.names[step.name or step.operation] = _run_on(partner, step.operation, frame.state, arguments)


def _row_in(variable: str, frame: Frame) -> tuple[str, Row]:
    """The entity and the current row of the one that a variable was loaded from."""
    entity = frame.kinds[variable]
    key = frame.names[variable][frame.spec.entities[entity].key]
    row = frame.state.get(frame.spec.table(entity), key)
    if row is None:
        raise SpecError(f"the {entity} in {variable!r} was deleted before; change it first, then delete it")
    return entity, row


def _field_value(entity: str, name: str, field: FieldSpec, value: JsonValue, frame: Frame) -> Any:
    source, literal = literal_or_expression(field, value)
    target = frame.spec.field(field.ref) if field.ref else field
    return coerce(field, target, evaluate(source, frame.names) if source else literal, entity, name)


def _value(value: JsonValue, frame: Frame) -> Any:
    return evaluate(value, frame.names) if isinstance(value, str) else copy_json(value)


def _returned(name: str, value: ReturnSpec, frame: Frame) -> Any:
    found = evaluate(value.value or name, frame.names)
    if value.entity:
        return _project(found, value, value.entity, frame) if found is not None else None
    if value.rows:
        return [_project(row, value, value.rows, frame) for row in found]
    if value.type == "money" and found is not None:
        return round(float(found), 2)
    return copy_json(found)


def _project(row: Row, value: ReturnSpec, entity: str, frame: Frame) -> Row:
    return {field: copy_json(row[field]) for field in value.fields or frame.spec.entity(entity).fields}


def _bind(name: str, entity: str, value: Any, frame: Frame) -> None:
    frame.names[name] = value
    if entity:
        frame.kinds[name] = entity


def _same(left: JsonValue, right: JsonValue) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return left == right
