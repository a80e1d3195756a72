"""A cluster in, a blueprint out: dependent tools whose arguments are bound while they run on a fresh world."""

import random
from collections.abc import Sequence
from typing import Literal

from pydantic import JsonValue

from tdscaling_assets.blueprints.binding import Known, bind
from tdscaling_assets.blueprints.library import Library, purpose
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, run_step
from tdscaling_assets.schema import Blueprint, BusinessCluster, JsonObject, Step, Turn, digest

TurnKind = Literal["request", "inform", "approve", "pivot"]

CHAIN_LENGTHS, CHAIN_SHARES = (1, 2, 3, 4), (0.15, 0.4, 0.3, 0.15)
REPORTED = 3
"""Most values that an answer reports."""


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
    return append_request(blueprint, chain, library, rng)


def append_request(
    blueprint: Blueprint, chain: Sequence[str], library: Library, rng: random.Random, kind: TurnKind = "request"
) -> Blueprint:
    """The blueprint with one more request turn that runs the chain after all earlier steps. Raises DryRunError."""
    world = library.world(blueprint.services, blueprint.world_seed)
    outputs: dict[str, JsonValue] = {}
    for step in blueprint.steps:
        outputs[step.step_id] = run_step(blueprint, step, outputs, library, world).output
    steps, facts = list(blueprint.steps), dict(blueprint.facts)
    reveals: JsonObject = {}
    new: list[Step] = []
    for place, tool_id in enumerate(chain):
        tool = library.tools[tool_id]
        linked = _link(chain[place - 1], tool_id, library) if place else None
        known = Known(steps, outputs, facts)
        step, added = bind(tool, next_step_id(steps), known, library, world, rng, linked=linked)
        facts |= added
        reveals |= added
        draft = blueprint.model_copy(update={"facts": facts})
        outputs[step.step_id] = run_step(draft, step, outputs, library, world).output
        steps.append(step)
        new.append(step)
    about = report_paths(new[-1].step_id, outputs[new[-1].step_id], rng)
    turn = Turn(
        kind=kind,
        intent=_intent(chain, library),
        reveals=tuple(reveals),
        groups=tuple((step.step_id,) for step in new),
        about=about,
    )
    return blueprint.model_copy(update={"facts": facts, "steps": tuple(steps), "turns": (*blueprint.turns, turn)})


def draw_chain(cluster: BusinessCluster, library: Library, rng: random.Random) -> list[str]:
    """Tools of the cluster in an order along its dependency edges, 1-4 long, ending in a tool that consumes."""
    consumers = sorted({edge.consumer_id for edge in cluster.edges})
    chain = [rng.choice(consumers or sorted(cluster.tool_ids))]
    length = rng.choices(CHAIN_LENGTHS, CHAIN_SHARES)[0]
    while len(chain) < length:
        feeding = [edge for edge in cluster.edges if edge.consumer_id == chain[0] and edge.producer_id not in chain]
        if not feeding:
            break
        chain.insert(0, rng.choices(feeding, weights=[edge.weight for edge in feeding])[0].producer_id)
    return chain


def report_step(
    rehearsal: Rehearsal, step: Step, facts: JsonObject, library: Library, rng: random.Random
) -> tuple[str, ...]:
    """What the answer tells of a new step, which runs once on the rehearsal's world. Raises DryRunError."""
    draft = rehearsal.blueprint.model_copy(update={"facts": {**rehearsal.blueprint.facts, **facts}})
    call = run_step(draft, step, rehearsal.outputs, library, rehearsal.world)
    return report_paths(step.step_id, call.output, rng)


def with_turn(
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


def next_step_id(steps: Sequence[Step]) -> str:
    """`s1`, `s2`, ...: the first id not taken."""
    return f"s{len(steps) + 1}"


def report_paths(step_id: str, output: JsonValue, rng: random.Random) -> tuple[str, ...]:
    """Up to three `step.path` of scalars worth telling the user. Raises DryRunError when there are none."""
    paths = _scalar_paths(output, "")
    if not paths:
        raise DryRunError("empty_result", f"{step_id} returns nothing to report")
    chosen = sorted(rng.sample(range(len(paths)), min(REPORTED, len(paths))))
    return tuple(f"{step_id}.{paths[index]}" for index in chosen)


def seal(blueprint: Blueprint) -> Blueprint:
    """The blueprint under its final id: a digest of batch, seed and topology."""
    content = blueprint.model_dump(mode="json", exclude={"blueprint_id", "title", "persona", "goal"})
    return blueprint.model_copy(update={"blueprint_id": f"bp_{digest(content)}"})


def _link(producer_id: str, consumer_id: str, library: Library) -> str | None:
    """The parameter along the strongest edge between two tools of a chain."""
    edges = [edge for edge in library.edges_into(consumer_id) if edge.producer_id == producer_id]
    return max(edges, key=lambda edge: (edge.weight, edge.consumer_param)).consumer_param if edges else None


def _intent(chain: Sequence[str], library: Library) -> str:
    """What the user asks for: every change along the chain, and its end."""
    tools = [library.tools[tool_id] for tool_id in chain]
    asked = [tool for tool in tools[:-1] if tool.read_only is False] + tools[-1:]
    return " and then ".join(dict.fromkeys(purpose(tool) for tool in asked))


def _scalar_paths(value: JsonValue, prefix: str, depth: int = 0) -> list[str]:
    """Dotted paths of scalars, objects and the first row of lists, three levels deep."""
    if isinstance(value, list):
        value = {"0": value[0]} if value else {}
    if not isinstance(value, dict):
        return [prefix] if value is not None and value != "" else []
    if depth > 2:
        return []
    return [
        path for key, item in value.items() for path in _scalar_paths(item, f"{prefix}.{key}".strip("."), depth + 1)
    ]
