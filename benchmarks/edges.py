"""Prints edges of real tools for a reader to judge: python benchmarks/edges.py [edges] [seed]

Needs ../shared/data/mcp_catalog. Edges within one server, drawn by seed, a third from each third of the weights, each
with both definitions. The judge asks of each: could something that the first tool returns be what the second is given
here? Verdict counts are in docs/sources.md.
"""

import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from catalog import REAL, read_tools
from graph import within_servers

from tdscaling_assets.graph import build_graph
from tdscaling_assets.schema import Tool, ToolEdge

STRATA = ("low", "middle", "high")


def main() -> None:
    """Ten edges of seed 1 where nothing else is said."""
    edges, seed = (int(word) for word in (*sys.argv[1:], *("10", "1")[len(sys.argv) - 1 :]))
    files = sorted(REAL.glob("*.jsonl.gz"))
    if not files:
        print(f"no edges: {REAL} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        tools = read_tools(Path(folder), files)
    by_id = {tool.tool_id: tool for tool in tools}
    for stratum, edge in draw(within_servers(tools, build_graph(tools)), edges, seed):
        giver, taker = by_id[edge.producer_id], by_id[edge.consumer_id]
        print(f"[{stratum}] {edge.weight} {giver.server}: {edge.producer_path} → {edge.consumer_param}")
        print(f"  {describe(giver)}\n  {describe(taker)}\n  {edge.evidence}")


def draw(edges: Sequence[ToolEdge], wanted: int, seed: int) -> list[tuple[str, ToolEdge]]:
    """Stratum and edge, as many from each third of the weights."""
    ordered = sorted(edges, key=lambda edge: (edge.weight, edge.producer_id, edge.consumer_id, edge.consumer_param))
    rng = random.Random(seed)
    drawn: list[tuple[str, ToolEdge]] = []
    for place, stratum in enumerate(STRATA):
        third = ordered[len(ordered) * place // 3 : len(ordered) * (place + 1) // 3]
        share = (wanted + place) // 3
        drawn += [(stratum, edge) for edge in rng.sample(third, min(share, len(third)))]
    return drawn


def describe(tool: Tool) -> str:
    """Name, parameters and the first words of the description."""
    properties = tool.input_schema.get("properties")
    names = ", ".join(sorted(properties)) if isinstance(properties, dict) else ""
    return f"{tool.name}({names}): {' '.join(tool.description.split())[:200]}"


if __name__ == "__main__":
    main()
