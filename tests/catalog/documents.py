"""OpenAPI documents as people write them, and the reading of one operation."""

import json

from jsonschema import Draft202012Validator

from tdscaling_assets.catalog.openapi import Operation, list_operations
from tdscaling_assets.catalog.yaml_text import parse_yaml
from tdscaling_assets.schema import JsonObject

PETS = """
openapi: 3.0.3
info: {title: Pet Shop - v1, version: 1.0.0}
paths:
  /pets:
    get:
      operationId: listPets
      summary: List pets
      description: Everything on four legs.
      tags: [pets, public]
      parameters:
        - {name: limit, in: query, schema: {type: integer, minimum: 0, exclusiveMinimum: true}, example: 20}
        - {name: Authorization, in: header, schema: {type: string}}
        - {name: X-Trace, in: header, schema: {type: string}}
        - {name: session, in: cookie, required: true, schema: {type: string}}
      responses:
        200:
          description: A page.
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Pet'}}}}
        default: {description: Oh, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
    post:
      operationId: createPet
      summary: Add a pet.
      requestBody: {$ref: '#/components/requestBodies/Pet'}
      responses:
        201: {$ref: '#/components/responses/Pet'}
  /pets/{id}:
    parameters:
      - {$ref: '#/components/parameters/Id'}
      - {name: verbose, in: query, schema: {type: boolean}}
    get:
      summary: Get a pet
      parameters: [{name: verbose, in: query, required: true, schema: {type: boolean, default: false}}]
      responses: {200: {$ref: '#/components/responses/Pet'}}
    put:
      operationId: replacePet
      summary: Replace a pet
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
      responses: {204: {description: Done}}
    delete:
      operationId: deletePet
      summary: Delete a pet
      responses: {default: {$ref: '#/components/responses/Error'}}
    head:
      operationId: peekPet
      summary: See whether a pet is there
      responses: {200: {$ref: '#/components/responses/Pet'}}
    patch: {operationId: patchPet, deprecated: true, responses: {}}
  /pets/{id}/photo:
    post:
      operationId: uploadPhoto
      summary: Upload a photo
      requestBody: {required: true, content: {image/png: {schema: {type: string, format: binary}}}}
      responses: {204: {description: Done}}
  /remote:
    get:
      operationId: remote
      responses: {200: {description: x, content: {application/json: {schema: {$ref: 'a.yaml#/B'}}}}}
  /broken:
    get: {operationId: broken, parameters: [{$ref: '#/components/parameters/Nope'}], responses: {}}
    post: nonsense
components:
  parameters:
    Id: {name: id, in: path, required: true, description: The pet's number., schema: {type: string}}
  requestBodies:
    Pet: {required: true, content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
  responses:
    Pet: {description: A pet., content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}}
    Error: {description: Oh., content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  schemas:
    Error: {type: object, properties: {message: {type: string}}}
    Pet:
      type: object
      required: [number, name, secret]
      properties:
        number: {type: string, readOnly: true}
        secret: {type: string, writeOnly: true}
        name: {type: string, example: Rex, xml: {attribute: true}, x-order: 1}
        born: {type: string, format: date, nullable: true, example: 2020-01-01}
        kind: {type: string, nullable: true, enum: [dog, cat]}
        colour: {allOf: [{$ref: '#/components/schemas/Colour'}], nullable: true}
        mother: {$ref: '#/components/schemas/Pet'}
        owner: {$ref: '#/components/schemas/Owner'}
    Colour: {type: string, enum: [brown, on]}
    Owner:
      type: object
      properties: {name: {type: string}, pets: {type: array, items: {$ref: '#/components/schemas/Pet'}}}
"""

NEW, METHOD, RECEIPT = ({"$ref": f"#/components/schemas/{name}"} for name in ("New", "Method", "Receipt"))
PAYMENTS = {
    "openapi": "3.1.0",
    "info": {"title": "支払い", "version": "1"},
    "paths": {
        "/payments": {
            "post": {
                "operationId": "pay",
                "summary": "Pay",
                "requestBody": {
                    "required": True,
                    "content": {"application/vnd.api+json; charset=utf-8": {"schema": NEW}},
                },
                "responses": {
                    "202": {"description": "later"},
                    "201": {"content": {"text/plain": {"schema": {"type": "string"}}}},
                    "2XX": {"content": {"application/json": {"schema": RECEIPT}}},
                    "default": {"content": {"application/json": {"schema": {"type": "object"}}}},
                },
            },
            "get": {"operationId": "pay", "summary": "The same operationId again", "responses": {}},
        },
        "/methods": {
            "post": {
                "operationId": "addMethod",
                "summary": "Add a method",
                "requestBody": {
                    "required": True,
                    "description": "A card or an account.",
                    "content": {"application/json": {"schema": METHOD}},
                },
                "responses": {"200": {"content": {"application/json": {"schema": METHOD}}}},
            }
        },
        "/login": {
            "post": {
                "operationId": "login",
                "summary": "Log in",
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/x-www-form-urlencoded": {
                            "schema": {
                                "type": "object",
                                "properties": {"user": {"type": "string"}, "code": {"type": "string"}},
                                "required": ["user"],
                            }
                        }
                    },
                },
                "responses": {"200": {"content": {"application/json": {"schema": {"type": ["string", "null"]}}}}},
            }
        },
        "/notes/{id}": {
            "put": {
                "operationId": "note",
                "summary": "Note",
                "parameters": [
                    {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}},
                    {"name": "id", "in": "query", "schema": {"type": "string"}},
                ],
                "requestBody": {
                    "content": {
                        "application/json": {
                            "schema": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
                        }
                    }
                },
                "responses": {},
            }
        },
    },
    "webhooks": {"paid": {"post": {"operationId": "onPaid", "responses": {}}}},
    "components": {
        "schemas": {
            "New": {
                "allOf": [
                    {"$ref": "#/components/schemas/Amount"},
                    {"type": "object", "properties": {"note": {"type": ["string", "null"]}}},
                    {"required": ["currency"]},
                ]
            },
            "Amount": {
                "type": "object",
                "properties": {"amount": {"type": "integer"}, "currency": {"type": "string"}},
                "required": ["amount"],
            },
            "Receipt": {
                "allOf": [{"$ref": "#/components/schemas/Amount"}, {"properties": {"receipt_id": {"type": "string"}}}]
            },
            "Method": {
                "oneOf": [{"$ref": "#/components/schemas/Card"}, {"$ref": "#/components/schemas/Account"}],
                "discriminator": {"propertyName": "kind", "mapping": {"card": "#/components/schemas/Card"}},
            },
            "Card": {"type": "object", "properties": {"kind": {"type": "string"}, "number": {"type": "string"}}},
            "Account": {"type": "object", "properties": {"kind": {"type": "string"}, "iban": {"type": "string"}}},
        }
    },
}  # fmt: skip


def operations(document: JsonObject) -> dict[str, Operation]:
    """Every operation by name; what becomes a tool has legal schemas."""
    read = list_operations(document)
    for operation in read:
        for key in ("inputSchema", "outputSchema"):
            if key in operation.record and not operation.reason:
                Draft202012Validator.check_schema(operation.record[key])
    named = {str(operation.record["name"]): operation for operation in read}
    assert len(named) == len(read)
    return named


def pets() -> dict[str, Operation]:
    """The operations of the YAML document."""
    document = parse_yaml(PETS)
    assert isinstance(document, dict)
    return operations(document)


def payments() -> dict[str, Operation]:
    """The operations of the JSON document."""
    return operations(json.loads(json.dumps(PAYMENTS)))


def one_call(operation: JsonObject, **schemas: object) -> Operation:
    """The reading of a document with one operation."""
    document = {"openapi": "3.1.0", "paths": {"/x": {"post": operation}}, "components": {"schemas": schemas}}
    return next(iter(operations(json.loads(json.dumps(document))).values()))


def with_body(schema: object, **schemas: object) -> Operation:
    """The reading of an operation with a JSON body that is required."""
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return one_call({"requestBody": body, "responses": {}}, **schemas)  # type: ignore[dict-item]
