"""A JSON Schema of any draft from 04 on in, the same in draft 2020-12 out, so that all stages see one draft.

By the release notes of the drafts (https://json-schema.org/specification): `definitions` became `$defs`, an array of
`items` `prefixItems` (and `additionalItems` `items`), `dependencies` `dependentRequired` and `dependentSchemas`, a
boolean `exclusiveMinimum` a number, `id` `$id`; up to draft 07 whatever stands beside a `$ref` is ignored.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject

NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
"""Keywords whose value maps names to schemas."""
_LISTED = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = (
    "items",
    "additionalItems",
    "additionalProperties",
    "propertyNames",
    "contains",
    "not",
    "if",
    "then",
    "else",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
)
_BESIDE_REF = frozenset(
    ("$ref", "$defs", "definitions", "title", "description", "default", "examples", "$comment", "deprecated")
)
_OLD = ("draft-04", "draft-06", "draft-07", "draft-03")


def to_2020(schema: JsonObject) -> JsonObject:
    """The schema in draft 2020-12, without `$schema`. Values that are no schemas are left for the checker to find."""
    declared = str(schema.get("$schema", ""))
    lifted = _lift(schema, any(old in declared for old in _OLD))
    assert isinstance(lifted, dict)
    return lifted


def _lift(schema: JsonValue, lonely_refs: bool) -> JsonValue:
    if not isinstance(schema, dict):
        return schema
    if lonely_refs and isinstance(schema.get("$ref"), str):
        schema = {key: value for key, value in schema.items() if key in _BESIDE_REF}
    new: JsonObject = {}
    for key, value in schema.items():
        if key == "$schema":
            continue
        for name, part in _keyword(schema, key, value, lonely_refs):
            old = new.get(name)
            new[name] = {**old, **part} if isinstance(old, dict) and isinstance(part, dict) else part
    return new


def _keyword(schema: JsonObject, key: str, value: JsonValue, lonely: bool) -> Iterator[tuple[str, JsonValue]]:
    """The keyword and its value as draft 2020-12 says it: none, one or two pairs."""
    if key == "$ref" and isinstance(value, str):
        yield key, _pointer(value)
    elif key == "id" and isinstance(value, str):
        yield "$id", value
    elif key == "items" and isinstance(value, list):
        yield "prefixItems", [_lift(part, lonely) for part in value]
    elif key == "additionalItems":
        if isinstance(schema.get("items"), list):
            yield "items", _lift(value, lonely)
    elif key in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool):
        bound = schema.get(key[len("exclusive") :].lower())
        if value and bound is not None:
            yield key, bound
    elif key in ("minimum", "maximum") and schema.get(f"exclusive{key.capitalize()}") is True:
        return
    elif key == "dependencies" and isinstance(value, dict):
        lists: JsonObject = {name: part for name, part in value.items() if isinstance(part, list)}
        schemas: JsonObject = {name: _lift(part, lonely) for name, part in value.items() if name not in lists}
        yield from (
            (word, part) for word, part in (("dependentRequired", lists), ("dependentSchemas", schemas)) if part
        )
    elif key == "$recursiveRef":
        yield "$ref", value
    elif key == "$recursiveAnchor":
        return
    elif key in NAMED and isinstance(value, dict):
        new_name = "$defs" if key == "definitions" else key
        yield new_name, {name: _lift(part, lonely) for name, part in value.items()}
    elif key in _LISTED and isinstance(value, list):
        yield key, [_lift(part, lonely) for part in value]
    else:
        yield key, _lift(value, lonely) if key in _SINGLE else value


def _pointer(reference: str) -> str:
    """A local JSON pointer that still leads to the same place: `#/definitions/Order` → `#/$defs/Order`."""
    head, *parts = reference.split("/")
    if head != "#":
        return reference
    new: list[str] = []
    named = False  # whether the next part is a name and not a keyword
    for position, part in enumerate(parts):
        following = parts[position + 1] if position + 1 < len(parts) else ""
        keyword = {"definitions": "$defs", "items": "prefixItems" if following.isdigit() else "items"}.get(part, part)
        new.append(part if named else keyword)
        named = not named and part in NAMED
    return "/".join([head, *new])
