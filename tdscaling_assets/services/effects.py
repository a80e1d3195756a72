"""Steps of an operation in, what they do to the state out: the truth behind a tool's hints."""

from collections.abc import Iterator

from pydantic import JsonValue

from tdscaling_assets.services.expressions import possible_values
from tdscaling_assets.services.grammar import (
    Call,
    Create,
    Delete,
    Each,
    FieldSpec,
    Find,
    Get,
    OperationSpec,
    ServiceSpec,
    Step,
    Update,
)
from tdscaling_assets.services.state import literal_or_expression


def writes(steps: tuple[Step, ...]) -> Iterator[Create | Update | Delete | Call]:
    """The steps that change state, also those inside `each`; a call is one wherever it stands."""
    for step in steps:
        if isinstance(step, Create | Update | Delete | Call):
            yield step
        elif isinstance(step, Each):
            yield from writes(step.do)


def changes_state(spec: ServiceSpec, operation: OperationSpec) -> bool:
    """Whether an effect writes, or calls a partner's operation that has effects."""
    return any(
        not isinstance(step, Call) or bool(spec.partner(step.service).operations[step.operation].effects)
        for step in writes(operation.effects)
    )


def is_destructive(spec: ServiceSpec, operation: OperationSpec) -> bool:
    """Whether the operation says so, deletes a row, sets a `lost` state, or calls a partner's operation that does."""
    kinds = row_kinds((*operation.given, *operation.effects), {})
    return operation.destructive or any(_destroys(spec, step, kinds) for step in writes(operation.effects))


def row_kinds(steps: tuple[Step, ...], kinds: dict[str, str]) -> dict[str, str]:
    """Variable → the entity whose row or rows the steps put there."""
    for step in steps:
        match step:
            case Get():
                kinds[step.name or step.noun] = step.get
            case Find():
                kinds[step.name] = step.find
            case Create():
                kinds[step.name or step.create] = step.create
            case Each():
                kinds[step.each] = kinds.get(step.elements, "")
                row_kinds(step.do, kinds)
    return kinds


def _destroys(spec: ServiceSpec, step: Create | Update | Delete | Call, kinds: dict[str, str]) -> bool:
    match step:
        case Call():
            partner = spec.partner(step.service)
            return is_destructive(partner, partner.operations[step.operation])
        case Update():
            fields = spec.entity(kinds[step.update]).fields
            return any(_loses(fields[name], value) for name, value in step.set.items())
        case _:
            return isinstance(step, Delete)


def _loses(field: FieldSpec, value: JsonValue) -> bool:
    """Whether a field that is set to this may lose something by it; a computed state may be any."""
    if not field.lost:
        return False
    source, literal = literal_or_expression(field, value)
    states = possible_values(source) if source else {literal}
    return states is None or not states.isdisjoint(field.lost)
