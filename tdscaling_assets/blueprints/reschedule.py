"""Operators that change when things happen: who reveals what, who asks leave, what fails, what goes side by side."""

import random

from tdscaling_assets.blueprints.binding import fresh_fact
from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.rehearsal import Rehearsal, run_step
from tdscaling_assets.blueprints.turns import next_step_id, report_paths, with_turn
from tdscaling_assets.schema import Binding, Blueprint, Turn

FAULTS = (
    "temporarily_unavailable: the service did not answer in time, try again",
    "rate_limited: too many requests, try again shortly",
    "connection_reset: the upstream closed the connection, try again",
)

SAMPLES = 5
"""Values drawn for a second look-up before it is given up."""


def withhold(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A needed fact is not given at first, so that the assistant must ask for it."""
    blueprint = rehearsal.blueprint
    options = [
        (index, fact)
        for index, turn in enumerate(blueprint.turns)
        for fact in turn.reveals
        if turn.kind in ("request", "pivot") and _first_need(blueprint, turn, fact, library) is not None
    ]
    if not options:
        return None
    index, fact = rng.choice(options)
    turn = blueprint.turns[index]
    cut = _first_need(blueprint, turn, fact, library) or 0
    asking = turn.model_copy(
        update={
            "reveals": tuple(name for name in turn.reveals if name != fact),
            "groups": turn.groups[:cut],
            "reply": "clarify",
            "about": (fact,),
        }
    )
    rest = turn.model_copy(update={"kind": "inform", "reveals": (fact,), "groups": turn.groups[cut:]})
    return with_turn(blueprint, index, (asking, rest))


def perturb(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A call fails at its first attempt for a passing reason."""
    blueprint = rehearsal.blueprint
    alone = {group[0] for turn in blueprint.turns for group in turn.groups if len(group) == 1}
    options = [step for step in blueprint.steps if step.step_id in alone and not step.fault and step.task is None]
    if not options:
        return None
    chosen = rng.choice(options)
    steps = tuple(
        step.model_copy(update={"fault": rng.choice(FAULTS)}) if step == chosen else step for step in blueprint.steps
    )
    return blueprint.model_copy(update={"steps": steps})


def guard(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The assistant asks leave before a step that changes state; destructive steps first."""
    blueprint = rehearsal.blueprint
    options = [
        (index, cut)
        for index, turn in enumerate(blueprint.turns)
        if turn.kind != "approve"
        for cut, group in enumerate(turn.groups)
        if any(library.writes(blueprint.step(step_id).tool_id) for step_id in group)
    ]
    if not options:
        return None
    index, cut = rng.choice([item for item in options if _destructive(blueprint, item, library)] or options)
    turn = blueprint.turns[index]
    asking = turn.model_copy(update={"groups": turn.groups[:cut], "reply": "confirm", "about": turn.groups[cut][:1]})
    rest = turn.model_copy(update={"kind": "approve", "reveals": (), "groups": turn.groups[cut:]})
    return with_turn(blueprint, index, (asking, rest))


def parallelise(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Two look-ups in one message: neighbours that need nothing of each other, else a second one by the same tool."""
    blueprint = rehearsal.blueprint
    pairs = [
        (index, cut)
        for index, turn in enumerate(blueprint.turns)
        for cut in range(len(turn.groups) - 1)
        if _independent(blueprint, turn.groups[cut], turn.groups[cut + 1], library)
    ]
    if pairs:
        index, cut = rng.choice(pairs)
        turn = blueprint.turns[index]
        merged = (*turn.groups[:cut], turn.groups[cut] + turn.groups[cut + 1], *turn.groups[cut + 2 :])
        return with_turn(blueprint, index, (turn.model_copy(update={"groups": merged}),))
    return _sibling(rehearsal, library, rng)


def _sibling(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A second look-up by the same read-only tool, of something else that the user names, beside the first."""
    blueprint = rehearsal.blueprint
    options = [
        (index, cut, blueprint.step(group[0]), name)
        for index, turn in enumerate(blueprint.turns)
        for cut, group in enumerate(turn.groups)
        if len(group) == 1 and turn.kind in ("request", "pivot") and not blueprint.step(group[0]).fault
        for name, binding in blueprint.step(group[0]).arguments.items()
        if binding.kind == "user"
        and binding.fact in turn.reveals
        and not library.writes(blueprint.step(group[0]).tool_id)
    ]
    if not options:
        return None
    index, cut, step, name = rng.choice(options)
    tool = library.tools[step.tool_id]
    samples = [library.sample(tool, name, rehearsal.world, rng) for _ in range(SAMPLES)]
    value = next((value for value in samples if value not in (None, "", *blueprint.facts.values())), None)
    if value is None:
        return None
    fact = fresh_fact(name, value, blueprint.facts)
    twin = step.model_copy(
        update={
            "step_id": next_step_id(blueprint.steps),
            "arguments": {**step.arguments, name: Binding(kind="user", fact=fact)},
        }
    )
    draft = blueprint.model_copy(update={"facts": {**blueprint.facts, fact: value}})
    call = run_step(draft, twin, rehearsal.outputs, library, rehearsal.world)
    answer = next(place for place in range(index, len(blueprint.turns)) if blueprint.turns[place].reply == "answer")
    turns = list(blueprint.turns)
    for place in range(index, answer + 1):
        turns[place] = turns[place].model_copy(update={"intent": _for_both(turns[place].intent, purpose(tool))})
    turn, told = turns[index], (*turns[answer].about, *report_paths(call, tool, rng, most=1))
    groups = (*turn.groups[:cut], (step.step_id, twin.step_id), *turn.groups[cut + 1 :])
    turns[index] = turn.model_copy(update={"reveals": (*turn.reveals, fact), "groups": groups})
    turns[answer] = turns[answer].model_copy(update={"about": told})
    return blueprint.model_copy(update={"turns": tuple(turns), "steps": (*blueprint.steps, twin), "facts": draft.facts})


def _for_both(intent: str, action: str) -> str:
    return f"{intent} for both" if intent.endswith(action) else f"{intent}, and {action} for both"


def _first_need(blueprint: Blueprint, turn: Turn, fact: str, library: Library) -> int | None:
    """Index of the first group of the turn that uses the fact, where a required parameter does."""
    uses = [
        (cut, name in required(library.tools[blueprint.step(step_id).tool_id]))
        for cut, group in enumerate(turn.groups)
        for step_id in group
        for name, binding in blueprint.step(step_id).arguments.items()
        if binding.kind == "user" and binding.fact == fact
    ]
    return uses[0][0] if any(needed for _, needed in uses) else None


def _destructive(blueprint: Blueprint, place: tuple[int, int], library: Library) -> bool:
    group = blueprint.turns[place[0]].groups[place[1]]
    return any(library.tools[blueprint.step(step_id).tool_id].destructive for step_id in group)


def _independent(blueprint: Blueprint, first: tuple[str, ...], second: tuple[str, ...], library: Library) -> bool:
    """Whether all are look-ups that do not fail, and none of the second group needs an output of the first."""
    steps = [blueprint.step(step_id) for step_id in (*first, *second)]
    needs = {binding.step for step_id in second for binding in blueprint.step(step_id).arguments.values()}
    return not needs & set(first) and not any(step.fault or step.task or library.writes(step.tool_id) for step in steps)
