"""Clusters are connected, of the right size, and the greedy best; the order of the input changes nothing."""

import itertools
import math
import random
from collections.abc import Hashable, Mapping, Sequence

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdscaling_assets.clusters import LARGEST, SMALLEST, build_candidates, maximum_coverage, select_clusters
from tdscaling_assets.schema import CODE_TOOL, BusinessCluster, Tool, ToolEdge, digest


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


TOOLS, EDGES = market(seed=1)
CLUSTERS = select_clusters(TOOLS, EDGES, 400)


def graph_of(cluster: BusinessCluster) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from(cluster.tool_ids)
    graph.add_edges_from((edge.producer_id, edge.consumer_id) for edge in cluster.edges)
    return graph


def test_every_cluster_is_connected_and_of_legal_size() -> None:
    assert len(CLUSTERS) > 4
    for cluster in CLUSTERS:
        assert SMALLEST <= len(cluster.tool_ids) <= LARGEST
        assert set(graph_of(cluster)) == set(cluster.tool_ids)
        assert nx.is_connected(graph_of(cluster))


def test_a_cluster_has_all_edges_between_its_tools() -> None:
    for cluster in CLUSTERS:
        inside = [e for e in EDGES if {e.producer_id, e.consumer_id} <= set(cluster.tool_ids)]
        assert sorted(inside, key=repr) == sorted(cluster.edges, key=repr)


def test_every_tool_with_an_edge_is_covered() -> None:
    wanted = {tool_id for e in EDGES for tool_id in (e.producer_id, e.consumer_id)}
    assert {tool_id for cluster in CLUSTERS for tool_id in cluster.tool_ids} == wanted
    assert CLUSTERS[-1].covered_tools == len(wanted)
    assert CLUSTERS[-1].covered_edges == len(EDGES)


def test_ranks_count_up_gains_fall_and_coverage_accumulates() -> None:
    assert [cluster.rank for cluster in CLUSTERS] == list(range(1, len(CLUSTERS) + 1))
    for earlier, later in itertools.pairwise(CLUSTERS):
        assert earlier.gain >= later.gain > 0
        assert later.covered_tools >= earlier.covered_tools
        assert later.covered_edges >= earlier.covered_edges
        assert later.covered_tools + later.covered_edges > earlier.covered_tools + earlier.covered_edges


def test_the_first_k_clusters_are_those_of_a_smaller_k() -> None:
    assert select_clusters(TOOLS, EDGES, 5) == CLUSTERS[:5]


def test_the_order_of_the_input_changes_nothing() -> None:
    for seed in range(3):
        tools, edges = TOOLS[:], EDGES[:]
        random.Random(seed).shuffle(tools)
        random.Random(seed).shuffle(edges)
        assert select_clusters(tools, edges, 400) == CLUSTERS


def test_most_clusters_stay_within_one_service_and_some_cross() -> None:
    spans = [len({tool_id.split("__")[0] for tool_id in cluster.tool_ids}) for cluster in CLUSTERS]
    assert spans.count(1) > len(spans) / 2
    assert max(spans) > 1


def test_tools_that_no_edge_joins_are_never_together() -> None:
    left, right = ([tool("shop", f"{side}{i}") for i in range(4)] for side in "ab")
    edges = [edge(*pair) for side in (left, right) for pair in itertools.pairwise(side)]
    for members in build_candidates({t.tool_id: t for t in left + right}, edges):
        assert not {t.tool_id for t in left} & set(members) or not {t.tool_id for t in right} & set(members)


def test_two_joined_tools_and_a_lone_one_make_no_cluster() -> None:
    tools = [tool("shop", name) for name in ("a", "b", "c")]
    assert select_clusters(tools, [edge(tools[0], tools[1])], 10) == []


def test_the_code_tool_is_in_no_cluster() -> None:
    code, *others = [tool("shop", CODE_TOOL), *(tool("shop", name) for name in "abc")]
    edges = [edge(others[0], others[1]), edge(others[1], others[2]), edge(code, others[0])]
    (cluster,) = select_clusters([code, *others], edges, 10)
    assert cluster.tool_ids == ("shop__a", "shop__b", "shop__c")


def test_name_and_domain_are_plain_words_of_the_majority() -> None:
    tools = [tool("shop", "a"), tool("shop", "b"), tool("shop", "c"), tool("parcel_post", "d", "logistics")]
    edges = [edge(tools[0], tools[1]), edge(tools[1], tools[2]), edge(tools[2], tools[3], 0.9, "parcel_number")]
    cluster = next(c for c in select_clusters(tools, edges, 10) if len(c.tool_ids) == 4)
    assert cluster.domain == "commerce"
    assert cluster.name == "Shop and parcel post: order, parcel number"


# ── the selection itself ─────────────────────────────────────────────────────────────────────────────────────

instances = st.tuples(
    st.lists(st.frozensets(st.integers(0, 8), max_size=5), min_size=1, max_size=7),
    st.lists(st.integers(0, 9), min_size=9, max_size=9),
    st.integers(1, 4),
)


def worth(chosen: Sequence[frozenset[Hashable]], weights: Mapping[Hashable, float]) -> float:
    return sum(weights[item] for item in frozenset().union(*chosen))


def naive_greedy(sets: list[frozenset[Hashable]], weights: Mapping[Hashable, float], k: int) -> list[int]:
    chosen: list[int] = []
    covered: frozenset[Hashable] = frozenset()
    for _ in range(min(k, len(sets))):
        left = [i for i in range(len(sets)) if i not in chosen]
        best = min(left, key=lambda i: (-worth([sets[i] - covered], weights), len(sets[i]), i))
        if worth([sets[best] - covered], weights) == 0:
            break
        chosen.append(best)
        covered |= sets[best]
    return chosen


@given(instances)
def test_lazy_greedy_chooses_what_naive_greedy_chooses(
    instance: tuple[list[frozenset[Hashable]], list[float], int],
) -> None:
    sets, values, k = instance
    weights = dict(enumerate(values))
    assert [position for position, _ in maximum_coverage(sets, weights, k)] == naive_greedy(sets, weights, k)


@given(instances)
def test_greedy_is_within_its_guarantee_of_the_optimum(
    instance: tuple[list[frozenset[Hashable]], list[float], int],
) -> None:
    sets, values, k = instance
    weights = dict(enumerate(values))
    found = sum(gain for _, gain in maximum_coverage(sets, weights, k))
    best = max(worth(some, weights) for some in itertools.combinations(sets, min(k, len(sets))))
    assert found >= (1 - 1 / math.e) * best
    assert found == pytest.approx(worth([sets[i] for i, _ in maximum_coverage(sets, weights, k)], weights))
