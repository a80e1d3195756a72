"""write_function and repair_test: a small function with its tests, written anew or mended where a test fails."""

import random
from collections.abc import Sequence

from pydantic import JsonValue

from tdscaling_assets.code_tasks import fields
from tdscaling_assets.code_tasks.exercises import EXERCISES, Exercise
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
from tdscaling_assets.schema import JsonObject

MODULE, TESTS, SAMPLE = "module_text", "test_text", "sample_values"
"""Names of the facts that a user gives."""
_MOST_VALUES = 6


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
