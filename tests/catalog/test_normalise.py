"""Every raw record becomes one legal, unique Tool or one RejectedTool with its reason."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tdscaling_assets.catalog.normalise import Normaliser, Origin, legal_id
from tdscaling_assets.schema import JsonObject, Tool, canonical_json

ORIGIN = Origin(source="file:tools.json", server="shop", executor="simulated", read_server=True)
LEGAL = re.compile(r"^[A-Za-z0-9_-]{1,64}$")


def raw(**changes: JsonValue) -> JsonObject:
    schema: JsonObject = {"type": "object", "properties": {"order_id": {"type": "string"}}}
    return {"name": "get_order", "description": "Get an order.", "inputSchema": schema} | changes


def kept(record: JsonValue, origin: Origin = ORIGIN) -> Tool:
    normaliser = Normaliser()
    normaliser.add(record, origin)
    assert normaliser.rejected == []
    return normaliser.tools[0]


def reason(record: JsonValue) -> str:
    normaliser = Normaliser()
    normaliser.add(record, ORIGIN)
    assert normaliser.tools == []
    return normaliser.rejected[0].reason


@given(server=st.text(), name=st.text(min_size=1))
def test_ids_are_always_legal(server: str, name: str) -> None:
    assert LEGAL.match(legal_id(server, name))


def test_a_plain_name_is_kept_as_it_is() -> None:
    assert legal_id("shop", "get-order_2") == "shop__get-order_2"


def test_names_that_differ_only_in_what_was_cut_get_different_ids() -> None:
    assert legal_id("shop", "x" * 70 + "a") != legal_id("shop", "x" * 70 + "b")
    assert legal_id("shop", "订单") != legal_id("shop", "退款")


def test_same_id_but_other_content_is_suffixed_and_the_original_name_kept() -> None:
    normaliser = Normaliser()
    normaliser.add(raw(name="get order"), ORIGIN)
    normaliser.add(raw(name="get.order"), ORIGIN)
    first, second = normaliser.tools
    assert first.tool_id == "shop__get_order"
    assert second.tool_id.startswith("shop__get_order_")
    assert (first.name, second.name) == ("get order", "get.order")


def test_an_exact_copy_names_the_tool_it_copies() -> None:
    normaliser = Normaliser()
    normaliser.add(raw(), ORIGIN)
    normaliser.add(raw(server="elsewhere"), ORIGIN)
    assert [rejected.reason for rejected in normaliser.rejected] == ["duplicate of shop__get_order"]


@pytest.mark.parametrize(
    ("record", "why"),
    [
        ("rubbish", "not an object"),
        (raw(name=" "), "no name"),
        (raw(name=None), "no name"),
        (raw(description="", inputSchema={"type": "object"}), "no description and no parameters"),
        (raw(description="x" * 70_000), "more than the limit of 65536"),
        (raw(inputSchema={"type": "array"}), 'input schema has type "array"'),
        (raw(inputSchema="no JSON"), "inputSchema is not a schema object"),
        (
            raw(inputSchema={"type": "object", "properties": {"a": {"type": "any"}}}),
            "not JSON Schema 2020-12 at $.prop",
        ),
        (raw(outputSchema={"type": 3}), "output schema is not JSON Schema"),
        (raw(inputSchema={"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}}), "which is not in it"),
        (raw(inputSchema={"type": "object", "properties": {"a": {"$ref": "http://x/y"}}}), "which is not in it"),
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
    row = tool.model_dump() | {"input_schema": canonical_json(tool.input_schema)}
    assert kept(row) == tool
