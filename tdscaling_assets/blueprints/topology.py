"""A cluster in, a blueprint out: dependent tools whose arguments are bound while they run on a fresh world."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tdscaling_assets.blueprints.binding import OPTIONAL_SHARE, Known, bind
from tdscaling_assets.blueprints.library import Library, purpose
from tdscaling_assets.blueprints.moments import Moment
from tdscaling_assets.blueprints.rehearsal import DryRunError, run_step
from tdscaling_assets.blueprints.turns import next_step_id, report_paths
from tdscaling_assets.measures import leaves
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import Blueprint, BusinessCluster, ExpectedCall, JsonObject, Step, Turn, digest

CHAIN_LENGTHS, CHAIN_SHARES = (1, 2, 3, 4), (0.15, 0.4, 0.3, 0.15)
STARTS = 6
"""Times that a chain is begun anew on a fresh world before its draw is refused."""
BINDINGS = 4
"""Most bindings of one step that are tried: a call that the world refuses changes nothing."""


@dataclass(frozen=True)
class Grounded:
    """A step that the world accepted, the facts that it adds, and the call."""

    step: Step
    facts: JsonObject
    call: ExpectedCall


def draw_blueprint(
    cluster: BusinessCluster, batch: str, library: Library, rng: random.Random, world_seed: int
) -> Blueprint:
    """A runnable blueprint of one request. Raises DryRunError when this draw does not run."""
    chain = draw_chain(cluster, library, rng)
    seed = rng.getrandbits(32)
    services = library.services_of(cluster.tool_ids)
    blueprint = Blueprint(
        blueprint_id="",
        round=batch.split("-")[0],
        batch=batch,
        cluster_id=cluster.cluster_id,
        domain=cluster.domain,
        title="",
        persona="",
        goal="",
        tool_ids=cluster.tool_ids,
        services=services,
        world_seed=world_seed,
        facts={},
        steps=(),
        turns=(),
        seed=seed,
    )
    start = Moment(Known((), {}, {}), library.world(services, world_seed))
    return insert_request(blueprint, 0, chain, start, library, rng)


def insert_request(
    blueprint: Blueprint, place: int, chain: Sequence[str], moment: Moment, library: Library, rng: random.Random
) -> Blueprint:
    """The blueprint with one more request turn, before turn `place`, that runs the chain from that moment on. Raises
    DryRunError."""
    new = _ground_chain(blueprint, chain, moment, library, rng)
    wanted = _wanted(new, library)
    turn = Turn(
        kind="request",
        intent=" and then ".join(dict.fromkeys(purpose(library.tools[item.step.tool_id]) for item in wanted)),
        reveals=tuple(dict.fromkeys(name for item in new for name in item.facts)),
        groups=tuple((item.step.step_id,) for item in new),
        about=_about(wanted, library, rng),
    )
    return blueprint.model_copy(
        update={
            "facts": {**blueprint.facts, **{name: value for item in new for name, value in item.facts.items()}},
            "steps": (*blueprint.steps, *(item.step for item in new)),
            "turns": (*blueprint.turns[:place], turn, *blueprint.turns[place:]),
        }
    )


def ground_step(
    blueprint: Blueprint,
    step_id: str,
    tool_id: str,
    moment: Moment,
    library: Library,
    rng: random.Random,
    *,
    links: Mapping[str, float],
    feeder: str = "",
) -> Grounded:
    """A new step of the tool, bound anew until the moment's world accepts it, which then is that after the step; each
    time with more of the optional parameters.

    One of the parameters in `links`, drawn by weight, takes an earlier output: that of the step `feeder`, if named.
    Raises DryRunError when none of the bindings runs.
    """
    known, world = moment.known, moment.world
    problem = DryRunError("no_value", f"nothing was tried for {tool_id}")
    for attempt in range(BINDINGS):
        linked = rng.choices(list(links), list(links.values()))[0] if links else None
        try:
            step, facts = bind(
                library.tools[tool_id],
                step_id,
                known,
                library,
                world,
                rng,
                linked=linked,
                feeder=feeder,
                optional_share=OPTIONAL_SHARE * (1 + attempt / 2),
            )
            draft = blueprint.model_copy(update={"facts": {**known.facts, **facts}})
            return Grounded(step, facts, run_step(draft, step, known.outputs, library, world))
        except DryRunError as error:
            problem = error
    raise problem


def draw_chain(
    cluster: BusinessCluster, library: Library, rng: random.Random, ends: Sequence[str] | None = None
) -> list[str]:
    """Tools of the cluster in an order along its dependency edges, 1-4 long, ending in one of `ends`, by default a tool
    that consumes."""
    consumers = sorted({edge.consumer_id for edge in cluster.edges})
    chain = [rng.choice(ends or consumers or sorted(cluster.tool_ids))]
    length = rng.choices(CHAIN_LENGTHS, CHAIN_SHARES)[0]
    while len(chain) < length:
        feeding = [edge for edge in cluster.edges if edge.consumer_id == chain[0] and edge.producer_id not in chain]
        if not feeding:
            break
        chain.insert(0, rng.choices(feeding, weights=[edge.weight for edge in feeding])[0].producer_id)
    return chain


def seal(blueprint: Blueprint) -> Blueprint:
    """The blueprint under its final id: a digest of batch, seed and topology."""
    content = blueprint.model_dump(mode="json", exclude={"blueprint_id", "title", "persona", "goal"})
    return blueprint.model_copy(update={"blueprint_id": f"bp_{digest(content)}"})


def _ground_chain(
    blueprint: Blueprint, chain: Sequence[str], moment: Moment, library: Library, rng: random.Random
) -> list[Grounded]:
    """The chain's steps, each bound so that the world accepts it; from the start again where one finds no binding.

    Raises DryRunError when no start leads to the end.
    """
    problem = DryRunError("no_chain", "nothing was tried")
    for _ in range(STARTS):
        try:
            return _ground_once(blueprint, chain, Moment(moment.known, moment.world.fork()), library, rng)
        except DryRunError as error:
            problem = error
    raise problem


def _ground_once(
    blueprint: Blueprint, chain: Sequence[str], moment: Moment, library: Library, rng: random.Random
) -> list[Grounded]:
    new: list[Grounded] = []
    for place, tool_id in enumerate(chain):
        links = _links(chain[place - 1], tool_id, library) if place else {}
        feeder = new[-1].step.step_id if new else ""
        step_id = next_step_id(blueprint.steps, len(new))
        grounded = ground_step(blueprint, step_id, tool_id, moment, library, rng, links=links, feeder=feeder)
        moment = moment.after(grounded.step, grounded.facts, grounded.call)
        new.append(grounded)
    return new


def _links(producer_id: str, consumer_id: str, library: Library) -> dict[str, float]:
    """Parameter → weight of the edges between two tools of a chain; none where the producer does not say what it
    returns, so that no value can be bound beforehand."""
    if library.tools[producer_id].output_schema is None:
        return {}
    edges = [edge for edge in library.edges_into(consumer_id) if edge.producer_id == producer_id]
    return {edge.consumer_param: edge.weight for edge in edges}


def _wanted(new: Sequence[Grounded], library: Library) -> list[Grounded]:
    """What the user asks for: every change, the end, and look-ups that tell no later step anything new."""
    calls = {item.step.step_id: item.call for item in new}
    feeding = {source for item in new for source in _sources(item.step, calls)}
    return [
        item for item in new if item is new[-1] or library.writes(item.step.tool_id) or item.step.step_id not in feeding
    ]


def _sources(step: Step, calls: Mapping[str, ExpectedCall]) -> set[str]:
    """The new steps that give this one a value which they had not been given themselves."""
    return {
        binding.step
        for binding in step.arguments.values()
        if binding.kind == "output" and binding.step in calls
        if value_at(calls[binding.step].output, binding.path) not in list(leaves(calls[binding.step].arguments))
    }


def _about(wanted: Sequence[Grounded], library: Library, rng: random.Random) -> tuple[str, ...]:
    """What the answer reports: several values of the last call, one of each other that was asked for."""
    *others, last = wanted
    told: list[str] = []
    for item in others:
        told += report_paths(item.call, library.tools[item.step.tool_id], rng, most=1)
    return (*told, *report_paths(last.call, library.tools[last.step.tool_id], rng))
