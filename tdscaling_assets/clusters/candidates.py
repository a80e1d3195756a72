"""Ties in, candidate sets out: connected, of 3-12 tools, from communities and from growth around each edge.

Communities give the sets that hang together as a whole, within one server and across; growth gives every edge that is
in a component of 3 tools a small set of its own, at home while there is a neighbour there, so that every such tool and
edge can be covered. Where edges join two services that share a world, growth around them joins the services. Every
rule and number here is our own definition.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tdscaling_assets.clusters.communities import find_communities
from tdscaling_assets.clusters.ties import Pair, Ties, build_ties, usable_edges
from tdscaling_assets.schema import Tool, ToolEdge

SMALLEST, LARGEST = 3, 12  # tools in a cluster
GROWN = 4  # tools at which growth around an edge stops
COHESION = 0.35  # growth also stops where a tool's ties are weaker than this share of the set's mean tie
TIES = 16  # strongest ties of a tool, at home and abroad each, that growth looks at
ALIKE = 0.7  # share of common tools, of those in either, above which of two communities only the larger counts

Members = tuple[str, ...]  # sorted tool ids
Near = Sequence[tuple[int, float]]  # tools tied to one, and how strongly


def build_candidates(tools: Mapping[str, Tool], edges: Sequence[ToolEdge]) -> list[Members]:
    """Distinct connected sets of 3-12 tools, sorted; each holds a dependency, for it hangs together by edges."""
    ties = build_ties(tools, usable_edges(tools, edges))
    near = {one: _strongest_ties(one, ties) for one in range(len(ties.tool_ids))}
    grown = {tuple(_grow(pair, ties.neighbours[pair[0]][pair[1]], near, ties.servers)) for pair in ties.pairs()}
    found = {members for members in grown | set(_distinct(_communities(ties))) if len(members) >= SMALLEST}
    return [tuple(ties.tool_ids[one] for one in members) for members in sorted(found)]


def _communities(ties: Ties) -> set[tuple[int, ...]]:
    """Communities within and across servers, the core of those that are too large."""
    found: set[tuple[int, ...]] = set()
    for joined in (ties, ties.within_servers()):
        for community in find_communities(joined):
            if len(community) >= SMALLEST:
                found.add(tuple(community if len(community) <= LARGEST else _core(community, joined)))
    return found


def _distinct(sets: Iterable[tuple[int, ...]]) -> Iterator[tuple[int, ...]]:
    """The larger first, without those that are nearly one already given: resolutions differ by a tool or two."""
    given: list[tuple[int, ...]] = []
    holders: dict[int, list[int]] = defaultdict(list)
    for members in sorted(sets, key=lambda members: (-len(members), members)):
        shared = Counter(position for one in members for position in holders[one])
        if any(n > ALIKE * (len(members) + len(given[position]) - n) for position, n in shared.items()):
            continue
        for one in members:
            holders[one].append(len(given))
        given.append(members)
        yield members


def _core(community: Sequence[int], ties: Ties) -> list[int]:
    """The 12 tools around the strongest tie of a community that is too large; finer resolutions take the rest."""
    inside = set(community)
    within = {one: [(o, w) for o, w in ties.neighbours[one].items() if o in inside] for one in community}
    weight, one, other = max((w, -one, -o) for one in community for o, w in within[one] if one < o)
    return _grow((-one, -other), weight, within, None, LARGEST, 0.0)


def _strongest_ties(one: int, ties: Ties) -> Near:
    """Its strongest ties at home and its strongest abroad: a tool that all others use is tied to hundreds."""
    ordered = sorted(ties.neighbours[one].items(), key=lambda tie: (-tie[1], tie[0]))
    home = [tie for tie in ordered if ties.servers[tie[0]] == ties.servers[one]]
    abroad = [tie for tie in ordered if ties.servers[tie[0]] != ties.servers[one]]
    return home[:TIES] + abroad[:TIES]


def _grow(
    pair: Pair,
    total: float,
    near: Mapping[int, Near],
    servers: Sequence[int] | None,
    largest: int = GROWN,
    cohesion: float = COHESION,
) -> list[int]:
    """The set around a pair whose tie weighs `total`: the strongest-tied neighbour joins, until ties get weak.

    With `servers`, one of the same servers joins while there is one, and beyond three tools no other does.
    """
    members = set(pair)
    pull: dict[int, float] = {}
    for one in pair:
        _add_pull(pull, near[one], members)
    while pull and len(members) < largest:
        homes = {servers[one] for one in members} if servers else set()
        best = max(pull, key=lambda one: (not servers or servers[one] in homes, pull[one], -one))
        weak = pull[best] < cohesion * total / (len(members) - 1)
        if len(members) >= SMALLEST and (weak or (servers and servers[best] not in homes)):
            break
        total += pull.pop(best)
        members.add(best)
        _add_pull(pull, near[best], members)
    return sorted(members)


def _add_pull(pull: dict[int, float], tied: Near, members: set[int]) -> None:
    for one, weight in tied:
        if one not in members:
            pull[one] = pull.get(one, 0.0) + weight
