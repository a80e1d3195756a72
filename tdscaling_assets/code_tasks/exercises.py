"""Small functions to be written with tests, or to be mended: each is, as text, the reference solution."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import JsonValue

from tdscaling_assets.code_tasks.kinds import source_of
from tdscaling_assets.schema import Record

_NUMBERS: tuple[JsonValue, ...] = ([3, 1, 2], [5, 5, 4], [0, 7, -2, 7], [10], [2, 4, 6, 8], [9, -1])
_TEXTS: tuple[JsonValue, ...] = (
    "aab",
    "Ada Lovelace",
    "north-west",
    "x",
    "book keeper",
    "Zoe",
    "hello world",
    "MISSISSIPPI",
)


def running_totals(values: list[int]) -> list[int]:
    """Of each place, the sum of all values up to it."""
    totals: list[int] = []
    for value in values:
        totals.append(value + (totals[-1] if totals else 0))
    return totals


def ranks(values: list[int]) -> list[int]:
    """Of each value, 1 plus the number of larger ones."""
    return [1 + sum(other > value for other in values) for value in values]


def differences(values: list[int]) -> list[int]:
    """Each value minus the one before it, beginning with the second."""
    return [values[place] - values[place - 1] for place in range(1, len(values))]


def run_lengths(text: str) -> str:
    """Each run of equal characters as its length and the character: aab becomes 2a1b."""
    packed, count = "", 0
    for place, letter in enumerate(text):
        count += 1
        if text[place + 1 : place + 2] != letter:
            packed += f"{count}{letter}"
            count = 0
    return packed


def initials(text: str) -> str:
    """The first character of each word in upper case; words are parted by spaces or hyphens."""
    return "".join(word[0].upper() for word in text.replace("-", " ").split())


def checksum(text: str) -> str:
    """The sum of each character's code times its place, counted from 1, modulo 97, as two digits."""
    return f"{sum(place * ord(letter) for place, letter in enumerate(text, 1)) % 97:02d}"


def shift_letters(text: str) -> str:
    """Each letter a-z or A-Z three places on in the alphabet, z followed by a; all else unchanged."""
    shifted = ""
    for letter in text:
        first = "a" if "a" <= letter <= "z" else "A" if "A" <= letter <= "Z" else ""
        shifted += chr((ord(letter) - ord(first) + 3) % 26 + ord(first)) if first else letter
    return shifted


def abbreviate(text: str) -> str:
    """The first character, the number of characters left out, and the last; a text of at most three is unchanged."""
    return text if len(text) <= 3 else f"{text[0]}{len(text) - 2}{text[-1]}"


class Exercise(Record):
    """A function; the snippet `right` of its text that is `wrong` where it is broken; an argument that shows it."""

    function: Callable[[Any], JsonValue]
    right: str
    wrong: str
    telling: JsonValue

    @property
    def name(self) -> str:
        """The function's name, and its module's."""
        return self.function.__name__

    @property
    def takes_numbers(self) -> bool:
        """Whether it takes a list of integers; else it takes one text."""
        return isinstance(self.telling, list)

    def broken(self) -> str:
        """The module with the wrong snippet."""
        return source_of(self.function).replace(self.right, self.wrong, 1)

    def tests(self, arguments: Sequence[JsonValue]) -> str:
        """A test for each argument."""
        parts = [
            f"def test_{number}() -> None:\n    assert {self.name}({argument!r}) == {self.function(argument)!r}\n"
            for number, argument in enumerate(arguments, 1)
        ]
        return f"from {self.name} import {self.name}\n\n\n" + "\n\n".join(parts)

    def sample(self, rng: random.Random, count: int) -> list[JsonValue]:
        """Arguments of a test, among them the telling one."""
        known: tuple[JsonValue, ...] = _NUMBERS if self.takes_numbers else _TEXTS
        others = rng.sample([one for one in known if one != self.telling], count - 1)
        return rng.sample([self.telling, *others], count)


EXERCISES = (
    Exercise(function=running_totals, right="totals[-1] if", wrong="totals[0] if", telling=[3, 1, 2]),
    Exercise(function=ranks, right="other > value", wrong="other >= value", telling=[5, 5, 4]),
    Exercise(
        function=differences,
        right="values[place] - values[place - 1]",
        wrong="values[place - 1] - values[place]",
        telling=[3, 1, 2],
    ),
    Exercise(function=run_lengths, right="count = 0\n    return", wrong="count = 1\n    return", telling="aab"),
    Exercise(function=initials, right='text.replace("-", " ")', wrong="text", telling="north-west"),
    Exercise(function=checksum, right="enumerate(text, 1)", wrong="enumerate(text)", telling="x"),
    Exercise(function=shift_letters, right="% 26", wrong="% 27", telling="Zoe"),
    Exercise(function=abbreviate, right="<= 3", wrong="< 3", telling="Zoe"),
)
