"""Names and words in, typed entity keys and acts out: the vocabulary in which tools are compared.

An entity key is one spelling for all names of a reference: `orders[].id` and the `id` of `get_order` are both
`order_id`. An act is what a tool does: a verb, the noun it is done to, and where in the noun's life that is. Every
rule here is our own definition, in English words.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from tdscaling_assets.schema import Tool
from tdscaling_assets.text import identifier_words, singular
from tdscaling_assets.vocabulary import (
    BARE,
    CREATE,
    DULL,
    FILLERS,
    GENERIC,
    IDENTIFIERS,
    MEASURES,
    NATURAL,
    NATURAL_PAIRS,
    PEOPLE,
    PLAIN,
    ROLES,
    SHORT_FORMS,
    SPELLINGS,
    STAGES,
    STOPS,
    TOLD,
    WRAPPERS,
)

_CACHED = 65_536  # names and keys remembered by each pure function of one


class Act(NamedTuple):
    """What a tool does: its verb, the forms of its noun (most specific first), and the noun's stage of life."""

    verb: str
    nouns: tuple[str, ...]
    stage: int | None


def parse_act(tool: Tool) -> Act:
    """Verb and noun from the tool's name; where no noun follows the verb, also from its description's first words."""
    named = identifier_words(tool.name)
    verb, words = _split_verb(named)
    nouns = _noun_forms(words)
    if verb and not words:  # `orders-list`, `spotify_tracks_search`
        server = set(identifier_words(tool.server))
        nouns = _noun_forms([word for word in named[:-1] if word not in server])
    last = bool(verb) and not words
    if last or not nouns or not verb:
        described_verb, described = _split_verb(identifier_words(tool.description[:120]))
        verb = verb or ("get" if described_verb == "return" else described_verb)
        more = _noun_forms(described) if last or not nouns else ()
        nouns = tuple(dict.fromkeys((*nouns, *more)))
    return Act(verb, nouns, STAGES.get(verb))


def entity_key(words: Sequence[str]) -> str:
    """One key for all spellings of a name: `orderIds`, `order_id` and `Order ID` are `order_id`."""
    if not words:
        return ""
    spelled = [SPELLINGS.get(word, SHORT_FORMS.get(word, word)) for word in words]
    last = singular(spelled[-1]) if spelled[-1] != "ids" else "id"
    return "_".join([*spelled[:-1], SHORT_FORMS.get(last, last)])


@lru_cache(_CACHED)
def name_key(name: str) -> str:
    """The key of a name as a schema spells it."""
    return entity_key(identifier_words(name))


def parameter_keys(name: str, act: Act) -> tuple[str, ...]:
    """Keys that a parameter of that name may want, best first; none where the name says nothing about what it holds.

    A bare `id` is typed by the noun of its tool; a tool that creates the thing chooses its `id` and wants none.
    """
    words = _words(name)
    key = name_key(name)
    if key in BARE:
        return () if act.stage == CREATE else tuple(f"{noun}_{key}" for noun in act.nouns)
    keys = [key]
    if len(words) > 1 and words[0] in ROLES:
        keys.append(entity_key(words[1:]))
    if len(words) > 2 and is_reference(key):
        keys.append(entity_key(words[-2:]))
    if entity_of(key) in PEOPLE:
        keys.append("user_id")
    if len(words) > 1 and words[-1] == "token":
        keys.append("token")  # an access token is what a login calls the token
    keys += [f"{key}_id" for key in keys if len(key) > 2 and names_entity(key)]
    return tuple(key for key in dict.fromkeys(keys) if not _is_generic(key))


def own_keys(name: str, keys: Sequence[str], act: Act) -> tuple[str, ...]:
    """Keys of what a tool knows once it is given a parameter: not `task_id` by a `parent_task_id`, but `page_url` by
    the `url` of `read_page`."""
    if len(keys) > 1 and (_words(name)[0] in ROLES or "user_id" in keys[1:]):
        return tuple(keys[:1])
    return (*keys, *(f"{noun}_{keys[0]}" for noun in act.nouns if keys[0] in IDENTIFIERS))


def field_key(path: str, act: Act) -> str:
    """The key of an output field, "" for one that names no entity.

    It is the field's name; a bare `id` is typed by the entity that holds it, else by the tool's noun.
    """
    key = _held_key(path, act)
    return "" if _is_generic(key) else key


@lru_cache(_CACHED)
def entity_of(key: str) -> str:
    """`order_id` → order; a key without an identifier word, and a token, is its own entity."""
    head, _, last = key.rpartition("_")
    return head if head and (last in IDENTIFIERS or last == "name") and last != "token" else key


@lru_cache(_CACHED)
def is_reference(key: str) -> bool:
    """Whether the key refers to one thing (`order_id`, `email`), and not to a property of it (`order_name`)."""
    return _last(key) in IDENTIFIERS


@lru_cache(_CACHED)
def is_natural(key: str) -> bool:
    """Whether the key means the same on every server, as an email does."""
    return _last(key) in NATURAL or "_".join(key.split("_")[-2:]) in NATURAL_PAIRS


def is_verb(word: str) -> bool:
    """Whether the word says what is done to a thing in its life."""
    return word in STAGES


def is_told(act: Act) -> bool:
    """Whether the verb needs a thing that exists: whoever updates or downloads it must have been told which."""
    return act.verb in TOLD


@lru_cache(_CACHED)
def names_entity(key: str) -> bool:
    """Whether a parameter of that key (`order`, `from_account`) may stand for the thing's identifier."""
    return not _is_generic(key) and not is_reference(key) and entity_of(key) == key


def _held_key(path: str, act: Act) -> str:
    *containers, name = path.replace("[]", "").split(".")
    key = name_key(name)
    if key not in BARE:
        return key
    holders = [name_key(part) for part in containers]
    while holders and holders[0] in WRAPPERS:
        holders.pop(0)
    if not holders:
        return f"{act.nouns[0]}_{key}" if act.nouns else ""
    holder = holders[-1] if holders[-1] not in WRAPPERS or len(holders) == 1 else f"{holders[-2]}_{holders[-1]}"
    return f"{holder}_{key}"


@lru_cache(_CACHED)
def _words(name: str) -> tuple[str, ...]:
    return tuple(identifier_words(name))


@lru_cache(_CACHED)
def _is_generic(key: str) -> bool:
    return key in GENERIC or _last(key) in MEASURES


def _split_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """The first known verb among the first three words, and what follows it."""
    for position, word in enumerate(words[:3]):
        verb = word if word in STAGES else singular(word)
        if verb in STAGES:
            return verb, list(words[position + 1 :])
    return "", list(words)


def _noun_forms(words: Sequence[str]) -> tuple[str, ...]:
    """`["user", "order", "by", "id"]` → ("user_order", "order"): the last three words before a preposition."""
    noun: list[str] = []
    for word in words:
        if word in STOPS:
            break
        if word not in FILLERS:
            noun.append(SHORT_FORMS.get(singular(word), singular(word)))
    plain = noun[-1:] if noun[-1:] and noun[-1] in PLAIN else []
    while noun and noun[-1] in DULL:
        noun.pop()
    noun = noun[-3:] or plain
    return tuple(dict.fromkeys("_".join(noun[start:]) for start in range(len(noun))))


def _last(key: str) -> str:
    return key.rsplit("_", 1)[-1]
