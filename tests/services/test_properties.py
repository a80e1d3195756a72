"""What holds for every service under a random caller, and that a planted bug of each kind is found."""

import random
from collections.abc import Callable

import pytest
from services.claims import run_here, walks

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services import engine
from tdscaling_assets.services import spec as spec_module
from tdscaling_assets.services.grammar import OperationSpec
from tdscaling_assets.services.spec import ServiceSpec, load_services
from tdscaling_assets.services.state import State
from tdscaling_assets.services.trial import (
    broken_invariants,
    hidden_losses,
    lying_readers,
    restless_repeats,
    sample_arguments,
    traces_of_failures,
    walk,
    wrong_outputs,
)
from tdscaling_assets.services.world import INTERNAL_ERROR, World

Variant = Callable[[str, str, str], ServiceSpec]
Kiosk = Callable[..., ServiceSpec]

every_service = pytest.mark.parametrize("name", list(load_services()))


@every_service
def test_read_only_tools_never_change_the_state(name: str) -> None:
    assert lying_readers(load_services()[name], walks(name)) == set()


@every_service
def test_outputs_satisfy_their_schemas(name: str) -> None:
    assert wrong_outputs(load_services()[name], walks(name)) == set()


@every_service
def test_failed_calls_change_nothing(name: str) -> None:
    assert traces_of_failures(walks(name)) == set()


@every_service
def test_idempotent_tools_change_nothing_more_the_second_time(name: str) -> None:
    assert restless_repeats(walks(name)) == set()


@every_service
def test_only_destructive_tools_make_something_go_for_good(name: str) -> None:
    assert hidden_losses(load_services()[name], walks(name)) == set()


@every_service
def test_invariants_hold_after_every_call(name: str) -> None:
    for seed in range(4):
        assert World([load_services()[name]], seed).broken_invariants() == []
    assert broken_invariants(walks(name)) == set()


@every_service
def test_equal_seeds_and_calls_give_equal_worlds(name: str) -> None:
    first, second = (walk(load_services()[name], seed=9, run=run_here) for _ in range(2))
    assert first == second


@every_service
def test_every_tool_succeeds_for_the_random_caller(name: str) -> None:
    spec = load_services()[name]
    left = set(spec.operations) - {visit.tool for visit in walks(name) if visit.result.ok}
    for seed in range(100, 130):
        world, rng = World([spec], seed), random.Random(seed)
        for tool in sorted(left) * 4:
            if spec.operations[tool].program or world.call(name, tool, sample_arguments(spec, world, tool, rng)).ok:
                left.discard(tool)
    assert left == set()


@every_service
def test_no_call_meets_a_fault_of_the_spec(name: str) -> None:
    assert [visit for visit in walks(name) if INTERNAL_ERROR in str(visit.result.value)] == []


@every_service
def test_samples_are_always_valid_arguments(name: str) -> None:
    wrong = [visit for visit in walks(name) if not visit.result.ok and "invalid_arguments" in str(visit.result.value)]
    assert wrong == []


# ── planted bugs ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_lying_read_only_annotation_is_rejected(variant: Variant) -> None:
    with pytest.raises(SpecError, match=r"shop\.yaml, operation cancel_order: read_only is True"):
        variant("shop", "    title: Cancel order\n", "    title: Cancel order\n    read_only: true\n")


def test_a_reader_that_writes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = walks("shop")
    monkeypatch.setattr(OperationSpec, "is_read_only", True)
    assert {"cancel_order", "create_order"} <= lying_readers(load_services()["shop"], visits)


def test_an_output_that_breaks_its_schema_is_found(variant: Variant) -> None:
    spec = variant("bank", 'value: "sum(held.balance_cents for held in accounts)"', "value: \"'much'\"")
    assert "list_accounts" in wrong_outputs(spec, walk(spec, 1, calls=60))


def test_a_failure_that_leaves_a_trace_is_found(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    early = "{create: sale, as: early, set: {payment_id: \"rows('payments.payment')[0].payment_id\", status: sold}}"
    spec = kiosk("      - call: payments.create_payment", f"      - {early}\n      - call: payments.create_payment")
    assert traces_of_failures(walk(spec, 700_001, calls=60)) == set()
    monkeypatch.setattr(State, "draft", lambda self: self)
    assert traces_of_failures(walk(spec, 700_002, calls=60)) == {"sell_paper"}


def test_a_repeat_that_changes_more_is_found(variant: Variant) -> None:
    spec = variant("shop", "    title: Create order\n", "    title: Create order\n    idempotent: true\n")
    assert "create_order" in restless_repeats(walk(spec, 1, calls=60))


def test_a_loss_that_is_not_announced_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = walks("fleet")
    monkeypatch.setattr(spec_module, "is_destructive", lambda spec, operation: False)
    assert "retire_vehicle" in hidden_losses(load_services()["fleet"], visits)


def test_a_world_that_is_not_a_function_of_its_seed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = random.Random(1)
    names = {**engine.FUNCTIONS, "money": lambda amount: round(amount + noise.random(), 2)}
    monkeypatch.setattr(engine, "FUNCTIONS", names)
    first, second = (walk(load_services()["shop"], seed=123_456, calls=120) for _ in range(2))
    assert first != second


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
def test_a_broken_invariant_is_found(variant: Variant, name: str, old: str, new: str, broken: str) -> None:
    spec = variant(name, old, new)
    assert broken in broken_invariants(walk(spec, 2, calls=80))
