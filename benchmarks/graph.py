"""Times the graph on real tools, and on 30,000: python benchmarks/graph.py

Needs ../shared/data/mcp_catalog. Prints the median CPU seconds, edges (within one server, between servers), the share
of tools with an edge, and the exponent of growth. The tools beyond the real ones are copies of real servers, drawn by
seed, whose entities have new names: as many tools to a server, as many parameters, other keys. Peak memory is that of
the whole process, which holds the tools too.
"""

import random
import re
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from _timing import growth_exponent, median_seconds
from catalog import REAL, read_tools

from tdscaling_assets.entities import entity_of, parse_act
from tdscaling_assets.flows import find_inputs
from tdscaling_assets.graph import build_graph
from tdscaling_assets.schema import JsonObject, Tool, ToolEdge

SIZES = (2_000, 4_000, 8_000, 16_000)
ALL = 30_000
REPEATS = 5
SEED = 30


def main() -> None:
    """All real tools, then 30,000, then growth."""
    files = sorted(REAL.glob("*.jsonl.gz"))
    if not files:
        print(f"no figures: {REAL} is not there")
        return
    with tempfile.TemporaryDirectory() as folder:
        tools = read_tools(Path(folder), files)
    report(f"{len(tools)} real tools", tools)
    many = [*tools, *rename_servers(tools, max(0, ALL - len(tools)), SEED)]
    report(f"{len(many)} tools, {len(tools)} of them real", many)
    sizes = sorted({min(size, len(tools)) for size in SIZES})
    seconds = [median_seconds(partial(build_graph, tools[:size]), REPEATS, time.process_time) for size in sizes]
    print(f"growth over {', '.join(map(str, sizes))} real tools: n^{growth_exponent(sizes, seconds):.2f}")


def report(what: str, tools: Sequence[Tool]) -> None:
    """One line of figures."""
    seconds = median_seconds(partial(build_graph, tools), REPEATS, time.process_time)
    edges = build_graph(tools)
    near = len(within_servers(tools, edges))
    linked = {end for edge in edges for end in (edge.producer_id, edge.consumer_id)}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what}: {seconds:.2f} s of CPU (median of {REPEATS}), {len(edges)} edges ({near} within a server, "
        f"{len(edges) - near} between), {len(linked) / len(tools):.1%} of tools have one, peak memory {peak:.0f} MB"
    )


def within_servers(tools: Sequence[Tool], edges: Sequence[ToolEdge]) -> list[ToolEdge]:
    """Edges between tools of one server."""
    server = {tool.tool_id: tool.server for tool in tools}
    return [edge for edge in edges if server[edge.producer_id] == server[edge.consumer_id]]


def rename_servers(tools: Sequence[Tool], wanted: int, seed: int) -> list[Tool]:
    """That many copies of tools: servers drawn at random, each with new names for the things its parameters name."""
    rng = random.Random(seed)
    by_server: dict[str, list[Tool]] = defaultdict(list)
    for tool in tools:
        by_server[tool.server].append(tool)
    servers = sorted(by_server)
    made: list[Tool] = []
    for number in range(wanted):
        if len(made) >= wanted:
            break
        made += rename_things(by_server[rng.choice(servers)], number, rng)
    return made[:wanted]


def rename_things(tools: Sequence[Tool], number: int, rng: random.Random) -> list[Tool]:
    """The tools as another server's, with one invented word for each word that its references name."""
    inputs = find_inputs(tools, {tool.tool_id: parse_act(tool) for tool in tools})
    words = sorted({word for need in inputs for word in entity_of(need.keys[0]).split("_") if len(word) > 3})
    names = {word: _invent(rng) for word in words}
    pattern = re.compile("|".join(sorted(names, key=len, reverse=True)) or "(?!)", re.IGNORECASE)

    def rename(text: str) -> str:
        return pattern.sub(lambda found: _in_case(found[0], names[found[0].lower()]), text)

    return [
        tool.model_copy(
            update={
                "tool_id": f"copy{number}__{place}",
                "server": f"copy {number}",
                "name": rename(tool.name),
                "description": rename(tool.description),
                "input_schema": _rename_parameters(tool.input_schema, rename),
            }
        )
        for place, tool in enumerate(tools)
    ]


def _rename_parameters(schema: JsonObject, rename: Callable[[str], str]) -> JsonObject:
    properties, required = schema.get("properties"), schema.get("required")
    renamed: JsonObject = dict(schema)
    if isinstance(properties, dict):
        renamed["properties"] = {rename(name): part for name, part in properties.items()}
    if isinstance(required, list):
        renamed["required"] = [rename(str(name)) for name in required]
    return renamed


def _invent(rng: random.Random) -> str:
    return "".join(rng.choice("bdfgklmnprtvz") + rng.choice("aeiou") for _ in range(4))


def _in_case(old: str, new: str) -> str:
    return new.capitalize() if old[0].isupper() else new


if __name__ == "__main__":
    main()
