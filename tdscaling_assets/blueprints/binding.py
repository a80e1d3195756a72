"""A tool and what is known so far in, an argument for every parameter out: from an earlier output, or from the user.

Values are chosen to fit together: those of one call come from one row where they can, and a reference names a thing
that the tool would accept now.
"""

import random
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
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

_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Known:
    """What has happened so far: the steps, what each returned, and the facts that the user has said; `later` are the
    names of those that they say only after that, which are taken."""

    steps: Sequence[Step]
    outputs: Mapping[str, JsonValue]
    facts: JsonObject
    later: Collection[str] = ()


def bind(
    tool: Tool,
    step_id: str,
    known: Known,
    library: Library,
    world: World,
    rng: random.Random,
    *,
    linked: str | None = None,
    feeder: str = "",
    optional_share: float = OPTIONAL_SHARE,
) -> tuple[Step, JsonObject]:
    """The step, and the facts that it adds. `linked` names a parameter that must take an earlier output, that of the
    step `feeder` where one is named.

    Raises DryRunError when a parameter cannot get a value.
    """
    needed = {*required(tool), linked}
    given = [name for name in parameters(tool) if name in needed or rng.random() < optional_share]
    arguments: dict[str, Binding] = {}
    added: JsonObject = {}
    for name in sorted(given, key=lambda name: name != linked):
        taken = [_value(binding, known, added) for binding in arguments.values()]
        flows = [flow for flow in flows_to(tool, name, known, library) if _value(flow, known, added) not in taken]
        if name == linked:
            flows = [flow for flow in flows if not feeder or flow.step == feeder]
            if not flows:
                raise DryRunError("broken_chain", f"no earlier step returned anything for {tool.tool_id}.{name}")
        if flows and (name == linked or rng.random() < FLOW_SHARE):
            if len(flows) > 1:
                flows = _fitting(flows, library.candidates(tool, name, world), list(arguments.values()), known)
            arguments[name] = rng.choice(flows)
            added |= selectors(arguments[name], known, added)
        elif _reusable(tool, name, known, library, world, taken) and rng.random() < FLOW_SHARE:
            arguments[name] = Binding(kind="user", fact=name)
        else:
            value = library.sample(tool, name, world, rng)
            if value is None or value == "":
                raise DryRunError("no_value", f"nothing to give {tool.tool_id} for {name}")
            arguments[name] = Binding(kind="user", fact=fresh_fact(name, value, {**known.facts, **added}, known.later))
            added[arguments[name].fact] = value
    return Step(step_id=step_id, tool_id=tool.tool_id, arguments={name: arguments[name] for name in given}), added


def fresh_fact(name: str, value: JsonValue, facts: JsonObject, taken: Collection[str] = ()) -> str:
    """A name for a fact that clashes with none and is not taken: the parameter's own, else `other_` before it, else
    with a number."""
    candidate, number = name, 2
    while candidate in taken or (candidate in facts and facts[candidate] != value):
        candidate = f"other_{name}" if number == 2 else f"{name}_{number}"
        number += 1
    return candidate


def _reusable(
    tool: Tool, parameter: str, known: Known, library: Library, world: World, taken: Sequence[JsonValue]
) -> bool:
    """Whether what the user said under the parameter's name is meant again."""
    value = known.facts.get(parameter)
    return value is not None and value not in taken and library.fits(tool, parameter, value, world)


def flows_to(tool: Tool, parameter: str, known: Known, library: Library) -> list[Binding]:
    """Bindings to values that an earlier step returned and an edge of the graph says can be used here; not those of a
    row that nobody could single out."""
    patterns: dict[str, list[str]] = {}
    for edge in library.edges_into(tool.tool_id):
        if edge.consumer_param == parameter:
            patterns.setdefault(edge.producer_id, []).append(edge.producer_path)
    return [
        Binding(kind="output", step=step.step_id, path=path)
        for step in known.steps
        for pattern in patterns.get(step.tool_id, ())
        for path in concrete_paths(known.outputs.get(step.step_id), pattern)
        if all(_telling_marks(rows, index) for rows, index in _lists_on_the_way(known.outputs[step.step_id], path))
    ]


def _fitting(
    flows: list[Binding], plausible: list[JsonValue], chosen: Sequence[Binding], known: Known
) -> list[Binding]:
    """The flows that the tool would accept and that lie in the rows already chosen, as far as there are any."""
    flows = [flow for flow in flows if value_at(known.outputs[flow.step], flow.path) in plausible] or flows
    rows = [binding for binding in chosen if binding.kind == "output"]
    return [flow for flow in flows if all(_same_row(flow, binding) for binding in rows)] or flows


def _same_row(flow: Binding, other: Binding) -> bool:
    """Whether one of two values lies in the row, or inside a row of the row, that holds the other."""
    first, second = sorted((_row(flow.path), _row(other.path)), key=len)
    return flow.step == other.step and second[: len(first)] == first


def _row(path: str) -> list[str]:
    """The path's parts up to its last index."""
    parts = path.split(".")
    return parts[: max((place + 1 for place, part in enumerate(parts) if part.isdecimal()), default=0)]


def _value(binding: Binding, known: Known, added: JsonObject) -> JsonValue:
    if binding.kind == "output":
        return value_at(known.outputs[binding.step], binding.path)
    return {**known.facts, **added}.get(binding.fact)


def selectors(binding: Binding, known: Known, added: JsonObject) -> JsonObject:
    """What the user says to single out the row of each list on the way to a value, unless it has been said."""
    told: JsonObject = {}
    for rows, index in _lists_on_the_way(known.outputs[binding.step], binding.path):
        facts = {**known.facts, **added, **told}
        marks = _telling_marks(rows, index)
        if marks and not any(value in facts.values() for _, value in marks):
            name, value = marks[0]
            told[fresh_fact(name, value, facts, known.later)] = value
    return told


def _lists_on_the_way(output: JsonValue, path: str) -> Iterator[tuple[list[JsonValue], int]]:
    parts = path.split(".")
    for place, part in enumerate(parts):
        rows = value_at(output, ".".join(parts[:place])) if part.isdecimal() else None
        if isinstance(rows, list) and len(rows) > 1:
            yield rows, int(part)


def _telling_marks(rows: list[JsonValue], index: int) -> list[tuple[str, JsonValue]]:
    """Fields of the row whose text no other row has: words first, then dates, then identifiers."""
    row = rows[index]
    marks: list[tuple[int, str, JsonValue]] = []
    for name, value in row.items() if isinstance(row, dict) else ():
        others = [other.get(name) for place, other in enumerate(rows) if place != index and isinstance(other, dict)]
        if isinstance(value, str) and len(value) >= 3 and value not in others:
            rank = 2 if name.endswith("_id") or name == "id" else 1 if _MOMENT.match(value) else 0
            marks.append((rank, name, value))
    return [(name, value) for _, name, value in sorted(marks, key=lambda mark: mark[0])]
