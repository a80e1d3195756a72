"""Operators that change when things happen: who reveals what, who asks leave, what fails, what goes side by side."""

import random
from collections.abc import Sequence

from tdscaling_assets.blueprints.binding import flows_to, fresh_fact, selectors
from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.moments import Moment, Place, answered_requests, moment_at, places_within
from tdscaling_assets.blueprints.rehearsal import Rehearsal, run_step
from tdscaling_assets.blueprints.turns import next_step_id, opening_of, report_paths, told_before, with_turn
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import Binding, Blueprint, JsonObject, Step, Turn

FAULTS = (
    "temporarily_unavailable: the service did not answer in time, try again",
    "rate_limited: too many requests, try again shortly",
    "connection_reset: the upstream closed the connection, try again",
)

SAMPLES = 5
"""Values drawn for a second look-up before it is given up."""
SIBLINGS = 4
"""Look-ups for which a second one is tried."""


def withhold(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A needed fact is not given at first, so that the assistant must ask for it, at the latest when it is needed."""
    blueprint = rehearsal.blueprint
    options = [
        (index, fact, need)
        for index, turn in enumerate(blueprint.turns)
        for fact in turn.reveals
        if turn.kind in ("request", "pivot") and not told_before(blueprint, index, fact)
        for need in [_first_need(blueprint, index, fact, library)]
        if need is not None
    ]
    if not options:
        return None
    index, fact, need = rng.choice(options)
    place, cut = rng.choice([one for one in places_within(blueprint, index, need[0]) if one <= need])
    turns = list(blueprint.turns)
    reveals = tuple(name for name in turns[index].reveals if name != fact)
    turns[index] = turns[index].model_copy(update={"reveals": reveals})
    turn = turns[place]
    asking = turn.model_copy(update={"groups": turn.groups[:cut], "reply": "clarify", "about": (fact,)})
    rest = turn.model_copy(update={"kind": "inform", "reveals": (fact,), "groups": turn.groups[cut:]})
    return with_turn(blueprint.model_copy(update={"turns": tuple(turns)}), place, (asking, rest))


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
        for cut, group in enumerate(turn.groups)
        if (turn.kind != "approve" or cut)  # leave was asked for the first group
        and any(library.writes(blueprint.step(step_id).tool_id) for step_id in group)
    ]
    if not options:
        return None
    index, cut = rng.choice([item for item in options if _destructive(blueprint, item, library)] or options)
    turn = blueprint.turns[index]
    asking = turn.model_copy(update={"groups": turn.groups[:cut], "reply": "confirm", "about": turn.groups[cut][:1]})
    rest = turn.model_copy(update={"kind": "approve", "reveals": (), "groups": turn.groups[cut:]})
    return with_turn(blueprint, index, (asking, rest))


def parallelise(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Look-ups in one message: two that need nothing of each other, else a second one by the same tool.

    Raises DryRunError where a second one could be made, but its draw does not run.
    """
    blueprint = rehearsal.blueprint
    pairs = [
        (index, cut, other)
        for index, turn in enumerate(blueprint.turns)
        for cut in range(len(turn.groups))
        for other in range(cut + 1, len(turn.groups))
        if _independent(blueprint, turn.groups[cut:other], turn.groups[other], library)
    ]
    if not pairs:
        return _sibling(rehearsal, library, rng)
    index, cut, other = rng.choice(pairs)
    groups = list(blueprint.turns[index].groups)
    groups[cut] += groups.pop(other)
    return with_turn(blueprint, index, (blueprint.turns[index].model_copy(update={"groups": tuple(groups)}),))


def _sibling(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A second look-up by the same read-only tool, of something else, beside the first.

    The other thing is one that the user names, or another row of what the first took its value from.
    """
    blueprint = rehearsal.blueprint
    options = [
        (answer, (index, cut), step, name)
        for opening, answer in answered_requests(blueprint)
        for index in range(opening, answer + 1)
        for cut, group in enumerate(blueprint.turns[index].groups)
        for step in [blueprint.step(group[0])]
        if len(group) == 1 and not (step.fault or step.task or library.writes(step.tool_id))
        for name, binding in step.arguments.items()
        if binding.kind == "output" or _is_told_in(blueprint, binding, opening, index)
    ]
    for answer, place, step, name in rng.sample(options, min(SIBLINGS, len(options))):
        moment = moment_at(rehearsal, place)
        found = _something_else(blueprint, step, name, moment, library, rng)
        if found is None:
            continue
        binding, facts = found
        step_id, arguments = next_step_id(blueprint.steps), {**step.arguments, name: binding}
        twin = step.model_copy(update={"step_id": step_id, "arguments": arguments})
        draft = blueprint.model_copy(update={"facts": {**blueprint.facts, **facts}})
        call = run_step(draft, twin, moment.known.outputs, library, moment.world)
        about = report_paths(call, library.tools[step.tool_id], rng, most=1)
        return _side_by_side(draft, answer, place, step, twin, facts, about, purpose(library.tools[step.tool_id]))
    return None


def _something_else(
    blueprint: Blueprint, step: Step, name: str, moment: Moment, library: Library, rng: random.Random
) -> tuple[Binding, JsonObject] | None:
    """Another value for the parameter: of another row, where it comes from a row, else one that the user names; with
    the facts that this adds."""
    tool, known, taken = library.tools[step.tool_id], moment.known, step.arguments[name]
    if taken.kind == "output":
        value = value_at(known.outputs[taken.step], taken.path)
        others = [
            flow
            for flow in flows_to(tool, name, known, library)
            if flow.step == taken.step and value_at(known.outputs[flow.step], flow.path) != value
        ]
        chosen = rng.choice(others) if others else None
        return (chosen, selectors(chosen, known, {})) if chosen else None
    samples = [library.sample(tool, name, moment.world, rng) for _ in range(SAMPLES)]
    new = next((value for value in samples if value not in (None, "", *blueprint.facts.values())), None)
    if new is None:
        return None
    fact = fresh_fact(name, new, blueprint.facts)
    return Binding(kind="user", fact=fact), {fact: new}


def _side_by_side(
    blueprint: Blueprint,
    answer: int,
    place: Place,
    step: Step,
    twin: Step,
    facts: JsonObject,
    about: tuple[str, ...],
    action: str,
) -> Blueprint:
    """The blueprint with the twin beside the step: the user wants both from the start, and the answer tells of both."""
    opening = opening_of(blueprint, answer)
    turns = list(blueprint.turns)
    for one in range(opening, answer + 1):
        turns[one] = turns[one].model_copy(update={"intent": _for_both(turns[one].intent, action)})
    tells = next((one for one in range(opening, place[0] + 1) if _tells_of(turns[one], step)), opening)
    turns[tells] = turns[tells].model_copy(update={"reveals": (*turns[tells].reveals, *facts)})
    turns[answer] = turns[answer].model_copy(update={"about": (*turns[answer].about, *about)})
    index, cut = place
    groups = (*turns[index].groups[:cut], (step.step_id, twin.step_id), *turns[index].groups[cut + 1 :])
    turns[index] = turns[index].model_copy(update={"groups": groups})
    return blueprint.model_copy(update={"turns": tuple(turns), "steps": (*blueprint.steps, twin)})


def _is_told_in(blueprint: Blueprint, binding: Binding, opening: int, index: int) -> bool:
    """Whether the user names the value in one of these turns."""
    return binding.kind == "user" and any(binding.fact in turn.reveals for turn in blueprint.turns[opening : index + 1])


def _tells_of(turn: Turn, step: Step) -> bool:
    return any(binding.fact in turn.reveals for binding in step.arguments.values() if binding.kind == "user")


def _for_both(intent: str, action: str) -> str:
    return f"{intent} for both" if intent.endswith(action) else f"{intent}, and {action} for both"


def _first_need(blueprint: Blueprint, index: int, fact: str, library: Library) -> Place | None:
    """The first place, in the request of turn `index`, of a step that takes the fact, or of the question for leave to
    take that step; None where no required parameter takes it."""
    places: list[Place] = []
    needed = False
    for one, turn in enumerate(blueprint.turns[index:], start=index):
        if one > index and turn.kind in ("request", "pivot"):
            break
        for cut, group in enumerate((*turn.groups, turn.about if turn.reply == "confirm" else ())):
            takes = {(step_id, name) for step_id in group for name in _parameters_of(blueprint.step(step_id), fact)}
            places += [(one, cut)] if takes else []
            needed |= any(name in required(library.tools[blueprint.step(step_id).tool_id]) for step_id, name in takes)
    return places[0] if needed else None


def _parameters_of(step: Step, fact: str) -> list[str]:
    """The parameters that take the fact."""
    return [name for name, binding in step.arguments.items() if binding.kind == "user" and binding.fact == fact]


def _destructive(blueprint: Blueprint, place: tuple[int, int], library: Library) -> bool:
    group = blueprint.turns[place[0]].groups[place[1]]
    return any(library.tools[blueprint.step(step_id).tool_id].destructive for step_id in group)


def _independent(blueprint: Blueprint, groups: Sequence[Sequence[str]], moved: Sequence[str], library: Library) -> bool:
    """Whether all are look-ups that do not fail, and none of those to be moved needs an output of the groups."""
    before = [step_id for group in groups for step_id in group]
    steps = [blueprint.step(step_id) for step_id in (*before, *moved)]
    needs = {binding.step for step_id in moved for binding in blueprint.step(step_id).arguments.values()}
    return not needs & set(before) and not any(
        step.fault or step.task or library.writes(step.tool_id) for step in steps
    )
