"""Schemas of every draft become sound ones of draft 2020-12 that accept the same values."""

import pytest
from jsonschema import Draft202012Validator
from jsonschema.validators import validator_for
from pydantic import JsonValue

from tdscaling_assets.catalog.schemas import SchemaFaultError, sound_schema
from tdscaling_assets.catalog.shapes import with_parameters_at_root
from tdscaling_assets.schema import JsonObject

DRAFT_04, DRAFT_06 = "http://json-schema.org/draft-04/schema#", "http://json-schema.org/draft-06/schema#"
DRAFT_07 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"

CASES: list[tuple[JsonObject, list[JsonValue]]] = [
    (
        {
            "$schema": DRAFT_07,
            "definitions": {"id": {"type": "string"}},
            "properties": {"a": {"$ref": "#/definitions/id"}},
        },
        [{"a": "x"}, {"a": 1}],
    ),
    (
        {"$schema": DRAFT_07, "items": [{"type": "string"}, {"type": "integer"}], "additionalItems": False},
        [["a", 1], ["a"], [1], ["a", 1, 2]],
    ),
    (
        {"$schema": DRAFT_07, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
        [{"a": 1}, {"a": 1, "b": 1}, {"c": 1}, {"c": 1, "d": 1}],
    ),
    (
        {
            "$schema": DRAFT_07,
            "definitions": {"n": {"type": "integer"}},
            "properties": {"a": {"$ref": "#/definitions/n", "minimum": 5}},
        },
        [{"a": 1}, {"a": "x"}],
    ),
    (
        {
            "$schema": DRAFT_07,
            "properties": {"l": {"items": [{"type": "string"}]}, "m": {"$ref": "#/properties/l/items/0"}},
        },
        [{"m": "x"}, {"m": 1}],
    ),
    ({"$schema": DRAFT_06, "properties": {"a": {"const": 1}}, "exclusiveMinimum": 3}, [{"a": 1}, {"a": 2}, 2, 4]),
    ({"$schema": DRAFT_04, "minimum": 3, "exclusiveMinimum": True}, [3, 4]),
    ({"$schema": DRAFT_04, "minimum": 3, "exclusiveMinimum": False}, [2, 3]),
    (
        {"$schema": DRAFT_2019, "items": [{"type": "string"}], "additionalItems": {"type": "integer"}},
        [["a", 1], ["a", "b"]],
    ),
    (
        {"$schema": DRAFT_2019, "properties": {"child": {"$recursiveRef": "#"}}, "required": ["n"]},
        [{"n": 1, "child": {}}, {"n": 1, "child": {"n": 2}}],
    ),
]


@pytest.mark.parametrize(("schema", "values"), CASES)
def test_a_translated_schema_takes_what_the_original_takes(schema: JsonObject, values: list[JsonValue]) -> None:
    original = validator_for(schema)(schema)
    translated = sound_schema(schema)
    assert "$schema" not in translated and "definitions" not in translated
    verdicts = [original.is_valid(value) for value in values]
    assert [Draft202012Validator(translated).is_valid(value) for value in values] == verdicts
    assert True in verdicts


def test_a_parameter_called_definitions_or_items_is_left_alone() -> None:
    schema: JsonObject = {
        "$schema": DRAFT_07,
        "properties": {"definitions": {"type": "string"}, "items": {"type": "array"}},
    }
    assert sound_schema(schema) == {"properties": schema["properties"]}


def test_an_undeclared_schema_in_the_old_spelling_is_read_as_that() -> None:
    assert sound_schema({"items": [{"type": "string"}]}) == {"prefixItems": [{"type": "string"}]}


def test_a_schema_is_checked_as_the_draft_it_declares() -> None:
    with pytest.raises(SchemaFaultError, match=r"not what it declares in .schema, .*draft-07"):
        sound_schema({"$schema": DRAFT_07, "minimum": 3, "exclusiveMinimum": True})


@pytest.mark.parametrize("reference", ["#/$defs/B", "http://elsewhere/x.json", "other.json", "#nowhere"])
def test_a_reference_that_leads_outside_is_a_fault(reference: str) -> None:
    with pytest.raises(SchemaFaultError, match="refers to what is not in it"):
        sound_schema({"$defs": {"A": {}}, "properties": {"a": {"$ref": reference}}})


def test_an_enumerated_value_is_no_reference() -> None:
    schema: JsonObject = {"enum": [{"$ref": "#/nowhere"}]}
    assert sound_schema(schema) == schema


ROOTS: list[JsonObject] = [
    {
        "$ref": "#/$defs/T",
        "$defs": {"T": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}},
    },
    {"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]}, {"description": "more"}]},
]


@pytest.mark.parametrize("schema", ROOTS)
def test_parameters_behind_a_reference_or_allof_stand_at_the_root(schema: JsonObject) -> None:
    whole = with_parameters_at_root(schema)
    assert whole["properties"] == {"a": {"type": "string"}}
    assert (whole["type"], whole["required"]) == ("object", ["a"])


def test_parameters_of_a_choice_are_optional_at_the_root_and_the_choice_stays() -> None:
    branches: list[JsonValue] = [
        {"properties": {"id": {"type": "string"}}, "required": ["id"]},
        {"properties": {"email": {"type": "string"}, "id": {"type": "integer"}}, "required": ["email"]},
    ]
    whole = with_parameters_at_root({"type": "object", "oneOf": branches})
    assert whole["properties"] == {
        "id": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        "email": {"type": "string"},
    }
    assert whole["oneOf"] == branches and "required" not in whole
    assert not Draft202012Validator(whole).is_valid({})


def test_clashing_parts_of_allof_both_hold() -> None:
    parts: list[JsonValue] = [{"properties": {"a": {"minimum": 3}}}, {"properties": {"a": {"maximum": 5}}}]
    whole = with_parameters_at_root({"type": "object", "allOf": parts})
    assert [Draft202012Validator(whole).is_valid({"a": n}) for n in (2, 4, 6)] == [False, True, False]


def test_a_reference_in_a_circle_ends() -> None:
    assert with_parameters_at_root({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/A"}}})["type"] == "object"
