"""JSON Schema in, what a value of it looks like out: its type, its pattern, whether it is a choice, its scalar fields.

Local references (`#/…`) are followed, each once on a way, and branches of `anyOf`, `oneOf` and `allOf` are read.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject

SCALARS = ("string", "integer", "number")
_DEPTH = 6  # levels of a schema
_LEAVES = 2_000  # fields of a schema


class Leaf(NamedTuple):
    """A scalar field: dotted path with `[]` after arrays, JSON type, pattern ("" if none)."""

    path: str
    kind: str
    pattern: str


def resolve(root: JsonObject, schema: JsonValue) -> JsonValue:
    """What a chain of local references ends in; None where it leads nowhere or round in a circle."""
    for _ in range(_DEPTH):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str) or not reference.startswith("#"):
            return schema
        schema = _target(root, reference)
    return None


def json_type(root: JsonObject, schema: JsonValue, depth: int = 0) -> str:
    """The first type that is not null, also behind references and branches; "any" when the schema does not say."""
    schema = resolve(root, schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return "any"
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if isinstance(kind, str) and kind != "null":
            return kind
    for branch in _branches(schema):
        if (kind := json_type(root, branch, depth + 1)) not in ("any", "null"):
            return kind
    return "object" if "properties" in schema else "null" if kinds == "null" else "any"


def reference_type(root: JsonObject, schema: JsonValue) -> str:
    """The type of a value that can hold a reference, "array" for a list of scalars; "" for choices, switches and
    nested objects."""
    schema = resolve(root, schema)
    if not isinstance(schema, dict) or _is_choice(root, schema):
        return ""
    kind = json_type(root, schema)
    if kind == "array":
        return "array" if json_type(root, _items(root, schema)) in SCALARS else ""
    return kind if kind in (*SCALARS, "any") else ""


def text_pattern(root: JsonObject, schema: JsonValue, depth: int = 0) -> str:
    """The regular expression that a text, or each text of a list, must match."""
    schema = resolve(root, schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return ""
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        return pattern
    inner = [schema["items"]] if "items" in schema else _branches(schema)
    return next((found for part in inner if (found := text_pattern(root, part, depth + 1))), "")


def leaves(root: JsonObject) -> list[Leaf]:
    """Every scalar field of a schema, the first 2,000 of them, six levels deep at most."""
    return [leaf for leaf, _ in zip(_leaves(root, root, "", 0, ()), range(_LEAVES), strict=False)]


def _leaves(root: JsonObject, schema: JsonValue, path: str, depth: int, seen: tuple[str, ...]) -> Iterator[Leaf]:
    if isinstance(schema, dict) and isinstance(reference := schema.get("$ref"), str):
        if reference in seen:
            return
        seen = (*seen, reference)
    schema = resolve(root, schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    for branch in _branches(schema):
        yield from _leaves(root, branch, path, depth + 1, seen)
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name in sorted(properties):
            yield from _leaves(root, properties[name], f"{path}.{name}" if path else name, depth + 1, seen)
    elif "items" in schema and path:
        yield from _leaves(root, schema["items"], f"{path}[]", depth + 1, seen)
    elif path and (kind := json_type(root, schema)) in SCALARS:
        yield Leaf(path, kind, text_pattern(root, schema))


def _target(root: JsonObject, reference: str) -> JsonValue:
    value: JsonValue = root
    for part in reference.removeprefix("#").strip("/").split("/"):
        word = part.replace("~1", "/").replace("~0", "~")
        value = value.get(word) if isinstance(value, dict) else None
    return value


def _branches(schema: JsonObject) -> list[JsonValue]:
    found: list[JsonValue] = []
    for word in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(word)
        found += branches if isinstance(branches, list) else []
    return found


def _items(root: JsonObject, schema: JsonObject) -> JsonValue:
    """The item schema of a list, also of the list among branches."""
    if "items" in schema:
        return schema["items"]
    lists = [
        part for branch in _branches(schema) if isinstance(part := resolve(root, branch), dict) and "items" in part
    ]
    return lists[0]["items"] if lists else None


def _is_choice(root: JsonObject, schema: JsonObject) -> bool:
    """Whether the value is one of a closed list, in the schema or in any of its branches or items."""
    parts = [schema, *(resolve(root, branch) for branch in _branches(schema)), resolve(root, _items(root, schema))]
    return any(isinstance(part, dict) and ("enum" in part or "const" in part) for part in parts)
