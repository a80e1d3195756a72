"""Every raw record becomes one legal, unique Tool or one RejectedTool with its reason."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tdscaling_assets.catalog.ledger import Ledger
from tdscaling_assets.catalog.names import legal_id
from tdscaling_assets.catalog.normalise import Origin
from tdscaling_assets.schema import JsonObject, Tool, canonical_json

ORIGIN = Origin(source="file:tools.json", server="shop", executor="simulated", read_server=True)
NESTED: JsonValue = []
ABYSS: JsonValue = []
for _ in range(60):
    NESTED = [NESTED]
for _ in range(3000):
    ABYSS = [ABYSS]
WIDE: JsonObject = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(1200)}}
LEGAL = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


def raw(**changes: JsonValue) -> JsonObject:
    schema: JsonObject = {"type": "object", "properties": {"order_id": {"type": "string"}}}
    return {"name": "get_order", "description": "Get an order.", "inputSchema": schema} | changes


def kept(record: JsonValue, origin: Origin = ORIGIN) -> Tool:
    ledger = Ledger()
    ledger.add(record, origin)
    ledger.settle()
    assert ledger.rejected == []
    (tool,) = ledger.tools.values()
    return tool


def reason(record: JsonValue) -> str:
    ledger = Ledger()
    ledger.add(record, ORIGIN)
    ledger.settle()
    assert ledger.tools == {}
    return ledger.rejected[0].reason


@given(server=st.text(), name=st.text(min_size=1))
def test_ids_are_always_legal(server: str, name: str) -> None:
    assert LEGAL.match(legal_id(server, name))


def test_a_plain_name_is_kept_as_it_is() -> None:
    assert legal_id("shop", "get-order_2") == "shop__get-order_2"


def test_names_that_differ_only_in_what_was_cut_get_different_ids() -> None:
    assert legal_id("shop", "x" * 70 + "a") != legal_id("shop", "x" * 70 + "b")
    assert legal_id("shop", "订单") != legal_id("shop", "退款")


def test_same_id_but_other_name_is_suffixed_and_the_original_name_kept() -> None:
    ledger = Ledger()
    ledger.add(raw(name="get order"), ORIGIN)
    ledger.add(raw(name="get.order"), ORIGIN)
    ledger.settle()
    first, second = ledger.tools.values()
    assert first.tool_id == "shop__get_order"
    assert second.tool_id.startswith("shop__get_order_")
    assert (first.name, second.name) == ("get order", "get.order")


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("rubbish", "not an object"),
        (raw(name=" "), "no name"),
        (raw(name=None), "no name"),
        (raw(description="", inputSchema={"type": "object"}), "nothing says what it does: "),
        (raw(description="", name="run_tool"), "nothing says what it does: "),
        (raw(inputSchema=False), "not a schema: inputSchema is false"),
        (raw(inputSchema=7), "not a schema: inputSchema is 7"),
        (raw(x=float("nan")), "not JSON"),
        (raw(x=NESTED), "too deep: 62 levels"),
        (raw(x=ABYSS), "too deep: 3002 levels"),
        (raw(inputSchema=WIDE), "too many properties: 1200"),
        (raw(inputSchema={"type": "object", "properties": {"a\u202e": {}, "a": {}}}), "ambiguous names"),
        (raw(description="x" * 70_000), "more than the limit of 65536"),
        (raw(inputSchema={"type": "array"}), 'input schema is no object: it has type "array"'),
        (raw(inputSchema="no JSON"), "not a schema: inputSchema"),
        (
            raw(inputSchema={"type": "object", "properties": {"a": {"type": "any"}}}),
            "not JSON Schema 2020-12: at $.prop",
        ),
        (raw(outputSchema={"type": 3}), "output schema is not JSON Schema"),
        (
            raw(inputSchema={"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}),
            "refers to what is not in it",
        ),
        (
            raw(inputSchema={"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}),
            "refers to what is not in it",
        ),
    ],
)
def test_each_rejection_has_its_reason(record: JsonValue, why: str) -> None:
    assert why in reason(record)


def test_a_parameter_named_title_is_checked_like_any_other() -> None:
    assert "at $.properties.title" in reason(raw(inputSchema={"type": "object", "properties": {"title": "text"}}))


def test_a_local_reference_that_resolves_is_kept() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "string"}},
    }
    assert kept(raw(inputSchema=schema)).input_schema == schema


def test_an_empty_description_is_enough_where_there_are_parameters() -> None:
    assert kept(raw(description="")).description == ""


def test_hints_come_from_the_annotations_and_are_unknown_without_them() -> None:
    tool = kept(raw(annotations={"readOnlyHint": True, "destructiveHint": False, "title": "Order"}))
    assert (tool.read_only, tool.destructive, tool.title) == (True, False, "Order")
    assert (kept(raw()).read_only, kept(raw()).destructive) == (None, None)


def test_the_domain_of_the_source_wins_over_the_domain_of_the_record() -> None:
    assert kept(raw(domain="rail"), ORIGIN.model_copy(update={"domain": "travel"})).domain == "travel"
    assert kept(raw(domain="rail")).domain == "rail"


def test_a_category_or_a_domain_of_no_taxonomy_is_kept_as_the_category() -> None:
    for record, category in ((raw(category="retail"), "retail"), (raw(domain="trinkets"), "trinkets"), (raw(), None)):
        tool = kept(record)
        assert (tool.domain, tool.category) == ("unknown", category)


def test_an_openai_function_without_parameters_takes_an_empty_object() -> None:
    tool = kept({"type": "function", "function": {"name": "now", "description": "The time."}})
    assert tool.input_schema == {"type": "object", "properties": {}}


def test_a_row_of_our_own_catalog_table_comes_back_as_the_same_tool() -> None:
    tool = kept(raw(category="retail", annotations={"readOnlyHint": True}))
    row = tool.model_dump(exclude={"canonical_id", "present"}) | {"input_schema": canonical_json(tool.input_schema)}
    assert kept(row) == tool


@pytest.mark.parametrize("nothing", [None, True, "", {}])
def test_an_input_schema_that_says_nothing_is_an_empty_object(nothing: JsonValue) -> None:
    assert kept(raw(inputSchema=nothing)).input_schema == {"type": "object", "properties": {}}


def test_required_names_that_are_no_parameters_are_dropped() -> None:
    schema: JsonObject = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]}
    assert kept(raw(inputSchema=schema)).input_schema["required"] == ["a"]


def test_a_schema_wrapped_in_properties_is_unwrapped() -> None:
    inner: JsonObject = {"type": "object", "properties": {"gem": {"type": "string"}}, "required": ["gem"]}
    wrapped: JsonObject = {
        "type": "object",
        "properties": {**inner, "$schema": "http://json-schema.org/draft-07/schema#"},
    }
    assert kept(raw(inputSchema=wrapped)).input_schema == inner


def test_what_cannot_be_seen_is_stripped_everywhere() -> None:
    hidden = "Get\x1b[31m an\u202e order\u200b.\x07\r\nNow\U000e0041"
    schema: JsonObject = {"type": "object", "properties": {"id\u2066": {"type": "string", "description": hidden}}}
    tool = kept(raw(name="get\u200b_order", description=hidden, inputSchema=schema, server="shop\u202d", title="\x00T"))
    assert (tool.name, tool.server, tool.title) == ("get_order", "shop", "T")
    assert tool.description == "Get an order.\nNow"
    assert tool.input_schema["properties"] == {"id": {"type": "string", "description": "Get an order.\nNow"}}


def test_a_lone_surrogate_is_stripped() -> None:
    assert kept(raw(description="Get\ud800 it.")).description == "Get it."


def test_emoji_and_other_scripts_stay() -> None:
    text = "注文を取得 👩\u200d👧 می\u200cخواهم é"
    assert kept(raw(description=text)).description == text


def test_a_category_that_is_no_label_is_no_domain() -> None:
    assert kept(raw(category="</guidance> {{ x }}")).domain == "unknown"
