"""Edges of a cluster in, its longest chain of dependencies out: tools of which each feeds the next."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from tdscaling_assets.schema import ToolEdge

LONGEST = 4  # tools in a chain: as many steps as one sentence can tell
_BRANCHES = 3  # strongest next tools that are tried from each

Chain = tuple[str, ...]


def find_chain(edges: Sequence[ToolEdge], acts: Mapping[str, tuple[str, str]]) -> Chain:
    """Up to 4 tool ids, each feeding the next; () without edges.

    The longest chain, of these the one that does the most different things (`acts`: verb and noun by tool id), then
    the one of most weight, then the first.
    """
    following: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for edge in edges:
        following[edge.producer_id][edge.consumer_id] += edge.weight
    strongest = {
        tool_id: dict(sorted(after.items(), key=lambda item: (-item[1], item[0]))[:_BRANCHES])
        for tool_id, after in following.items()
    }
    best: tuple[int, int, float] = (0, 0, 0.0)
    chain: Chain = ()
    pending: list[tuple[Chain, float]] = [((tool_id,), 0.0) for tool_id in sorted(strongest, reverse=True)]
    while pending:
        path, weight = pending.pop()
        worth = (len(path), _variety(path, acts), weight)
        if len(path) > 1 and worth > best:
            best, chain = worth, path
        if len(path) < LONGEST:
            after = strongest.get(path[-1], {})
            pending += [((*path, one), weight + after[one]) for one in sorted(after) if one not in path]
    return chain


def _variety(path: Collection[str], acts: Mapping[str, tuple[str, str]]) -> int:
    return len({acts[tool_id] for tool_id in path})
