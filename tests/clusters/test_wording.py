"""Promises of wording.py and chains.py: plain words, never empty, no name twice."""

import itertools

import pytest
from clusters.markets import edge, tool

from tdscaling_assets.clusters.chains import find_chain
from tdscaling_assets.clusters.wording import name_clusters, phrase_of, purpose_of
from tdscaling_assets.schema import Tool, ToolEdge


def purpose(tools: list[Tool], edges: list[ToolEdge]) -> str:
    return purpose_of(tools, edges, {one.tool_id: phrase_of(one) for one in tools})


def names(clusters: list[tuple[list[Tool], list[ToolEdge]]]) -> list[str]:
    phrases = {one.tool_id: phrase_of(one) for tools, _ in clusters for one in tools}
    return name_clusters([tools for tools, _ in clusters], [edges for _, edges in clusters], phrases)


def chain_of(*tools: Tool) -> list[ToolEdge]:
    return [edge(one, other) for one, other in itertools.pairwise(tools)]


def test_a_purpose_tells_the_chain_and_where_it_is() -> None:
    tools = [
        tool("shop", "find_customer"),
        tool("shop", "place_order"),
        tool("shop", "cancel_order"),
        tool("payments", "refund_payment"),
    ]
    assert purpose(tools, chain_of(*tools)) == (
        "Find customers, place an order, cancel it and refund a payment, at shop and payments."
    )


def test_one_of_many_is_taken_up_as_one() -> None:
    tools = [tool("shop", "list_orders"), tool("shop", "get_order"), tool("shop", "cancel_order")]
    assert purpose(tools, chain_of(*tools)) == "List orders, get one and cancel it, at shop."


@pytest.mark.parametrize(
    ("name", "description", "phrase"),
    [
        ("cancel_order", "", ("cancel", "order")),
        ("check_in_patient", "Check in a patient.", ("check in", "patient")),
        ("dispute_transaction", "Disputes a transaction.", ("dispute", "transaction")),
        ("frobnicate_widget", "Does something.", ("frobnicate widget", "")),
        ("zap", "Zap.", ("use", "zap")),
        ("注文", "注文", ("use", "注文")),
        ("___", "", ("use", "tools")),
    ],
)
def test_a_tool_is_a_verb_and_a_noun(name: str, description: str, phrase: tuple[str, str]) -> None:
    assert phrase_of(tool("shop", name).model_copy(update={"description": description})) == phrase


def test_like_names_take_a_noun_of_their_own() -> None:
    a, b, c, d = (tool("shop", name) for name in ("get_order", "cancel_order", "get_parcel", "track_courier"))
    same = [edge(a, b, key="order_id"), edge(b, c, key="customer_id")]
    assert names([([a, b, c], same), ([a, b, d], same)]) == ["Shop: customer, order", "Shop: customer, order, courier"]


def test_at_last_a_number_tells_clusters_apart() -> None:
    tools = [tool("shop", name) for name in ("a", "b", "c")]
    found = names([(tools, chain_of(*tools))] * 20)
    assert len({name.lower() for name in found}) == 20
    assert found[-1].startswith("Shop: ")


def test_a_name_is_never_empty() -> None:
    tools = [tool("", name) for name in ("_", "__", "___")]
    (name,) = names([(tools, [edge(tools[0], tools[1], key="")])])
    assert name == "Tools: tools"


def test_the_longest_chain_is_found_and_of_equals_the_most_varied() -> None:
    get, put, list_, end = (tool("shop", name) for name in ("get_x", "put_x", "list_x", "delete_x"))
    acts = {one.tool_id: phrase_of(one) for one in (get, put, list_, end)}
    edges = [edge(list_, get), edge(get, end), edge(get, put, 9.0), edge(put, end)]
    assert find_chain(edges, acts) == tuple(one.tool_id for one in (list_, get, put, end))
    twin = tool("shop", "get_xs")
    acts[twin.tool_id] = acts[get.tool_id]
    assert find_chain([edge(get, twin, 9.0), edge(get, end)], acts) == (get.tool_id, end.tool_id)


def test_a_circle_of_dependencies_is_a_chain_that_ends() -> None:
    tools = [tool("shop", name) for name in ("get_a", "get_b", "get_c")]
    edges = [*chain_of(*tools), edge(tools[2], tools[0])]
    assert len(find_chain(edges, {one.tool_id: phrase_of(one) for one in tools})) == 3


def test_no_edges_are_no_chain() -> None:
    assert find_chain([], {}) == ()
