"""A tool's answer and what is known in, the fields that should be other than they are out.

An answer's objects are about things. An object's identity is its own identifier: its bare `id`, or the one called after
what holds it (`order_id` in `order` or `orders[]`) or after the noun of the tool; where the answer itself has none, the
one that the call was given. An identifier of another thing in it (the `customer_id` of an order) is none. Our own
definitions, on the typed keys of entities.py.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.entities import Act, entity_of, field_key, is_reference, name_key, parameter_keys
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.text import normalise
from tdscaling_assets.vocabulary import CREATE, WRAPPERS, vocabulary

_OF_THE_CALL = vocabulary(
    "timestamp request_id retrieved_at generated_at as_of score rank relevance distance similarity message success ok "
    "date time day"
)
"""Keys of fields that are about the asking, or about one of the thing's many days, not about the thing."""


class Entity(NamedTuple):
    """One thing: the typed key of its identifier (`order_id`) and the identifier, normalised."""

    key: str
    mark: str


Known = Mapping[Entity, JsonObject]
"""Thing → what is known of it, by the keys of its fields."""


class Demand(NamedTuple):
    """A field of an answer, inside `holder`, that should be `wanted`, and why."""

    path: str
    holder: JsonObject
    name: str
    wanted: JsonValue
    reason: str


def find_demands(value: JsonValue, arguments: JsonObject, act: Act, known: Known) -> list[Demand]:
    """Every field that names an identifier of the call as another one, or says other of a thing than is known."""
    wrong = [*_echoes(value, arguments, act)]
    told = describe(value, arguments, act)
    for path, holder, entity in _things(value, arguments, act):
        for name, said in holder.items():
            wanted = known.get(entity, {}).get(name_key(name))
            if wanted is not None and name_key(name) in told[entity] and not _is_same(said, wanted):
                reason = f"of the {entity.key} {entity.mark!r} it is known to be {wanted!r}"
                wrong.append(Demand(_join(path, name), holder, name, wanted, reason))
    return wrong


def describe(value: JsonValue, arguments: JsonObject, act: Act) -> dict[Entity, JsonObject]:
    """What the answer says of each thing: scalar fields by key, without those that it says in two ways."""
    told: dict[Entity, dict[str, list[JsonValue]]] = defaultdict(lambda: defaultdict(list))
    for _, fields, entity in _things(value, arguments, act):
        told[entity] |= {}
        for name, said in fields.items():
            key = name_key(name)
            if is_scalar(said) and key not in _OF_THE_CALL and said not in told[entity][key]:
                told[entity][key].append(said)
    return {entity: {key: said[0] for key, said in fields.items() if len(said) == 1} for entity, fields in told.items()}


def mark_of(value: JsonValue) -> str:
    """An identifier as it is compared: `ORD 7` and `ord-7` are one, as are 7 and "7"."""
    return normalise(str(value))


def marks_in(value: JsonValue) -> set[str]:
    """Every text and number inside the value, as identifiers are compared."""
    if isinstance(value, dict):
        return {mark for item in value.values() for mark in marks_in(item)}
    if isinstance(value, list):
        return {mark for item in value for mark in marks_in(item)}
    return {mark_of(value)} if is_scalar(value) and not isinstance(value, bool) else set()


def is_scalar(value: JsonValue) -> bool:
    """Whether the value is a text, number or truth value."""
    return value is not None and not isinstance(value, dict | list)


def _is_same(said: JsonValue, wanted: JsonValue) -> bool:
    return not is_scalar(said) or said == wanted


def _echoes(value: JsonValue, arguments: JsonObject, act: Act) -> Iterator[Demand]:
    """The fields of the answer itself, not of lists in it, that name another identifier than the call was given.

    A tool that makes a thing may give it another identifier than it was told, one that is told two answers with either;
    and inside the answer an identifier of another thing (who owns an order) need not be the one given (who asks).
    """
    given, marks = _given_identifiers(arguments, act), marks_in(arguments)
    for path, fields in _objects(value, ""):
        for name, said in fields.items() if _is_answer_itself(path, act) else ():
            key = field_key(_join(path, name), act) or name_key(name)
            owned = entity_of(key) in act.nouns or not path
            if is_scalar(said) and key in given and owned and mark_of(said) not in marks and not _is_made(key, act):
                yield Demand(_join(path, name), fields, name, given[key], f"the call was given {given[key]!r}")


def _given_identifiers(arguments: JsonObject, act: Act) -> JsonObject:
    """Typed key → identifier of every scalar argument that refers to one thing."""
    found: JsonObject = {}
    for name, value in arguments.items():
        key = next(iter(parameter_keys(name, act)), name_key(name))
        if is_scalar(value) and is_reference(key):
            found[key] = value
    return found


def _things(value: JsonValue, arguments: JsonObject, act: Act) -> Iterator[tuple[str, JsonObject, Entity]]:
    """Every object that is about one thing, with its path, outer ones first."""
    for path, fields in _objects(value, ""):
        entity = _identity(path, fields, arguments, act)
        if entity is not None:
            yield path, fields, entity


def _objects(value: JsonValue, path: str) -> Iterator[tuple[str, JsonObject]]:
    if isinstance(value, dict):
        yield path, value
        for name, item in value.items():
            yield from _objects(item, _join(path, name))
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item, f"{path}[]")


def _identity(path: str, fields: JsonObject, arguments: JsonObject, act: Act) -> Entity | None:
    own = _own_nouns(path, act)
    for name, value in fields.items():
        key = field_key(_join(path, name), act)
        if is_scalar(value) and is_reference(key) and (entity_of(key) in own or name_key(name) in ("id", "uuid")):
            return Entity(key, mark_of(value))
    if not _is_answer_itself(path, act) or _wraps(fields, act):
        return None
    for key, value in _given_identifiers(arguments, act).items():
        if entity_of(key) in own and not _is_made(key, act):
            return Entity(key, mark_of(value))
    return None


def _own_nouns(path: str, act: Act) -> set[str]:
    """What an object at the path may be called: after what holds it, else after the tool's noun."""
    holders = [key for part in path.replace("[]", "").split(".") if (key := name_key(part)) and key not in WRAPPERS]
    return {holders[-1]} if holders else set(act.nouns)


def _is_answer_itself(path: str, act: Act) -> bool:
    """Whether the object at the path is what the tool was asked for: the whole answer, perhaps wrapped."""
    return "[]" not in path and all(name_key(part) in {"", *WRAPPERS, *act.nouns} for part in path.split("."))


def _wraps(fields: JsonObject, act: Act) -> bool:
    """Whether the thing itself is inside one of the fields."""
    inner = {name_key(name) for name, value in fields.items() if isinstance(value, dict | list)}
    return not inner.isdisjoint({*WRAPPERS, *act.nouns})


def _is_made(key: str, act: Act) -> bool:
    return act.stage == CREATE and entity_of(key) in act.nouns


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
