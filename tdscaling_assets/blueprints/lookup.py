"""A rehearsed blueprint in, the same out where a look-up finds a value that the user had given.

The user then says by what it can be found: one more hop before the start of a chain.
"""

import random
from collections.abc import Iterator
from dataclasses import replace

from tdscaling_assets.blueprints.binding import flows_to, fresh_fact, selectors
from tdscaling_assets.blueprints.library import Library, required
from tdscaling_assets.blueprints.moments import Moment, Place, chain_depths, moment_at
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, run_step
from tdscaling_assets.blueprints.turns import next_step_id, opening_of, with_groups
from tdscaling_assets.measures import leaves
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import Binding, Blueprint, JsonObject, Step

LOOK_UPS = 4
"""Most look-ups that are tried."""
GUESSES = 30
"""Most values that a look-up is tried with for one that finds what is sought."""


def look_up_first(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The first step of a longest chain takes a value from a look-up, instead of being told it; None where no look-up
    of the same world finds it. It comes right before the step, or before leave for it is asked."""
    blueprint = rehearsal.blueprint
    options = sorted(
        {
            (step.step_id, name, edge.producer_id)
            for step in _starts(blueprint)
            for name, binding in step.arguments.items()
            if binding.kind == "user" and _is_replaceable(blueprint, step, binding.fact)
            for edge in library.edges_into(step.tool_id)
            if edge.consumer_param == name and _is_new_look_up(blueprint, edge.producer_id, library)
        }
    )
    for step_id, name, tool_id in rng.sample(options, min(LOOK_UPS, len(options))):
        step, place = blueprint.step(step_id), _place_of(blueprint, step_id)
        moment = _not_knowing(moment_at(rehearsal, place), step.arguments[name].fact)
        found = _find(blueprint, step, name, tool_id, moment, library, rng)
        if found is not None:
            wider = blueprint.model_copy(update={"tool_ids": tuple(dict.fromkeys((*blueprint.tool_ids, tool_id)))})
            return _found_instead(wider, step.arguments[name].fact, place, *found)
    return None


def _starts(blueprint: Blueprint) -> list[Step]:
    """The steps with which the longest chains begin."""
    depths = chain_depths(blueprint.steps)
    wanted = {step_id for step_id, depth in depths.items() if depth == max(depths.values())}
    for step in sorted(map(blueprint.step, depths), key=lambda step: -depths[step.step_id]):
        if step.step_id in wanted:
            feeders = {binding.step for binding in step.arguments.values() if binding.kind == "output"}
            wanted |= {feeder for feeder in feeders if depths.get(feeder) == depths[step.step_id] - 1}
    return [step for step in blueprint.steps if step.step_id in wanted and depths[step.step_id] == 1]


def _is_replaceable(blueprint: Blueprint, first: Step, fact: str) -> bool:
    """Whether the fact is said unasked, only tools take it, and none does before the step."""
    asked = any(fact in turn.about for turn in blueprint.turns if turn.reply == "clarify")
    users = [
        step.step_id
        for step in blueprint.steps
        if any(binding.fact == fact for binding in step.arguments.values() if binding.kind == "user")
    ]
    coded = any(step.task and fact in step.task.facts for step in blueprint.steps)
    place = _place_of(blueprint, first.step_id)
    return not asked and not coded and min(_place_of(blueprint, step_id) for step_id in users) == place


def _is_new_look_up(blueprint: Blueprint, tool_id: str, library: Library) -> bool:
    tool = library.tools[tool_id]
    here = tool.executor == "builtin" and tool.server in blueprint.services
    return here and not library.writes(tool_id) and tool_id not in {step.tool_id for step in blueprint.steps}


def _place_of(blueprint: Blueprint, step_id: str) -> Place:
    """Where the arguments of a step must be known: where it runs, or where leave for it is asked."""
    return next(
        (index, cut)
        for index, turn in enumerate(blueprint.turns)
        for cut, group in enumerate((*turn.groups, turn.about if turn.reply == "confirm" else ()))
        if step_id in group
    )


def _find(
    blueprint: Blueprint, step: Step, name: str, tool_id: str, moment: Moment, library: Library, rng: random.Random
) -> tuple[Step, Binding, JsonObject] | None:
    """A call of the look-up that returns the step's value and is not given it, where in its answer the value is, and
    what the user says for it."""
    sought, consumer = blueprint.facts[step.arguments[name].fact], library.tools[step.tool_id]
    for look_up, facts in _guesses(blueprint, tool_id, moment, library, rng):
        draft = blueprint.model_copy(update={"facts": {**blueprint.facts, **facts}})
        try:
            call = run_step(draft, look_up, moment.known.outputs, library, moment.world)
        except DryRunError:  # another guess may run
            continue
        if sought in leaves(call.arguments):
            continue
        known = moment.after(look_up, facts, call).known
        for flow in flows_to(consumer, name, known, library):
            if flow.step == look_up.step_id and value_at(known.outputs[flow.step], flow.path) == sought:
                told = facts | selectors(flow, known, {})
                return None if sought in told.values() else (look_up, flow, told)
    return None


def _not_knowing(moment: Moment, fact: str) -> Moment:
    """The moment had the user not said the fact."""
    known = moment.known
    facts = {name: value for name, value in known.facts.items() if name != fact}
    return Moment(replace(known, facts=facts, later={*known.later, fact}), moment.world)


def _guesses(
    blueprint: Blueprint, tool_id: str, moment: Moment, library: Library, rng: random.Random
) -> Iterator[tuple[Step, JsonObject]]:
    """Calls of a look-up that needs one thing, with each value that a user might name, or that needs nothing."""
    tool, known = library.tools[tool_id], moment.known
    step = Step(step_id=next_step_id(blueprint.steps), tool_id=tool_id)
    needed = required(tool)
    if not needed:
        yield step, {}
    if len(needed) == 1:
        (name,) = needed
        values = library.candidates(tool, name, moment.world) or [library.sample(tool, name, moment.world, rng)]
        for value in rng.sample(values, min(GUESSES, len(values))):
            fact = fresh_fact(name, value, known.facts, known.later)
            yield step.model_copy(update={"arguments": {name: Binding(kind="user", fact=fact)}}), {fact: value}


def _found_instead(
    blueprint: Blueprint, fact: str, place: Place, look_up: Step, flow: Binding, told: JsonObject
) -> Blueprint:
    """The blueprint with the look-up at the place; every step that took the fact takes what it finds, and the request
    tells what it needs instead of the fact."""
    index, cut = place
    opening = opening_of(blueprint, index)
    turns = [
        turn.model_copy(update={"reveals": tuple(name for name in turn.reveals if name != fact)})
        for turn in blueprint.turns
    ]
    new = tuple(name for name in told if name not in blueprint.facts)
    turns[opening] = turns[opening].model_copy(update={"reveals": (*new, *turns[opening].reveals)})
    turns[index] = with_groups(turns[index], cut, [[look_up]])
    facts = {name: value for name, value in {**blueprint.facts, **told}.items() if name != fact}
    steps = (*(_taking(step, fact, flow) for step in blueprint.steps), look_up)
    return blueprint.model_copy(update={"turns": tuple(turns), "steps": steps, "facts": facts})


def _taking(step: Step, fact: str, flow: Binding) -> Step:
    """The step with the flow in place of the fact."""
    taken = {name for name, binding in step.arguments.items() if binding.kind == "user" and binding.fact == fact}
    arguments = {name: flow if name in taken else binding for name, binding in step.arguments.items()}
    return step.model_copy(update={"arguments": arguments})
