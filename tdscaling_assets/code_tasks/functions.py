"""write_function and repair_test: a small function with its tests, written anew or mended where a test fails.

Each function below is, as text, the reference solution; a repair starts from the text with one snippet wrong.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import JsonValue

from tdscaling_assets.code_tasks import fields
from tdscaling_assets.code_tasks.kinds import (
    READ_FILE,
    RUN_TESTS,
    Call,
    Kind,
    Material,
    python_call,
    source_of,
    write_call,
)
from tdscaling_assets.schema import JsonObject, Record

MODULE, TESTS, SAMPLE = "module_text", "test_text", "sample_values"
"""Names of the facts that a user gives."""
_MOST_VALUES = 6
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


def _written(exercise: Exercise) -> Kind:
    name, numeric = exercise.name, exercise.takes_numbers
    form = f"{name}(values: list[int]) -> list[int]" if numeric else f"{name}(text: str) -> str"
    use = "the list of values" if numeric else f"each of the values, the first {_MOST_VALUES} if there are more"
    what = (exercise.function.__doc__ or "").rstrip(".")
    rng = random.Random(name)
    tests = exercise.tests(exercise.sample(rng, 3))

    def program(material: Material) -> str:
        printed = f"*{name}(values)" if numeric else f"*({name}(text) for text in values)"
        values = f"values = {_arguments(material, numeric)!r}"
        return f'from {name} import {name}\n\n{values}\nprint({printed}, sep=", ")\n'

    def solve(material: Material) -> str:
        values = _arguments(material, numeric)
        results = exercise.function(values) if numeric else [exercise.function(value) for value in values]
        return ", ".join(map(str, results if isinstance(results, list) else ()))

    def draw(rng: random.Random, operations: Sequence[str]) -> JsonObject:
        texts = [operation.replace("_", " ") for operation in operations] or ["first", "second"]
        return {SAMPLE: [rng.randint(-20, 99) for _ in range(5)] if numeric else [*texts[:3]]}

    return Kind(
        name=f"write_{name}",
        family="write_function",
        phrase=f"have a function {name} written and tested ({what[0].lower()}{what[1:]}), and apply it to "
        "the {field} of the {noun}",
        calls=(
            write_call(
                f"{name}.py",
                lambda material: source_of(exercise.function),
                f"Write `{name}.py` with the function `{form}`. {what}.",
            ),
            write_call(
                f"test_{name}.py", lambda material: tests, f"Write tests of it to `test_{name}.py`.", beside=True
            ),
            Call(tool_id=RUN_TESTS, instruction="Run the tests.", arguments=lambda material: {}),
            python_call(
                program,
                f"Import `{name}` from `{name}.py` and apply it to {use}. Print the results, and nothing else, "
                "joined by `, `.",
            ),
        ),
        solve=solve,
        fields=fields.whole_numbers if numeric else fields.texts,
        draw=draw,
    )


def _repaired(exercise: Exercise) -> Kind:
    name = exercise.name
    module, tests = f"{name}.py", f"test_{name}.py"

    def draw(rng: random.Random, operations: Sequence[str]) -> JsonObject:
        return {MODULE: exercise.broken(), TESTS: exercise.tests(exercise.sample(rng, rng.randint(3, 5)))}

    return Kind(
        name=f"repair_{name}",
        family="repair_test",
        phrase=f"have the function {name} repaired, whose tests do not all pass",
        calls=(
            write_call(
                module,
                lambda material: str(material.facts[MODULE]),
                f"Write the user's module to `{module}`, unchanged.",
            ),
            write_call(
                tests,
                lambda material: str(material.facts[TESTS]),
                f"Write the user's tests to `{tests}`, unchanged.",
                beside=True,
            ),
            Call(
                tool_id=RUN_TESTS,
                instruction="Run the tests, to see what fails.",
                arguments=lambda material: {},
                fails=True,
            ),
            Call(
                tool_id=READ_FILE,
                instruction=f"Read `{module}`, to find the fault.",
                arguments=lambda material: {"path": module},
            ),
            write_call(
                module,
                lambda material: source_of(exercise.function),
                f"Write `{module}` with the fault mended; leave the tests alone.",
                new=False,
            ),
            Call(tool_id=RUN_TESTS, instruction="Run all the tests again.", arguments=lambda material: {}),
        ),
        solve=lambda material: f"{str(material.facts[TESTS]).count('def test_')} passed",
        draw=draw,
    )


def _arguments(material: Material, numeric: bool) -> list[JsonValue]:
    given = material.facts.get(SAMPLE)
    values = material.values if material.rows else given if isinstance(given, list) else []
    return values if numeric else values[:_MOST_VALUES]


WRITTEN = tuple(map(_written, EXERCISES))
REPAIRED = tuple(map(_repaired, EXERCISES))
