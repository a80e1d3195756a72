"""Tools and edges of clusters in, names and purposes in plain words out. Every rule and word is our own.

A name says where and what about ("Commerce: order, refund"), a purpose what a user gets done ("Find a customer, place
an order and cancel it, at shop and payments."). Both hold only words of names, never text of a description.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from tdscaling_assets.clusters.chains import find_chain
from tdscaling_assets.entities import parse_act
from tdscaling_assets.schema import Tool, ToolEdge
from tdscaling_assets.text import identifier_words

THINGS = 2  # that a name has, before others must tell it from a like one
WORDS = 6  # of one identifier that are shown
_MANY = frozenset({"list", "search", "find", "query", "browse", "discover"})  # verbs that give several things
_PARTICLES = frozenset({"in", "out", "off", "up", "down", "back", "to", "for"})  # that a verb takes along
_UNCOUNTED = ("s", "data", "money", "info", "information", "history", "news", "weather", "metadata", "content")


Phrase = tuple[str, str]  # what a tool does: verb and noun, the noun perhaps empty


def name_clusters(
    members: Sequence[Sequence[Tool]], edges: Sequence[Sequence[ToolEdge]], phrases: Mapping[str, Phrase]
) -> list[str]:
    """A name each, none empty and none given twice: a like one takes another thing of its own, at last a number."""
    taken: set[str] = set()
    names: list[str] = []
    for tools, inside in zip(members, edges, strict=True):
        name = next(name for name in _names(tools, inside, phrases) if name.lower() not in taken)
        taken.add(name.lower())
        names.append(name)
    return names


def purpose_of(tools: Sequence[Tool], edges: Sequence[ToolEdge], phrases: Mapping[str, Phrase]) -> str:
    """One sentence: what the longest chain of the cluster does, step by step, and where."""
    by_id = {tool.tool_id: tool for tool in tools}
    chain = find_chain(edges, phrases) or tuple(by_id)[:1]
    steps: list[str] = []
    known: dict[str, str] = {}  # noun → how the next step speaks of it
    for verb, noun in dict.fromkeys(phrases[tool_id] for tool_id in chain):
        steps.append(f"{verb} {known[noun]}" if noun in known and noun and verb != "use" else _step(verb, noun))
        known = {noun: "one" if verb in _MANY and noun not in known else "it"}
    servers = _join([_plain(server) for server in most_common(by_id[one].server for one in chain)[:3]])
    return f"{_sentence_case(_join(steps))}, at {servers}."


def phrase_of(tool: Tool) -> Phrase:
    """`cancel_order` → (cancel, order). A word is a verb where it is a known one or begins the description too."""
    act = parse_act(tool)
    words = identifier_words(tool.name)
    if act.verb and act.nouns and act.verb in words:
        return act.verb, _plain(act.nouns[0])
    if len(words) > 1 and words[0] in {
        tool.description.split(" ", 1)[0].lower().removesuffix(end) for end in ("", "s")
    }:
        verb = 2 if len(words) > 2 and words[1] in _PARTICLES else 1
        return " ".join(words[:verb]), _plain(" ".join(words[verb:]))
    return (" ".join(words[:WORDS]), "") if len(words) > 1 else ("use", _plain(tool.name))


def most_common(values: Iterable[str]) -> list[str]:
    """Distinct values, the most frequent first, then by name."""
    counts = Counter(values)
    return sorted(counts, key=lambda value: (-counts[value], value))


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────


def _names(tools: Sequence[Tool], edges: Sequence[ToolEdge], phrases: Mapping[str, Phrase]) -> Iterator[str]:
    """The name, and then ever longer ones that tell the cluster from another of that name."""
    where = _sentence_case(" and ".join(_plain(server) for server in most_common(tool.server for tool in tools)[:2]))
    nouns = most_common(noun for tool in tools if (noun := phrases[tool.tool_id][1]))
    things = list(dict.fromkeys([*most_common(filter(None, map(_thing, edges))), *nouns])) or ["tools"]
    base = f"{where}: {', '.join(things[:THINGS])}"
    yield base
    telling = [*things[THINGS:], *most_common(" ".join(phrases[tool.tool_id]).strip() for tool in tools)]
    for thing in telling:
        yield f"{base}, {thing}"
    for one, other in combinations(telling, 2):
        yield f"{base}, {one}, {other}"
    number = 2
    while True:
        yield f"{base} ({number})"
        number += 1


def _thing(edge: ToolEdge) -> str:
    key = edge.evidence.split(" ")[0].removeprefix("entity_key:") or edge.consumer_param
    return _plain(key.removesuffix("_id"))


# ── purposes ─────────────────────────────────────────────────────────────────────────────────────────────────


def _step(verb: str, noun: str) -> str:
    if verb == "use" or not noun:
        return f"{verb} {noun}".strip()
    if verb in _MANY:
        return f"{verb} {_plural(noun)}"
    return f"{verb} {_one(noun)}"


def _one(noun: str) -> str:
    if noun.endswith(_UNCOUNTED):
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _plural(noun: str) -> str:
    if noun.endswith(_UNCOUNTED):
        return noun
    if noun.endswith("y") and noun[-2:-1] not in "aeiou":
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("x", "ch", "sh")) else f"{noun}s"


def _plain(identifier: str) -> str:
    """At most six words of an identifier, in its own letters; itself where it has no letters."""
    words = identifier.replace("_", " ").replace("-", " ").split()
    return " ".join(words[:WORDS]) or "tools"


def _join(parts: Sequence[str]) -> str:
    *before, last = parts
    return f"{', '.join(before)} and {last}" if before else last


def _sentence_case(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}"
