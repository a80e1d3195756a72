"""Tools in, directed producer → consumer edges out: which output field can feed which parameter.

An edge joins an output and an input of one entity key, and carries what speaks for it (evidence.py). Built from
inverted indexes of keys, never all pairs: within a server, between servers for keys that mean the same everywhere,
and for keys of one format; with a cap per parameter. Every rule here is our own definition.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import NamedTuple

from tdscaling_assets.entities import Act, is_told, own_keys, parse_act
from tdscaling_assets.evidence import Catalog, Offer, can_cross, can_flow, describe, is_telling, make_offer, weigh
from tdscaling_assets.flows import Input, Output, find_inputs, find_outputs
from tdscaling_assets.schema import CODE_TOOLS, Tool, ToolEdge
from tdscaling_assets.vocabulary import FIND

PRODUCERS_PER_PARAMETER = 6  # best producers of the same server that one parameter keeps
FOREIGN_PRODUCERS = 1  # and of other servers
JUNCTIONS = 12  # and of other servers whose values look the same, one of each
LEAST_WEIGHT = 0.3  # of an edge within one server
LEAST_FOREIGN_WEIGHT = 0.8  # of an edge between servers, which needs better reasons
_HOME_POOL = 256  # surest producers of a key that its own server looks at, so that one huge server stays linear
_FOREIGN_POOL = 24  # and that other servers look at
_JUNCTION_POOL = 96  # and of a key in one format


class Link(NamedTuple):
    """A flow that may become an edge."""

    weight: float
    offer: Offer


class Index(NamedTuple):
    """Offers, surest first, by (server, key); for other servers by key, and by (key, format) where that is telling."""

    at_home: Mapping[tuple[str, str], Sequence[Offer]]
    abroad: Mapping[str, Sequence[Offer]]
    alike: Mapping[tuple[str, str], Sequence[Offer]]


def build_graph(tools: Sequence[Tool]) -> list[ToolEdge]:
    """Edges by consumer, parameter and falling weight, independent of the tools' order; the code tools have none."""
    ordered = sorted((tool for tool in tools if tool.tool_id not in CODE_TOOLS), key=lambda tool: tool.tool_id)
    acts = {tool.tool_id: parse_act(tool) for tool in ordered}
    inputs = find_inputs(ordered, acts)
    outputs = find_outputs(ordered, acts, inputs)
    catalog = Catalog(acts, _rarity(len(ordered), inputs, outputs), _given(inputs, outputs, acts))
    index = _index(outputs, catalog)
    return [edge for need in inputs for edge in _edges_into(need, index, catalog)]


def _edges_into(need: Input, index: Index, catalog: Catalog) -> list[ToolEdge]:
    server, taker = need.tool.server, catalog.acts[need.tool.tool_id]
    near = [offer for key in need.keys for offer in index.at_home.get((server, key), ())]
    kin = [offer for key in need.keys for offer in index.alike.get((key, need.pattern), ())]
    far = [offer for key in need.keys for offer in index.abroad.get(key, ()) if offer.give.tool.server != server]
    strangers = [offer for offer in far if not (kin and offer.give.pattern == need.pattern)]
    links = _best(need, taker, near, PRODUCERS_PER_PARAMETER, LEAST_WEIGHT)
    links += _best(need, taker, strangers, FOREIGN_PRODUCERS, LEAST_FOREIGN_WEIGHT)
    links += _one_per_server(need, taker, kin)
    return [_edge(need, taker, link, catalog) for link in links]


def _best(need: Input, taker: Act, offers: Iterable[Offer], limit: int, least: float) -> list[Link]:
    """At most `limit` flows into one parameter, one per producer."""
    best: dict[str, Link] = {}
    for offer in offers:
        producer = offer.give.tool.tool_id
        if producer == need.tool.tool_id or not can_flow(offer, need, taker):
            continue
        weight = weigh(offer, need, taker)
        if weight >= least and (producer not in best or weight > best[producer].weight):
            best[producer] = Link(weight, offer)
    return nsmallest(limit, best.values(), key=_rank)


def _one_per_server(need: Input, taker: Act, offers: Iterable[Offer]) -> list[Link]:
    """The best flow from each other server whose values look as the parameter's do."""
    servers: dict[str, list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.give.tool.server != need.tool.server:
            servers[offer.give.tool.server].append(offer)
    best = [link for server in sorted(servers) for link in _best(need, taker, servers[server], 1, LEAST_WEIGHT)]
    return nsmallest(JUNCTIONS, best, key=_rank)


def _rank(link: Link) -> tuple[float, str]:
    return (-link.weight, link.offer.give.tool.tool_id)


def _edge(need: Input, taker: Act, link: Link, catalog: Catalog) -> ToolEdge:
    give = link.offer.give
    return ToolEdge(
        producer_id=give.tool.tool_id,
        consumer_id=need.tool.tool_id,
        consumer_param=need.name,
        producer_path=give.path,
        evidence=describe(link.offer, need, taker, catalog.rarity[give.key]),
        weight=round(link.weight, 4),
    )


# ── what all tools say together ──────────────────────────────────────────────────────────────────────────────


def _rarity(tools: int, inputs: Sequence[Input], outputs: Sequence[Output]) -> dict[str, float]:
    """Inverse document frequency of each key, to four places: ln(1 + tools / tools with the key)."""
    holders: dict[str, set[str]] = defaultdict(set)
    for need in inputs:
        for key in need.keys:
            holders[key].add(need.tool.tool_id)
    for give in outputs:
        holders[give.key].add(give.tool.tool_id)
    return {key: round(math.log(1 + tools / len(ids)), 4) for key, ids in holders.items()}


def _given(inputs: Sequence[Input], outputs: Sequence[Output], acts: Mapping[str, Act]) -> frozenset[tuple[str, str]]:
    """(tool, key) of what a tool is given: by its required parameters; where nothing says what it returns, also by
    optional ones, unless it searches, and because its verb needs the thing."""
    told: set[tuple[str, str]] = set()
    for need in inputs:
        act = acts[need.tool.tool_id]
        if need.required or (need.tool.output_schema is None and act.stage != FIND):
            told.update((need.tool.tool_id, key) for key in own_keys(need.name, need.keys, act))
    for give in outputs:
        if give.basis in ("noun", "short_noun") and is_told(acts[give.tool.tool_id]):
            told.add((give.tool.tool_id, give.key))
    return frozenset(told)


def _index(outputs: Sequence[Output], catalog: Catalog) -> Index:
    at_home: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    abroad: dict[str, list[Offer]] = defaultdict(list)
    alike: dict[tuple[str, str], list[Offer]] = defaultdict(list)
    offers = sorted((make_offer(give, catalog) for give in outputs), key=lambda offer: _rank(Link(offer.weight, offer)))
    for offer in offers:
        give = offer.give
        _add(at_home[give.tool.server, give.key], offer, _HOME_POOL)
        if can_cross(offer):
            _add(abroad[give.key], offer, _FOREIGN_POOL)
        if is_telling(give.pattern):
            _add(alike[give.key, give.pattern], offer, _JUNCTION_POOL)
    return Index(at_home, abroad, alike)


def _add(pool: list[Offer], offer: Offer, most: int) -> None:
    if len(pool) < most:
        pool.append(offer)
