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


def vocabulary(words: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(words.split())


# An entity's life: a flow goes from an earlier stage to a later one.
_LIFE = (
    "create add book place open start register new make submit post insert upload schedule generate reserve issue "
    "clone copy duplicate fork import deploy launch initiate draft publish save",
    "list search find query browse lookup discover resolve enumerate",
    "get read fetch retrieve show view describe check track inspect download scrape crawl extract",
    "update edit modify set change patch put move rename assign send pay transfer confirm approve reschedule "
    "replace enable disable toggle reply merge share restore pause resume restart",
    "delete cancel remove close archive refund return terminate void revoke end stop destroy uninstall dismiss drop",
)
_STAGES = {verb: stage for stage, verbs in enumerate(_LIFE) for verb in verbs.split()}
CREATE, FIND, GET, CHANGE, END = range(len(_LIFE))
_TOLD = vocabulary(
    "download check track inspect scrape crawl extract "
    "update edit modify set change patch put move rename assign approve confirm reschedule "
    "replace enable disable toggle reply merge share restore pause resume restart"
)
# Words that make a key a reference to one thing; the natural ones mean the same on every server.
_NATURAL = vocabulary("email url city country ticker isbn iata phone domain ip postcode zip")
_IDENTIFIERS = _NATURAL | vocabulary(
    "id uuid guid key slug number code sku handle reference token address symbol uri hash sha arn"
)
_NATURAL_PAIRS = vocabulary("email_address ip_address phone_number country_code zip_code postal_code domain_name")
_BARE = vocabulary("id uuid guid key slug number code name handle")
_SPELLINGS = {"identifier": "id", "ref": "reference", "no": "number"}
_SHORT_FORMS = {
    "repository": "repo",
    "org": "organization",
    "organisation": "organization",
    "application": "app",
    "db": "database",
    "configuration": "config",
    "env": "environment",
    "tx": "transaction",
    "txn": "transaction",
    "doc": "document",
    "msg": "message",
}
_PEOPLE = vocabulary("assignee owner author creator reviewer approver requester reporter manager")  # users in a role
_PLAIN = vocabulary("object item record entry node row")  # dull words that are a noun when they are alone
# Keys that name no entity: they say how to ask, or hold anything.
_GENERIC = vocabulary(
    "limit offset page size page_size page_number per_page cursor query q sort sort_by order_by format status state "
    "type kind name title description text content message note reason comment date time start end start_date "
    "end_date start_time end_time from to since until quantity amount price total count currency language locale "
    "value data input output result response error success ok enabled active option filter field category tag label "
    "mode level unit body timestamp created_at updated_at max min max_result num_result api_key password username "
    "timeout verbose include exclude width height color x y a b key id code number prompt "
    "direction year month day period interval role priority property context session path file_path new_name "
    "first_name last_name full_name display_name keyword keywords search_term topic subject instruction question "
    "answer summary reasoning thought page_token next_page_token next_token continuation_token sync_token max_token "
    "min_token base_url proxy_url callback_url redirect_uri redirect_url desc reference"
)
_MEASURES = vocabulary(
    "at minute second hour day week month date time cent amount limit count size price total percent"
)
_WRAPPERS = vocabulary("item result data record entry response value node row object list payload output")
_DULL = _WRAPPERS | vocabulary("info information detail tool text content status all summary history id name api")
_ROLES = vocabulary("from to source destination dest target new old origin parent primary default current")
_STOPS = vocabulary("by for from to with in on of and or at as via using into that which")
_FILLERS = vocabulary("a an the all your one single new specific given available existing multiple list")


_CACHED = 65_536  # names and keys remembered by each pure function of one


class Act(NamedTuple):
    """What a tool does: its verb, the forms of its noun (most specific first), and the noun's stage of life."""

    verb: str
    nouns: tuple[str, ...]
    stage: int | None


def parse_act(tool: Tool) -> Act:
    """Verb and noun from the tool's name; the noun from the first words of its description where the name has none."""
    named = identifier_words(tool.name)
    verb, words = _split_verb(named)
    nouns = _noun_forms(words)
    if verb and not words:  # `orders-list`, `spotify_tracks_search`
        server = set(identifier_words(tool.server))
        nouns = _noun_forms([word for word in named[:-1] if word not in server])
    if not nouns or not verb:
        described_verb, described = _split_verb(identifier_words(tool.description[:120]))
        verb = verb or ("get" if described_verb == "return" else described_verb)
        nouns = nouns or _noun_forms(described)
    return Act(verb, nouns, _STAGES.get(verb))


def entity_key(words: Sequence[str]) -> str:
    """One key for all spellings of a name: `orderIds`, `order_id` and `Order ID` are `order_id`."""
    if not words:
        return ""
    spelled = [_SPELLINGS.get(word, _SHORT_FORMS.get(word, word)) for word in words]
    last = singular(spelled[-1]) if spelled[-1] != "ids" else "id"
    return "_".join([*spelled[:-1], _SHORT_FORMS.get(last, last)])


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
    if key in _BARE:
        return () if act.stage == CREATE else tuple(f"{noun}_{key}" for noun in act.nouns)
    keys = [key]
    if len(words) > 1 and words[0] in _ROLES:
        keys.append(entity_key(words[1:]))
    if len(words) > 2 and is_reference(key):
        keys.append(entity_key(words[-2:]))
    if entity_of(key) in _PEOPLE:
        keys.append("user_id")
    if len(words) > 1 and words[-1] == "token":
        keys.append("token")  # an access token is what a login calls the token
    keys += [f"{key}_id" for key in keys if len(key) > 2 and names_entity(key)]
    return tuple(key for key in dict.fromkeys(keys) if not _is_generic(key))


def own_keys(name: str, keys: Sequence[str], act: Act) -> tuple[str, ...]:
    """Keys of what a tool knows once it is given a parameter: not `task_id` by a `parent_task_id`, but `page_url` by
    the `url` of `read_page`."""
    if len(keys) > 1 and (_words(name)[0] in _ROLES or "user_id" in keys[1:]):
        return tuple(keys[:1])
    return (*keys, *(f"{noun}_{keys[0]}" for noun in act.nouns if keys[0] in _NATURAL))


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
    return head if head and (last in _IDENTIFIERS or last == "name") and last != "token" else key


@lru_cache(_CACHED)
def is_reference(key: str) -> bool:
    """Whether the key refers to one thing (`order_id`, `email`), and not to a property of it (`order_name`)."""
    return _last(key) in _IDENTIFIERS


@lru_cache(_CACHED)
def is_natural(key: str) -> bool:
    """Whether the key means the same on every server, as an email does."""
    return _last(key) in _NATURAL or "_".join(key.split("_")[-2:]) in _NATURAL_PAIRS


def is_verb(word: str) -> bool:
    """Whether the word says what is done to a thing in its life."""
    return word in _STAGES


def is_told(act: Act) -> bool:
    """Whether the verb needs a thing that exists: whoever updates or downloads it must have been told which."""
    return act.verb in _TOLD


@lru_cache(_CACHED)
def names_entity(key: str) -> bool:
    """Whether a parameter of that key (`order`, `from_account`) may stand for the thing's identifier."""
    return not _is_generic(key) and not is_reference(key) and entity_of(key) == key


def _held_key(path: str, act: Act) -> str:
    *containers, name = path.replace("[]", "").split(".")
    key = name_key(name)
    if key not in _BARE:
        return key
    holders = [name_key(part) for part in containers]
    while holders and holders[0] in _WRAPPERS:
        holders.pop(0)
    if not holders:
        return f"{act.nouns[0]}_{key}" if act.nouns else ""
    holder = holders[-1] if holders[-1] not in _WRAPPERS or len(holders) == 1 else f"{holders[-2]}_{holders[-1]}"
    return f"{holder}_{key}"


@lru_cache(_CACHED)
def _words(name: str) -> tuple[str, ...]:
    return tuple(identifier_words(name))


@lru_cache(_CACHED)
def _is_generic(key: str) -> bool:
    return key in _GENERIC or _last(key) in _MEASURES


def _split_verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """The first known verb among the first three words, and what follows it."""
    for position, word in enumerate(words[:3]):
        verb = word if word in _STAGES else singular(word)
        if verb in _STAGES:
            return verb, list(words[position + 1 :])
    return "", list(words)


def _noun_forms(words: Sequence[str]) -> tuple[str, ...]:
    """`["user", "order", "by", "id"]` → ("user_order", "order"): the last three words before a preposition."""
    noun: list[str] = []
    for word in words:
        if word in _STOPS:
            break
        if word not in _FILLERS:
            noun.append(_SHORT_FORMS.get(singular(word), singular(word)))
    plain = noun[-1:] if noun[-1:] and noun[-1] in _PLAIN else []
    while noun and noun[-1] in _DULL:
        noun.pop()
    noun = noun[-3:] or plain
    return tuple(dict.fromkeys("_".join(noun[start:]) for start in range(len(noun))))


def _last(key: str) -> str:
    return key.rsplit("_", 1)[-1]
