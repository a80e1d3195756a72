"""Example values satisfy their schemas, suit the field's name, and are a function of the seed."""

import random

import pytest
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.examples import example_object, example_value
from tdscaling_assets.sandbox.protocol import ExecResult
from tdscaling_assets.schema import Blueprint, JsonObject, Trajectory

SEEDS = range(25)
NODE: JsonObject = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
        }
    },
}
SCHEMAS: dict[str, JsonObject] = {
    "anything": {},
    "string": {"type": "string"},
    "short string": {"type": "string", "maxLength": 3},
    "long string": {"type": "string", "minLength": 60},
    "exact string": {"type": "string", "minLength": 4, "maxLength": 4},
    "date": {"type": "string", "format": "date"},
    "moment": {"type": "string", "format": "date-time"},
    "clock": {"type": "string", "format": "time"},
    "email": {"type": "string", "format": "email"},
    "uuid": {"type": "string", "format": "uuid"},
    "address": {"type": "string", "format": "ipv4"},
    "integer": {"type": "integer"},
    "integer from": {"type": "integer", "minimum": 500},
    "integer to": {"type": "integer", "maximum": -5},
    "integer between": {"type": "integer", "exclusiveMinimum": 3, "exclusiveMaximum": 5},
    "multiple": {"type": "integer", "minimum": 1, "maximum": 40, "multipleOf": 15},
    "fraction": {"type": "number", "minimum": 0, "maximum": 1},
    "strict fraction": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.02},
    "narrow number": {"type": "number", "minimum": 0.001, "maximum": 0.002},
    "quarter": {"type": "number", "multipleOf": 0.25},
    "boolean": {"type": "boolean"},
    "null": {"type": "null"},
    "constant": {"const": {"a": 1}},
    "choice": {"enum": ["a", 2, None]},
    "default": {"type": "integer", "default": 9},
    "null default": {"type": "integer", "default": None},
    "examples": {"type": "string", "examples": ["x", "y"]},
    "nullable": {"type": ["null", "integer"]},
    "any of": {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 7}]},
    "one of": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    "all of": {
        "allOf": [
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
            {"properties": {"b": {"type": "boolean"}}, "required": ["b"]},
        ]
    },
    "list": {"type": "array", "items": {"type": "integer"}},
    "list of five": {"type": "array", "items": {"type": "string"}, "minItems": 5, "maxItems": 5},
    "short list": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
    "empty list": {"type": "array", "maxItems": 0},
    "set": {
        "type": "array",
        "items": {"type": "integer", "minimum": 1, "maximum": 6},
        "uniqueItems": True,
        "minItems": 3,
    },
    "tuple": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": False, "minItems": 2},
    "untyped list": {"items": {"type": "integer"}},
    "untyped object": {"properties": {"a": {"type": "integer"}}, "required": ["a"]},
    "map": {"type": "object", "additionalProperties": {"type": "integer"}},
    "closed object": {"type": "object", "properties": {"a": True}, "required": ["a"], "additionalProperties": False},
    "tree": NODE,
    "pydantic record": ExecResult.model_json_schema(),
    "nested pydantic record": Trajectory.model_json_schema(),
    "blueprint": Blueprint.model_json_schema(),
}


def make(schema: JsonObject, seed: int, name: str = "thing") -> JsonValue:
    return example_value(schema, name, random.Random(seed))


@pytest.mark.parametrize("name", SCHEMAS)
def test_values_satisfy_their_schema(name: str) -> None:
    validator = Draft202012Validator(SCHEMAS[name], format_checker=Draft202012Validator.FORMAT_CHECKER)
    for seed in SEEDS:
        validator.validate(make(SCHEMAS[name], seed))


@pytest.mark.parametrize("name", SCHEMAS)
def test_equal_seeds_give_equal_values(name: str) -> None:
    assert [make(SCHEMAS[name], seed) for seed in SEEDS] == [make(SCHEMAS[name], seed) for seed in SEEDS]


def test_seeds_give_different_values() -> None:
    assert len({make({"type": "string"}, seed, "order_id") for seed in SEEDS}) > len(SEEDS) / 2


@pytest.mark.parametrize(
    ("name", "mark"),
    [("created_at", "T"), ("birth_date", "2026-"), ("email", "@"), ("image_url", "https://"), ("order_id", "ORD-")],
)
def test_texts_suit_the_name_of_the_field(name: str, mark: str) -> None:
    assert all(mark in str(make({"type": "string"}, seed, name)) for seed in SEEDS)


def test_a_reference_is_followed_from_the_root() -> None:
    root: JsonObject = {"$defs": {"size": {"enum": ["S", "M"]}}, "properties": {"size": {"$ref": "#/$defs/size"}}}
    assert example_value({"$ref": "#/$defs/size"}, "size", random.Random(1), root=root) in ("S", "M")


def test_an_object_echoes_what_is_known() -> None:
    schema: JsonObject = {"type": "object", "properties": {"order_id": {"type": "string"}, "total": {"type": "number"}}}
    assert example_object(schema, {"order_id": "A-1"}, random.Random(1))["order_id"] == "A-1"


def test_an_object_echoes_nothing_of_another_type() -> None:
    schema: JsonObject = {"type": "object", "properties": {"query": {"type": "integer"}}, "required": ["query"]}
    made = example_object(schema, {"query": "shoes"}, random.Random(1))
    Draft202012Validator(schema).validate(made)


def test_a_schema_that_requires_itself_comes_to_an_end() -> None:
    endless: JsonObject = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}
    assert "next" in str(make(endless, 1))
