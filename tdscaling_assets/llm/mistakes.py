"""Mistakes that models make in a call: a reply as it should be in, the spoilt one out."""

import json
import random

from pydantic import JsonValue

from tdscaling_assets.llm import phrases
from tdscaling_assets.schema import JsonObject

Draft = tuple[str | None, list[JsonObject]]
"""Text and calls (`{"tool", "arguments"}`) of a reply in the making."""


def ungrounded(text: str | None, calls: list[JsonObject], rng: random.Random) -> Draft:
    """One text argument of the first call becomes something that nobody said."""
    arguments = dict(as_object(calls[0]["arguments"]))
    names = [name for name, value in arguments.items() if isinstance(value, str)]
    if not names:
        return incomplete(text, calls, rng)
    name = rng.choice(names)
    arguments[name] = f"{arguments[name]}-{rng.randint(100, 999)}"
    return text, [{**calls[0], "arguments": arguments}, *calls[1:]]


def incomplete(text: str | None, calls: list[JsonObject], rng: random.Random) -> Draft:
    """The first call lacks an argument."""
    arguments = dict(as_object(calls[0]["arguments"]))
    if arguments:
        arguments.pop(rng.choice(sorted(arguments)))
    return text, [{**calls[0], "arguments": arguments}, *calls[1:]]


def malformed(text: str | None, calls: list[JsonObject], rng: random.Random) -> Draft:
    """The first call's arguments break off."""
    whole = json.dumps(calls[0]["arguments"], ensure_ascii=False)
    return text, [{**calls[0], "arguments": whole[: max(1, len(whole) - rng.randint(1, 3))]}, *calls[1:]]


def leaking(text: str | None, calls: list[JsonObject], rng: random.Random) -> Draft:
    """The private guidance is talked of."""
    return phrases.LEAK + (text or "I call it."), calls


def made_up(text: str | None, calls: list[JsonObject], rng: random.Random) -> Draft:
    """A program that computes nothing."""
    code = f"result = {guess(rng)!r}\nprint(result)\n"
    return text, [{**calls[0], "arguments": {"code": code}}, *calls[1:]]


def guess(rng: random.Random) -> str:
    """A number that nothing computed."""
    return f"{rng.randint(1000, 99_999) / 100:.2f}"


def as_object(value: JsonValue) -> JsonObject:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


OF_CALLS = (ungrounded, incomplete, malformed, leaking)
OF_CODE = (*OF_CALLS, made_up)
