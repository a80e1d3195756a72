"""Tools and edges in, ranked business clusters out: the k candidate sets that cover the most.

A candidate is a connected set of 3-12 tools with at least one dependency edge, grown around an edge or taken from
a Louvain community (Blondel et al. 2008). The selection is greedy weighted maximum coverage over tools and edges,
lazily evaluated (Nemhauser et al. 1978, Minoux 1978): monotone submodular, so within 1 - 1/e of the optimum, and
the first k clusters are the greedy best k. The order of the input changes nothing.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from math import fsum

import networkx as nx

from tdscaling_assets.schema import CODE_TOOL, BusinessCluster, Tool, ToolEdge, digest

SMALLEST, LARGEST = 3, 12  # tools in a cluster
GROWN = 4  # tools at which growth around an edge stops
COMMUNITY = 6  # tools above which a community is split, if it can be
COHESION = 0.35  # growth also stops where a tool's ties are weaker than this share of the set's mean tie
_FINEST = 4.0  # resolution of the last split; what is left then may have up to LARGEST tools
_SEED = 7  # of Louvain, fixed so that equal graphs give equal clusters

Members = tuple[str, ...]  # sorted tool ids
Ties = dict[str, dict[str, float]]  # tool → neighbour → summed weight of the edges between them, either way


def select_clusters(tools: Sequence[Tool], edges: Sequence[ToolEdge], k: int) -> list[BusinessCluster]:
    """At most `k` clusters by falling gain, fewer when nothing is left to cover.

    `gain` counts a new tool as 1 and a new edge as its weight over the largest weight; `covered_tools` and
    `covered_edges` are cumulative. A tool in a component of fewer than 3 tools is in no cluster.
    """
    by_id = {tool.tool_id: tool for tool in tools if tool.tool_id != CODE_TOOL}
    usable = _usable_edges(by_id, edges)
    candidates = build_candidates(by_id, usable)
    outgoing = _outgoing(usable)
    inside = [_edges_inside(members, outgoing) for members in candidates]
    heaviest = max((edge.weight for edge in usable), default=1.0)
    weights: dict[Hashable, float] = {tool_id: 1.0 for members in candidates for tool_id in members}
    weights |= {_edge_key(edge): edge.weight / heaviest for edge in usable}
    sets = [frozenset([*members, *map(_edge_key, within)]) for members, within in zip(candidates, inside, strict=True)]
    clusters: list[BusinessCluster] = []
    tools_covered: set[str] = set()
    edges_covered: set[Hashable] = set()
    for rank, (chosen, gain) in enumerate(maximum_coverage(sets, weights, k), start=1):
        tools_covered |= set(candidates[chosen])
        edges_covered |= set(map(_edge_key, inside[chosen]))
        members = [by_id[tool_id] for tool_id in candidates[chosen]]
        clusters.append(_cluster(rank, members, inside[chosen], gain, len(tools_covered), len(edges_covered)))
    return clusters


def maximum_coverage(
    sets: Sequence[frozenset[Hashable]], weights: Mapping[Hashable, float], k: int
) -> list[tuple[int, float]]:
    """Lazy greedy: (position, marginal gain) of the chosen sets in order; of equal gains the smaller, then the earlier.

    A gain can only fall as more is covered, so a set whose refreshed gain still tops the heap is the best.
    """
    heap = [(-_gain(members, weights), len(members), position) for position, members in enumerate(sets)]
    heapq.heapify(heap)
    covered: set[Hashable] = set()
    chosen: list[tuple[int, float]] = []
    while heap and len(chosen) < k:
        _, size, position = heapq.heappop(heap)
        gain = _gain(sets[position] - covered, weights)
        if gain <= 0:
            continue
        entry = (-gain, size, position)
        if heap and heap[0] < entry:
            heapq.heappush(heap, entry)
            continue
        chosen.append((position, gain))
        covered |= sets[position]
    return chosen


def build_candidates(tools: Mapping[str, Tool], edges: Sequence[ToolEdge]) -> list[Members]:
    """Distinct connected sets of 3-12 tools, sorted: around each edge, and communities within and across servers."""
    ties = _ties(edges)
    server = {tool_id: tools[tool_id].server for tool_id in ties}
    found: set[Members] = set()
    for edge in edges:
        found.add(_grow(edge.producer_id, edge.consumer_id, ties, server))
    found.update(_communities(ties))
    found.update(_communities(_within_servers(ties, server)))
    return sorted(members for members in found if SMALLEST <= len(members) <= LARGEST)


# ── candidates ───────────────────────────────────────────────────────────────────────────────────────────────


def _usable_edges(tools: Mapping[str, Tool], edges: Sequence[ToolEdge]) -> list[ToolEdge]:
    known = (e for e in edges if e.producer_id in tools and e.consumer_id in tools and e.producer_id != e.consumer_id)
    return sorted(known, key=lambda e: (e.producer_id, e.consumer_id, e.consumer_param, e.producer_path))


def _ties(edges: Iterable[ToolEdge]) -> Ties:
    ties: Ties = defaultdict(dict)
    for edge in edges:
        for one, other in ((edge.producer_id, edge.consumer_id), (edge.consumer_id, edge.producer_id)):
            ties[one][other] = ties[one].get(other, 0.0) + edge.weight
    return ties


def _within_servers(ties: Ties, server: Mapping[str, str]) -> Ties:
    kept = {one: {o: w for o, w in others.items() if server[o] == server[one]} for one, others in ties.items()}
    return {one: others for one, others in kept.items() if others}


def _grow(first: str, second: str, ties: Ties, server: Mapping[str, str]) -> Members:
    """The set around an edge: the strongest-tied neighbour joins, at home while there is one, until ties get weak."""
    members = {first, second}
    pull: dict[str, float] = defaultdict(float)
    total = ties[first][second]
    for tool_id in (first, second):
        _add_pull(pull, ties[tool_id], members)
    while pull and len(members) < GROWN:
        homes = {server[tool_id] for tool_id in members}
        best = min(pull, key=lambda tool_id: (server[tool_id] not in homes, -pull[tool_id], tool_id))
        weak = pull[best] < COHESION * total / (len(members) - 1)
        if len(members) >= SMALLEST and (weak or server[best] not in homes):
            break
        total += pull.pop(best)
        members.add(best)
        _add_pull(pull, ties[best], members)
    return tuple(sorted(members))


def _add_pull(pull: dict[str, float], neighbours: Mapping[str, float], members: set[str]) -> None:
    for neighbour, weight in neighbours.items():
        if neighbour not in members:
            pull[neighbour] += weight
    for member in members:
        pull.pop(member, None)


def _communities(ties: Ties) -> Iterator[Members]:
    """Connected Louvain communities of fitting size; larger ones are split again at a finer resolution."""
    graph = nx.Graph()
    graph.add_nodes_from(sorted(ties))
    graph.add_weighted_edges_from((one, o, w) for one in sorted(ties) for o, w in sorted(ties[one].items()) if one < o)
    pending = [(component, 1.0) for component in sorted(map(sorted, nx.connected_components(graph)))]
    while pending:
        members, resolution = pending.pop()
        final = resolution > _FINEST
        if len(members) <= (LARGEST if final else COMMUNITY):
            yield tuple(members)
        elif not final:
            part = nx.Graph()
            part.add_nodes_from(members)
            part.add_weighted_edges_from(sorted(graph.subgraph(members).edges(data="weight")))
            for community in nx.community.louvain_communities(part, resolution=resolution, seed=_SEED):
                pieces = nx.connected_components(part.subgraph(community))
                pending += [(piece, resolution * 2) for piece in sorted(map(sorted, pieces))]


# ── coverage ─────────────────────────────────────────────────────────────────────────────────────────────────


def _gain(items: Iterable[Hashable], weights: Mapping[Hashable, float]) -> float:
    return round(fsum(weights[item] for item in items), 9)  # rounded, so that equal gains tie on every machine


def _edge_key(edge: ToolEdge) -> Hashable:
    return (edge.producer_id, edge.consumer_id, edge.consumer_param, edge.producer_path)


def _outgoing(edges: Iterable[ToolEdge]) -> dict[str, list[ToolEdge]]:
    outgoing: dict[str, list[ToolEdge]] = defaultdict(list)
    for edge in edges:
        outgoing[edge.producer_id].append(edge)
    return outgoing


def _edges_inside(members: Members, outgoing: Mapping[str, Sequence[ToolEdge]]) -> list[ToolEdge]:
    inside = set(members)
    return [edge for one in members for edge in outgoing.get(one, ()) if edge.consumer_id in inside]


# ── the record ───────────────────────────────────────────────────────────────────────────────────────────────


def _cluster(
    rank: int, tools: Sequence[Tool], edges: Sequence[ToolEdge], gain: float, covered_tools: int, covered_edges: int
) -> BusinessCluster:
    ids = tuple(tool.tool_id for tool in tools)
    return BusinessCluster(
        cluster_id=digest(*ids),
        rank=rank,
        domain=_most_common(tool.domain for tool in tools)[0],
        name=_name(tools, edges),
        tool_ids=ids,
        edges=tuple(edges),
        gain=gain,
        covered_tools=covered_tools,
        covered_edges=covered_edges,
    )


def _name(tools: Sequence[Tool], edges: Sequence[ToolEdge]) -> str:
    """Plain words: the servers, then the two things that most edges hand on ("Commerce: order, refund")."""
    servers = " and ".join(_plain(server) for server in _most_common(tool.server for tool in tools)[:2])
    things = _most_common(_thing(edge) for edge in edges)[:2]
    return f"{servers[:1].upper()}{servers[1:]}: {', '.join(things)}"


def _thing(edge: ToolEdge) -> str:
    key = edge.evidence.split(" ")[0].removeprefix("entity_key:") or edge.consumer_param
    return _plain(key.removesuffix("_id"))


def _plain(identifier: str) -> str:
    return " ".join(identifier.replace("_", " ").replace("-", " ").split())


def _most_common(values: Iterable[str]) -> list[str]:
    counts = Counter(values)
    return sorted(counts, key=lambda value: (-counts[value], value))
