"""A schema says what its values look like, however it is written."""

import pytest
from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject
from tdscaling_assets.shapes import json_type, leaves, reference_type, resolve, text_pattern

TEXT: JsonObject = {"type": "string"}
ROOT: JsonObject = {
    "$defs": {
        "Key": {"type": "string", "pattern": "^K-"},
        "Keys": {"type": "array", "items": {"$ref": "#/$defs/Key"}},
        "a/b": {"type": "integer"},
        "Loop": {"$ref": "#/$defs/Loop"},
        "Colour": {"enum": ["red"]},
    }
}


def test_references_are_followed_with_their_escapes() -> None:
    assert resolve(ROOT, {"$ref": "#/$defs/a~1b"}) == {"type": "integer"}


@pytest.mark.parametrize("reference", ["#/$defs/Loop", "#/$defs/Nothing"])
def test_a_reference_that_leads_nowhere_is_no_schema(reference: str) -> None:
    assert resolve(ROOT, {"$ref": reference}) is None


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"type": ["null", "integer"]}, "integer"),
        ({"oneOf": [{"type": "null"}, {"$ref": "#/$defs/Key"}]}, "string"),
        ({"properties": {"a": TEXT}}, "object"),
        ({}, "any"),
    ],
)
def test_the_type_is_the_first_that_is_not_null(schema: JsonObject, kind: str) -> None:
    assert json_type(ROOT, schema) == kind


@pytest.mark.parametrize(
    ("schema", "kind"),
    [
        ({"$ref": "#/$defs/Keys"}, "array"),
        ({"anyOf": [{"$ref": "#/$defs/Keys"}, {"type": "null"}]}, "array"),
        ({"anyOf": [{"$ref": "#/$defs/Colour"}, {"type": "null"}]}, ""),
        ({"type": "array", "items": {"enum": ["a"]}}, ""),
        ({"type": "array", "items": {"type": "object"}}, ""),
        ({"type": "boolean"}, ""),
        (True, ""),
    ],
)
def test_a_reference_is_a_scalar_or_a_list_of_them_and_no_choice(schema: JsonValue, kind: str) -> None:
    assert reference_type(ROOT, schema) == kind


def test_the_pattern_of_a_list_is_that_of_its_items() -> None:
    assert text_pattern(ROOT, {"$ref": "#/$defs/Keys"}) == "^K-"


def test_every_scalar_field_has_its_path() -> None:
    node: JsonObject = {"type": "object", "properties": {"name": TEXT, "child": {"$ref": "#/$defs/Node"}}}
    schema: JsonObject = {
        "properties": {"nodes": {"type": "array", "items": {"$ref": "#/$defs/Node"}}, "on": {"type": "boolean"}},
        "$defs": {"Node": node},
    }
    assert leaves(schema) == [("nodes[].name", "string", "")]


def test_a_schema_of_endless_branches_ends() -> None:
    wide: JsonObject = {"anyOf": [{"properties": {f"f{i}": TEXT}} for i in range(5_000)]}
    assert len(leaves(wide)) == 2_000
