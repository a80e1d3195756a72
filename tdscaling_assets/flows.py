"""Tools in, their typed inputs and outputs out: which references a tool wants, and which it gives.

From the schemas where there are any; a tool without an output schema gives what its noun and its "returns …" clause
name. Only scalars count, in a parameter also lists of them: a choice, a switch or a nested object refers to nothing.
Parameters are those at the top: a call's argument is one value, and only whole arguments are bound.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.entities import Act, entity_key, entity_of, field_key, is_reference, names_entity, parameter_keys
from tdscaling_assets.junk import find_junk
from tdscaling_assets.schema import Tool
from tdscaling_assets.shapes import leaves, reference_type, text_pattern
from tdscaling_assets.text import identifier_words, singular
from tdscaling_assets.vocabulary import CHANGE, CREATE, END, vocabulary

_RETURNS = re.compile(r"\breturn(?:s|ing)?\b:?\s*([^.\n]*)", re.IGNORECASE)
_CLAUSE_END = vocabulary("by for from given based using matching per filtered where when if")
_ID_OF = re.compile(r"^(?:the )?(\w+) ids?\b|\bids? of (?:the |an? )?(\w+)", re.IGNORECASE)
_ADJECTIVES = vocabulary("unique specific numeric string immutable valid internal public each this that all new own")
_READ = 2_000  # characters of a description
_BY_SCHEMA, _BY_LIST, _BY_NOUN, _BY_SHORT_NOUN, _BY_WORDS = 1.0, 0.8, 0.8, 0.6, 0.5  # sureness


class Input(NamedTuple):
    """One parameter that wants a reference: candidate keys (best first), its JSON type, its `pattern` ("" if none)."""

    tool: Tool
    name: str
    keys: tuple[str, ...]
    kind: str
    required: bool
    pattern: str = ""


class Output(NamedTuple):
    """One field that a tool gives. `kind` is its JSON type, "" when there is no schema; `sureness` in (0, 1], and
    `basis` what it rests on; `pattern` is what its text looks like, "" if unknown."""

    tool: Tool
    key: str
    path: str
    kind: str
    sureness: float
    basis: str
    pattern: str = ""


def find_inputs(tools: Sequence[Tool], acts: Mapping[str, Act]) -> list[Input]:
    """Every parameter that wants a reference, by tool and then by name, without the junk of crawled schemas."""
    servers: dict[str, list[Tool]] = defaultdict(list)
    for tool in tools:
        servers[tool.server].append(tool)
    junk = {tool_id: names for group in servers.values() for tool_id, names in find_junk(group).items()}
    return [need for tool in tools for need in _inputs(tool, acts[tool.tool_id], junk.get(tool.tool_id, frozenset()))]


def find_outputs(tools: Sequence[Tool], acts: Mapping[str, Act], inputs: Sequence[Input]) -> list[Output]:
    """Fields by schema where there is one; else the references that the tool's noun or "returns …" clause names."""
    by_entity: dict[str, list[str]] = defaultdict(list)
    for key in sorted({key for need in inputs for key in need.keys}):
        by_entity[entity_of(key)].append(key)
    own: dict[str, set[str]] = defaultdict(set)
    for need in inputs:
        own[need.tool.tool_id].update(need.keys)
    outputs: list[Output] = []
    for tool in tools:
        act = acts[tool.tool_id]
        if tool.output_schema is not None:
            outputs += _schema_outputs(tool, act)
        elif act.stage != END:
            outputs += _guessed_outputs(tool, act, by_entity, own.get(tool.tool_id, set()))
    return outputs


def _inputs(tool: Tool, act: Act, junk: frozenset[str]) -> Iterator[Input]:
    root = tool.input_schema
    properties, required = root.get("properties"), root.get("required")
    needed = required if isinstance(required, list) else []
    for name, schema in sorted(properties.items()) if isinstance(properties, dict) else ():
        keys = parameter_keys(name, _act_on(name, schema, act)) if name not in junk else ()
        if keys and name not in needed and act.stage in (CREATE, CHANGE) and not is_reference(keys[0]):
            continue  # the new name of a thing is made up, not looked up
        kind = reference_type(root, schema) if keys else ""
        if kind:
            yield Input(tool, name, keys, kind, name in needed, text_pattern(root, schema))


def _act_on(name: str, schema: JsonValue, act: Act) -> Act:
    """The act with the noun that a bare `id` is described by ("Group ID"), where the tool's name says another."""
    text = schema.get("description") if isinstance(schema, dict) and name.lower() in ("id", "ids") else None
    found = _ID_OF.search(text[:200]) if isinstance(text, str) else None
    noun = entity_key([(found[1] or found[2]).lower()]) if found else ""
    if not noun or noun in _ADJECTIVES or noun in act.nouns:
        return act
    return act._replace(nouns=(noun,))


def _schema_outputs(tool: Tool, act: Act) -> Iterator[Output]:
    """The shallowest field of each key. A list of texts called after a thing (`orders`) may hold its identifiers."""
    found: dict[str, Output] = {}
    fields = sorted(leaves(tool.output_schema or {}), key=lambda leaf: (leaf.path.count("."), leaf.path))
    for path, kind, pattern in fields:
        if key := field_key(path, act):
            found.setdefault(key, Output(tool, key, path, kind, _BY_SCHEMA, "schema", pattern))
    for path, kind, pattern in fields:
        key = field_key(path, act) if path.endswith("[]") else ""
        if key and names_entity(key):
            identifier = f"{key}_id"
            found.setdefault(identifier, Output(tool, identifier, path, kind, _BY_LIST, "list", pattern))
    yield from found.values()


def _guessed_outputs(tool: Tool, act: Act, by_entity: Mapping[str, Sequence[str]], own: set[str]) -> Iterator[Output]:
    found: dict[str, tuple[float, str]] = {}
    if act.stage is not None:
        for position, noun in enumerate(act.nouns):
            by_noun = (_BY_SHORT_NOUN, "short_noun") if position else (_BY_NOUN, "noun")
            for key in by_entity.get(noun, ()):
                found.setdefault(key, by_noun)
    for clause in _RETURNS.findall(tool.description[:_READ]):
        words = _until_preposition(identifier_words(clause))
        for size in (2, 1):
            for start in range(len(words) - size + 1):
                key = entity_key(words[start : start + size])
                if is_reference(key) and key not in own and key in by_entity.get(entity_of(key), ()):
                    found.setdefault(key, (_BY_WORDS, "words"))
    for key, (sureness, basis) in sorted(found.items()):
        yield Output(tool, key, key, "", sureness, basis)


def _until_preposition(words: Sequence[str]) -> list[str]:
    """ "the id of each order by customer" → what is returned, not what it is looked up by."""
    end = next((place for place, word in enumerate(words) if word in _CLAUSE_END), len(words))
    return [singular(word) for word in words[:end]]
