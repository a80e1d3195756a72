"""Operators that add steps: a further hop, another cluster, a read-back, a computation, a change of mind, a refusal."""

import random

from tdscaling_assets import code_tasks
from tdscaling_assets.blueprints.binding import Known, bind
from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal
from tdscaling_assets.blueprints.topology import append_request, draw_chain, next_step_id, report_step, with_turn
from tdscaling_assets.schema import CODE_TOOL, Blueprint, CodeTask, JsonObject, Step, Turn


def deepen(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """One more dependency hop: a tool that consumes what an earlier step returned, in the last answering turn."""
    blueprint = rehearsal.blueprint
    index = _last_answer(blueprint)
    found = _consumer(rehearsal, library, rng, read_only=True)
    if found is None or index is None:
        return None
    step, facts = found
    turn = blueprint.turns[index]
    grown = turn.model_copy(
        update={
            "intent": f"{turn.intent} and then {purpose(library.tools[step.tool_id])}",
            "reveals": (*turn.reveals, *(name for name in facts if name not in blueprint.facts)),
            "groups": (*turn.groups, (step.step_id,)),
            "about": (*turn.about, *report_step(rehearsal, step, facts, library, rng)),
        }
    )
    return with_turn(blueprint, index, (grown,), step, facts)


def widen(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Cross into another cluster: one more request that needs its tools."""
    blueprint = rehearsal.blueprint
    others = [
        cluster
        for cluster in library.clusters
        if not set(cluster.tool_ids) <= set(blueprint.tool_ids)
        and library.executable(cluster.tool_ids) == library.executable(blueprint.tool_ids)
    ]
    if not others:
        return None
    cluster = rng.choice(others)
    tool_ids = tuple(dict.fromkeys((*blueprint.tool_ids, *cluster.tool_ids)))
    wider = blueprint.model_copy(update={"tool_ids": tool_ids, "services": library.services_of(tool_ids)})
    return append_request(wider, draw_chain(cluster, library, rng), library, rng)


def verify(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Read back what a write changed, right after it."""
    blueprint = rehearsal.blueprint
    writes = [step for step in blueprint.steps if library.tools[step.tool_id].read_only is False]
    rng.shuffle(writes)
    for write in writes:
        for edge in sorted(library.edges_out_of(write.tool_id), key=lambda edge: (-edge.weight, edge.consumer_id)):
            tool = library.tools[edge.consumer_id]
            if not tool.read_only or tool.tool_id not in blueprint.tool_ids or required(tool) != [edge.consumer_param]:
                continue
            known = Known([write], rehearsal.outputs, {})
            step, added = bind(
                tool,
                next_step_id(blueprint.steps),
                known,
                library,
                rehearsal.world,
                rng,
                linked=edge.consumer_param,
            )
            if not added:
                return _insert_after(blueprint, write, step.model_copy(update={"optional": True}))
    return None


def compute(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A code step over rows that an earlier step returned; the answer reports what it printed."""
    blueprint = rehearsal.blueprint
    if CODE_TOOL not in library.tools or any(step.task for step in blueprint.steps):
        return None
    options = [
        (step, path, rows)
        for step in blueprint.steps
        for path, rows in code_tasks.tables(rehearsal.outputs[step.step_id])
        if code_tasks.choose(rows, random.Random(0))
    ]
    if not options:
        return None
    source, path, rows = rng.choice(options)
    kind, field = code_tasks.choose(rows, rng) or ("", "")
    task = CodeTask(
        kind=kind,
        instruction=code_tasks.instruction(kind, field),
        step=source.step_id,
        path=path,
        field=field,
        expected=code_tasks.solve(kind, field, rows),
    )
    step = Step(step_id=next_step_id(blueprint.steps), tool_id=CODE_TOOL, task=task)
    index = next(i for i, turn in enumerate(blueprint.turns) if any(source.step_id in group for group in turn.groups))
    while blueprint.turns[index].reply != "answer":
        index += 1
        if index == len(blueprint.turns):
            return None
    turn = blueprint.turns[index]
    asked = turn.model_copy(
        update={
            "intent": f"{turn.intent} and work out the {kind} of {field.replace('_', ' ')}",
            "groups": (*turn.groups, (step.step_id,)),
            "about": (*turn.about, f"{step.step_id}.stdout"),
        }
    )
    wider = blueprint.model_copy(update={"tool_ids": (*blueprint.tool_ids, CODE_TOOL)})
    return with_turn(wider, index, (asked,), step)


def pivot(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The user changes their mind: a further, state-changing step on what has just been done."""
    blueprint = rehearsal.blueprint
    found = _consumer(rehearsal, library, rng, read_only=False)
    if found is None or blueprint.turns[-1].reply != "answer":
        return None
    step, facts = found
    turn = Turn(
        kind="pivot",
        intent=purpose(library.tools[step.tool_id]),
        reveals=tuple(name for name in facts if name not in blueprint.facts),
        groups=((step.step_id,),),
        about=report_step(rehearsal, step, facts, library, rng),
    )
    return with_turn(blueprint, len(blueprint.turns) - 1, (blueprint.turns[-1], turn), step, facts)


def refuse(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A last request that no offered tool can meet, so that the assistant must decline."""
    blueprint = rehearsal.blueprint
    if any(turn.reply == "decline" for turn in blueprint.turns):
        return None
    domains = {library.tools[tool_id].domain for tool_id in blueprint.tool_ids}
    foreign = sorted(
        tool.tool_id for tool in library.tools.values() if tool.domain not in domains and tool.executor != "sandbox"
    )
    if not foreign:
        return None
    turn = Turn(kind="request", intent=f"also {purpose(library.tools[rng.choice(foreign)])}", reply="decline")
    return blueprint.model_copy(update={"turns": (*blueprint.turns, turn)})


def _consumer(
    rehearsal: Rehearsal, library: Library, rng: random.Random, *, read_only: bool
) -> tuple[Step, JsonObject] | None:
    """A new step of an offered tool that takes a value which an earlier step returned, and the facts it adds."""
    blueprint = rehearsal.blueprint
    used = {step.tool_id for step in blueprint.steps}
    options = sorted(
        {
            edge.consumer_id
            for tool_id in used
            for edge in library.edges_out_of(tool_id)
            if edge.consumer_id in blueprint.tool_ids
            and edge.consumer_id not in used
            and library.tools[edge.consumer_id].read_only is read_only
        }
    )
    if not options:
        return None
    tool = library.tools[rng.choice(options)]
    known = Known(blueprint.steps, rehearsal.outputs, blueprint.facts)
    step, facts = bind(tool, next_step_id(blueprint.steps), known, library, rehearsal.world, rng)
    flows = any(binding.kind == "output" for binding in step.arguments.values())
    return (step, facts) if flows else None


def _insert_after(blueprint: Blueprint, write: Step, step: Step) -> Blueprint:
    """The blueprint with the step in a group of its own right after the write's."""
    for index, turn in enumerate(blueprint.turns):
        for cut, group in enumerate(turn.groups):
            if write.step_id in group:
                groups = (*turn.groups[: cut + 1], (step.step_id,), *turn.groups[cut + 1 :])
                return with_turn(blueprint, index, (turn.model_copy(update={"groups": groups}),), step)
    raise DryRunError("unscheduled", f"{write.step_id} is in no turn")


def _last_answer(blueprint: Blueprint) -> int | None:
    """Index of the last turn that ends in an answer."""
    return next((i for i in range(len(blueprint.turns) - 1, -1, -1) if blueprint.turns[i].reply == "answer"), None)
