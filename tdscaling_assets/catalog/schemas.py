"""A tool's schema as received in, a sound JSON Schema of draft 2020-12 out, or what is wrong with it.

A schema is checked as the draft that it declares in `$schema`, else as 2020-12; one that is not sound as such but in
the older spelling (drafts 04 to 07) is read as that. Checking against a meta-schema costs milliseconds, and thousands
of tools share a few hundred shapes of parameters: each schema is checked alone, without those inside it and its prose,
and the answer is kept.
"""

import json
from collections.abc import Iterator
from functools import lru_cache

from jsonschema import Draft202012Validator, SchemaError
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from pydantic import JsonValue
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from tdscaling_assets.catalog.drafts import NAMED, to_2020
from tdscaling_assets.schema import JsonObject, canonical_json

_PROSE = ("description", "title", "$comment")


class SchemaFaultError(ValueError):
    """Why something is not a schema, and where."""


def sound_schema(schema: JsonObject) -> JsonObject:
    """The schema in draft 2020-12, valid, with references that stay inside it. Raises SchemaFaultError."""
    lifted = to_2020(schema)
    declared = str(schema.get("$schema", ""))
    same = lifted == {key: value for key, value in schema.items() if key != "$schema"}
    if declared and not same and (fault := _fault(schema, declared)):  # what all drafts write alike is checked once
        raise SchemaFaultError(f"is not what it declares in $schema, {declared}: {fault}")
    if fault := _fault(lifted, ""):
        raise SchemaFaultError(f"is not JSON Schema 2020-12: {fault}")
    references = sorted(set(_references(lifted)))
    if references:
        resolver = Registry().with_resource("", DRAFT202012.create_resource(lifted)).resolver()
        for reference in references:
            try:
                resolver.lookup(reference)
            except (Unresolvable, ValueError):
                raise SchemaFaultError(f"refers to what is not in it: {reference!r}") from None
    return lifted


def _fault(schema: JsonObject, declared: str) -> str:
    """ "" or the place and message of the first fault under the draft's meta-schema."""
    definitions = schema.get("$defs")
    named = definitions if isinstance(definitions, dict) else {}
    shell = {key: value for key, value in schema.items() if key != "$schema"} | ({"$defs": {}} if named else {})
    place, message = _first_fault(shell, declared)
    for name, part in sorted(named.items()) if not message else ():
        place, message = _definition_fault(declared, canonical_json(part))
        if message:
            place = f".$defs.{name}{place}"
            break
    return f"at ${place}: {message}" if message else ""


@lru_cache(maxsize=8192)
def _definition_fault(declared: str, schema_json: str) -> tuple[str, str]:
    """Many tools of one API carry the same definitions, word for word."""
    return _first_fault(json.loads(schema_json), declared)


def _first_fault(schema: JsonValue, declared: str) -> tuple[str, str]:
    """Where the first fault is, and what it is; two empty texts when there is none."""
    for place, part in _parts(schema, ""):
        path, message = _meta_fault(declared, canonical_json(_without_prose(part)))
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
            shell[word] = [{}]
            inner += [(f"{place}.{word}[{position}]", part) for position, part in enumerate(listed)]
    if isinstance(items := schema.get("items"), dict):
        shell["items"] = {}
        inner.append((f"{place}.items", items))
    yield place, shell
    for where, part in inner:
        yield from _parts(part, where)


@lru_cache(maxsize=8192)
def _meta_fault(declared: str, schema_json: str) -> tuple[str, str]:
    try:
        _draft(declared).check_schema(json.loads(schema_json))
    except SchemaError as error:
        return error.json_path.removeprefix("$"), error.message[:200]
    return "", ""


def _draft(declared: str) -> type[Validator]:
    """The draft of that `$schema`; one that nobody knows is read as 2020-12."""
    return validator_for({"$schema": declared}, default=Draft202012Validator) if declared else Draft202012Validator


def _without_prose(schema: JsonValue, named: bool = False) -> JsonValue:
    """The schema without its texts; `named` mappings hold names, among which `title` is a parameter like any other."""
    if isinstance(schema, dict):
        kept = schema.items() if named else [(k, v) for k, v in schema.items() if not _is_prose(k, v)]
        return {key: _without_prose(value, not named and key in NAMED) for key, value in kept}
    if isinstance(schema, list):
        return [_without_prose(value) for value in schema]
    return schema


def _is_prose(key: str, value: JsonValue) -> bool:
    return key in _PROSE and isinstance(value, str)


def _references(schema: JsonValue, named: bool = False) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str) and not named:
            yield reference
        for key, value in schema.items():
            if named or key not in ("enum", "const", "default", "examples"):
                yield from _references(value, not named and key in NAMED)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)
