"""Tools and edges in, ties between tools out: who is joined to whom, and by how much weight, either way."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tdscaling_assets.schema import Tool, ToolEdge

Pair = tuple[int, int]  # of tool numbers, the smaller first


class Ties(NamedTuple):
    """Tools that have an edge, numbered by their id's order, so that the order of the input changes nothing.

    `neighbours[i]` maps each tool tied to tool i to the summed weight of the edges between them; `servers[i]` is the
    number of its server.
    """

    tool_ids: list[str]
    servers: list[int]
    neighbours: list[dict[int, float]]

    def pairs(self) -> list[Pair]:
        """All tied pairs, sorted."""
        return [(one, other) for one, tied in enumerate(self.neighbours) for other in tied if one < other]

    def within_servers(self) -> "Ties":
        """The same tools with only the ties inside one server."""
        own = [
            {other: weight for other, weight in tied.items() if self.servers[other] == self.servers[one]}
            for one, tied in enumerate(self.neighbours)
        ]
        return self._replace(neighbours=own)


def usable_edges(tools: Mapping[str, Tool], edges: Iterable[ToolEdge]) -> list[ToolEdge]:
    """Edges between two different known tools, sorted by their ends and fields."""
    known = (e for e in edges if e.producer_id in tools and e.consumer_id in tools and e.producer_id != e.consumer_id)
    return sorted(known, key=lambda e: (e.producer_id, e.consumer_id, e.consumer_param, e.producer_path, e.evidence))


def build_ties(tools: Mapping[str, Tool], edges: Iterable[ToolEdge]) -> Ties:
    """Ties of usable, sorted edges."""
    weights: dict[tuple[str, str], float] = defaultdict(float)
    for edge in edges:
        one, other = sorted((edge.producer_id, edge.consumer_id))
        weights[one, other] += edge.weight
    tool_ids = sorted({tool_id for pair in weights for tool_id in pair})
    number = {tool_id: position for position, tool_id in enumerate(tool_ids)}
    servers = {name: position for position, name in enumerate(sorted({tools[one].server for one in tool_ids}))}
    neighbours: list[dict[int, float]] = [{} for _ in tool_ids]
    for (one, other), weight in sorted(weights.items()):
        neighbours[number[one]][number[other]] = weight
        neighbours[number[other]][number[one]] = weight
    ordered = [dict(sorted(tied.items())) for tied in neighbours]
    return Ties(tool_ids, [servers[tools[one].server] for one in tool_ids], ordered)
