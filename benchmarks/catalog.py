"""Times the way from tool definitions to business clusters: python benchmarks/catalog.py

First the built-in services, stage by stage. Then, where ../shared/data/mcp_catalog is present, real MCP tools in
growing numbers, server by server: graph and clusters each, and the exponents of their growth. All in CPU time.
"""

import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from _timing import builtin_settings, growth_exponent, median_seconds

from tdscaling_assets.catalog.harvest import build_catalog
from tdscaling_assets.clusters import select_clusters
from tdscaling_assets.graph import build_graph
from tdscaling_assets.schema import Tool
from tdscaling_assets.settings import Settings

REAL = Path(__file__).parents[2] / "shared" / "data" / "mcp_catalog"
SIZES = (2_000, 4_000, 8_000, 16_000)
CLUSTERS = 400
REPEATS = 5
REPEATS_REAL = 3


def main() -> None:
    """Built-in services first, then real tools."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        time_builtin(builtin_settings(home))
        files = sorted(REAL.glob("*.jsonl.gz"))
        if files:
            time_growth(read_tools(home, files))
        else:
            print(f"no growth figures: {REAL} is not there")


def time_builtin(settings: Settings) -> None:
    """One line per stage."""
    tools = build_catalog(settings).tools
    edges = build_graph(tools)
    seconds = {
        "harvest": median_seconds(partial(build_catalog, settings), REPEATS, time.process_time),
        "graph": median_seconds(partial(build_graph, tools), REPEATS, time.process_time),
        "clusters": median_seconds(partial(select_clusters, tools, edges, CLUSTERS), REPEATS, time.process_time),
    }
    whole = sum(seconds.values())
    for stage, taken in seconds.items():
        print(f"built-in, {len(tools)} tools  {stage:<9} {taken * 1000:9.1f} ms  {taken / whole:5.0%} of the way")


def time_growth(tools: Sequence[Tool]) -> None:
    """One line per size, then the exponents."""
    sizes: list[int] = []
    graph: list[float] = []
    clusters: list[float] = []
    for wanted in SIZES:
        some = tools[:wanted]
        if sizes and len(some) == sizes[-1]:
            break
        edges = build_graph(some)
        sizes.append(len(some))
        graph.append(median_seconds(partial(build_graph, some), REPEATS_REAL, time.process_time))
        clusters.append(
            median_seconds(partial(select_clusters, some, edges, CLUSTERS), REPEATS_REAL, time.process_time)
        )
        times = f"graph {graph[-1]:6.2f} s  clusters {clusters[-1]:6.2f} s"
        print(f"{len(some):>6} real tools, {len(edges):>6} edges  {times}")
    print(
        f"growth with tools: graph n^{growth_exponent(sizes, graph):.2f}, "
        f"clusters n^{growth_exponent(sizes, clusters):.2f}"
    )


def read_tools(home: Path, files: Sequence[Path]) -> list[Tool]:
    """All usable tools of the files; those of one server together, the servers in random order."""
    sources = home / "real.yaml"
    sources.write_text("sources:\n" + "".join(f"  - file: {file.resolve()}\n" for file in files), encoding="utf-8")
    by_server: dict[str, list[Tool]] = defaultdict(list)
    for tool in build_catalog(Settings(home=home, sources=sources)).tools:
        by_server[tool.server].append(tool)
    servers = sorted(by_server)
    random.Random(1).shuffle(servers)
    return [tool for server in servers for tool in by_server[server]]


if __name__ == "__main__":
    main()
