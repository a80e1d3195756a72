"""A JSON Schema in, a plausible value out: what a simulated tool returns, and what a user of a foreign tool knows."""

import random
from collections.abc import Mapping

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


def example_value(schema: JsonObject, name: str, rng: random.Random, depth: int = 0) -> JsonValue:
    """A value of the schema for a field called `name`; unknown or missing types are read as string."""
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        choices = schema.get(key)
        if isinstance(choices, list) and choices:
            return rng.choice(choices)
    for key in ("anyOf", "oneOf", "allOf"):
        options = schema.get(key)
        if isinstance(options, list) and options and isinstance(options[0], dict):
            return example_value(options[0], name, rng, depth)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((item for item in kind if item != "null"), "string")
    if kind == "object":
        return example_object(schema, {}, rng, depth)
    if kind == "array":
        items = schema.get("items")
        inner: JsonObject = items if isinstance(items, dict) else {"type": "string"}
        return [example_value(inner, name, rng, depth + 1) for _ in range(1 if depth > 2 else rng.randint(2, 4))]
    return _scalar(str(kind), schema, name, rng)


def example_object(
    schema: JsonObject, known: Mapping[str, JsonValue], rng: random.Random, depth: int = 0
) -> JsonObject:
    """An object of the schema; properties named in `known` take the value from there."""
    properties = schema.get("properties")
    if not isinstance(properties, dict) or depth > 4:
        return {}
    return {
        key: known[key] if key in known else example_value(part if isinstance(part, dict) else {}, key, rng, depth + 1)
        for key, part in properties.items()
    }


def _scalar(kind: str, schema: JsonObject, name: str, rng: random.Random) -> JsonValue:
    low, high = _bound(schema.get("minimum"), 1), _bound(schema.get("maximum"), 100)
    if kind == "integer":
        return rng.randint(int(low), int(max(low, high)))
    if kind == "number":
        return round(rng.uniform(low, max(low, high)), 2)
    if kind == "boolean":
        return rng.random() < 0.5
    if kind == "null":
        return None
    return _text(str(schema.get("format", "")), identifier_words(name), rng)


def _text(format_name: str, words: list[str], rng: random.Random) -> str:
    last = words[-1] if words else ""
    day = f"2026-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"
    if format_name == "date-time" or last in ("time", "timestamp", "at"):
        return f"{day}T{rng.randint(0, 23):02d}:{rng.choice((0, 15, 30, 45)):02d}:00Z"
    if format_name == "date" or last == "date":
        return day
    if format_name == "email" or last == "email":
        return f"{rng.choice(_NAMES).split()[0].lower()}{rng.randint(10, 99)}@example.com"
    if format_name in ("uri", "url") or last in ("url", "uri", "link"):
        return f"https://example.com/{rng.choice(_WORDS)}/{rng.randint(100, 999)}"
    if last in ("city", "location", "destination", "origin"):
        return rng.choice(_CITIES)
    if last in ("name", "author", "owner", "user") and len(words) <= 2:
        return rng.choice(_NAMES)
    if last in ("id", "key", "code", "number"):
        return f"{''.join(words[:-1])[:3].upper() or 'REF'}-{rng.randint(1000, 99999)}"
    return f"{rng.choice(_WORDS)} {rng.choice(_WORDS)}"


def _bound(value: JsonValue, fallback: float) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else fallback
