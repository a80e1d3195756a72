"""Clusters are connected, of the right size, and the greedy best; the order of the input changes nothing."""

import itertools
import random

import networkx as nx
import pytest
from clusters.markets import edge, market, tool

from tdscaling_assets.clusters import LARGEST, SMALLEST, choose_clusters, select_clusters
from tdscaling_assets.schema import CODE_TOOL, BusinessCluster

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


@pytest.mark.parametrize("cover", [1, 3])
def test_ranks_count_up_gains_fall_and_coverage_accumulates(cover: int) -> None:
    clusters = select_clusters(TOOLS, EDGES, 400, cover)
    assert [cluster.rank for cluster in clusters] == list(range(1, len(clusters) + 1))
    for earlier, later in itertools.pairwise(clusters):
        assert earlier.gain >= later.gain > 0
        assert later.covered_tools >= earlier.covered_tools
        assert later.covered_edges >= earlier.covered_edges
        assert (later.coverage or 0) > (earlier.coverage or 0) > 0
        if cover == 1:
            assert later.covered_tools + later.covered_edges > earlier.covered_tools + earlier.covered_edges
    assert clusters[-1].coverage == 1.0


def test_counting_again_gives_more_clusters_than_counting_once() -> None:
    sizes = [len(select_clusters(TOOLS, EDGES, 400, cover)) for cover in (1, 2, 3)]
    assert sizes[0] < sizes[1] < sizes[2] == len(CLUSTERS)


def test_a_requested_coverage_stops_at_the_first_rank_that_reaches_it() -> None:
    clusters = select_clusters(TOOLS, EDGES, 400, share=0.6)
    assert clusters == CLUSTERS[: len(clusters)]
    assert len(clusters) < len(CLUSTERS)
    assert [(cluster.coverage or 0) >= 0.6 for cluster in clusters] == [False] * (len(clusters) - 1) + [True]


def test_whichever_of_number_and_coverage_comes_first_stops() -> None:
    reached = len(select_clusters(TOOLS, EDGES, 400, share=0.6))
    assert select_clusters(TOOLS, EDGES, reached - 1, share=0.6) == CLUSTERS[: reached - 1]


def test_saturation_is_told_even_where_the_selection_ends_before() -> None:
    whole, few = choose_clusters(TOOLS, EDGES, 400), choose_clusters(TOOLS, EDGES, 5)
    assert few[1:] == whole[1:]
    before, at = CLUSTERS[whole.nothing_new - 2], CLUSTERS[whole.nothing_new - 1]
    assert before.covered_edges < at.covered_edges == CLUSTERS[-1].covered_edges == whole.reachable_edges
    before, at = CLUSTERS[whole.little_left - 2], CLUSTERS[whole.little_left - 1]
    assert (before.coverage or 0) < 0.99 <= (at.coverage or 0)


def test_no_tools_make_no_clusters() -> None:
    assert choose_clusters([], [], 10)[:3] == ([], 0, 0)


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


def test_two_joined_tools_and_a_lone_one_make_no_cluster() -> None:
    tools = [tool("shop", name) for name in ("a", "b", "c")]
    assert select_clusters(tools, [edge(tools[0], tools[1])], 10) == []


def test_the_code_tool_is_in_no_cluster() -> None:
    code, *others = [tool("shop", CODE_TOOL), *(tool("shop", name) for name in "abc")]
    edges = [edge(others[0], others[1]), edge(others[1], others[2]), edge(code, others[0])]
    (cluster,) = select_clusters([code, *others], edges, 10)
    assert cluster.tool_ids == ("shop__a", "shop__b", "shop__c")


def test_the_domain_is_that_of_most_tools() -> None:
    tools = [tool("shop", "a"), tool("shop", "b"), tool("shop", "c"), tool("parcel_post", "d", "logistics")]
    edges = [edge(tools[0], tools[1]), edge(tools[1], tools[2]), edge(tools[2], tools[3], 0.9, "parcel_number")]
    cluster = next(c for c in select_clusters(tools, edges, 10) if len(c.tool_ids) == 4)
    assert cluster.domain == "commerce"
    assert cluster.name == "Shop and parcel post: order, parcel number"


def test_no_name_is_given_twice_and_every_cluster_has_a_purpose() -> None:
    names = [cluster.name for cluster in CLUSTERS]
    assert len(set(names)) == len(names) > 4
    assert all(cluster.purpose.endswith(".") for cluster in CLUSTERS)
