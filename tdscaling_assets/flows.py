"""Tools in, their typed inputs and outputs out: which references a tool wants, and which it gives.

From the schemas where there are any; a tool without an output schema gives what its noun and its "returns …" clause
name. Only scalars count, in a parameter also lists of them: a choice, a switch or a nested object refers to nothing.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.entities import END, Act, entity_key, entity_of, field_key, parameter_keys
from tdscaling_assets.schema import JsonObject, Tool
from tdscaling_assets.text import identifier_words, singular

_DEPTH = 6  # levels of an output schema
_RETURNS = re.compile(r"\breturn(?:s|ing)?\b([^.\n]*)", re.IGNORECASE)


class Input(NamedTuple):
    """One parameter that wants a reference: candidate keys (best first), its JSON type, its `pattern` ("" if none)."""

    tool: Tool
    name: str
    keys: tuple[str, ...]
    kind: str
    required: bool
    pattern: str = ""


class Output(NamedTuple):
    """One field that a tool gives. `kind` is its JSON type, "" when there is no schema; `sureness` in (0, 1]; `pattern`
    is what its text looks like, "" if unknown."""

    tool: Tool
    key: str
    path: str
    kind: str
    sureness: float
    pattern: str = ""


def find_inputs(tools: Sequence[Tool], acts: Mapping[str, Act]) -> list[Input]:
    """Every parameter that wants a reference, by tool and then by name."""
    return [need for tool in tools for need in _inputs(tool, acts[tool.tool_id])]


def find_outputs(tools: Sequence[Tool], acts: Mapping[str, Act], inputs: Sequence[Input]) -> list[Output]:
    """Fields by schema where there is one; else the references that the tool's noun or "returns …" clause names."""
    wanted = sorted({key for need in inputs for key in need.keys})
    by_entity: dict[str, list[str]] = defaultdict(list)
    for key in wanted:
        by_entity[entity_of(key)].append(key)
    own: dict[str, set[str]] = defaultdict(set)
    for need in inputs:
        own[need.tool.tool_id] |= set(need.keys)
    outputs: list[Output] = []
    for tool in tools:
        act = acts[tool.tool_id]
        if tool.output_schema is not None:
            outputs += _schema_outputs(tool, act)
        elif act.stage != END:
            outputs += _guessed_outputs(tool, act, by_entity, own[tool.tool_id])
    return outputs


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────


def _inputs(tool: Tool, act: Act) -> Iterator[Input]:
    properties = tool.input_schema.get("properties")
    required = tool.input_schema.get("required")
    needed = required if isinstance(required, list) else []
    for name, reference in sorted(properties.items()) if isinstance(properties, dict) else ():
        schema = _whole(tool.input_schema, reference)
        kind = _input_kind(schema)
        keys = parameter_keys(name, act) if kind else ()
        if keys:
            yield Input(tool, name, keys, kind, name in needed, _pattern(schema))


def _whole(root: JsonObject, schema: JsonValue, depth: int = 0) -> JsonValue:
    """The schema with its `$ref` followed, `allOf` taken in, and the first choice that is not null of `anyOf`, `oneOf`;
    what stands beside these holds, too."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return schema
    whole = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "anyOf", "oneOf")}
    parts = [_dereference(root, schema)] if "$ref" in schema else []
    choices = [_listed(schema.get(word)) for word in ("anyOf", "oneOf")]
    parts += _listed(schema.get("allOf"))
    parts += [part for some in choices for part in [one for one in some if not _is_null(one)][:1]]
    for part in parts:
        inner = _whole(root, part, depth + 1)
        whole = inner | whole if isinstance(inner, dict) else whole
    return whole


def _is_null(schema: JsonValue) -> bool:
    return isinstance(schema, dict) and schema.get("type") == "null"


def _listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _input_kind(schema: JsonValue) -> str:
    """The JSON type of a parameter that can hold a reference; "" for choices, switches and nested objects."""
    if not isinstance(schema, dict) or "enum" in schema or "const" in schema:
        return ""
    kind = _json_type(schema)
    if kind == "array":
        return "array" if _json_type(schema.get("items")) in ("string", "integer", "number") else ""
    return kind if kind in ("string", "integer", "number", "any") else ""


def _json_type(schema: JsonValue) -> str:
    """The first type that is not null, also inside anyOf; "any" when the schema does not say."""
    if not isinstance(schema, dict):
        return "any"
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if isinstance(kind, str) and kind != "null":
            return kind
    for branch in _branches(schema):
        if (kind := _json_type(branch)) not in ("any", "null"):
            return kind
    return "object" if "properties" in schema else "any"


def _pattern(schema: JsonValue) -> str:
    """The regular expression that a text, or each text of a list, must match."""
    if not isinstance(schema, dict):
        return ""
    pattern = schema.get("pattern")
    return pattern if isinstance(pattern, str) else _pattern(schema.get("items"))


def _branches(schema: JsonObject) -> list[JsonValue]:
    found: list[JsonValue] = []
    for word in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(word)
        found += branches if isinstance(branches, list) else []
    return found


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────


def _schema_outputs(tool: Tool, act: Act) -> Iterator[Output]:
    root = tool.output_schema or {}
    best: dict[str, tuple[str, str, str]] = {}
    for leaf in sorted(_leaves(root, root, "", 0), key=lambda leaf: (leaf[0].count("."), leaf[0])):
        key = field_key(leaf[0], act)
        if key:
            best.setdefault(key, leaf)
    for key, (path, kind, pattern) in best.items():
        yield Output(tool, key, path, kind, 1.0, pattern)


def _leaves(root: JsonObject, schema: JsonValue, path: str, depth: int) -> Iterator[tuple[str, str, str]]:
    """(dotted path with `[]` after arrays, JSON type, pattern) of every scalar field."""
    schema = _dereference(root, schema)
    if not isinstance(schema, dict) or depth > _DEPTH:
        return
    for branch in _branches(schema):
        yield from _leaves(root, branch, path, depth + 1)
    properties = schema.get("properties")
    if isinstance(properties, dict):
        for name in sorted(properties):
            yield from _leaves(root, properties[name], f"{path}.{name}" if path else name, depth + 1)
    elif "items" in schema and path:
        yield from _leaves(root, schema["items"], f"{path}[]", depth + 1)
    elif path and (kind := _json_type(schema)) in ("string", "integer", "number"):
        yield path, kind, _pattern(schema)


def _dereference(root: JsonObject, schema: JsonValue) -> JsonValue:
    reference = schema.get("$ref") if isinstance(schema, dict) else None
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    value: JsonValue = root
    for part in reference[2:].split("/"):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _guessed_outputs(tool: Tool, act: Act, by_entity: Mapping[str, Sequence[str]], own: set[str]) -> Iterator[Output]:
    found: dict[str, float] = {}
    if act.stage is not None:
        for position, noun in enumerate(act.nouns):
            for key in by_entity.get(noun, ()):
                found.setdefault(key, 0.8 if position == 0 else 0.6)
    for clause in _RETURNS.findall(tool.description):
        words = [singular(word) for word in identifier_words(clause)]
        for size in (2, 1):
            for start in range(len(words) - size + 1):
                key = entity_key(words[start : start + size])
                if key in by_entity.get(entity_of(key), ()) and key not in own:
                    found.setdefault(key, 0.5)
    for key in sorted(found):
        yield Output(tool, key, key, "", found[key])
