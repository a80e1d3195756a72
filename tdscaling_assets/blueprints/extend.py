"""Operators that add steps: a further hop, another cluster, a read-back, a change of mind, a refusal."""

import random

from tdscaling_assets.blueprints.binding import Known, bind
from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, replay, run_step
from tdscaling_assets.blueprints.topology import Grounded, append_request, draw_chain, ground_step
from tdscaling_assets.blueprints.turns import enlarge_request, last_answer, next_step_id, report_paths, with_turn
from tdscaling_assets.measures import leaves
from tdscaling_assets.schema import Blueprint, BusinessCluster, ExpectedCall, Step, ToolEdge, Turn

JUNCTION_SHARE = 0.7
"""Probability that a conversation widens to a service that shares its world, where there is one."""


def deepen(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """One more dependency hop: a look-up that consumes what an earlier step returned, in the last answering turn."""
    blueprint = rehearsal.blueprint
    index = last_answer(blueprint)
    found = _consumer(rehearsal, library, rng, writes=False)
    if found is None or index is None:
        return None
    tool = library.tools[found.step.tool_id]
    about = report_paths(found.call, tool, rng)
    return enlarge_request(blueprint, index, f"then {purpose(tool)}", [[found.step]], found.facts, about)


def widen(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Cross into another cluster: one more request, for a change that needs its tools; mostly where businesses meet."""
    blueprint = rehearsal.blueprint
    used = {step.tool_id for step in blueprint.steps}
    ends = {
        cluster.cluster_id: [item for item in _consumers(cluster) if library.writes(item) and item not in used]
        for cluster in library.clusters
        if not set(cluster.tool_ids) <= set(blueprint.tool_ids)
        and library.executable(cluster.tool_ids) == library.executable(blueprint.tool_ids)
    }
    others = [cluster for cluster in library.clusters if ends.get(cluster.cluster_id)]
    if not others:
        return None
    partners = library.partners(blueprint.services)
    met = [cluster for cluster in others if partners.intersection(library.services_of(cluster.tool_ids))]
    cluster = rng.choice(met if met and rng.random() < JUNCTION_SHARE else others)
    tool_ids = tuple(dict.fromkeys((*blueprint.tool_ids, *cluster.tool_ids)))
    wider = blueprint.model_copy(update={"tool_ids": tool_ids, "services": library.services_of(tool_ids)})
    return append_request(wider, draw_chain(cluster, library, rng, ends[cluster.cluster_id]), library, rng)


def verify(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Read back what a write changed, right after it."""
    blueprint = rehearsal.blueprint
    writes = [step for step in blueprint.steps if library.writes(step.tool_id)]
    rng.shuffle(writes)
    for write in writes:
        for edge in sorted(library.edges_out_of(write.tool_id), key=lambda edge: (-edge.weight, edge.consumer_id)):
            if edge.consumer_id in blueprint.tool_ids and not library.writes(edge.consumer_id):
                step = _read_back(rehearsal, write, edge, library, rng)
                if step is not None:
                    return _insert_after(blueprint, write, step)
    return None


def pivot(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The user changes their mind: a further, state-changing step on what has just been done."""
    blueprint = rehearsal.blueprint
    if blueprint.turns[-1].reply != "answer":
        return None
    found = _consumer(rehearsal, library, rng, writes=True)
    if found is None:
        return None
    tool = library.tools[found.step.tool_id]
    turn = Turn(
        kind="pivot",
        intent=purpose(tool),
        reveals=tuple(name for name in found.facts if name not in blueprint.facts),
        groups=((found.step.step_id,),),
        about=report_paths(found.call, tool, rng),
    )
    return with_turn(blueprint, len(blueprint.turns) - 1, (blueprint.turns[-1], turn), found.step, found.facts)


def refuse(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A last request that no offered tool can meet, so that the assistant must decline."""
    blueprint = rehearsal.blueprint
    if any(turn.reply == "decline" for turn in blueprint.turns):
        return None
    offered = [library.tools[tool_id] for tool_id in blueprint.tool_ids]
    domains, purposes = {tool.domain for tool in offered}, {purpose(tool) for tool in offered}
    foreign = sorted(
        {purpose(tool) for tool in library.tools.values() if tool.domain not in domains and tool.executor != "sandbox"}
        - purposes
    )
    if not foreign:
        return None
    turn = Turn(kind="request", intent=rng.choice(foreign), reply="decline")
    return blueprint.model_copy(update={"turns": (*blueprint.turns, turn)})


def _consumer(rehearsal: Rehearsal, library: Library, rng: random.Random, *, writes: bool) -> Grounded | None:
    """A new step of an offered tool that takes a value which an earlier step returned, the first of them that runs.

    Raises DryRunError when there are such tools, but none runs.
    """
    blueprint = rehearsal.blueprint
    used = {step.tool_id for step in blueprint.steps}
    options = sorted(
        {
            (edge.consumer_id, edge.consumer_param)
            for tool_id in used
            for edge in library.edges_out_of(tool_id)
            if edge.consumer_id in blueprint.tool_ids
            and edge.consumer_id not in used
            and library.writes(edge.consumer_id) is writes
        }
    )
    if not options:
        return None
    known = Known(blueprint.steps, rehearsal.outputs, blueprint.facts)
    _, world = replay(blueprint, library)
    problem = DryRunError("no_consumer", "nothing was tried")
    for tool_id, parameter in rng.sample(options, len(options)):
        try:
            return ground_step(blueprint, tool_id, known, library, world, rng, links={parameter: 1.0})
        except DryRunError as error:
            problem = error
    raise problem


def _read_back(rehearsal: Rehearsal, write: Step, edge: ToolEdge, library: Library, rng: random.Random) -> Step | None:
    """A look-up that needs nothing else, is not made anyway, and, where outputs are known, shows what was written."""
    tool = library.tools[edge.consumer_id]
    if required(tool) != [edge.consumer_param]:
        return None
    known = Known([write], rehearsal.outputs, {})
    step_id = next_step_id(rehearsal.blueprint.steps)
    step, facts = bind(tool, step_id, known, library, rehearsal.world, rng, linked=edge.consumer_param)
    if facts:
        return None
    call = run_step(rehearsal.blueprint, step, rehearsal.outputs, library, rehearsal.world)
    made = [(other.tool_id, other.arguments) for other in rehearsal.calls.values()]
    shown = not rehearsal.blueprint.expected_calls or _shows(call, rehearsal.calls[write.step_id])
    if (call.tool_id, call.arguments) in made or not shown:
        return None
    return step.model_copy(update={"optional": True})


def _shows(read: ExpectedCall, write: ExpectedCall) -> bool:
    """Whether the look-up returned a text that the write had been given."""
    given = {leaf for leaf in leaves(write.arguments) if isinstance(leaf, str) and len(leaf) >= 3}
    return any(leaf in given for leaf in leaves(read.output) if isinstance(leaf, str))


def _insert_after(blueprint: Blueprint, write: Step, step: Step) -> Blueprint | None:
    """The blueprint with the step in a group of its own right after the write's."""
    for index, turn in enumerate(blueprint.turns):
        for cut, group in enumerate(turn.groups):
            if write.step_id in group:
                groups = (*turn.groups[: cut + 1], (step.step_id,), *turn.groups[cut + 1 :])
                return with_turn(blueprint, index, (turn.model_copy(update={"groups": groups}),), step)
    return None


def _consumers(cluster: BusinessCluster) -> list[str]:
    return sorted({edge.consumer_id for edge in cluster.edges})
