"""What holds for every service under a random caller, and that planted bugs break it."""

import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.schemas import is_required, output_validator
from tdscaling_assets.services.spec import ServiceSpec, load_services, service_tools
from tdscaling_assets.services.world import CallResult, World

Variant = Callable[[str, str, str], ServiceSpec]

quick = settings(max_examples=4, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
seeds = st.integers(0, 10_000)
every_service = pytest.mark.parametrize(
    "name", ["airline", "bank", "calendar", "clinic", "fleet", "helpdesk", "shop", "warehouse"]
)


@every_service
@quick
@given(seed=seeds)
def test_read_only_tools_never_change_the_state(name: str, seed: int) -> None:
    spec = load_services()[name]
    read_only = {str(tool["name"]): tool["annotations"]["readOnlyHint"] for tool in service_tools(spec)}
    assert lying_tools(spec, read_only, seed) == []


@every_service
@quick
@given(seed=seeds)
def test_outputs_satisfy_their_schemas(name: str, seed: int) -> None:
    spec = load_services()[name]
    for visit in walk(spec, World([spec], seed), seed):
        if visit.result.ok:
            output_validator(spec, visit.tool).validate(visit.result.value)


@every_service
@quick
@given(seed=seeds)
def test_failed_calls_change_nothing(name: str, seed: int) -> None:
    spec = load_services()[name]
    failed = [visit for visit in walk(spec, World([spec], seed), seed, calls=25) if not visit.result.ok]
    assert all(visit.before == visit.after for visit in failed)


@every_service
@quick
@given(seed=seeds)
def test_equal_seeds_and_calls_give_equal_worlds(name: str, seed: int) -> None:
    spec = load_services()[name]
    first, second = (list(walk(spec, World([spec], seed), seed)) for _ in range(2))
    assert first == second


@every_service
@quick
@given(seed=seeds)
def test_invariants_hold_after_any_calls(name: str, seed: int) -> None:
    spec = load_services()[name]
    world = World([spec], seed)
    assert world.broken_invariants() == []
    for _ in walk(spec, world, seed, calls=25):
        pass
    assert world.broken_invariants() == []


@every_service
def test_every_tool_succeeds_for_the_random_caller(name: str) -> None:
    spec = load_services()[name]
    left = set(spec.operations)
    for seed in range(20):
        if left:
            left -= {visit.tool for visit in walk(spec, World([spec], seed), seed, calls=60) if visit.result.ok}
    assert left == set()


def test_samples_are_always_valid_arguments() -> None:
    for name, spec in load_services().items():
        for visit in walk(spec, World([spec], 3), 3, calls=60):
            assert "invalid_arguments" not in str(visit.result.value), (name, visit)


def test_a_lying_read_only_annotation_is_rejected(variant: Variant) -> None:
    with pytest.raises(SpecError, match=r"shop\.yaml, operation cancel_order: read_only is True"):
        variant("shop", "    destructive: true\n", "    destructive: true\n    read_only: true\n")


def test_a_lying_read_only_annotation_is_detected_by_the_walk() -> None:
    spec = load_services()["shop"]
    everything_claims_to_read = dict.fromkeys(spec.operations, True)
    assert "cancel_order" in lying_tools(spec, everything_claims_to_read, seed=1)


@pytest.mark.parametrize(
    ("name", "old", "new", "broken"),
    [
        (
            "bank",
            "recipient.balance_cents + amount_cents}",
            "recipient.balance_cents}",
            "bank: the ledger sums to zero",
        ),
        (
            "shop",
            "set: {stock: product.stock - line.quantity}",
            "set: {stock: product.stock - line.quantity - 50}",
            "shop: stock is never negative",
        ),
        (
            "clinic",
            "{update: slot, set: {taken: true}}",
            "{update: slot, set: {taken: false}}",
            "clinic: a slot is taken by exactly one appointment",
        ),
    ],
)
def test_invariants_catch_a_planted_bug(variant: Variant, name: str, old: str, new: str, broken: str) -> None:
    spec = variant(name, old, new)
    world = World([spec], 2)
    for _ in walk(spec, world, 2, calls=80):
        pass
    assert broken in world.broken_invariants()


class Visit(NamedTuple):
    """One call of a walk."""

    tool: str
    result: CallResult
    before: str
    after: str


def walk(spec: ServiceSpec, world: World, seed: int, calls: int = 20) -> Iterator[Visit]:
    """Call random tools with sampled arguments, optional ones half of the time."""
    rng = random.Random(seed)
    before = world.digest()
    for _ in range(calls):
        tool = rng.choice(list(spec.operations))
        wanted = [
            name
            for name, parameter in spec.operations[tool].parameters.items()
            if is_required(parameter) or rng.random() < 0.5
        ]
        arguments = {name: world.sample(spec.name, tool, name, rng) for name in wanted}
        result = world.call(spec.name, tool, arguments)
        after = world.digest()
        yield Visit(tool, result, before, after)
        before = after


def lying_tools(spec: ServiceSpec, read_only: dict[str, bool], seed: int) -> list[str]:
    """Tools annotated as read-only that changed the state during a walk."""
    visits = walk(spec, World([spec], seed), seed, calls=30)
    return sorted({visit.tool for visit in visits if read_only[visit.tool] and visit.before != visit.after})
