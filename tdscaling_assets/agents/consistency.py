"""A simulated answer and the conversation so far in, what contradicts out: "", or a complaint that the simulator reads.

An answer must satisfy its tool's output schema, name the identifiers that the call was given as they are, and say of a
thing what earlier answers and the user's facts say of it. A successful call that changes state makes what it touches
unknown: the things that its arguments or its answer mention, and those seen together with one of them. What it
acknowledges (`status`) says nothing of the thing. A value that the schema forbids is not asked for. Things are told
apart by identifier; small ones, such as 7, also by server. These rules are our own.
"""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.entities import Act, field_key, is_reference, name_key, parse_act
from tdscaling_assets.measures import observation_failed, only_reads
from tdscaling_assets.observed import Demand, Entity, Known, describe, find_demands, is_scalar, mark_of, marks_in
from tdscaling_assets.schema import Blueprint, JsonObject, Message, Tool, canonical_json, parse_object, parse_value

_ACKNOWLEDGED = ("status", "state", "result", "note", "detail")
_SHORTEST_TELLING = 5  # characters of an identifier with a digit that no other server uses by chance
_NO_ACT = Act("", (), None)


class Exchange(NamedTuple):
    """A call and its answer; `arguments` are None when they are no JSON object."""

    name: str
    arguments: JsonObject | None
    answer: JsonValue
    failed: bool


def read_exchanges(history: Sequence[Message]) -> list[Exchange]:
    """Every answered call of the conversation, in order of the answers."""
    calls = {call.id: call for message in history for call in message.tool_calls}
    return [
        Exchange(
            message.name or (calls[message.tool_call_id].name if message.tool_call_id in calls else ""),
            parse_object(calls[message.tool_call_id].arguments) if message.tool_call_id in calls else None,
            parse_value(message.content or ""),
            observation_failed(message.content or ""),
        )
        for message in history
        if message.role == "tool"
    ]


def stated_facts(blueprint: Blueprint, offered: Mapping[str, Tool]) -> list[JsonObject]:
    """Facts that belong together, by parameter: those that the user gives for one look-up. What the user gives for a
    change is a wish."""
    return [
        {
            name: blueprint.facts[binding.fact]
            for name, binding in step.arguments.items()
            if binding.kind == "user" and binding.fact in blueprint.facts
        }
        for step in blueprint.steps
        if step.tool_id in offered and not writes(offered[step.tool_id])
    ]


def collect_known(
    exchanges: Sequence[Exchange], stated: Sequence[JsonObject], offered: Mapping[str, Tool], tool: Tool
) -> dict[Entity, JsonObject]:
    """What a call of the tool must not contradict, by thing; nothing when it changes state. `stated` are
    `stated_facts`."""
    if writes(tool):
        return {}
    known: dict[tuple[str, Entity], JsonObject] = {}
    for entity, fields in (item for facts in stated for item in _described(facts).items()):
        known[_scope(entity, tool), entity] = known.get((_scope(entity, tool), entity), {}) | fields
    for exchange in exchanges:
        answerer = offered.get(exchange.name)
        if answerer is None or exchange.failed:
            continue
        told = describe(exchange.answer, exchange.arguments or {}, parse_act(answerer))
        if writes(answerer):
            touched = marks_in(exchange.arguments) | marks_in(exchange.answer)
            known = {thing: fields for thing, fields in known.items() if not _is_touched(thing[1], fields, touched)}
            told = {entity: _without(fields, _ACKNOWLEDGED) for entity, fields in told.items()}
        for entity, fields in told.items():
            thing = (_scope(entity, answerer), entity)
            known[thing] = known.get(thing, {}) | fields
    return {entity: fields for (scope, entity), fields in known.items() if scope in ("", tool.server)}


def find_contradiction(tool: Tool, arguments: JsonObject, value: JsonValue, known: Known) -> str:
    """The first reason why the value cannot be the tool's answer, as a sentence to the simulator; "" when it can."""
    validator = Draft202012Validator(tool.output_schema or {})
    fault = next(validator.iter_errors(value), None)
    if fault is not None:
        return f"It does not satisfy the output schema: {fault.json_path}: {fault.message[:200]}."
    for demand in find_demands(value, arguments, parse_act(tool), known):
        if is_possible(demand, value, validator):
            said = json.dumps(demand.holder[demand.name], ensure_ascii=False)
            return f"It says {said} in {demand.path}, but {demand.reason}."
    return ""


def is_possible(demand: Demand, value: JsonValue, validator: Draft202012Validator) -> bool:
    """Whether the value would still satisfy the schema if it did what is demanded."""
    said = demand.holder[demand.name]
    demand.holder[demand.name] = demand.wanted
    valid = validator.is_valid(value)
    demand.holder[demand.name] = said
    return valid


def writes(tool: Tool) -> bool:
    """Whether the tool changes state, by its annotation, else by its name."""
    return not only_reads(tool)


def call_key(name: str, arguments: JsonObject) -> str:
    """Equal for calls of one tool with equal arguments."""
    return canonical_json([name, arguments])


def _described(facts: JsonObject) -> dict[Entity, JsonObject]:
    """What facts that belong together say of each thing that one of them identifies; not words that fit anything, such
    as a `status` to search for."""
    telling = {name_key(name): value for name, value in facts.items() if is_scalar(value) and field_key(name, _NO_ACT)}
    return {Entity(key, mark_of(value)): telling for key, value in telling.items() if is_reference(key)}


def _is_touched(entity: Entity, fields: JsonObject, touched: set[str]) -> bool:
    seen_with = {mark_of(value) for key, value in fields.items() if is_reference(key)}
    return not touched.isdisjoint({entity.mark, *seen_with})


def _without(fields: JsonObject, keys: Sequence[str]) -> JsonObject:
    return {key: value for key, value in fields.items() if key not in keys}


def _scope(entity: Entity, tool: Tool) -> str:
    """The server within which the identifier names one thing; "" where it does so everywhere."""
    telling = len(entity.mark) >= _SHORTEST_TELLING and any(letter.isdigit() for letter in entity.mark)
    return "" if telling and not entity.mark.isdigit() else tool.server
