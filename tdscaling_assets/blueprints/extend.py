"""Operators that add steps: a further hop, another cluster, a read-back, a change of mind, a refusal.

Where a conversation has several places for it, the place is drawn.
"""

import random
from collections.abc import Collection, Iterator

from tdscaling_assets.blueprints.binding import bind
from tdscaling_assets.blueprints.library import Library, parameters, purpose, required
from tdscaling_assets.blueprints.lookup import look_up_first
from tdscaling_assets.blueprints.moments import (
    Moment,
    Place,
    answered_requests,
    chain_depths,
    gaps,
    moment_at,
    moment_before,
    places_within,
    steps_done,
)
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, replay, run_step
from tdscaling_assets.blueprints.topology import Grounded, draw_chain, ground_step, insert_request
from tdscaling_assets.blueprints.turns import enlarge_request, next_step_id, report_paths, with_groups, with_turn
from tdscaling_assets.schema import Binding, Blueprint, BusinessCluster, Step, Turn

JUNCTION_SHARE = 0.7
"""Probability that a conversation widens to a service that shares its world, where there is one."""
FIRST_SHARE = 0.5
"""Probability that a chain deepens at its start, where it can at both ends."""
CONSUMERS = 6
"""Most tools that are tried for one more step."""


def deepen(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """One more dependency hop: a look-up before the start of a longest chain, or one after its end.

    Raises DryRunError when there are look-ups that could come after, but none runs.
    """
    bare = "retrieve" not in rehearsal.blueprint.target_mode  # what comes after a write may be a read-back
    if bare or rng.random() < FIRST_SHARE:
        return look_up_first(rehearsal, library, rng) or _look_up_more(rehearsal, library, rng)
    return _look_up_more(rehearsal, library, rng) or look_up_first(rehearsal, library, rng)


def widen(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Cross into another cluster: one more request, for a change that needs its tools; mostly where businesses meet.

    Raises DryRunError when the change, or what comes after it, does not run.
    """
    blueprint = rehearsal.blueprint
    cluster = _other_cluster(blueprint, library, rng)
    if cluster is None:
        return None
    tool_ids = tuple(dict.fromkeys((*blueprint.tool_ids, *cluster.tool_ids)))
    wider = blueprint.model_copy(update={"tool_ids": tool_ids, "services": library.services_of(tool_ids)})
    index = rng.choice(gaps(blueprint))
    moment = moment_before(Rehearsal(wider, *replay(wider, library, rehearsal)), index)
    chain = draw_chain(cluster, library, rng, _new_changes(cluster, blueprint, library))
    return insert_request(wider, index, chain, moment, library, rng)


def verify(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """Read back what a write changed, right after it or later in the same request."""
    blueprint = rehearsal.blueprint
    writes = [
        (blueprint.step(step_id), (index, cut + 1), closing)
        for opening, closing in answered_requests(blueprint)
        for index in range(opening, closing + 1)
        for cut, group in enumerate(blueprint.turns[index].groups)
        for step_id in group
        if library.writes(blueprint.step(step_id).tool_id)
    ]
    for write, place, closing in rng.sample(writes, len(writes)):
        later = [one for one in places_within(blueprint, place[0], closing) if one >= place]
        index, cut = rng.choice([place, *later])
        step = _read_back(rehearsal, write, (index, cut), library, rng)
        if step is not None:
            turn = with_groups(blueprint.turns[index], cut, [[step]])
            return with_turn(_offering(blueprint, step.tool_id), index, (turn,), step)
    return None


def pivot(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The user changes their mind: a further, state-changing step on what has just been done.

    Raises DryRunError when there are such tools, but none runs.
    """
    blueprint = rehearsal.blueprint
    answers = answered_requests(blueprint)
    for opening, closing in rng.sample(answers, len(answers)):
        done = {
            step_id for turn in blueprint.turns[opening : closing + 1] for group in turn.groups for step_id in group
        }
        found = _consumer(blueprint, moment_before(rehearsal, closing + 1), done, library, rng, writes=True)
        if found is not None:
            tool = library.tools[found.step.tool_id]
            turn = Turn(
                kind="pivot",
                intent=purpose(tool),
                reveals=tuple(name for name in found.facts if name not in blueprint.facts),
                groups=((found.step.step_id,),),
                about=report_paths(found.call, tool, rng),
            )
            wider = _offering(blueprint, found.step.tool_id)
            return with_turn(wider, closing, (blueprint.turns[closing], turn), found.step, found.facts)
    return None


def refuse(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A request that no offered tool can meet, so that the assistant must decline: first, last or between others."""
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
    turn, index = Turn(kind="request", intent=rng.choice(foreign), reply="decline"), rng.choice(gaps(blueprint))
    return blueprint.model_copy(update={"turns": (*blueprint.turns[:index], turn, *blueprint.turns[index:])})


def _look_up_more(rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """A look-up that consumes what the end of a longest chain returned, somewhere later in the same request."""
    blueprint = rehearsal.blueprint
    depths = chain_depths(blueprint.steps)
    places = [
        (closing, place, ends)
        for opening, closing in answered_requests(blueprint)
        for ends in [_ends(blueprint, opening, closing, depths)]
        for place in places_within(blueprint, opening, closing)
        if ends & set(steps_done(blueprint, place))
    ]
    for closing, place, ends in rng.sample(places, len(places)):
        found = _consumer(blueprint, moment_at(rehearsal, place), ends, library, rng, writes=False)
        if found is not None:
            tool = library.tools[found.step.tool_id]
            last = place == (closing, len(blueprint.turns[closing].groups))
            asked = f"then {purpose(tool)}" if last else purpose(tool)
            about = report_paths(found.call, tool, rng)
            wider = _offering(blueprint, tool.tool_id)
            return enlarge_request(wider, closing, asked, [[found.step]], found.facts, about, place)
    return None


def _ends(blueprint: Blueprint, opening: int, closing: int, depths: dict[str, int]) -> set[str]:
    """The steps between two turns that end a longest chain of the whole conversation."""
    made = {step_id for turn in blueprint.turns[opening : closing + 1] for group in turn.groups for step_id in group}
    return {step_id for step_id in made if depths.get(step_id) == max(depths.values())}


def _consumer(
    blueprint: Blueprint,
    moment: Moment,
    feeders: Collection[str],
    library: Library,
    rng: random.Random,
    *,
    writes: bool,
) -> Grounded | None:
    """A new step, of a tool not used yet, that takes a value which one of the feeders returned, the first that runs.

    Raises DryRunError when there are such tools, but none runs.
    """
    used = {step.tool_id for step in blueprint.steps}
    options = sorted(
        {
            (edge.consumer_id, edge.consumer_param, step.step_id)
            for step in moment.known.steps
            if step.step_id in feeders
            for edge in library.edges_out_of(step.tool_id)
            if edge.consumer_id not in used
            and _at_hand(blueprint, edge.consumer_id, library)
            and library.writes(edge.consumer_id) is writes
        }
    )
    if not options:
        return None
    problem = DryRunError("no_consumer", "nothing was tried")
    for tool_id, parameter, feeder in rng.sample(options, min(CONSUMERS, len(options))):
        try:
            return ground_step(
                blueprint,
                next_step_id(blueprint.steps),
                tool_id,
                moment,
                library,
                rng,
                links={parameter: 1.0},
                feeder=feeder,
            )
        except DryRunError as error:
            problem = error
    raise problem


def _at_hand(blueprint: Blueprint, tool_id: str, library: Library) -> bool:
    """Whether the tool is offered, or could be: it is of a server whose tools are, and lives in the same world."""
    servers = {library.tools[offered].server for offered in blueprint.tool_ids}
    return tool_id in blueprint.tool_ids or library.tools[tool_id].server in servers


def _offering(blueprint: Blueprint, tool_id: str) -> Blueprint:
    return blueprint.model_copy(update={"tool_ids": tuple(dict.fromkeys((*blueprint.tool_ids, tool_id)))})


def _other_cluster(blueprint: Blueprint, library: Library, rng: random.Random) -> BusinessCluster | None:
    """A cluster with a tool that is not offered and a change that is not made; mostly one that shares the world."""
    executable = library.executable(blueprint.tool_ids)
    partners = library.partners(blueprint.services) if rng.random() < JUNCTION_SHARE else set()
    clusters = rng.sample(library.clusters, len(library.clusters))
    for cluster in sorted(clusters, key=lambda one: partners.isdisjoint(library.services_of(one.tool_ids))):
        foreign = not set(cluster.tool_ids) <= set(blueprint.tool_ids)
        if foreign and library.executable(cluster.tool_ids) == executable and _new_changes(cluster, blueprint, library):
            return cluster
    return None


def _new_changes(cluster: BusinessCluster, blueprint: Blueprint, library: Library) -> list[str]:
    """Tools of the cluster that consume, change something, and are not used yet."""
    used = {step.tool_id for step in blueprint.steps}
    consumers = {edge.consumer_id for edge in cluster.edges}
    return sorted(tool_id for tool_id in consumers - used if library.writes(tool_id))


def _read_back(rehearsal: Rehearsal, write: Step, place: Place, library: Library, rng: random.Random) -> Step | None:
    """A look-up at a place that needs nothing new, is not made anyway, and, where outputs are known, answers otherwise
    than before the write."""
    blueprint, moment = rehearsal.blueprint, moment_at(rehearsal, place)
    made = [(call.tool_id, call.arguments) for call in rehearsal.calls.values()]
    for step in _look_ups(blueprint, write, moment, library, rng):
        try:
            call = run_step(blueprint, step, moment.known.outputs, library, moment.world)
            shows = not blueprint.expected_calls or _shows(rehearsal, write, step, library)
        except DryRunError:  # of no use here; another may be
            continue
        if shows and (call.tool_id, call.arguments) not in made:
            return step.model_copy(update={"optional": True})
    return None


def _look_ups(
    blueprint: Blueprint, write: Step, moment: Moment, library: Library, rng: random.Random
) -> Iterator[Step]:
    """Look-ups of what the write returned, strongest evidence first, then of what it was given."""
    step_id = next_step_id(blueprint.steps)
    for edge in sorted(library.edges_out_of(write.tool_id), key=lambda edge: (-edge.weight, edge.consumer_id)):
        tool_id, parameter = edge.consumer_id, edge.consumer_param
        if library.writes(tool_id) or not _at_hand(blueprint, tool_id, library):
            continue
        try:
            step, facts = bind(
                library.tools[tool_id],
                step_id,
                moment.known,
                library,
                moment.world,
                rng,
                linked=parameter,
                feeder=write.step_id,
                optional_share=0.0,
            )
        except DryRunError:  # this one needs what nobody can give
            continue
        if not facts:
            yield step
    yield from _same_arguments(write, step_id, library)


def _same_arguments(write: Step, step_id: str, library: Library) -> Iterator[Step]:
    """Look-ups of the same server that need nothing but arguments of the write, or can be narrowed down by one."""
    server = library.tools[write.tool_id].server
    for tool in library.tools.values():
        if tool.server != server or library.writes(tool.tool_id):
            continue
        names = required(tool) or [name for name in parameters(tool) if name in write.arguments][:1]
        if names and set(names) <= set(write.arguments):
            arguments: dict[str, Binding] = {name: write.arguments[name] for name in names}
            yield Step(step_id=step_id, tool_id=tool.tool_id, arguments=arguments)


def _shows(rehearsal: Rehearsal, write: Step, read: Step, library: Library) -> bool:
    """Whether the look-up answers otherwise right after the write than right before it."""
    place, outputs = list(rehearsal.calls).index(write.step_id), rehearsal.outputs
    before, after = rehearsal.worlds[place].fork(), rehearsal.worlds[place + 1].fork()
    shown = run_step(rehearsal.blueprint, read, outputs, library, after)
    try:
        return run_step(rehearsal.blueprint, read, outputs, library, before).output != shown.output
    except DryRunError:  # it was not there before
        return True
