"""One OpenAPI schema object in, the same in the words of JSON Schema 2020-12 out.

`nullable` becomes a type, `example` becomes `examples`, boolean bounds become numbers, a discriminator becomes a
constant in each branch; `x-…`, `xml` and `externalDocs` go; what only the other side of a call has is left out.
"""

from collections.abc import Callable, Iterator
from typing import Literal

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject

Side = Literal["input", "output"]
Refer = Callable[[str], str]
Follow = Callable[[JsonValue], JsonValue]

_ONE = {
    "items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames",
    "unevaluatedItems", "unevaluatedProperties", "contentSchema",
}  # fmt: skip
_SEVERAL = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
_GONE = {
    "nullable", "discriminator", "xml", "externalDocs", "example", "readOnly", "writeOnly",
    "$id", "$schema", "$anchor", "$defs", "definitions",
}  # fmt: skip
_IN_PLACE = {"$ref", "allOf", "anyOf", "oneOf", "not"}
_ANNOTATIONS = {"title", "description", "default", "examples", "deprecated"}
_OTHER_SIDE: dict[Side, str] = {"input": "readOnly", "output": "writeOnly"}


def translate(
    schema: JsonValue, side: Side, refer: Refer, follow: Follow, hidden: frozenset[str] = frozenset()
) -> JsonValue:
    """The schema for one side; `refer` renames a reference, `follow` gives what a reference names.

    `hidden` are properties that an enclosing `allOf` leaves out. A value that is no schema comes back as it is, for the
    normaliser to judge.
    """
    if not isinstance(schema, dict):
        return schema
    hidden |= _hidden(schema, _OTHER_SIDE[side], follow)

    def inner(value: JsonValue, within: frozenset[str] = frozenset()) -> JsonValue:
        return translate(value, side, refer, follow, within)

    translated: JsonObject = {}
    for key, value in _with_constants(schema).items():
        if key in _GONE or key.startswith("x-"):
            continue
        if key == "$ref" and isinstance(value, str):
            translated[key] = refer(value)
        elif key in _ONE and not isinstance(value, list):
            translated[key] = inner(value)
        elif key in _SEVERAL and isinstance(value, list):
            translated[key] = [inner(item, hidden if key == "allOf" else frozenset()) for item in value]
        elif key in _NAMED and isinstance(value, dict):
            translated[key] = {name: inner(item) for name, item in value.items() if name not in hidden}
        elif key == "required" and isinstance(value, list):
            translated[key] = [name for name in value if name not in hidden]
        else:
            translated[key] = value
    _translate_example(schema, translated)
    _translate_bounds(translated)
    return _nullable(translated) if schema.get("nullable") is True else translated


def merge(target: JsonValue, user: JsonObject) -> JsonValue:
    """What a reference names, with the keywords that stand beside the reference: its words win, its rules add."""
    beside = {key: value for key, value in user.items() if key != "$ref"}
    if not beside:
        return target
    if isinstance(target, dict) and not (set(beside) & set(target)) - _ANNOTATIONS:
        return target | beside
    words = {key: value for key, value in beside.items() if key in _ANNOTATIONS}
    rules = {key: value for key, value in beside.items() if key not in _ANNOTATIONS}
    branches: list[JsonValue] = [target, rules]
    return words | {"allOf": branches}


def references(schema: JsonValue) -> Iterator[str]:
    """The names in `$defs` that a translated schema uses, in order, as often as it uses them."""
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/$defs/"):
            yield reference.removeprefix("#/$defs/")
        for value in schema.values():
            yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def equals(schema: JsonValue) -> Iterator[str]:
    """The names in `$defs` whose rules hold for the very value that this schema is about, not for a part of it."""
    if isinstance(schema, dict):
        yield from references({"$ref": schema.get("$ref")})
        for word in ("allOf", "anyOf", "oneOf"):
            branches = schema.get(word)
            for branch in branches if isinstance(branches, list) else ():
                yield from equals(branch)


def _hidden(schema: JsonObject, mark: str, follow: Follow, depth: int = 0) -> frozenset[str]:
    """The properties that carry the mark, also those of `allOf` branches."""
    properties, branches = schema.get("properties"), schema.get("allOf")
    hidden: set[str] = set()
    for name, value in properties.items() if isinstance(properties, dict) else ():
        if any(isinstance(part, dict) and part.get(mark) is True for part in (value, _target(value, follow))):
            hidden.add(name)
    if depth < 8:
        for branch in branches if isinstance(branches, list) else ():
            target = _target(branch, follow)
            if isinstance(target, dict):
                hidden |= _hidden(target, mark, follow, depth + 1)
    return frozenset(hidden)


def _target(value: JsonValue, follow: Follow) -> JsonValue:
    return follow(value) if isinstance(value, dict) and "$ref" in value else value


def _with_constants(schema: JsonObject) -> JsonObject:
    """A discriminator says which value of a property belongs to which branch: each branch then says so itself."""
    discriminator = schema.get("discriminator")
    name = discriminator.get("propertyName") if isinstance(discriminator, dict) else None
    if not isinstance(discriminator, dict) or not isinstance(name, str):
        return schema
    mapping = discriminator.get("mapping")
    values: JsonObject = mapping if isinstance(mapping, dict) else {}
    changed = dict(schema)
    for key in ("oneOf", "anyOf"):
        branches = schema.get(key)
        if isinstance(branches, list):
            changed[key] = [_with_constant(branch, name, values) for branch in branches]
    return changed


def _with_constant(branch: JsonValue, name: str, mapping: JsonObject) -> JsonValue:
    reference = branch.get("$ref") if isinstance(branch, dict) else None
    if not isinstance(branch, dict) or not isinstance(reference, str):
        return branch
    short = reference.split("/")[-1]
    values: list[JsonValue] = [value for value, target in mapping.items() if target in (reference, short)] or [short]
    return branch | {"properties": {name: {"enum": values}}, "required": [name]}


def _translate_example(schema: JsonObject, translated: JsonObject) -> None:
    examples = translated.get("examples")
    if isinstance(examples, dict):
        translated["examples"] = list(examples.values())
    elif "example" in schema and examples is None:
        translated["examples"] = [schema["example"]]


def _translate_bounds(translated: JsonObject) -> None:
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        flag = translated.get(exclusive)
        if isinstance(flag, bool):
            del translated[exclusive]
            if flag and bound in translated:
                translated[exclusive] = translated.pop(bound)


def _nullable(schema: JsonObject) -> JsonObject:
    kind = schema.get("type")
    if _IN_PLACE & set(schema):
        words = {key: value for key, value in schema.items() if key in _ANNOTATIONS}
        rules = {key: value for key, value in schema.items() if key not in _ANNOTATIONS}
        return words | {"anyOf": [rules, {"type": "null"}]}
    widened = dict(schema)
    if kind is not None:
        kinds: list[JsonValue] = kind if isinstance(kind, list) else [kind]
        widened["type"] = kinds if "null" in kinds else [*kinds, "null"]
    enum = schema.get("enum")
    if isinstance(enum, list) and None not in enum:
        widened["enum"] = [*enum, None]
    return widened
