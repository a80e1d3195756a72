"""Ties in, candidate sets out: connected, of 3-12 tools, from communities and from growth around each edge.

Communities give the sets that hang together as a whole, within one server and across; growth gives every edge that is
in a component of 3 tools a small set of its own, at home while there is a neighbour there, so that every such tool and
edge can be covered. Where edges join two services that share a world, growth around them joins the services. Every
rule and number here is our own definition.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from tdscaling_assets.clusters.communities import find_communities
from tdscaling_assets.clusters.ties import Ties, build_ties, usable_edges
from tdscaling_assets.schema import Tool, ToolEdge

SMALLEST, LARGEST = 3, 12  # tools in a cluster
GROWN = 4  # tools at which growth around an edge stops
COHESION = 0.35  # growth also stops where a tool's ties are weaker than this share of the set's mean tie
ALIKE = 0.7  # share of common tools, of those in either, above which of two communities only the larger counts

Members = tuple[str, ...]  # sorted tool ids


def build_candidates(tools: Mapping[str, Tool], edges: Sequence[ToolEdge]) -> list[Members]:
    """Distinct connected sets of 3-12 tools, sorted; each holds a dependency, for it hangs together by edges."""
    ties = build_ties(tools, usable_edges(tools, edges))
    grown = {tuple(_grow(pair, ties, GROWN, COHESION)) for pair in ties.pairs()}
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
    within = {one: {o: w for o, w in ties.neighbours[one].items() if o in inside} for one in community}
    strongest = max(
        ((one, other) for one in community for other in within[one] if one < other),
        key=lambda pair: (within[pair[0]][pair[1]], -pair[0], -pair[1]),
    )
    return _grow(strongest, ties, LARGEST, 0.0, inside)


def _grow(
    pair: tuple[int, int], ties: Ties, largest: int, cohesion: float, inside: set[int] | None = None
) -> list[int]:
    """The set around a pair: the strongest-tied neighbour joins, at home while there is one, until ties get weak.

    `inside`, where given, bounds the growth instead of the home servers.
    """
    members = set(pair)
    homes = {ties.servers[one] for one in pair}
    pull: dict[int, float] = {}
    total = ties.neighbours[pair[0]][pair[1]]
    for one in pair:
        _add_pull(pull, ties.neighbours[one].items(), members, inside)
    while pull and len(members) < largest:
        best = _strongest(pull, ties.servers, homes if inside is None else None)
        home = inside is not None or ties.servers[best] in homes
        weak = pull[best] < cohesion * total / (len(members) - 1)
        if len(members) >= SMALLEST and (weak or not home):
            break
        total += pull.pop(best)
        members.add(best)
        homes.add(ties.servers[best])
        _add_pull(pull, ties.neighbours[best].items(), members, inside)
    return sorted(members)


def _strongest(pull: Mapping[int, float], servers: Sequence[int], homes: set[int] | None) -> int:
    """The strongest pulled tool, of the home servers if one of theirs is pulled; of equals the first."""
    best, best_key = -1, (False, -1.0, 0)
    for one, weight in pull.items():
        key = (homes is None or servers[one] in homes, weight, -one)
        if key > best_key:
            best, best_key = one, key
    return best


def _add_pull(
    pull: dict[int, float], tied: Iterable[tuple[int, float]], members: set[int], inside: set[int] | None
) -> None:
    for one, weight in tied:
        if one not in members and (inside is None or one in inside):
            pull[one] = pull.get(one, 0.0) + weight
