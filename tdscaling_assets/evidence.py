"""An output and an input of one key in, what speaks for or against a flow out: factors, and the text that keeps them.

A weight is the key's inverse document frequency times all factors, and both are in the text, so that it can be
checked: `entity_key:order_id idf=5.1234 same_server noun×0.8 lifecycle:list>get×1.5`. Every factor is our own
definition.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from tdscaling_assets.entities import Act, entity_of, is_natural, is_reference
from tdscaling_assets.flows import Input, Output
from tdscaling_assets.vocabulary import CHANGE, END, FIND, GET

_TELLING = re.compile(r"\^?[A-Za-z]{2,}")  # a pattern that starts with letters of its own names one kind of thing
_NUMBER = re.compile(r"\d+\.\d+")

Factor = tuple[str, float]  # what was found, and what the weight is multiplied by


class Catalog(NamedTuple):
    """What all tools together say about a flow: acts by tool, rarity (inverse document frequency) by key, and
    (tool, key) of what a tool must be given."""

    acts: Mapping[str, Act]
    rarity: Mapping[str, float]
    given: frozenset[tuple[str, str]]


class Offer(NamedTuple):
    """An output with all that can be said before a consumer is known. `weight` is that of a flow to anybody."""

    give: Output
    act: Act
    passed_on: bool
    factors: tuple[Factor, ...]
    weight: float


def make_offer(give: Output, catalog: Catalog) -> Offer:
    """What the output is worth to any parameter of its key."""
    act = catalog.acts[give.tool.tool_id]
    passed_on = (give.tool.tool_id, give.key) in catalog.given
    factors: list[Factor] = [] if give.basis == "schema" else [(f"by_{give.basis}", give.sureness)]
    if not is_reference(give.key):
        factors.append(("property", 0.5))
    if act.stage == END:
        factors.append(("ended", 0.4))
    elif not _is_about(give.key, act):
        factors.append(("mentioned", 0.6))
    if passed_on:  # it gives back what it was given
        factors.append(("passed_on", 0.5))
    return Offer(give, act, passed_on, tuple(factors), catalog.rarity[give.key] * _product(factors))


def can_flow(offer: Offer, need: Input, taker: Act) -> bool:
    """Whether type and format fit, and nothing known makes the flow absurd."""
    give = offer.give
    if give.pattern and need.pattern and give.pattern != need.pattern:
        return False  # an invoice number is no order number, whatever both are called
    if (give.tool.server, give.tool.name) == (need.tool.server, need.tool.name):
        return False  # one tool, listed twice
    if give.kind:
        wanted = need.kind
        return wanted in ("any", "array", give.kind) or (give.kind, wanted) == ("integer", "number")
    if offer.passed_on and not (offer.act.stage == GET and taker.stage in (CHANGE, END) and _is_about(give.key, taker)):
        return False  # who looks a thing up may go on to change it; else nobody asks a tool for what he told it
    return give.basis != "short_noun" or not _differ(entity_of(give.key), offer.act, taker)


def can_cross(offer: Offer) -> bool:
    """Whether other servers may want the output: it means the same everywhere, a schema says that it is there, and
    its tool looks things up."""
    reads = offer.act.stage in (FIND, GET) and not offer.passed_on
    return reads and bool(offer.give.kind) and is_natural(offer.give.key)


def weigh(offer: Offer, need: Input, taker: Act) -> float:
    """The weight of the flow."""
    weight = offer.weight
    for _, factor in _meeting(offer, need, taker):
        weight *= factor
    return weight


def describe(offer: Offer, need: Input, taker: Act, rarity: float) -> str:
    """The evidence, from which `weight_of` gives the weight again."""
    words = [f"entity_key:{offer.give.key}", f"idf={rarity}"]
    if offer.give.tool.server == need.tool.server:
        words.append("same_server")
    for name, factor in (*offer.factors, *_meeting(offer, need, taker)):
        words.append(f"{name}×{factor}")
    return " ".join(words)


def weight_of(evidence: str) -> float:
    """The weight that an evidence text adds up to. Raises ValueError for a text that names no `idf=`."""
    rarity, *factors = evidence.partition(" idf=")[2].split(" ")
    if not rarity:
        raise ValueError(f"no idf= in {evidence!r}: not the evidence of an edge")
    weight = float(rarity)
    for factor in factors:
        _, mark, value = factor.rpartition("×")
        weight *= float(value) if mark and _NUMBER.fullmatch(value) else 1.0
    return round(weight, 4)


def is_telling(pattern: str) -> bool:
    """Whether a format names one kind of thing on every server, as `^ORD-[0-9]+$` does."""
    return bool(_TELLING.match(pattern))


def _meeting(offer: Offer, need: Input, taker: Act) -> list[Factor]:
    """What only shows when an output meets a parameter."""
    factors: list[Factor] = []
    give, giver = offer.give, offer.act
    if give.tool.server != need.tool.server:
        alike = give.pattern == need.pattern and is_telling(give.pattern)
        factors.append((f"same_format:{give.pattern}" if alike else "other_server", 0.6))
    if giver.stage is not None and taker.stage is not None and giver.stage < taker.stage and _is_about(give.key, giver):
        factors.append((f"lifecycle:{giver.verb}>{taker.verb}", 1.5))
    if not need.required:
        factors.append(("optional", 0.5))
    return factors


def _is_about(key: str, act: Act) -> bool:
    """Whether the key names the thing the tool is about; `email`, which names no owner, is about anything."""
    entity = entity_of(key)
    return entity == key or entity in act.nouns


def _differ(entity: str, giver: Act, taker: Act) -> bool:
    """Whether both tools are about an entity of another kind each: a postgres instance and a mysql instance."""
    if entity not in taker.nouns or taker.nouns[0] == entity or not giver.nouns:
        return False
    return giver.nouns[0] not in taker.nouns and taker.nouns[0] not in giver.nouns


def _product(factors: list[Factor]) -> float:
    product = 1.0
    for _, factor in factors:
        product *= factor
    return product
