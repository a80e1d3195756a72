"""Tools in, the same tools out with `canonical_id`: which tool each of them copies, exactly or nearly.

An exact copy says and takes the same as another (equal content_hash). A near copy is another server's tool whose name
has the same words, or one more or fewer, and which says and takes nearly the same. Two products are not copies: where
each description names a word of its own server's name that the other lacks. A description that five or more names
share (`Description not available`) says nothing. Candidates come from blocks (names,
names less one word, descriptions), each sorted and compared within a window, never all pairs. The canonical tool is
the one that runs, else that has an output schema, else that has more parameters, else whose id comes first; copies link
to canonical tools only, never in chains. The tools of our own sandbox are compared with none. Words, weights and
thresholds are our own definitions: docs/sources.md says what was measured.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz

from tdscaling_assets.schema import Tool
from tdscaling_assets.text import identifier_words, normalise, singular

NEAR = 0.8
"""Similarity from which another server's tool is a near copy."""

_SHARED = 5  # names under one description from which it says nothing

_WINDOW = 32  # neighbours in a sorted block that a tool is compared with
_SHORT = 20  # characters of a description below which it says too little to make two tools neighbours


class Profile(NamedTuple):
    """What is compared of a tool: words of its name, its normalised description, names of its parameters."""

    tool: Tool
    words: frozenset[str]
    says: str
    takes: frozenset[str]


def link_copies(tools: Sequence[Tool]) -> list[Tool]:
    """The tools, in order, each linked to its canonical tool; absent tools keep the link they had."""
    present = sorted((tool for tool in tools if tool.present and tool.executor != "sandbox"), key=_rank)
    canonical: dict[str, str] = {}
    first: dict[str, str] = {}
    for tool in present:
        known = first.setdefault(tool.content_hash, tool.tool_id)
        if known != tool.tool_id:
            canonical[tool.tool_id] = known
    originals = [tool for tool in present if tool.tool_id not in canonical]
    near = _near_copies(originals)
    canonical = {copy: near.get(original, original) for copy, original in canonical.items()} | near
    return [_linked(tool, canonical.get(tool.tool_id)) if tool.present else tool for tool in tools]


def similarity(one: Profile, other: Profile) -> float:
    """0 to 1: 0.6 for the descriptions (Indel similarity of the normalised texts), 0.4 for parameters (Jaccard).

    Where neither has parameters, the descriptions alone; tools of which only one has a description have none.
    """
    if bool(one.says) != bool(other.says):
        return 0.0
    takes = one.takes | other.takes
    says = fuzz.ratio(one.says, other.says) / 100 if one.says else 0.0
    if not takes:
        return says
    shared = len(one.takes & other.takes) / len(takes)
    return 0.6 * says + 0.4 * shared if one.says else shared


def profile(tool: Tool) -> Profile:
    """The tool as it is compared."""
    properties = tool.input_schema.get("properties")
    names = properties if isinstance(properties, dict) else {}
    return Profile(
        tool,
        frozenset(singular(word) for word in identifier_words(tool.name)),
        normalise(tool.description),
        frozenset(normalise(name) for name in names),
    )


def near_pairs(tools: Sequence[Tool], threshold: float = NEAR) -> Iterator[tuple[Profile, Profile, float]]:
    """Pairs of near copies with their similarity, the one that comes first in `tools` first; each pair once."""
    profiles = _without_boilerplate([profile(tool) for tool in tools])
    blocks: dict[str, list[int]] = defaultdict(list)
    for position, one in enumerate(profiles):
        for key in _block_keys(one):
            blocks[key].append(position)
    seen: set[tuple[int, int]] = set()
    for members in blocks.values():
        members.sort(key=lambda position: (profiles[position].says, position))
        for start, left in enumerate(members):
            for right in members[start + 1 : start + 1 + _WINDOW]:
                pair = (min(left, right), max(left, right))
                if pair in seen:
                    continue
                seen.add(pair)
                one, other = profiles[pair[0]], profiles[pair[1]]
                if _may_copy(one, other) and (score := similarity(one, other)) >= threshold:
                    yield one, other, score


def _near_copies(originals: Sequence[Tool]) -> dict[str, str]:
    """Copy → canonical: in order, each tool is linked to the likest earlier one that is no copy itself."""
    earlier: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for one, other, score in near_pairs(originals):
        earlier[other.tool.tool_id].append((-score, one.tool.tool_id))
    copies: dict[str, str] = {}
    for tool in originals:
        found = [entry for entry in earlier.get(tool.tool_id, ()) if entry[1] not in copies]
        if found:
            copies[tool.tool_id] = min(found)[1]
    return copies


def _without_boilerplate(profiles: Sequence[Profile]) -> list[Profile]:
    names: dict[str, set[frozenset[str]]] = defaultdict(set)
    for one in profiles:
        names[one.says].add(one.words)
    return [one._replace(says="") if len(names[one.says]) >= _SHARED else one for one in profiles]


def _block_keys(one: Profile) -> Iterator[str]:
    words = sorted(one.words)
    yield f"name {' '.join(words)}"
    if len(words) > 2:
        yield from (f"name {' '.join(words[:left] + words[left + 1 :])}" for left in range(len(words)))
    if len(one.says) >= _SHORT:
        yield f"says {one.says}"


def _may_copy(one: Profile, other: Profile) -> bool:
    """Another server's tool, whose name's words are the same but for one; that one is extra, not exchanged."""
    if (one.tool.source, one.tool.server) == (other.tool.source, other.tool.server):
        return False
    if one.says == other.says and len(one.says) >= _SHORT:
        return bool(one.words & other.words)
    alike = one.words <= other.words or other.words <= one.words
    return alike and not (_own_words(one, other) and _own_words(other, one))


def _own_words(one: Profile, other: Profile) -> set[str]:
    """Words of its server's name that its description has and the other's has not."""
    return set(normalise(one.tool.server).split()) & set(one.says.split()) - set(other.says.split())


def _rank(tool: Tool) -> tuple[bool, bool, int, str]:
    properties = tool.input_schema.get("properties")
    count = len(properties) if isinstance(properties, dict) else 0
    return tool.executor == "simulated", tool.output_schema is None, -count, tool.tool_id


def _linked(tool: Tool, canonical_id: str | None) -> Tool:
    return tool if tool.canonical_id == canonical_id else tool.model_copy(update={"canonical_id": canonical_id})
