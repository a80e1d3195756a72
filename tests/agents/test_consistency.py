"""A simulated answer may not contradict the conversation, and what contradicts nothing is let be."""

import json
from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from tdscaling_assets.agents.consistency import collect_known, find_contradiction, read_exchanges, stated_facts
from tdscaling_assets.schema import Binding, Blueprint, JsonObject, Message, Step, Tool, ToolCall

ORDER: JsonObject = {"order_id": "ORD-7", "customer_id": "CUS-1", "status": "paid", "total": 50}


def make(name: str, server: str = "shop", output: JsonObject | None = None) -> Tool:
    return Tool(
        tool_id=name,
        server=server,
        name=name,
        description="",
        input_schema={"type": "object"},
        output_schema=output,
        domain="d",
        source="test",
        executor="simulated",
        content_hash="0",
    )


TOOLS = {
    name: make(name)
    for name in (
        "get_order",
        "track_order",
        "list_orders",
        "cancel_order",
        "copy_order",
        "create_order",
        "update_customer",
        "merge_orders",
        "get_employee",
    )
}


def said(*calls: tuple[str, JsonObject, JsonValue]) -> list[Message]:
    """The conversation in which these calls got these answers."""
    messages: list[Message] = []
    for number, (name, arguments, answer) in enumerate(calls):
        call = ToolCall(id=f"c{number}", name=name, arguments=json.dumps(arguments))
        messages.append(Message(role="assistant", tool_calls=(call,)))
        messages.append(Message(role="tool", tool_call_id=call.id, name=name, content=json.dumps(answer)))
    return messages


def complaint(
    name: str,
    arguments: JsonObject,
    value: JsonValue,
    *earlier: tuple[str, JsonObject, JsonValue],
    stated: JsonObject | None = None,
    tools: Mapping[str, Tool] = TOOLS,
) -> str:
    known = collect_known(read_exchanges(said(*earlier)), [stated] if stated else [], tools, tools[name])
    return find_contradiction(tools[name], arguments, value, known)


SEEN = ("get_order", {"order_id": "ORD-7"}, ORDER)


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("get_order", {"order_id": "ORD-7"}, {"order_id": "ORD-8"}),
        ("get_order", {"order_id": "ORD-7"}, {"data": {"orderId": "ORD-8"}}),
        ("get_order", {"order_id": "ORD-7"}, {"order": {"id": "ORD-8"}}),
        ("get_order", {"id": 7}, {"id": 8}),
        ("list_orders", {"customer_id": "CUS-1"}, {"customer_id": "CUS-2", "orders": []}),
        ("create_order", {"customer_id": "CUS-1"}, {"order_id": "ORD-9", "customer_id": "CUS-2"}),
    ],
)
def test_an_identifier_of_the_call_is_echoed_as_it_is(name: str, arguments: JsonObject, value: JsonValue) -> None:
    assert "but the call was given" in complaint(name, arguments, value)


@pytest.mark.parametrize(
    ("name", "arguments", "value"),
    [
        ("get_order", {"order_id": "ORD-7"}, {"order_id": "ord 7"}),
        ("get_order", {"order_id": 7}, {"order_id": "7"}),
        ("get_order", {"order_id": "ORD-7"}, {"orders": [{"order_id": "ORD-8"}]}),
        ("get_order", {"order_id": "ORD-7", "customer_id": "CUS-1"}, {"order": {"customer_id": "CUS-2"}}),
        ("copy_order", {"order_id": "ORD-7"}, {"order_id": "ORD-8"}),
        ("merge_orders", {"order_id": "ORD-7", "into_order_id": "ORD-8"}, {"order_id": "ORD-8"}),
        ("get_employee", {"employee_id": "E-1"}, {"employee_id": "E-1", "manager": {"employee_id": "E-2"}}),
        ("list_orders", {"status": "paid"}, {"status": "complete"}),
    ],
)
def test_another_identifier_is_no_wrong_echo(name: str, arguments: JsonObject, value: JsonValue) -> None:
    assert complaint(name, arguments, value) == ""


def test_an_answer_satisfies_its_schema_first() -> None:
    schema: JsonObject = {"type": "object", "properties": {"total": {"type": "number"}}}
    tools = {"get_order": make("get_order", output=schema)}
    told = complaint("get_order", {"order_id": "ORD-7"}, {"order_id": "ORD-8", "total": "much"}, tools=tools)
    assert told == "It does not satisfy the output schema: $.total: 'much' is not of type 'number'."


@pytest.mark.parametrize(
    "value",
    [
        {**ORDER, "total": 51},
        {"order": {"id": "ORD-7", "status": "cancelled"}},
        {"data": {"orderId": "ORD-7", "customerId": "CUS-2"}},
        {"total": 51},
    ],
)
def test_a_thing_does_not_change_by_being_looked_at(value: JsonValue) -> None:
    assert "of the order_id 'ord 7' it is known to be" in complaint("track_order", {"order_id": "ORD-7"}, value, SEEN)


def test_a_list_says_the_same_of_a_thing_as_a_look_up_before() -> None:
    value: JsonValue = {"orders": [{"order_id": "ORD-8", "total": 9}, {"order_id": "ORD-7", "total": 9}]}
    told = complaint("list_orders", {}, value, SEEN)
    assert told == "It says 9 in orders[].total, but of the order_id 'ord 7' it is known to be 50."


@pytest.mark.parametrize(
    "value",
    [
        {**ORDER, "carrier": "north"},
        {**ORDER, "total": 50.0},
        {**ORDER, "total": None},
        {**ORDER, "status": {"name": "paid"}},
        {**ORDER, "date": "2026-01-01", "score": 0.3},
        {"status": "ok", "data": ORDER},
        {"order_id": "ORD-8", "customer_id": "CUS-1", "total": 9},
        {"orders": [{"order_id": "ORD-7", "total": 20}, {"order_id": "ORD-7", "total": 30}]},
        {"lines": [{"order_id": "ORD-7", "total": 20}]},
    ],
)
def test_what_is_new_the_same_or_of_another_thing_is_no_contradiction(value: JsonValue) -> None:
    assert complaint("list_orders", {}, value, SEEN) == ""


@pytest.mark.parametrize(
    ("change", "free"),
    [
        (("cancel_order", {"order_id": "ORD-7"}, {"status": "success"}), True),
        (("cancel_order", {"order_id": "ORD-8"}, {"status": "success"}), False),
        (("update_customer", {"customer_id": "CUS-1"}, {"status": "success"}), True),
        (("merge_orders", {"order_id": "ORD-8"}, {"changed": ["ORD-7"]}), True),
        (("cancel_order", {"order_id": "ORD-7"}, {"error": "too late"}), False),
        (("track_order", {"order_id": "ORD-7"}, {"status": "paid"}), False),
    ],
)
def test_only_a_successful_change_of_the_thing_sets_it_free(
    change: tuple[str, JsonObject, JsonValue], free: bool
) -> None:
    told = complaint("get_order", {"order_id": "ORD-7"}, {**ORDER, "status": "cancelled"}, SEEN, change)
    assert (told == "") is free


def test_a_change_says_what_the_thing_now_is_but_not_by_what_it_acknowledges() -> None:
    made: JsonObject = {"order_id": "ORD-9", "total": 12, "status": "success"}
    change = ("create_order", {"customer_id": "CUS-1"}, made)
    assert "12" in complaint("get_order", {"order_id": "ORD-9"}, {"order_id": "ORD-9", "total": 13}, change)
    assert complaint("get_order", {"order_id": "ORD-9"}, {**made, "status": "open"}, change) == ""


def test_a_change_may_answer_with_what_it_changed() -> None:
    assert complaint("cancel_order", {"order_id": "ORD-7"}, {**ORDER, "status": "cancelled"}, SEEN) == ""


def test_a_value_that_the_schema_forbids_is_not_asked_for() -> None:
    schema: JsonObject = {"type": "object", "properties": {"status": {"enum": ["PAID", "OPEN"]}}}
    tools = {**TOOLS, "track_order": make("track_order", output=schema)}
    value: JsonObject = {"order_id": "ORD-7", "status": "PAID"}
    assert complaint("track_order", {"order_id": "ORD-7"}, value, SEEN, tools=tools) == ""
    assert value["status"] == "PAID"


@pytest.mark.parametrize(("identifier", "same"), [("ORD-7", True), (7, False), ("7000001", False)])
def test_a_small_or_bare_number_names_a_thing_only_on_its_server(identifier: JsonValue, same: bool) -> None:
    tools = {**TOOLS, "read_order": make("read_order", server="warehouse")}
    earlier = ("get_order", {"order_id": identifier}, {**ORDER, "order_id": identifier})
    value: JsonObject = {"order_id": identifier, "total": 9}
    told = complaint("read_order", {"order_id": identifier}, value, earlier, tools=tools)
    assert bool(told) is same
    assert complaint("track_order", {"order_id": identifier}, value, earlier)


def test_facts_told_together_are_not_contradicted() -> None:
    facts: JsonObject = {"order_id": "ORD-7", "email": "a@example.com", "status": "open"}
    told = complaint("get_order", {"order_id": "ORD-7"}, {"email": "b@example.com"}, stated=facts)
    assert told == "It says \"b@example.com\" in email, but of the order_id 'ord 7' it is known to be 'a@example.com'."
    assert complaint("get_order", {"order_id": "ORD-7"}, {"status": "shipped"}, stated=facts) == ""
    assert complaint("get_order", {"order_id": "ORD-8"}, {"email": "b@example.com"}, stated=facts) == ""


def test_facts_belong_together_where_one_look_up_takes_them_and_wishes_are_none() -> None:
    steps = (
        Step(step_id="s1", tool_id="get_order", arguments={"order_id": fact("order_id"), "email": fact("other_email")}),
        Step(
            step_id="s2", tool_id="update_customer", arguments={"email": fact("email"), "city": Binding(kind="literal")}
        ),
    )
    blueprint = Blueprint.model_construct(
        steps=steps, facts={"order_id": "ORD-7", "other_email": "a@example.com", "email": "new@example.com"}
    )
    assert stated_facts(blueprint, TOOLS) == [{"order_id": "ORD-7", "email": "a@example.com"}]


def fact(name: str) -> Binding:
    return Binding(kind="user", fact=name)
