"""What a tool wants and gives is what its schemas say, and without an output schema what its words say."""

import pytest
from pydantic import JsonValue

from tdscaling_assets.entities import parse_act
from tdscaling_assets.flows import Input, Output, find_inputs, find_outputs
from tdscaling_assets.schema import JsonObject, Tool

TEXT: JsonObject = {"type": "string"}


def things(**properties: JsonValue) -> JsonObject:
    return {"type": "object", "properties": dict(properties)}


def tool(name: str, takes: JsonObject | None = None, gives: JsonObject | None = None, *, description: str = "") -> Tool:
    return Tool(
        tool_id=name,
        server="shop",
        name=name,
        description=description,
        input_schema=takes or {"type": "object"},
        output_schema=gives,
        domain="commerce",
        source="test",
        executor="simulated",
        content_hash=name,
    )


def inputs(*tools: Tool) -> list[Input]:
    return find_inputs(tools, {one.tool_id: parse_act(one) for one in tools})


def outputs(*tools: Tool) -> list[Output]:
    return find_outputs(tools, {one.tool_id: parse_act(one) for one in tools}, inputs(*tools))


def given(gives: JsonObject) -> list[tuple[str, str, str]]:
    return [(one.key, one.path, one.kind) for one in outputs(tool("find_orders", gives=gives))]


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_parameters_come_by_name_with_their_keys_and_need() -> None:
    takes: JsonObject = {**things(order_id=TEXT, customer_email={"type": "integer"}), "required": ["order_id"]}
    found = inputs(tool("ship", takes))
    assert [(one.name, one.keys, one.kind, one.required) for one in found] == [
        ("customer_email", ("customer_email",), "integer", False),
        ("order_id", ("order_id",), "string", True),
    ]


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": ["null", "integer"]}, "integer"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "string"),
        ({"type": "array", "items": TEXT}, "array"),
        ({"$ref": "#/$defs/id"}, "string"),
        ({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/id"}]}, "string"),
        ({"allOf": [{"$ref": "#/$defs/id"}], "description": "Which."}, "string"),
        ({}, "any"),
    ],
)
def test_the_type_is_the_first_that_is_not_null(schema: JsonObject, kind: str) -> None:
    takes: JsonObject = {**things(order_id=schema), "$defs": {"id": TEXT}}
    assert [one.kind for one in inputs(tool("ship", takes))] == [kind]


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "enum": ["a", "b"]},
        {"const": "a"},
        {"type": "boolean"},
        {"type": "object"},
        {"type": "array", "items": {"type": "object"}},
        True,
    ],
)
def test_what_cannot_hold_a_reference_wants_none(schema: JsonValue) -> None:
    assert inputs(tool("ship", things(order_id=schema))) == []


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_arrays_are_marked_in_the_path() -> None:
    orders: JsonObject = {"type": "array", "items": things(order_id=TEXT)}
    assert given(things(orders=orders)) == [("order_id", "orders[].order_id", "string")]


def test_local_references_are_followed() -> None:
    orders: JsonObject = {"type": "array", "items": {"$ref": "#/$defs/Order"}}
    gives: JsonObject = {**things(orders=orders), "$defs": {"Order": things(order_id=TEXT)}}
    assert given(gives) == [("order_id", "orders[].order_id", "string")]


def test_a_schema_that_holds_itself_ends() -> None:
    gives: JsonObject = {
        **things(root={"$ref": "#/$defs/Node"}),
        "$defs": {"Node": things(child={"$ref": "#/$defs/Node"})},
    }
    assert given(gives) == []


def test_of_equal_keys_the_shallowest_counts() -> None:
    gives = things(deep=things(deeper=things(order_id=TEXT)), order_id=TEXT)
    assert given(gives) == [("order_id", "order_id", "string")]


def test_a_schema_is_surer_than_words() -> None:
    ship = tool("ship", things(order_id=TEXT))
    (by_schema,) = outputs(ship, tool("find_orders", gives=things(order_id=TEXT)))
    (by_name,) = outputs(ship, tool("find_orders"))
    (by_words,) = outputs(ship, tool("lookup", description="Looks it up. Returns the order id and a greeting."))
    assert by_schema.sureness > by_name.sureness > by_words.sureness
    assert by_name.key == by_words.key == "order_id"


def test_words_give_only_what_some_tool_wants() -> None:
    assert outputs(tool("find_orders"), tool("greet", things(customer_id=TEXT))) == []


def test_a_tool_that_ends_a_thing_gives_no_reference_to_it() -> None:
    assert outputs(tool("delete_order"), tool("ship", things(order_id=TEXT))) == []


def test_a_tool_does_not_return_what_it_was_given() -> None:
    echo = tool("peek", things(order_id=TEXT), description="Peeks. Returns the order id.")
    assert outputs(echo) == []


def test_what_is_looked_up_by_is_not_returned() -> None:
    ship = tool("ship", things(order_id=TEXT, customer_id=TEXT))
    words = tool("peek", description="Returns the order id for a customer id.")
    assert [one.key for one in outputs(ship, words)] == ["order_id"]


def test_a_list_of_texts_called_after_a_thing_may_hold_its_identifiers() -> None:
    orders: JsonObject = {"type": "array", "items": TEXT}
    assert ("order_id", "orders[]", "string") in given(things(orders=orders))


@pytest.mark.parametrize(
    "schema", [{"$ref": "#/$defs/Key"}, {"anyOf": [{"$ref": "#/$defs/Key"}, {"type": "null"}]}], ids=["ref", "branch"]
)
def test_a_parameter_behind_a_reference_counts(schema: JsonObject) -> None:
    takes: JsonObject = {**things(order_id=schema), "$defs": {"Key": {"type": "string", "pattern": "^ORD-"}}}
    assert [(one.kind, one.pattern) for one in inputs(tool("ship", takes))] == [("string", "^ORD-")]


def test_a_choice_behind_a_reference_wants_nothing() -> None:
    takes: JsonObject = {**things(order_id={"$ref": "#/$defs/Key"}), "$defs": {"Key": {"enum": ["a", "b"]}}}
    assert inputs(tool("ship", takes)) == []


def test_a_bare_id_is_of_what_its_description_says() -> None:
    takes = things(id={"type": "string", "description": "Group ID"})
    assert [one.keys for one in inputs(tool("set_picture", takes))] == [("group_id",)]


def test_a_bare_id_of_a_described_owner_is_no_id_of_what_is_owned() -> None:
    takes = things(id={"type": "string", "description": "Channel id or invite code"})
    assert [one.keys for one in inputs(tool("list_channel_messages", takes))] == [("channel_id",)]


def test_the_new_name_of_a_thing_is_not_looked_up() -> None:
    assert inputs(tool("update_order", things(name=TEXT))) == []
    assert inputs(tool("get_order", things(name=TEXT)))


def test_junk_of_a_crawled_schema_wants_nothing() -> None:
    takes = things(Cancel=TEXT, order=TEXT, order_id=TEXT, cancel_order=TEXT)
    assert [one.name for one in inputs(tool("cancel_order", takes))] == ["order_id"]
