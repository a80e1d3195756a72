"""A tool and what is known so far in, an argument for every parameter out: from an earlier output, or from the user."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from tdscaling_assets.blueprints.library import Library, parameters, required
from tdscaling_assets.blueprints.rehearsal import DryRunError
from tdscaling_assets.paths import concrete_paths, value_at
from tdscaling_assets.schema import Binding, JsonObject, Step, Tool
from tdscaling_assets.services.world import World

OPTIONAL_SHARE = 0.2
"""Probability that an optional parameter is given."""
FLOW_SHARE = 0.9
"""Probability that a value already known is used instead of a new one."""


@dataclass(frozen=True)
class Known:
    """What has happened so far: the steps, what each returned, and what the user knows."""

    steps: Sequence[Step]
    outputs: Mapping[str, JsonValue]
    facts: JsonObject


def bind(
    tool: Tool,
    step_id: str,
    known: Known,
    library: Library,
    world: World,
    rng: random.Random,
    *,
    linked: str | None = None,
) -> tuple[Step, JsonObject]:
    """The step, and the facts that it adds. `linked` names a parameter that must take an earlier output.

    Raises DryRunError when a parameter cannot get a value.
    """
    arguments: dict[str, Binding] = {}
    added: JsonObject = {}
    needed = {*required(tool), linked}
    for name in parameters(tool):
        if name not in needed and rng.random() >= OPTIONAL_SHARE:
            continue
        flows = _flows(tool, name, known, library)
        if name == linked and not flows:
            raise DryRunError("broken_chain", f"no earlier step returned anything for {tool.tool_id}.{name}")
        if flows and (name == linked or rng.random() < FLOW_SHARE):
            arguments[name] = rng.choice(flows)
            added |= _selector(arguments[name], known, added)
        elif name in known.facts and rng.random() < FLOW_SHARE:
            arguments[name] = Binding(kind="user", fact=name)
        else:
            value = library.sample(tool, name, world, rng)
            if value is None:
                raise DryRunError("no_value", f"nothing to give {tool.tool_id} for {name}")
            fact = fresh_fact(name, value, {**known.facts, **added})
            added[fact] = value
            arguments[name] = Binding(kind="user", fact=fact)
    return Step(step_id=step_id, tool_id=tool.tool_id, arguments=arguments), added


def fresh_fact(name: str, value: JsonValue, facts: JsonObject) -> str:
    """A name for a fact that clashes with none: the parameter's own, else with a number."""
    candidate, number = name, 2
    while candidate in facts and facts[candidate] != value:
        candidate, number = f"{name}_{number}", number + 1
    return candidate


def _flows(tool: Tool, parameter: str, known: Known, library: Library) -> list[Binding]:
    """Bindings to values that an earlier step returned and an edge of the graph says can be used here."""
    patterns: dict[str, list[str]] = {}
    for edge in library.edges_into(tool.tool_id):
        if edge.consumer_param == parameter:
            patterns.setdefault(edge.producer_id, []).append(edge.producer_path)
    return [
        Binding(kind="output", step=step.step_id, path=path)
        for step in known.steps
        for pattern in patterns.get(step.tool_id, ())
        for path in concrete_paths(known.outputs.get(step.step_id), pattern)
    ]


def _selector(binding: Binding, known: Known, added: JsonObject) -> JsonObject:
    """What the user says to single out one row of a list that has several: a telling value that only this row has."""
    rows_path, index = _split_at_last_index(binding.path)
    rows = value_at(known.outputs[binding.step], rows_path) if index is not None else None
    if not isinstance(rows, list) or index is None or len(rows) < 2:
        return {}
    row = rows[index]
    for name, value in row.items() if isinstance(row, dict) else ():
        others = [other.get(name) for place, other in enumerate(rows) if place != index and isinstance(other, dict)]
        if isinstance(value, str) and len(value) >= 3 and not name.endswith("_id") and value not in others:
            return {fresh_fact(name, value, {**known.facts, **added}): value}
    return {}


def _split_at_last_index(path: str) -> tuple[str, int | None]:
    """`orders.2.order_id` → orders, 2; a path without an index gives None."""
    parts = path.split(".")
    for place in range(len(parts) - 1, -1, -1):
        if parts[place].isdecimal():
            return ".".join(parts[:place]), int(parts[place])
    return path, None
