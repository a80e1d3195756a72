"""A random caller: a service in, what calls did to its world out, and where that belies what the service claims."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.schemas import is_required, output_validator
from tdscaling_assets.services.spec import ServiceSpec, service_tools
from tdscaling_assets.services.world import INTERNAL_ERROR, CallResult, Runner, World

Rows = dict[tuple[str, str, str], JsonObject]  # (service, entity, key) → row


class Visit(NamedTuple):
    """One call of a walk. `repeated` is the digest after the same call once more, where the tool claims to be
    idempotent; `lost` names what was there before and is gone."""

    tool: str
    arguments: JsonObject
    result: CallResult
    before: str
    after: str
    repeated: str
    lost: list[str]
    broken: list[str]


def walk(spec: ServiceSpec, seed: int, calls: int = 30, run: Runner | None = None) -> list[Visit]:
    """Call random tools with sampled arguments, optional ones half of the time; `run` runs their programs."""
    rng = random.Random(seed)
    world = World([spec], seed, run)
    idempotent = {name for name, hint in hints(spec).items() if hint["idempotentHint"] and not hint["readOnlyHint"]}
    visits: list[Visit] = []
    before, rows = world.digest(), _rows(spec, world)
    for _ in range(calls):
        tool = rng.choice(list(spec.operations))
        arguments = sample_arguments(spec, world, tool, rng)
        if "" in arguments.values():
            continue  # nothing to name: there is no row of that kind just now
        result = world.call(spec.name, tool, arguments)
        after, rows_after = world.digest(), _rows(spec, world)
        repeated = after
        if result.ok and tool in idempotent:
            world.call(spec.name, tool, arguments)
            repeated = world.digest()
        lost = _losses(spec, rows, rows_after)
        visits.append(Visit(tool, arguments, result, before, after, repeated, lost, world.broken_invariants()))
        before, rows = repeated, rows_after
    return visits


def sample_arguments(spec: ServiceSpec, world: World, tool: str, rng: random.Random) -> JsonObject:
    """A value for every required parameter, and for the others half of the time."""
    wanted = [
        name
        for name, parameter in spec.operations[tool].parameters.items()
        if is_required(parameter) or rng.random() < 0.5
    ]
    return {name: world.sample(spec.name, tool, name, rng) for name in wanted}


def hints(spec: ServiceSpec) -> dict[str, JsonObject]:
    """The annotations of each tool."""
    annotated = {str(tool["name"]): tool["annotations"] for tool in service_tools(spec)}
    return {name: hint for name, hint in annotated.items() if isinstance(hint, dict)}


def find_contradictions(spec: ServiceSpec, visits: Sequence[Visit]) -> list[str]:
    """Every claim that the visits belie, in words."""
    faults = {
        "reads only, but changed the state": lying_readers(spec, visits),
        "answered what its output schema does not allow": wrong_outputs(spec, visits),
        "failed and changed the state all the same": traces_of_failures(visits),
        "is idempotent, but changed more at the second call": restless_repeats(visits),
        "is not destructive, but made something go for good": hidden_losses(spec, visits),
        "met a fault of the file": {visit.tool for visit in visits if _code(visit.result) == INTERNAL_ERROR},
        "does not hold after some call": broken_invariants(visits),
    }
    return [f"{name} {fault}" for fault, names in faults.items() for name in sorted(names)]


def lying_readers(spec: ServiceSpec, visits: Sequence[Visit]) -> set[str]:
    """Tools that claim to read only, and changed the state."""
    told = hints(spec)
    return {visit.tool for visit in visits if told[visit.tool]["readOnlyHint"] and visit.before != visit.after}


def wrong_outputs(spec: ServiceSpec, visits: Sequence[Visit]) -> set[str]:
    """Tools that answered what their output schema does not allow."""
    answered = [visit for visit in visits if visit.result.ok]
    return {visit.tool for visit in answered if not output_validator(spec, visit.tool).is_valid(visit.result.value)}


def traces_of_failures(visits: Sequence[Visit]) -> set[str]:
    """Tools that failed and changed the state all the same."""
    return {visit.tool for visit in visits if not visit.result.ok and visit.before != visit.after}


def restless_repeats(visits: Sequence[Visit]) -> set[str]:
    """Tools that claim to be idempotent, and changed more at the second call."""
    return {visit.tool for visit in visits if visit.repeated != visit.after}


def hidden_losses(spec: ServiceSpec, visits: Sequence[Visit]) -> set[str]:
    """Tools that do not claim to be destructive, and made something go for good."""
    told = hints(spec)
    return {visit.tool for visit in visits if visit.lost and not told[visit.tool]["destructiveHint"]}


def broken_invariants(visits: Sequence[Visit]) -> set[str]:
    """Invariants that did not hold after some call."""
    return {name for visit in visits for name in visit.broken}


def refusals(visits: Sequence[Visit]) -> Counter[str]:
    """How often each error code was met."""
    return Counter(_code(visit.result) for visit in visits if not visit.result.ok)


def _code(result: CallResult) -> str:
    error = result.value.get("error") if isinstance(result.value, dict) and not result.ok else None
    return str(error.get("code")) if isinstance(error, dict) else ""


def _rows(spec: ServiceSpec, world: World) -> Rows:
    services = {service.name: service for service in spec.economy()}
    return {
        (name, entity, str(row[entity_spec.key])): row
        for name, service in services.items()
        for entity, entity_spec in service.entities.items()
        for row in world.rows(name, entity)
    }


def _losses(spec: ServiceSpec, before: Rows, after: Rows) -> list[str]:
    services = {service.name: service for service in spec.economy()}
    lost = [f"{entity} {key}" for _, entity, key in before.keys() - after.keys()]
    for place in before.keys() & after.keys():
        if before[place] is not after[place]:
            for name, field in services[place[0]].entities[place[1]].fields.items():
                if after[place][name] in field.lost and before[place][name] != after[place][name]:
                    lost.append(f"{place[1]} {place[2]}: {after[place][name]}")
    return sorted(lost)
