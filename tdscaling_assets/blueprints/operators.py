"""Ten evolution operators: a rehearsed blueprint in, a more demanding one out, or None where it does not apply.

Each promises a reasoning-mode label (schema.PROMISED_LABEL). The result must be rehearsed again; it may be refused.
"""

import random
from collections.abc import Callable, Mapping

from tdscaling_assets import code_tasks
from tdscaling_assets.blueprints.binding import Known, bind, fresh_fact
from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, run_step
from tdscaling_assets.blueprints.topology import append_request, draw_chain, next_step_id, report_paths
from tdscaling_assets.schema import (
    CODE_TOOL,
    Binding,
    Blueprint,
    CodeTask,
    JsonObject,
    Operator,
    Step,
    Turn,
)

FAULTS = (
    "temporarily_unavailable: the service did not answer in time, try again",
    "rate_limited: too many requests, try again shortly",
    "connection_reset: the upstream closed the connection, try again",
)

Rewrite = Callable[[Rehearsal, Library, random.Random], Blueprint | None]


def evolve(operator: Operator, rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The rewritten blueprint with its lineage, or None where the operator does not apply. Raises DryRunError."""
    parent = rehearsal.blueprint
    child = _REWRITES[operator](rehearsal, library, rng)
    if child is None:
        return None
    lineage = parent.lineage.model_copy(
        update={"operators": (*parent.lineage.operators, operator), "generation": parent.lineage.generation + 1}
    )
    return child.model_copy(update={"lineage": lineage})


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
            "about": (*turn.about, *_report(rehearsal, step, facts, library, rng)),
        }
    )
    return _with_turn(blueprint, index, (grown,), step, facts)


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


def withhold(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A needed fact is not given at first, so that the assistant must ask for it."""
    blueprint = rehearsal.blueprint
    options = [
        (index, fact)
        for index, turn in enumerate(blueprint.turns)
        for fact in turn.reveals
        if turn.kind in ("request", "pivot") and _first_use(blueprint, turn, fact) is not None
    ]
    if not options:
        return None
    index, fact = rng.choice(options)
    turn = blueprint.turns[index]
    cut = _first_use(blueprint, turn, fact) or 0
    asking = turn.model_copy(
        update={
            "reveals": tuple(name for name in turn.reveals if name != fact),
            "groups": turn.groups[:cut],
            "reply": "clarify",
            "about": (fact,),
        }
    )
    rest = turn.model_copy(update={"kind": "inform", "reveals": (fact,), "groups": turn.groups[cut:]})
    return _with_turn(blueprint, index, (asking, rest))


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
        if any(library.tools[blueprint.step(step_id).tool_id].read_only is False for step_id in group)
    ]
    if not options:
        return None
    index, cut = rng.choice([item for item in options if _destructive(blueprint, item, library)] or options)
    turn = blueprint.turns[index]
    asking = turn.model_copy(update={"groups": turn.groups[:cut], "reply": "confirm", "about": turn.groups[cut][:1]})
    rest = turn.model_copy(update={"kind": "approve", "reveals": (), "groups": turn.groups[cut:]})
    return _with_turn(blueprint, index, (asking, rest))


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


def parallelise(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Two independent calls in one message: neighbours that need nothing of each other, else a sibling look-up."""
    blueprint = rehearsal.blueprint
    pairs = [
        (index, cut)
        for index, turn in enumerate(blueprint.turns)
        for cut in range(len(turn.groups) - 1)
        if _independent(blueprint, turn.groups[cut], turn.groups[cut + 1])
    ]
    if pairs:
        index, cut = rng.choice(pairs)
        turn = blueprint.turns[index]
        merged = (*turn.groups[:cut], turn.groups[cut] + turn.groups[cut + 1], *turn.groups[cut + 2 :])
        return _with_turn(blueprint, index, (turn.model_copy(update={"groups": merged}),))
    return _sibling(rehearsal, library, rng)


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
    return _with_turn(wider, index, (asked,), step)


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
        about=_report(rehearsal, step, facts, library, rng),
    )
    return _with_turn(blueprint, len(blueprint.turns) - 1, (blueprint.turns[-1], turn), step, facts)


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


_REWRITES: Mapping[Operator, Rewrite] = {
    "deepen": deepen,
    "widen": widen,
    "withhold": withhold,
    "perturb": perturb,
    "guard": guard,
    "verify": verify,
    "parallelise": parallelise,
    "compute": compute,
    "pivot": pivot,
    "refuse": refuse,
}


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
        and library.tools[blueprint.step(group[0]).tool_id].read_only
    ]
    if not options:
        return None
    index, cut, step, name = rng.choice(options)
    tool = library.tools[step.tool_id]
    value = library.sample(tool, name, rehearsal.world, rng)
    if value is None or value == blueprint.facts[step.arguments[name].fact]:
        return None
    fact = fresh_fact(name, value, blueprint.facts)
    twin = step.model_copy(
        update={
            "step_id": next_step_id(blueprint.steps),
            "arguments": {**step.arguments, name: Binding(kind="user", fact=fact)},
        }
    )
    turn = blueprint.turns[index]
    groups = (*turn.groups[:cut], (step.step_id, twin.step_id), *turn.groups[cut + 1 :])
    about = (*turn.about, *_report(rehearsal, twin, {fact: value}, library, rng))
    grown = turn.model_copy(update={"reveals": (*turn.reveals, fact), "groups": groups, "about": about})
    return _with_turn(blueprint, index, (grown,), twin, {fact: value})


def _report(
    rehearsal: Rehearsal, step: Step, facts: JsonObject, library: Library, rng: random.Random
) -> tuple[str, ...]:
    """What the answer tells of a new step, which runs once on the rehearsal's world. Raises DryRunError."""
    draft = rehearsal.blueprint.model_copy(update={"facts": {**rehearsal.blueprint.facts, **facts}})
    call = run_step(draft, step, rehearsal.outputs, library, rehearsal.world)
    return report_paths(step.step_id, call.output, rng)


def _with_turn(
    blueprint: Blueprint,
    index: int,
    turns: tuple[Turn, ...],
    step: Step | None = None,
    facts: JsonObject | None = None,
) -> Blueprint:
    """The blueprint with turn `index` replaced by `turns`, and a step and facts added."""
    return blueprint.model_copy(
        update={
            "turns": (*blueprint.turns[:index], *turns, *blueprint.turns[index + 1 :]),
            "steps": (*blueprint.steps, step) if step else blueprint.steps,
            "facts": {**blueprint.facts, **(facts or {})},
        }
    )


def _insert_after(blueprint: Blueprint, write: Step, step: Step) -> Blueprint:
    """The blueprint with the step in a group of its own right after the write's."""
    for index, turn in enumerate(blueprint.turns):
        for cut, group in enumerate(turn.groups):
            if write.step_id in group:
                groups = (*turn.groups[: cut + 1], (step.step_id,), *turn.groups[cut + 1 :])
                return _with_turn(blueprint, index, (turn.model_copy(update={"groups": groups}),), step)
    raise DryRunError("unscheduled", f"{write.step_id} is in no turn")


def _last_answer(blueprint: Blueprint) -> int | None:
    """Index of the last turn that ends in an answer."""
    return next((i for i in range(len(blueprint.turns) - 1, -1, -1) if blueprint.turns[i].reply == "answer"), None)


def _first_use(blueprint: Blueprint, turn: Turn, fact: str) -> int | None:
    """Index of the first group of the turn that needs the fact."""
    for cut, group in enumerate(turn.groups):
        for step_id in group:
            if any(binding.fact == fact for binding in blueprint.step(step_id).arguments.values()):
                return cut
    return None


def _destructive(blueprint: Blueprint, place: tuple[int, int], library: Library) -> bool:
    group = blueprint.turns[place[0]].groups[place[1]]
    return any(library.tools[blueprint.step(step_id).tool_id].destructive for step_id in group)


def _independent(blueprint: Blueprint, first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether no step of the second group needs an output of the first, and none fails or runs code."""
    steps = [blueprint.step(step_id) for step_id in (*first, *second)]
    needs = {binding.step for step_id in second for binding in blueprint.step(step_id).arguments.values()}
    return not needs & set(first) and not any(step.fault or step.task for step in steps)
