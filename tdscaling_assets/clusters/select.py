"""Tools and edges in, BusinessClusters in greedy order out, and the ranks after which more of them stops paying.

A tool counts 1 and an edge its weight over the largest weight, each again by half for a second cluster, and so on
(coverage.py). The order is the rank: the first k clusters are the greedy best k. Our own definitions.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from tdscaling_assets.clusters.candidates import Members, build_candidates
from tdscaling_assets.clusters.coverage import COVER, Chosen, Membership, maximum_coverage
from tdscaling_assets.clusters.ties import usable_edges
from tdscaling_assets.clusters.wording import most_common, name_clusters, phrase_of, purpose_of
from tdscaling_assets.schema import CODE_TOOLS, BusinessCluster, Tool, ToolEdge, digest

LITTLE = 0.01
"""Share of the reachable coverage that counts as little: past `little_left` all further clusters add less."""


class Selection(NamedTuple):
    """The chosen clusters, out of how many candidates, and what all candidates together reach.

    `nothing_new` is the rank after which no further cluster holds a tool or an edge that is not yet covered, and
    `little_left` the rank at which less than 1 % of the reachable multi-coverage is left; both are of the whole greedy
    order, so they may lie beyond the chosen ones.
    """

    clusters: list[BusinessCluster]
    candidates: int
    reachable_tools: int
    reachable_edges: int
    nothing_new: int
    little_left: int


class Pool(NamedTuple):
    """Candidates, the edges inside each, and both as numbered elements: tools first, then edges."""

    candidates: Sequence[Members]
    inside: list[list[int]]
    edges: Sequence[ToolEdge]
    membership: Membership


def select_clusters(
    tools: Sequence[Tool], edges: Sequence[ToolEdge], k: int, cover: int = COVER, share: float = 1.0
) -> list[BusinessCluster]:
    """The clusters of `choose_clusters`."""
    return choose_clusters(tools, edges, k, cover, share).clusters


def choose_clusters(
    tools: Sequence[Tool], edges: Sequence[ToolEdge], k: int, cover: int = COVER, share: float = 1.0
) -> Selection:
    """At most `k` clusters by falling gain, fewer when `share` of the reachable coverage is covered or none is left.

    `gain` and `coverage` count an element up to `cover` times; `covered_tools` and `covered_edges` count it once. A
    tool in a component of fewer than 3 tools is in no cluster.
    """
    by_id = {tool.tool_id: tool for tool in tools if tool.tool_id not in CODE_TOOLS}
    usable = usable_edges(by_id, edges)
    pool = build_pool(build_candidates(by_id, usable), usable)
    order = maximum_coverage(pool.membership, len(pool.candidates), cover)
    curve = _count_covered(pool, order.positions)
    enough = sum(covered < share for covered in order.shares) + 1
    return Selection(
        clusters=_clusters(pool, by_id, order, curve, min(k, enough)),
        candidates=len(pool.candidates),
        reachable_tools=curve[-1][0] if curve else 0,
        reachable_edges=curve[-1][1] if curve else 0,
        nothing_new=curve.index(curve[-1]) + 1 if curve else 0,
        little_left=sum(covered < 1 - LITTLE for covered in order.shares) + 1 if curve else 0,
    )


# ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────


def build_pool(candidates: Sequence[Members], usable: Sequence[ToolEdge]) -> Pool:
    """What the selection counts in each candidate: its tools, and every usable edge between them."""
    number = {tool_id: position for position, tool_id in enumerate(sorted({one for m in candidates for one in m}))}
    between: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for position, edge in enumerate(usable):
        between[edge.producer_id][edge.consumer_id].append(position)
    inside = [list(_edges_inside(members, between)) for members in candidates]
    heaviest = max((edge.weight for edge in usable), default=1.0)
    first = len(number)
    sets = [
        [*map(number.__getitem__, members), *(first + position for position in within)]
        for members, within in zip(candidates, inside, strict=True)
    ]
    weights = [*[1.0] * first, *(edge.weight / heaviest for edge in usable)]
    return Pool(candidates, inside, usable, Membership.of(sets, weights))


def _edges_inside(members: Members, between: Mapping[str, Mapping[str, list[int]]]) -> Iterator[int]:
    for producer in members:
        if producer in between:
            consumers = between[producer]
            for consumer in members:
                if consumer in consumers:
                    yield from consumers[consumer]


# ── the curve and the records ────────────────────────────────────────────────────────────────────────────────


def _count_covered(pool: Pool, positions: Sequence[int]) -> list[tuple[int, int]]:
    """Tools and edges that the sets up to each position hold."""
    tools: set[str] = set()
    edges: set[int] = set()
    curve = []
    for position in positions:
        tools.update(pool.candidates[position])
        edges.update(pool.inside[position])
        curve.append((len(tools), len(edges)))
    return curve


def _clusters(
    pool: Pool, tools: Mapping[str, Tool], order: Chosen, curve: Sequence[tuple[int, int]], k: int
) -> list[BusinessCluster]:
    positions = order.positions[:k]
    members = [[tools[tool_id] for tool_id in pool.candidates[position]] for position in positions]
    edges = [[pool.edges[one] for one in pool.inside[position]] for position in positions]
    phrases = {tool_id: phrase_of(tools[tool_id]) for tool_id in {tool.tool_id for some in members for tool in some}}
    names = name_clusters(members, edges, phrases)
    return [
        BusinessCluster(
            cluster_id=digest(*pool.candidates[position]),
            rank=row + 1,
            domain=most_common(tool.domain for tool in members[row])[0],
            name=names[row],
            tool_ids=pool.candidates[position],
            edges=tuple(edges[row]),
            gain=order.gains[row],
            covered_tools=curve[row][0],
            covered_edges=curve[row][1],
            coverage=order.shares[row],
            purpose=purpose_of(members[row], edges[row], phrases),
        )
        for row, position in enumerate(positions)
    ]
