"""Every operation of an OpenAPI document becomes a tool that says what the operation says, or a reason why not."""

import json

import pytest
from catalog.documents import one_call, operations, payments, pets, with_body
from jsonschema import Draft202012Validator

from tdscaling_assets.catalog.api_schemas import SCHEMA_LIMIT
from tdscaling_assets.catalog.openapi import server_name

TEXT = {"type": "string"}


def test_every_operation_is_read_or_refused_with_a_reason() -> None:
    reasons = {name: operation.reason for name, operation in pets().items() if operation.reason}
    assert sorted(set(pets()) - set(reasons)) == [
        "createPet", "deletePet", "get_pets_id", "listPets", "peekPet", "replacePet",
    ]  # fmt: skip
    assert reasons == {
        "patchPet": "deprecated by its API",
        "uploadPhoto": "needs a body of image/png, which the arguments of a tool cannot hold",
        "remote": "refers to 'a.yaml#/B', in another document: bundle them into one",
        "broken": "refers to '#/components/parameters/Nope', which is not in the document",
        "post_broken": "not an operation but a str",
    }


def test_a_refused_operation_is_kept_as_it_was_seen() -> None:
    assert pets()["post_broken"].record == {
        "name": "post_broken", "method": "post", "path": "/broken", "operation": "nonsense",
    }  # fmt: skip


def test_words_of_the_operation_and_the_api_describe_the_tool() -> None:
    record = pets()["listPets"].record
    assert record["description"] == "List pets. Everything on four legs. (Pet Shop - v1)"
    assert (record["title"], record["category"]) == ("List pets", "pets")


def test_a_second_use_of_an_operation_id_gets_a_name_of_its_own() -> None:
    assert {"pay", "get_payments"} <= set(payments())


def test_methods_say_what_a_call_does() -> None:
    hints = {name: pets()[name].record.get("annotations") for name in ("listPets", "peekPet", "createPet", "deletePet")}
    assert hints == {
        "listPets": {"readOnlyHint": True},
        "peekPet": {"readOnlyHint": True},
        "createPet": None,
        "deletePet": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True},
    }
    assert pets()["replacePet"].record["annotations"] == {"readOnlyHint": False, "idempotentHint": True}


def test_parameters_of_all_places_become_arguments() -> None:
    assert pets()["listPets"].record["inputSchema"] == {
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "exclusiveMinimum": 0, "examples": [20]},
            "X-Trace": TEXT,
            "session": TEXT,
        },
        "required": ["session"],
    }


def test_an_operation_overrides_the_parameters_of_its_path() -> None:
    assert pets()["get_pets_id"].record["inputSchema"] == {
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "The pet's number."},
            "verbose": {"type": "boolean", "default": False},
        },
        "required": ["id", "verbose"],
    }


def test_a_body_is_flattened_without_what_only_answers_have() -> None:
    schema = pets()["createPet"].record["inputSchema"]
    assert list(schema["properties"]) == ["secret", "name", "born", "kind", "colour", "mother", "owner"]
    assert schema["required"] == ["name", "secret"]
    assert "number" not in json.dumps(schema)


def test_an_answer_lacks_what_only_requests_have() -> None:
    schema = pets()["get_pets_id"].record["outputSchema"]
    assert schema["required"] == ["number", "name"]
    assert "secret" not in json.dumps(schema)


def test_the_fields_of_an_optional_body_are_optional() -> None:
    schema = pets()["replacePet"].record["inputSchema"]
    assert schema["required"] == ["id"]
    assert "name" in schema["properties"]


def test_words_of_openapi_become_json_schema() -> None:
    properties = pets()["get_pets_id"].record["outputSchema"]["properties"]
    assert properties["name"] == {"type": "string", "examples": ["Rex"]}
    assert properties["born"] == {"type": ["string", "null"], "format": "date", "examples": ["2020-01-01"]}
    assert properties["kind"] == {"type": ["string", "null"], "enum": ["dog", "cat", None]}
    colour = {"type": "string", "enum": ["brown", "on"]}
    assert properties["colour"] == {"anyOf": [{"allOf": [colour]}, {"type": "null"}]}


def test_a_schema_that_contains_itself_validates_at_any_depth() -> None:
    validator = Draft202012Validator(pets()["get_pets_id"].record["outputSchema"])
    pet = {"number": "1", "name": "Rex"}
    assert validator.is_valid(pet | {"mother": pet | {"owner": {"pets": [pet]}}})
    assert not validator.is_valid(pet | {"mother": pet | {"owner": {"pets": [{"name": 3}]}}})


def test_an_answer_that_is_no_object_is_put_under_result() -> None:
    schema = pets()["listPets"].record["outputSchema"]
    assert (schema["type"], schema["required"]) == ("object", ["result"])
    assert Draft202012Validator(schema).is_valid({"result": [{"number": "1", "name": "Rex"}]})
    assert payments()["login"].record["outputSchema"]["properties"] == {"result": {"type": ["string", "null"]}}


def test_the_first_json_success_is_the_answer() -> None:
    schema = payments()["pay"].record["outputSchema"]
    assert [sorted(branch["properties"]) for branch in schema["allOf"]] == [["amount", "currency"], ["receipt_id"]]
    assert "message" in json.dumps(pets()["deletePet"].record["outputSchema"])  # `default`, for want of a success
    assert "outputSchema" not in pets()["replacePet"].record
    assert "outputSchema" not in pets()["peekPet"].record


def test_a_body_of_all_of_is_one_flat_object() -> None:
    assert payments()["pay"].record["inputSchema"] == {
        "type": "object",
        "properties": {"amount": {"type": "integer"}, "currency": TEXT, "note": {"type": ["string", "null"]}},
        "required": ["amount", "currency"],
    }


def test_a_body_of_choices_is_one_parameter_and_its_discriminator_decides() -> None:
    schema = payments()["addMethod"].record["inputSchema"]
    assert (list(schema["properties"]), schema["required"]) == (["body"], ["body"])
    assert schema["properties"]["body"]["description"] == "A card or an account."
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"body": {"kind": "card", "number": "4"}})
    assert validator.is_valid({"body": {"kind": "Account"}})
    assert not validator.is_valid({"body": {"kind": "cheque"}})


def test_the_fields_of_a_form_are_arguments() -> None:
    schema = payments()["login"].record["inputSchema"]
    assert (sorted(schema["properties"]), schema["required"]) == (["code", "user"], ["user"])


def test_names_that_clash_are_told_apart() -> None:
    schema = payments()["note"].record["inputSchema"]
    assert list(schema["properties"]) == ["id", "id_query", "body"]
    assert schema["required"] == ["id"]


def test_a_webhook_is_no_tool() -> None:
    assert payments()["onPaid"].reason.startswith("a webhook")


@pytest.mark.parametrize(
    "body",
    [
        {"type": "array", "items": TEXT},
        {"type": "object", "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": TEXT}, "additionalProperties": TEXT},
        {"type": "object", "properties": {"a": TEXT}, "nullable": True},
        {"allOf": [{"properties": {"a": TEXT}}, {"properties": {"a": {"type": "integer"}}}]},
        {"type": "object", "properties": {"a": TEXT}, "minProperties": 1},
        {},
    ],
)
def test_a_body_that_is_more_than_named_fields_stays_one_parameter(body: object) -> None:
    schema = with_body(body).record["inputSchema"]
    assert (list(schema["properties"]), schema["required"]) == (["body"], ["body"])


@pytest.mark.parametrize(
    ("schemas", "reason"),
    [
        ({"A": {"$ref": "#/components/schemas/A"}}, "is defined by itself"),
        ({"A": {"allOf": [{"$ref": "#/components/schemas/B"}]}, "B": {"anyOf": [{"$ref": "#/components/schemas/A"}]}},
         "is defined by itself"),
        ({"A": {"properties": {"b": {"$ref": "#/components/schemas/B"}}}, "B": {"items": {"$ref": "http://x/y"}}},
         "in another document"),
        ({}, "which is not in the document"),
    ],
)  # fmt: skip
def test_a_schema_without_an_end_or_a_target_refuses_only_what_uses_it(schemas: dict[str, object], reason: str) -> None:
    assert reason in with_body({"type": "array", "items": {"$ref": "#/components/schemas/A"}}, **schemas).reason
    assert with_body({"type": "array"}, **schemas).reason == ""


def test_references_with_siblings_and_odd_names_hold() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/x~1y%20z", "description": "Mine."}}}
    tool = with_body(schema, **{"x/y z": {"type": "string", "description": "Theirs."}})
    assert tool.record["inputSchema"]["properties"] == {"a": {"type": "string", "description": "Mine."}}


def test_a_property_may_be_called_like_a_keyword() -> None:
    names = dict.fromkeys(("example", "nullable", "readOnly", "x-y", "$ref", "discriminator"), TEXT)
    assert with_body({"type": "object", "properties": names}).record["inputSchema"]["properties"] == names


def test_a_huge_schema_keeps_its_nearest_fields_and_stays_legal() -> None:
    fields = {f"field_{i}": {"type": "string", "description": "d" * 50} for i in range(60)}
    schemas = {
        f"S{i}": {"type": "object", "properties": fields | {"next": {"$ref": f"#/components/schemas/S{(i + 1) % 40}"}}}
        for i in range(40)
    }
    schema = with_body({"$ref": "#/components/schemas/S0"}, **schemas).record["inputSchema"]
    assert len(json.dumps(schema)) < SCHEMA_LIMIT * 1.2
    assert set(fields) < set(schema["properties"])
    assert "the schema is too large" in json.dumps(schema)
    validator = Draft202012Validator(schema)
    assert validator.is_valid({"next": {"next": {"next": {"field_1": "x"}}}})


def test_schemas_that_multiply_do_not() -> None:
    links = [{"$ref": f"#/components/schemas/S{i}"} for i in range(41)]
    schemas = {f"S{i}": {"type": "object", "properties": dict.fromkeys("ab", links[i + 1])} for i in range(40)}
    schema = with_body(links[0], **schemas, S40=TEXT).record["inputSchema"]
    assert len(json.dumps(schema)) < SCHEMA_LIMIT * 1.2


@pytest.mark.parametrize(
    "damage", [{"parameters": 3}, {"parameters": [3]}, {"parameters": [{"name": "a"}]}, {"requestBody": 3}]
)
def test_a_damaged_operation_is_refused(damage: dict[str, object]) -> None:
    assert one_call({"responses": {}} | damage).reason


@pytest.mark.parametrize("paths", [None, 3, {}, {"/x": None}, {"/x": {"get": None}}, {"x-internal": {"get": {}}}])
def test_a_damaged_document_breaks_nothing(paths: object) -> None:
    read = operations({"openapi": "3.0.0", "paths": paths})  # type: ignore[dict-item]
    assert all(operation.reason for operation in read.values())


def test_the_title_names_the_server() -> None:
    assert server_name({"info": {"title": "Pet Shop - v1"}}, "file") == "pet_shop_v1"
    assert server_name({"info": {"title": "支払い"}}, "file") == "file"
    assert server_name({}, "file") == "file"
