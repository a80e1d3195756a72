"""A tool's schema in, what is wrong with it out.

Checking against the 2020-12 meta-schema costs milliseconds, and thousands of tools share a few hundred shapes of
parameters: each schema is checked alone, without those inside it and its prose, and the answer is kept.
"""

import json
from collections.abc import Iterator
from functools import lru_cache

from jsonschema import Draft202012Validator, SchemaError
from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, canonical_json

_PROSE = ("description", "title", "$comment")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def schema_fault(schema: JsonObject) -> str:
    """ "" for valid JSON Schema 2020-12 whose references stay inside it, else the first fault and where it is."""
    definitions = schema.get("$defs")
    named = definitions if isinstance(definitions, dict) else {}
    shell = schema | {"$defs": {}} if named else schema
    place, message = _first_fault(shell)
    for name, part in sorted(named.items()) if not message else ():
        place, message = _definition_fault(canonical_json(part))
        if message:
            place = f".$defs.{name}{place}"
            break
    if message:
        return f"is not JSON Schema 2020-12 at ${place}: {message}"
    for reference in _references(schema):
        if not _resolves(schema, reference):
            return f"refers to {reference!r}, which is not in it"
    return ""


@lru_cache(maxsize=8192)
def _definition_fault(schema_json: str) -> tuple[str, str]:
    """Many tools of one API carry the same definitions, word for word."""
    return _first_fault(json.loads(schema_json))


def _first_fault(schema: JsonValue) -> tuple[str, str]:
    """Where the first fault is, and what it is; two empty texts when there is none."""
    for place, part in _parts(schema, ""):
        path, message = _meta_fault(canonical_json(_without_prose(part)))
        if message:
            return place + path, message
    return "", ""


def _parts(schema: JsonValue, place: str) -> Iterator[tuple[str, JsonValue]]:
    """The schema without the schemas in it, then each of those the same way, with where they are."""
    if not isinstance(schema, dict):
        yield place, schema
        return
    inner: list[tuple[str, JsonValue]] = []
    shell = dict(schema)
    for word in ("properties", "$defs"):
        if isinstance(named := schema.get(word), dict):
            shell[word] = {}
            inner += [(f"{place}.{word}.{name}", part) for name, part in sorted(named.items())]
    for word in ("allOf", "anyOf", "oneOf"):
        if isinstance(listed := schema.get(word), list) and listed:
            shell[word] = [True]
            inner += [(f"{place}.{word}[{position}]", part) for position, part in enumerate(listed)]
    if isinstance(items := schema.get("items"), dict):
        shell["items"] = True
        inner.append((f"{place}.items", items))
    yield place, shell
    for where, part in inner:
        yield from _parts(part, where)


@lru_cache(maxsize=8192)
def _meta_fault(schema_json: str) -> tuple[str, str]:
    try:
        Draft202012Validator.check_schema(json.loads(schema_json))
    except SchemaError as error:
        return error.json_path.removeprefix("$"), error.message[:200]
    return "", ""


def _without_prose(schema: JsonValue, named: bool = False) -> JsonValue:
    """The schema without its texts; `named` mappings hold names, among which `title` is a parameter like any other."""
    if isinstance(schema, dict):
        kept = schema.items() if named else [(k, v) for k, v in schema.items() if not _is_prose(k, v)]
        return {key: _without_prose(value, not named and key in _NAMED) for key, value in kept}
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    return schema


def _is_prose(key: str, value: JsonValue) -> bool:
    return key in _PROSE and isinstance(value, str)


def _references(schema: JsonValue) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _resolves(schema: JsonObject, reference: str) -> bool:
    """Whether a local JSON pointer (`#/$defs/Order`) leads somewhere."""
    if not reference.startswith("#"):
        return False
    value: JsonValue = schema
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False
    return True
