"""A JSON Schema in, a plausible value out: what a simulated tool returns, and what a user of a foreign tool knows.

The value satisfies the schema, except for `pattern`, `contains`, `not`, conditions and counts of properties.
"""

import math
import random
import uuid
from collections.abc import Mapping

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject
from tdscaling_assets.text import identifier_words

_WORDS = (
    "north",
    "harbor",
    "summit",
    "maple",
    "river",
    "atlas",
    "cedar",
    "quartz",
    "lumen",
    "orchid",
    "delta",
    "ember",
)
_CITIES = ("Lisbon", "Nairobi", "Osaka", "Denver", "Tallinn", "Lima", "Chennai", "Oslo")
_NAMES = ("Amara Okafor", "Lucia Ferrari", "Kenji Mori", "Sofia Lindgren", "Mateo Rojas", "Priya Nair", "Tom Becker")
_DEEP = 4  # levels from which objects have only their required properties, and lists few items
_DEEPEST = 12  # where a schema that requires itself is cut off


def example_value(
    schema: JsonObject, name: str, rng: random.Random, depth: int = 0, root: JsonObject | None = None
) -> JsonValue:
    """A value of the schema for a field called `name`; `$ref` points into `root`, by default the schema itself.

    Unknown or missing types are read as string.
    """
    root = schema if root is None else root
    schema = _merged(schema, root)
    for key in ("const", "default"):
        if schema.get(key) is not None:
            return schema[key]
    for key in ("enum", "examples"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            return rng.choice(choices)
    kind = schema.get("type", "object" if "properties" in schema else "array" if "items" in schema else "string")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "null")
    if kind == "object":
        return example_object(schema, {}, rng, depth, root)
    if kind == "array":
        return _array(schema, name, rng, depth, root)
    if kind in ("integer", "number"):
        return _number(kind == "integer", schema, rng)
    if kind == "boolean":
        return rng.random() < 0.5
    return None if kind == "null" else _text(schema, identifier_words(name), rng)


def example_object(
    schema: JsonObject,
    known: Mapping[str, JsonValue],
    rng: random.Random,
    depth: int = 0,
    root: JsonObject | None = None,
) -> JsonObject:
    """An object of the schema; properties named in `known` take the value from there, where it is one of theirs."""
    root = schema if root is None else root
    schema = _merged(schema, root)
    properties, required = _objects(schema.get("properties")), schema.get("required")
    if depth > _DEEPEST:
        return {}
    if depth > _DEEP:
        properties = {key: part for key, part in properties.items() if isinstance(required, list) and key in required}
    others = schema.get("additionalProperties")
    if not properties and isinstance(others, dict) and depth <= _DEEP:
        properties = dict.fromkeys(rng.sample(_WORDS, 2), others)
    return {
        key: known[key]
        if key in known and _fits(known[key], part, root)
        else example_value(part, key, rng, depth + 1, root)
        for key, part in properties.items()
    }


def _merged(schema: JsonObject, root: JsonObject) -> JsonObject:
    """The schema with `$ref` followed, every part of `allOf`, and the first choice of `anyOf` and `oneOf` that is not
    null."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref")
        parts = [_dereference(reference, root)] if isinstance(reference, str) else []
        parts += _objects_in(schema.get("allOf"))
        for key in ("anyOf", "oneOf"):
            choices = _objects_in(schema.get(key))
            parts += [choice for choice in choices if choice.get("type") != "null"][:1] or choices[:1]
        schema = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
        for part in parts:
            schema = {
                **part,
                **schema,
                "properties": {**_objects(part.get("properties")), **_objects(schema.get("properties"))},
                "required": [*_list(part.get("required")), *_list(schema.get("required"))],
            }
        if not schema.get("properties"):
            schema.pop("properties", None)
        if not parts:
            break
    return schema


def _dereference(reference: str, root: JsonObject) -> JsonObject:
    """What `#/$defs/name` points at; anything, when it is not there."""
    found: JsonValue = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _fits(value: JsonValue, schema: JsonObject, root: JsonObject) -> bool:
    definitions = {key: root[key] for key in ("$defs", "definitions") if key in root}
    return Draft202012Validator({**definitions, **schema}).is_valid(value)


def _array(schema: JsonObject, name: str, rng: random.Random, depth: int, root: JsonObject) -> list[JsonValue]:
    first, inner = _objects_in(schema.get("prefixItems")), schema.get("items")
    least, most = int(_bound(schema, "minItems", 0)), int(_bound(schema, "maxItems", 100))
    wanted = len(first) if inner is False or depth > _DEEPEST else 1 if depth > _DEEP - 2 else rng.randint(2, 4)
    size = min(max(wanted, least, len(first)), most)
    items: list[JsonValue] = []
    for _ in range(8 * size):
        if len(items) == size:
            break
        part = first[len(items)] if len(items) < len(first) else inner if isinstance(inner, dict) else {}
        item = example_value(part, name, rng, depth + 1, root)
        if not (schema.get("uniqueItems") and item in items):
            items.append(item)
    return items


def _number(whole: bool, schema: JsonObject, rng: random.Random) -> JsonValue:
    """Between the bounds, 1 to 100 where there are none; a multiple of `multipleOf`; else with two decimals."""
    grain = _bound(schema, "multipleOf", 1.0 if whole else 0.01)
    low = max(_bound(schema, "minimum", -math.inf), _bound(schema, "exclusiveMinimum", -math.inf))
    high = min(_bound(schema, "maximum", math.inf), _bound(schema, "exclusiveMaximum", math.inf))
    if low == -math.inf:
        low = 1.0 if high > 1 else min(0.0, high - 100)
    if high == math.inf:
        high = low + 100
    first, last = math.ceil(round(low / grain, 6)), math.floor(round(high / grain, 6))
    first += first * grain <= _bound(schema, "exclusiveMinimum", -math.inf)
    last -= last * grain >= _bound(schema, "exclusiveMaximum", math.inf)
    if first > last:  # no such multiple: the bounds leave a gap finer than the grain
        return int(low) if whole else (low + high) / 2
    value = rng.randint(first, last) * grain
    return round(value) if whole else round(value, 6)


def _text(schema: JsonObject, words: list[str], rng: random.Random) -> str:
    text = _sentence(str(schema.get("format", "")), words, rng)
    least, most = int(_bound(schema, "minLength", 0)), int(_bound(schema, "maxLength", 10**6))
    while len(text) < least:
        text = f"{text} {rng.choice(_WORDS)}"
    return text[:most].strip().ljust(least, "s") if len(text) > most else text


def _sentence(format_name: str, words: list[str], rng: random.Random) -> str:
    last = words[-1] if words else ""
    day = f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    clock = f"{rng.randint(0, 23):02d}:{rng.choice((0, 15, 30, 45)):02d}:00Z"
    if format_name == "time":
        return clock
    if format_name == "date-time" or (not format_name and last in ("time", "timestamp", "at")):
        return f"{day}T{clock}"
    if format_name == "date" or (not format_name and last == "date"):
        return day
    if format_name in ("email", "idn-email") or (not format_name and last == "email"):
        return f"{rng.choice(_NAMES).split()[0].lower()}{rng.randint(10, 99)}@example.com"
    if format_name in ("uri", "url", "iri", "uri-reference") or (not format_name and last in ("url", "uri", "link")):
        return f"https://example.com/{rng.choice(_WORDS)}/{rng.randint(100, 999)}"
    if format_name == "uuid" or (not format_name and last in ("uuid", "guid")):
        return str(uuid.UUID(int=rng.getrandbits(128), version=4))
    if format_name == "ipv4":
        return f"192.0.2.{rng.randint(1, 254)}"
    if format_name == "hostname":
        return f"{rng.choice(_WORDS)}.example.com"
    if format_name == "duration":
        return f"P{rng.randint(1, 30)}D"
    return _named(words, rng)


def _named(words: list[str], rng: random.Random) -> str:
    """A text that suits the last word of the field's name."""
    last = words[-1] if words else ""
    if last in ("city", "location", "destination", "origin"):
        return rng.choice(_CITIES)
    if last in ("name", "author", "owner", "user") and len(words) <= 2:
        return rng.choice(_NAMES)
    if last in ("id", "key", "code", "number"):
        return f"{''.join(words[:-1])[:3].upper() or 'REF'}-{rng.randint(1000, 99999)}"
    return f"{rng.choice(_WORDS)} {rng.choice(_WORDS)}"


def _bound(schema: JsonObject, key: str, fallback: float) -> float:
    value = schema.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else fallback


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _objects_in(value: JsonValue) -> list[JsonObject]:
    return [part if isinstance(part, dict) else {} for part in _list(value)]


def _objects(value: JsonValue) -> dict[str, JsonObject]:
    """Name → schema of an object's properties; a boolean schema is read as one that takes anything."""
    parts = value if isinstance(value, dict) else {}
    return {name: part if isinstance(part, dict) else {} for name, part in parts.items()}
