"""Candidates are connected, of 3-12 tools, within services and across, and leave no edge out that could be in one."""

import itertools
import random
from collections.abc import Sequence

import networkx as nx
import pytest
from clusters.markets import edge, market, tool

from tdscaling_assets.clusters import LARGEST, SMALLEST, build_candidates
from tdscaling_assets.schema import Tool, ToolEdge


def candidates_of(tools: Sequence[Tool], edges: Sequence[ToolEdge]) -> list[tuple[str, ...]]:
    return build_candidates({one.tool_id: one for one in tools}, edges)


def clique(server: str, size: int) -> tuple[list[Tool], list[ToolEdge]]:
    tools = [tool(server, f"t{i:02d}") for i in range(size)]
    return tools, [edge(one, other) for i, one in enumerate(tools) for other in tools[i + 1 :]]


@pytest.mark.parametrize("seed", range(8))
def test_candidates_are_connected_distinct_and_of_legal_size(seed: int) -> None:
    tools, edges = market(seed, servers=3, size=10 + 5 * seed)
    graph = nx.Graph((one.producer_id, one.consumer_id) for one in edges)
    candidates = candidates_of(tools, edges)
    assert len(set(candidates)) == len(candidates) > 10
    for members in candidates:
        assert SMALLEST <= len(members) <= LARGEST
        assert nx.is_connected(graph.subgraph(members))


@pytest.mark.parametrize("seed", range(3))
def test_every_edge_with_a_third_tool_near_is_inside_a_candidate(seed: int) -> None:
    tools, edges = market(seed)
    candidates = [set(members) for members in candidates_of(tools, edges)]
    for one in edges:
        assert any({one.producer_id, one.consumer_id} <= members for members in candidates)


def test_the_order_of_the_input_changes_nothing() -> None:
    tools, edges = market(seed=5)
    expected = candidates_of(tools, edges)
    for seed in range(3):
        random.Random(seed).shuffle(tools)
        random.Random(seed).shuffle(edges)
        assert candidates_of(tools, edges) == expected


def test_the_random_state_of_the_process_is_left_alone() -> None:
    before = random.getstate()
    candidates_of(*market(seed=5))
    assert random.getstate() == before


def test_a_service_of_twelve_close_tools_is_a_candidate_as_a_whole() -> None:
    tools, edges = clique("shop", LARGEST)
    assert tuple(one.tool_id for one in tools) in candidates_of(tools, edges)


def test_a_community_that_is_too_large_gives_twelve_tools_around_its_strongest_tie() -> None:
    tools, edges = clique("shop", 20)
    strongest = edge(tools[3], tools[17], 9.0, "strong_id")
    largest = max(candidates_of(tools, [*edges, strongest]), key=len)
    assert len(largest) == LARGEST
    assert {tools[3].tool_id, tools[17].tool_id} <= set(largest)


def test_no_two_communities_share_more_than_seven_tenths_of_their_tools() -> None:
    for seed in range(4):
        large = [set(members) for members in candidates_of(*market(seed, size=40)) if len(members) > 5]  # grown: to 4
        assert len(large) > 8
        for one, other in itertools.combinations(large, 2):
            assert len(one & other) <= 0.7 * len(one | other)


def test_services_of_two_tools_are_joined_across() -> None:
    shop = [tool("shop", "find_order"), tool("shop", "get_order")]
    bank = [tool("bank", "find_payment"), tool("bank", "get_payment")]
    across = edge(shop[1], bank[0], 0.6)
    assert candidates_of([*shop, *bank], [edge(*shop), edge(*bank)]) == []
    joined = candidates_of([*shop, *bank], [edge(*shop), edge(*bank), across])
    assert any({across.producer_id, across.consumer_id} <= set(members) for members in joined)


def test_tools_that_no_edge_joins_are_never_together() -> None:
    left, right = ([tool("shop", f"{side}{i}") for i in range(4)] for side in "ab")
    edges = [edge(*pair) for side in (left, right) for pair in itertools.pairwise(side)]
    for members in candidates_of(left + right, edges):
        assert not {t.tool_id for t in left} & set(members) or not {t.tool_id for t in right} & set(members)
