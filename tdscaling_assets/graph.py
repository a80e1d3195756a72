"""Tools in, directed producer → consumer edges out: which output field can feed which parameter.

An edge joins an output and an input of one entity key. Its weight is the key's inverse document frequency times what
speaks for or against a real flow: the kind of key, the entity's life cycle, the server, an optional parameter, a
value that the producer was itself given. Built from an inverted index of keys, never all pairs, with a cap per
parameter. Every rule here is our own definition.
"""

import math
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tdscaling_assets.entities import END, Act, entity_of, is_natural, is_reference, parse_act
from tdscaling_assets.flows import Input, Output, find_inputs, find_outputs
from tdscaling_assets.schema import CODE_TOOL, Tool, ToolEdge

PRODUCERS_PER_PARAMETER = 6  # best producers of the same server that one parameter keeps
FOREIGN_PRODUCERS = 1  # and of other servers
JUNCTIONS = 12  # and of other servers whose values look the same, one of each
LEAST_WEIGHT = 0.3  # of an edge within one server
LEAST_FOREIGN_WEIGHT = 0.8  # of an edge between servers, which needs better reasons
_TELLING = re.compile(r"\^?[A-Za-z]{2,}")  # a pattern that starts with letters of its own names one kind of thing
_FOREIGN_POOL = 24  # surest producers of a key that other servers look at
_JUNCTION_POOL = 96  # and of a key in one format


class Catalog(NamedTuple):
    """What all tools together say about a flow: acts by tool, rarity by key, and (tool, key) of what a tool must be
    given."""

    acts: Mapping[str, Act]
    rarity: Mapping[str, float]
    given: frozenset[tuple[str, str]]


def build_graph(tools: Sequence[Tool]) -> list[ToolEdge]:
    """Edges by consumer, parameter and falling weight, independent of the tools' order; the code tool has none."""
    ordered = sorted((tool for tool in tools if tool.tool_id != CODE_TOOL), key=lambda tool: tool.tool_id)
    acts = {tool.tool_id: parse_act(tool) for tool in ordered}
    inputs = find_inputs(ordered, acts)
    outputs = find_outputs(ordered, acts, inputs)
    given = frozenset((need.tool.tool_id, key) for need in inputs if need.required for key in need.keys)
    catalog = Catalog(acts, _rarity(len(ordered), inputs, outputs), given)
    index = _index(outputs)
    edges: list[ToolEdge] = []
    for need in inputs:
        near = [give for key in need.keys for give in index.at_home.get((need.tool.server, key), ())]
        far = [give for key in need.keys for give in index.abroad.get(key, ()) if give.tool.server != need.tool.server]
        kin = [give for key in need.keys for give in index.alike.get((key, need.pattern), ())]
        strangers = [give for give in far if not (kin and give.pattern == need.pattern)]
        edges += _best(need, near, catalog, PRODUCERS_PER_PARAMETER, LEAST_WEIGHT)
        edges += _best(need, strangers, catalog, FOREIGN_PRODUCERS, LEAST_FOREIGN_WEIGHT)
        edges += _one_per_server(need, kin, catalog)
    return edges


def _rarity(tools: int, inputs: Sequence[Input], outputs: Sequence[Output]) -> dict[str, float]:
    """Inverse document frequency of each key: ln(1 + tools / tools with the key)."""
    holders: dict[str, set[str]] = defaultdict(set)
    for need in inputs:
        for key in need.keys:
            holders[key].add(need.tool.tool_id)
    for give in outputs:
        holders[give.key].add(give.tool.tool_id)
    return {key: math.log(1 + tools / len(ids)) for key, ids in holders.items()}


class Index(NamedTuple):
    """Outputs by (server, key); for other servers the surest by key, and by (key, format) where that is telling."""

    at_home: Mapping[tuple[str, str], Sequence[Output]]
    abroad: Mapping[str, Sequence[Output]]
    alike: Mapping[tuple[str, str], Sequence[Output]]


def _index(outputs: Sequence[Output]) -> Index:
    at_home: dict[tuple[str, str], list[Output]] = defaultdict(list)
    abroad: dict[str, list[Output]] = defaultdict(list)
    alike: dict[tuple[str, str], list[Output]] = defaultdict(list)
    for give in sorted(outputs, key=lambda give: (-give.sureness, give.tool.tool_id)):
        at_home[give.tool.server, give.key].append(give)
        if len(abroad[give.key]) < _FOREIGN_POOL:
            abroad[give.key].append(give)
        if _TELLING.match(give.pattern) and len(alike[give.key, give.pattern]) < _JUNCTION_POOL:
            alike[give.key, give.pattern].append(give)
    return Index(at_home, abroad, alike)


def _best(need: Input, gives: Sequence[Output], catalog: Catalog, limit: int, least: float) -> list[ToolEdge]:
    """At most `limit` edges into one parameter, one per producer."""
    best: dict[str, ToolEdge] = {}
    for give in gives:
        if give.tool.tool_id == need.tool.tool_id or not _fits(give, need):
            continue
        edge = _edge(need, give, catalog)
        known = best.get(edge.producer_id)
        if edge.weight >= least and (known is None or edge.weight > known.weight):
            best[edge.producer_id] = edge
    return sorted(best.values(), key=lambda edge: (-edge.weight, edge.producer_id))[:limit]


def _one_per_server(need: Input, gives: Sequence[Output], catalog: Catalog) -> list[ToolEdge]:
    """The best edge from each other server whose values look as the parameter's do."""
    servers: dict[str, list[Output]] = defaultdict(list)
    for give in gives:
        if give.tool.server != need.tool.server:
            servers[give.tool.server].append(give)
    best = [edge for server in sorted(servers) for edge in _best(need, servers[server], catalog, 1, LEAST_WEIGHT)]
    return sorted(best, key=lambda edge: (-edge.weight, edge.producer_id))[:JUNCTIONS]


def _fits(give: Output, need: Input) -> bool:
    if give.pattern and need.pattern and give.pattern != need.pattern:
        return False  # an invoice number is no order number, whatever both are called
    given, wanted = give.kind, need.kind
    return not given or wanted in ("any", given) or (given, wanted) == ("integer", "number")


def _edge(need: Input, give: Output, catalog: Catalog) -> ToolEdge:
    idf = catalog.rarity[give.key]
    weight = idf * give.sureness * (1.0 if is_reference(give.key) else 0.5)
    evidence = [f"entity_key:{give.key}", f"idf={idf:.1f}"]
    if give.tool.server == need.tool.server:
        evidence.append("same_server")
    elif give.pattern == need.pattern and _TELLING.match(give.pattern):
        weight *= 0.6
        evidence.append(f"same_format:{give.pattern}")
    else:
        weight *= 0.6 if is_natural(give.key) else 0.15
    giver, taker = catalog.acts[give.tool.tool_id], catalog.acts[need.tool.tool_id]
    if giver.stage == END:
        weight *= 0.4
    elif not _is_about(give.key, giver):
        weight *= 0.6
    elif giver.stage is not None and taker.stage is not None and giver.stage < taker.stage:
        weight *= 1.5
        evidence.append(f"lifecycle:{giver.verb}>{taker.verb}")
    if (give.tool.tool_id, give.key) in catalog.given:  # it only passes the value on
        weight *= 0.5
        evidence.append("passed_on")
    if not need.required:
        weight *= 0.5
        evidence.append("optional")
    return ToolEdge(
        producer_id=give.tool.tool_id,
        consumer_id=need.tool.tool_id,
        consumer_param=need.name,
        producer_path=give.path,
        evidence=" ".join(evidence),
        weight=round(weight, 4),
    )


def _is_about(key: str, act: Act) -> bool:
    """Whether the key names the thing the tool is about; `email`, which names no owner, is about anything."""
    return entity_of(key) in act.nouns or entity_of(key) == key
