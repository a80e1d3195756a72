"""Operators in any order, also twice and over generations: a sound blueprint, None or DryRunError, nothing broken."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.blueprints import operators
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.operators import evolve, evolve_or_explain
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import OPERATORS, Blueprint, Lineage, Operator
from tdscaling_assets.settings import CacWeights, load_settings

WEIGHTS = CacWeights()
TWICE: tuple[Operator, ...] = ("deepen", "widen", "withhold", "perturb", "guard", "verify", "parallelise", "pivot")
"""Operators that have several places in a conversation."""
SEQUENCES = st.lists(st.sampled_from(OPERATORS), min_size=1, max_size=8)
SEEDS = st.integers(0, 2**32 - 1)


def compose(
    sequence: Sequence[Operator], rehearsal: Rehearsal, library: Library, rng: random.Random
) -> tuple[Rehearsal, tuple[Operator, ...]]:
    """What all operators that apply made of it, and which these were."""
    applied: list[Operator] = []
    for operator in sequence:
        child, _ = evolve_or_explain(operator, rehearsal, library, WEIGHTS, rng)
        if child is not None:
            rehearsal = child
            applied.append(operator)
    return rehearsal, tuple(applied)


def descended(parent: Blueprint) -> Blueprint:
    """The parent as a later batch starts from it."""
    lineage = Lineage(operators=parent.lineage.operators, parent_id="bp_1", generation=parent.lineage.generation)
    return parent.model_copy(update={"batch": "r02-b02", "lineage": lineage, "seed": parent.seed + 1})


@given(SEQUENCES, SEEDS)
@settings(max_examples=60, deadline=None)
def test_any_sequence_leaves_a_sound_blueprint(
    library: Library, parents: list[Rehearsal], sequence: list[Operator], seed: int
) -> None:
    rng = random.Random(seed)
    made, applied = compose(sequence, rng.choice(parents), library, rng)
    assert find_fault(made.blueprint, library) is None
    assert rehearse(made.blueprint, library, WEIGHTS).blueprint == made.blueprint
    assert (made.blueprint.lineage.operators, made.blueprint.lineage.generation) == (applied, len(applied))
    assert len({step.step_id for step in made.blueprint.steps}) == len(made.blueprint.steps)


@given(st.lists(SEQUENCES.filter(lambda sequence: len(sequence) <= 4), min_size=2, max_size=3), SEEDS)
@settings(max_examples=30, deadline=None)
def test_any_generations_leave_a_sound_blueprint(
    library: Library, parents: list[Rehearsal], generations: list[list[Operator]], seed: int
) -> None:
    rng = random.Random(seed)
    made = rng.choice(parents)
    for sequence in generations:
        made, _ = compose(sequence, rehearse(descended(made.blueprint), library, WEIGHTS), library, rng)
        assert find_fault(made.blueprint, library) is None
    assert rehearse(made.blueprint, library, WEIGHTS).blueprint == made.blueprint


@pytest.mark.parametrize("operator", TWICE)
def test_it_applies_a_second_time(operator: Operator, library: Library, parents: list[Rehearsal]) -> None:
    twice = 0
    for number, parent in enumerate(parents):
        made, applied = compose((operator, operator), parent, library, random.Random(number))
        assert find_fault(made.blueprint, library) is None
        twice += len(applied) == 2
        if twice == 3:
            return
    pytest.fail(f"{operator} applied twice to {twice} of {len(parents)}")


@pytest.mark.parametrize("operator", ["withhold", "perturb", "guard", "verify", "compute", "refuse"])
def test_its_label_comes_at_different_places_of_the_mode(
    operator: Operator, library: Library, parents: list[Rehearsal]
) -> None:
    """Where a conversation has two requests, the seed alone decides about the mode."""
    modes: set[tuple[str, ...]] = set()
    for parent in parents[:40]:
        wide, _ = evolve_or_explain("widen", parent, library, WEIGHTS, random.Random(1))
        found: set[tuple[str, ...]] = set()
        for seed in range(6 if wide else 0):
            child, _ = evolve_or_explain(operator, wide or parent, library, WEIGHTS, random.Random(seed))
            if child is not None:
                found.add(child.blueprint.target_mode)
        modes = max(modes, found, key=len)
    assert len(modes) >= 2


def test_no_step_needs_one_that_may_be_left_out(library: Library, parents: list[Rehearsal]) -> None:
    later: tuple[Operator, ...] = ("compute", "pivot", "deepen", "widen")
    verified = 0
    for number, parent in enumerate(parents[:60]):
        made, applied = compose(("verify", *later), parent, library, random.Random(number))
        verified += "verify" in applied
        read = {step.step_id for step in made.blueprint.steps if step.optional and not step.task}
        needs = {binding.step for step in made.blueprint.steps for binding in step.arguments.values()}
        needs |= {step.task.step for step in made.blueprint.steps if step.task}
        assert not needs & read
    assert verified >= 15


def test_no_operator_applies_at_the_limit_of_generations(library: Library, parents: list[Rehearsal]) -> None:
    parent = parents[0]
    at_limit = parent.blueprint.model_copy(update={"lineage": Lineage(generation=5)})
    rehearsal = rehearse(at_limit, library, WEIGHTS)
    for operator in ("perturb", "refuse"):
        arguments = (operator, rehearsal, library, WEIGHTS)
        assert evolve(*arguments, random.Random(1), max_generations=6) is not None
        assert evolve(*arguments, random.Random(1), max_generations=5) is None
        assert evolve_or_explain(*arguments, random.Random(1), max_generations=5) == (None, "")


def test_the_limit_of_generations_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().max_generations == 12
    monkeypatch.setenv("TDS_MAX_GENERATIONS", "3")
    assert load_settings().max_generations == 3


def failing(monkeypatch: pytest.MonkeyPatch, failures: int) -> None:
    """Let `refuse` name a tool that is not there at its first draws."""
    refuse = operators.refuse
    drawn: list[Blueprint] = []

    def rewrite(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
        child = refuse(rehearsal, library, rng)
        assert child is not None
        drawn.append(child)
        return child if len(drawn) > failures else child.model_copy(update={"tool_ids": ("nowhere__tool",)})

    monkeypatch.setitem(operators._REWRITES, "refuse", rewrite)  # type: ignore[arg-type]


def test_a_rewrite_that_does_not_run_is_drawn_anew(
    monkeypatch: pytest.MonkeyPatch, library: Library, parents: list[Rehearsal]
) -> None:
    failing(monkeypatch, failures=2)
    child, why = evolve_or_explain("refuse", parents[0], library, WEIGHTS, random.Random(1))
    assert child is not None and "decline" in child.blueprint.target_mode
    assert why == ""


def test_a_rewrite_that_never_runs_is_explained(
    monkeypatch: pytest.MonkeyPatch, library: Library, parents: list[Rehearsal]
) -> None:
    failing(monkeypatch, failures=3)
    child, why = evolve_or_explain("refuse", parents[0], library, WEIGHTS, random.Random(1))
    assert child is None
    assert why == "tool_gone: refuse, nowhere__tool: no longer in the catalog"
    with pytest.raises(DryRunError):
        failing(monkeypatch, failures=1)
        evolve("refuse", parents[0], library, WEIGHTS, random.Random(1))


def test_an_operator_that_does_not_apply_needs_no_explanation(library: Library, parents: list[Rehearsal]) -> None:
    refused = evolve("refuse", parents[0], library, WEIGHTS, random.Random(1))
    assert refused is not None
    assert evolve_or_explain("refuse", refused, library, WEIGHTS, random.Random(1)) == (None, "")
