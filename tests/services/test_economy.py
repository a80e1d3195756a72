"""The packaged services together: their number, their variety, and that they are businesses, not copies."""

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tdscaling_assets.services.effects import row_kinds, writes
from tdscaling_assets.services.expressions import possible_values
from tdscaling_assets.services.grammar import Call, Each, Get, Refuse, ServiceSpec, Step, Update
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.services.state import literal_or_expression
from tdscaling_assets.services.world import World

ANY = {"*"}  # what a computed state may be

every_service = pytest.mark.parametrize("name", list(load_services()))


def test_there_are_at_least_32_services_of_32_domains_with_320_tools() -> None:
    services = load_services().values()
    assert len(services) >= 32
    assert len({spec.domain for spec in services}) == len(services)
    assert sum(len(spec.operations) for spec in services) >= 320


def test_businesses_meet_in_at_least_12_junctions() -> None:
    junctions = [(spec.name, partner) for spec in load_services().values() for partner in spec.uses]
    assert len(junctions) >= 12


@every_service
def test_a_service_has_8_to_16_tools_states_and_invariants(name: str) -> None:
    spec = load_services()[name]
    assert 8 <= len(spec.operations) <= 16
    assert any(field.moves for entity in spec.entities.values() for field in entity.fields.values())
    assert spec.invariants


@every_service
def test_a_service_refuses_for_reasons_of_its_own(name: str) -> None:
    codes = {step.code for step in steps(load_services()[name]) if isinstance(step, Refuse)}
    others = {
        step.code
        for spec in load_services().values()
        if spec.name != name
        for step in steps(spec)
        if isinstance(step, Refuse)
    }
    assert len(codes) >= 5
    assert len(codes - others) >= len(codes) / 2


@every_service
def test_a_junction_is_used_in_calls_or_rows(name: str) -> None:
    spec = load_services()[name]
    called = {step.service for step in steps(spec) if isinstance(step, Call)}
    referred = {
        field.ref.partition(".")[0]
        for entity in spec.entities.values()
        for field in entity.fields.values()
        if field.ref.count(".") == 2
    }
    grown = {entity.each.partition(".")[0] for entity in spec.entities.values() if "." in entity.each}
    assert set(spec.uses) <= called | referred | grown


def test_no_two_kinds_of_rows_have_keys_of_one_format() -> None:
    patterns = Counter(
        entity.key_pattern
        for spec in load_services().values()
        for entity in spec.entities.values()
        if entity.key_pattern
    )
    assert [pattern for pattern, count in patterns.items() if count > 1] == []


def test_life_cycles_differ() -> None:
    cycles = Counter(
        str(sorted(field.moves.items()))
        for spec in load_services().values()
        for entity in spec.entities.values()
        for field in entity.fields.values()
        if field.moves
    )
    repeated = sum(count - 1 for count in cycles.values())
    assert repeated <= 0.1 * sum(cycles.values())


@every_service
def test_worlds_differ_by_seed(name: str) -> None:
    spec = load_services()[name]
    texts = []
    for seed in range(6):
        world = World([spec], seed)
        texts.append({str(row) for entity in spec.entities for row in world.rows(name, entity)})
    assert len({frozenset(text) for text in texts}) == 6


@every_service
def test_every_move_of_a_life_cycle_is_made_by_some_tool(name: str) -> None:
    spec = load_services()[name]
    made: dict[str, set[object]] = {}
    for operation in spec.operations.values():
        kinds = row_kinds((*operation.given, *operation.effects), {})
        for step in writes((*operation.given, *operation.effects)):
            if isinstance(step, Update):
                fields = spec.entities[kinds[step.update]].fields
                for field, value in ((name, value) for name, value in step.set.items() if fields[name].moves):
                    source, literal = literal_or_expression(fields[field], value)
                    states = (possible_values(source) or ANY) if source else {literal}
                    made.setdefault(f"{kinds[step.update]}.{field}", set()).update(states)
    idle = [
        f"{entity}.{field} → {state}"
        for entity, entity_spec in spec.entities.items()
        for field, field_spec in entity_spec.fields.items()
        for state in {after for goals in field_spec.moves.values() for after in goals}
        if not made.get(f"{entity}.{field}", set()) & {state, "*"}
    ]
    assert idle == []


@every_service
def test_a_key_that_a_caller_gives_is_looked_up(name: str) -> None:
    spec = load_services()[name]
    unseen = []
    for tool, operation in spec.operations.items():
        used = (
            " ".join(
                f"{step.key or step.by or spec.entity(step.get).key}" if isinstance(step, Get) else str(step.arguments)
                for step in inside((*operation.given, *operation.effects))
                if isinstance(step, Get | Call)
            )
            + " "
            + " "
            + " ".join(step.refuse for step in inside(operation.given) if isinstance(step, Refuse))
        )
        for parameter, one in operation.parameters.items():
            entity, _, field = one.ref.rpartition(".")
            if one.ref and spec.entity(entity).key == field and not re.search(rf"\b{parameter}\b", used):
                unseen.append(f"{tool}.{parameter}")
    assert unseen == []


def steps(spec: ServiceSpec) -> Iterator[Step]:
    """Every step of every operation, also those inside `each`."""
    for operation in spec.operations.values():
        yield from inside((*operation.given, *operation.effects))


def inside(some: tuple[Step, ...]) -> Iterator[Step]:
    """The steps and those inside them."""
    for step in some:
        yield step
        if isinstance(step, Each):
            yield from inside(step.do)
