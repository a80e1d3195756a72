"""A tool and what is known so far in, an argument for every parameter out: from an earlier output, or from the user."""

import random
from collections.abc import Mapping, Sequence

from pydantic import JsonValue

from tdscaling_assets.blueprints.library import Library, parameters, required
from tdscaling_assets.blueprints.rehearsal import DryRunError
from tdscaling_assets.paths import concrete_paths
from tdscaling_assets.schema import Binding, JsonObject, Step, Tool
from tdscaling_assets.services.world import World

OPTIONAL_SHARE = 0.2
"""Probability that an optional parameter is given."""
FLOW_SHARE = 0.9
"""Probability that a value already known is used instead of a new one."""


def bind(
    tool: Tool,
    step_id: str,
    earlier: Sequence[Step],
    outputs: Mapping[str, JsonValue],
    facts: JsonObject,
    library: Library,
    world: World,
    rng: random.Random,
) -> tuple[Step, JsonObject]:
    """The step, and the facts that it adds. Raises DryRunError when a parameter cannot get a value."""
    arguments: dict[str, Binding] = {}
    added: JsonObject = {}
    needed = set(required(tool))
    for name in parameters(tool):
        if name not in needed and rng.random() >= OPTIONAL_SHARE:
            continue
        flows = _flows(tool, name, earlier, outputs, library)
        if flows and rng.random() < FLOW_SHARE:
            arguments[name] = rng.choice(flows)
        elif name in facts and rng.random() < FLOW_SHARE:
            arguments[name] = Binding(kind="user", fact=name)
        else:
            value = library.sample(tool, name, world, rng)
            if value is None:
                raise DryRunError("no_value", f"nothing to give {tool.tool_id} for {name}")
            fact = fresh_fact(name, value, {**facts, **added})
            added[fact] = value
            arguments[name] = Binding(kind="user", fact=fact)
    return Step(step_id=step_id, tool_id=tool.tool_id, arguments=arguments), added


def fresh_fact(name: str, value: JsonValue, facts: JsonObject) -> str:
    """A name for a fact that clashes with none: the parameter's own, else with a number."""
    candidate, number = name, 2
    while candidate in facts and facts[candidate] != value:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _flows(
    tool: Tool, parameter: str, earlier: Sequence[Step], outputs: Mapping[str, JsonValue], library: Library
) -> list[Binding]:
    """Bindings to values that an earlier step returned and an edge of the graph says can be used here."""
    patterns: dict[str, list[str]] = {}
    for edge in library.edges_into(tool.tool_id):
        if edge.consumer_param == parameter:
            patterns.setdefault(edge.producer_id, []).append(edge.producer_path)
    return [
        Binding(kind="output", step=step.step_id, path=path)
        for step in earlier
        for pattern in patterns.get(step.tool_id, ())
        for path in concrete_paths(outputs.get(step.step_id), pattern)
    ]
