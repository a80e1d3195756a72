"""A service's records in, JSON Schemas (draft 2020-12) of its inputs and outputs out."""

import re
from collections.abc import Mapping
from datetime import date
from functools import cache, lru_cache

from jsonschema import Draft202012Validator, FormatChecker
from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.functions import parse_moment
from tdscaling_assets.services.grammar import FieldSpec, OperationSpec, ParameterSpec, ReturnSpec, ServiceSpec, Typed

_DATE = re.compile(r"(19|20|21)\d\d-\d\d-\d\d")  # years with room to count days in both directions
_MOMENT = re.compile(_DATE.pattern + r"T\d\d:\d\d:\d\dZ")
_BASE: dict[str, JsonObject] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "money": {"type": "number"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "email": {"type": "string", "format": "email"},
    "phone": {"type": "string"},
    "list": {"type": "array"},
}


def input_schema(spec: ServiceSpec, operation: OperationSpec) -> JsonObject:
    """The JSON Schema of an operation's arguments."""
    properties = {name: parameter_schema(spec, parameter) for name, parameter in operation.parameters.items()}
    required = [name for name, parameter in operation.parameters.items() if is_required(parameter)]
    return _closed_object(properties, required)


def output_schema(spec: ServiceSpec, operation: OperationSpec) -> JsonObject:
    """The JSON Schema of an operation's output."""
    properties = {name: _return_schema(spec, value) for name, value in operation.returns.items()}
    return _closed_object(properties, list(properties))


def entity_schema(spec: ServiceSpec, entity: str, only: tuple[str, ...] = ()) -> JsonObject:
    """The JSON Schema of a row, or of some of its fields."""
    owner, found = spec.partner(spec.table(entity).partition(".")[0]), spec.entity(entity)
    properties = {name: _field_schema(owner, found.fields[name]) for name in only or found.fields}
    if found.key in properties and found.key_pattern:
        properties[found.key]["pattern"] = found.key_pattern
    return _closed_object(properties, list(properties))


def parameter_schema(spec: ServiceSpec, parameter: ParameterSpec) -> JsonObject:
    """The JSON Schema of one parameter."""
    schema = _typed_schema(spec, parameter)
    if parameter.type == "list":
        schema |= {"minItems": parameter.min_items, "maxItems": parameter.max_items}
    if parameter.items:
        properties = {name: parameter_schema(spec, item) for name, item in parameter.items.items()}
        required = [name for name, item in parameter.items.items() if is_required(item)]
        schema["items"] = _closed_object(properties, required)
    if parameter.default is not None:
        schema["default"] = parameter.default
    if parameter.examples:
        schema["examples"] = list(parameter.examples)
    if schema["type"] == "string" and not {"enum", "format", "pattern"} & schema.keys():
        schema |= {"minLength": 1, "maxLength": parameter.max_length}
    return schema


def is_required(parameter: ParameterSpec) -> bool:
    """Whether a call must give the parameter."""
    return not parameter.optional and parameter.default is None


@cache
def input_validator(spec: ServiceSpec, tool: str) -> Draft202012Validator:
    """The compiled check of a tool's arguments; dates and moments must exist."""
    return Draft202012Validator(input_schema(spec, spec.operations[tool]), format_checker=_format_checker())


@cache
def output_validator(spec: ServiceSpec, tool: str) -> Draft202012Validator:
    """The compiled check of a tool's output."""
    return Draft202012Validator(output_schema(spec, spec.operations[tool]), format_checker=_format_checker())


def _return_schema(spec: ServiceSpec, value: ReturnSpec) -> JsonObject:
    if value.entity:
        schema = entity_schema(spec, value.entity, value.fields)
        return _nullable(_described(schema, value)) if value.nullable else _described(schema, value)
    if value.rows:
        return _described({"type": "array", "items": entity_schema(spec, value.rows, value.fields)}, value)
    return _field_schema(spec, value)


def _fields_schema(spec: ServiceSpec, fields: Mapping[str, FieldSpec]) -> JsonObject:
    return _closed_object({name: _field_schema(spec, field) for name, field in fields.items()}, list(fields))


def _field_schema(spec: ServiceSpec, field: FieldSpec | ReturnSpec) -> JsonObject:
    schema = _typed_schema(spec, field)
    if field.items:
        schema["items"] = _fields_schema(spec, field.items)
    return _nullable(schema) if field.nullable else schema


def _typed_schema(spec: ServiceSpec, typed: Typed) -> JsonObject:
    target = spec.field(typed.ref) if typed.ref else typed
    schema = dict(_BASE[target.type])
    if target.enum:
        schema["enum"] = list(target.enum)
    if pattern := _key_pattern(spec, typed.ref):
        schema["pattern"] = pattern
    if typed.of:
        schema["items"] = dict(_BASE[typed.of])
    for key in ("minimum", "maximum"):
        limit = getattr(typed, key)
        if limit is not None:
            schema[key] = int(limit) if limit == int(limit) else limit
    return _described(schema, typed)


def _key_pattern(spec: ServiceSpec, ref: str) -> str:
    """What values look like that refer to the key of an entity; "" for other fields."""
    entity, _, field = ref.rpartition(".")
    return spec.entity(entity).key_pattern if ref and spec.entity(entity).key == field else ""


def _described(schema: JsonObject, typed: Typed) -> JsonObject:
    if typed.description:
        schema["description"] = typed.description
    elif typed.ref:
        *_, entity, field = typed.ref.split(".")
        schema["description"] = f"{field.replace('_', ' ').capitalize()} of the {entity.replace('_', ' ')}."
    return schema


def _nullable(schema: JsonObject) -> JsonObject:
    kind, values = schema["type"], schema.get("enum")
    widened: JsonObject = {**schema, "type": [kind, "null"]}
    if isinstance(values, list):
        widened["enum"] = [*values, None]
    return widened


def _closed_object(properties: Mapping[str, JsonObject], required: list[str]) -> JsonObject:
    names: list[JsonValue] = list(required)
    return {"type": "object", "properties": dict(properties), "required": names, "additionalProperties": False}


@lru_cache(maxsize=1)
def _format_checker() -> FormatChecker:
    checker = FormatChecker(formats=())
    checker.checks("date", raises=ValueError)(lambda text: _is_date(text))
    checker.checks("date-time", raises=ValueError)(lambda text: _is_moment(text))
    checker.checks("email")(lambda text: not isinstance(text, str) or "@" in text[1:-1])
    return checker


def _is_date(text: object) -> bool:
    return not isinstance(text, str) or bool(_DATE.fullmatch(text) and date.fromisoformat(text))


def _is_moment(text: object) -> bool:
    return not isinstance(text, str) or bool(_MOMENT.fullmatch(text) and parse_moment(text))
