"""Makers of tools, edges and random services for the tests of clusters."""

import random

from tdscaling_assets.schema import CODE_TOOL, Tool, ToolEdge, digest


def tool(server: str, name: str, domain: str = "commerce") -> Tool:
    return Tool(
        tool_id=name if name == CODE_TOOL else f"{server}__{name}",
        server=server,
        name=name,
        description=name,
        input_schema={"type": "object"},
        domain=domain,
        source="test",
        executor="simulated",
        content_hash=digest(server, name),
    )


def edge(producer: Tool, consumer: Tool, weight: float = 1.0, key: str = "order_id") -> ToolEdge:
    return ToolEdge(
        producer_id=producer.tool_id,
        consumer_id=consumer.tool_id,
        consumer_param=key,
        producer_path=key,
        evidence=f"entity_key:{key} idf=1.0",
        weight=weight,
    )


def market(seed: int, servers: int = 4, size: int = 15) -> tuple[list[Tool], list[ToolEdge]]:
    """Random services of `size` tools with chains inside and a few edges across."""
    rng = random.Random(seed)
    groups = [[tool(f"s{s}", f"t{i}", f"domain{s}") for i in range(size)] for s in range(servers)]
    edges = [
        edge(*rng.sample(group, 2), weight=round(rng.uniform(0.5, 5), 3), key=f"k{n}_id")
        for group in groups
        for n in range(2 * size)
    ]
    for n in range(servers):
        one, other = rng.sample(groups, 2)
        edges.append(edge(rng.choice(one), rng.choice(other), weight=0.6, key=f"across{n}"))
    return [member for group in groups for member in group], edges
