"""Each planted fault is found, under its own name."""

from collections.abc import Callable

import pytest

from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.rehearsal import Rehearsal
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import Binding, Blueprint, Step, Turn


@pytest.fixture(scope="session")
def sound(parents: list[Rehearsal], library: Library) -> Blueprint:
    """One request of two or more steps, the first of which takes a fact from the user."""
    return next(
        parent.blueprint
        for parent in parents
        if len(parent.blueprint.steps) >= 2
        and any(binding.kind == "user" for binding in parent.blueprint.steps[0].arguments.values())
        and any(binding.step == "s1" for binding in parent.blueprint.steps[1].arguments.values())
        and required(library.tools[parent.blueprint.steps[1].tool_id])
    )


def with_argument(blueprint: Blueprint, name: str, binding: Binding) -> Blueprint:
    first = blueprint.steps[0]
    changed = first.model_copy(update={"arguments": {**first.arguments, name: binding}})
    return blueprint.model_copy(update={"steps": (changed, *blueprint.steps[1:])})


def with_turn(blueprint: Blueprint, **changes: object) -> Blueprint:
    return blueprint.model_copy(update={"turns": (blueprint.turns[0].model_copy(update=changes),)})


def cycle(blueprint: Blueprint) -> Blueprint:
    return with_argument(blueprint, "any", Binding(kind="output", step=blueprint.steps[1].step_id, path=""))


def unscheduled(blueprint: Blueprint) -> Blueprint:
    return with_turn(blueprint, groups=blueprint.turns[0].groups[:-1])


def scheduled_twice(blueprint: Blueprint) -> Blueprint:
    return with_turn(blueprint, groups=(*blueprint.turns[0].groups, blueprint.turns[0].groups[0]))


def unbound(blueprint: Blueprint) -> Blueprint:
    first = blueprint.steps[1]
    return blueprint.model_copy(
        update={"steps": (blueprint.steps[0], first.model_copy(update={"arguments": {}}), *blueprint.steps[2:])}
    )


def wrong_type(blueprint: Blueprint) -> Blueprint:
    first, *others = blueprint.expected_calls
    spoilt = first.model_copy(update={"arguments": {name: {"an": "object"} for name in first.arguments}})
    return blueprint.model_copy(update={"expected_calls": (spoilt, *others)})


def unrevealed(blueprint: Blueprint) -> Blueprint:
    return with_turn(blueprint, reveals=())


def foreign_tool(blueprint: Blueprint) -> Blueprint:
    return blueprint.model_copy(update={"tool_ids": blueprint.tool_ids[:0]})


def out_of_order(blueprint: Blueprint) -> Blueprint:
    return with_turn(blueprint, groups=blueprint.turns[0].groups[::-1])


def side_by_side(blueprint: Blueprint) -> Blueprint:
    return with_turn(blueprint, groups=(tuple(step.step_id for step in blueprint.steps),))


def revealed_too_late(blueprint: Blueprint) -> Blueprint:
    turn = blueprint.turns[0]
    late = Turn(kind="inform", intent="", reveals=turn.reveals)
    return blueprint.model_copy(update={"turns": (turn.model_copy(update={"reveals": ()}), late)})


def asked_for_what_was_said(blueprint: Blueprint) -> Blueprint:
    turn = blueprint.turns[0]
    asking = Turn(kind="request", intent="", reveals=turn.reveals, reply="clarify", about=turn.reveals[:1])
    return blueprint.model_copy(update={"turns": (asking, turn)})


def leave_too_early(blueprint: Blueprint) -> Blueprint:
    turn = blueprint.turns[0]
    fed = next(step for step in blueprint.steps if any(binding.step for binding in step.arguments.values()))
    asking = turn.model_copy(update={"groups": (), "reply": "confirm", "about": (fed.step_id,)})
    approving = turn.model_copy(update={"kind": "approve", "reveals": ()})
    return blueprint.model_copy(update={"turns": (asking, approving)})


def unreportable(blueprint: Blueprint) -> Blueprint:
    return with_turn(blueprint, about=("s1.no.such.path",))


def test_a_refusal_of_what_an_offered_tool_does_is_found(sound: Blueprint, library: Library) -> None:
    refusal = Turn(kind="request", intent=purpose(library.tools[sound.tool_ids[0]]), reply="decline")
    planted = sound.model_copy(update={"turns": (*sound.turns, refusal)})
    assert (find_fault(planted, library) or "").startswith("met_refusal: ")


def test_a_sound_blueprint_has_no_fault(sound: Blueprint, library: Library) -> None:
    assert find_fault(sound, library) is None


@pytest.mark.parametrize(
    ("plant", "reason"),
    [
        (cycle, "cycle"),
        (unscheduled, "schedule"),
        (scheduled_twice, "schedule"),
        (unbound, "unbound"),
        (wrong_type, "type"),
        (unrevealed, "unrevealed"),
        (revealed_too_late, "unrevealed"),
        (foreign_tool, "foreign_tool"),
        (out_of_order, "order"),
        (side_by_side, "order"),
        (asked_for_what_was_said, "needless_question"),
        (leave_too_early, "early_leave"),
        (unreportable, "unreportable"),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[Blueprint], Blueprint], reason: str, sound: Blueprint, library: Library
) -> None:
    assert (find_fault(plant(sound), library) or "").partition(":")[0] == reason


def test_a_code_step_needs_no_bound_arguments(sound: Blueprint, library: Library) -> None:
    task = {"kind": "total", "instruction": "", "step": "s1", "path": "", "field": "x", "expected": "1.00"}
    step = Step.model_validate({"step_id": "s9", "tool_id": "run_python", "task": task})
    added = with_turn(sound, groups=(*sound.turns[0].groups, ("s9",)))
    wider = added.model_copy(
        update={"steps": (*sound.steps, step), "tool_ids": (*sound.tool_ids, "run_python"), "expected_calls": ()}
    )
    assert find_fault(wider, library) is None
