"""What a code step may compute from a list of objects: the instruction, the known result, and a reference program.

The result is always one short printed line, so that a program written by any model can be checked against it.
Six kinds: total, average, median, largest, tally, spread.
"""

import math
import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, Record
from tdscaling_assets.text import identifier_words

Rows = Sequence[JsonObject]


class Kind(Record):
    """One kind of task: `field` is numeric, except for a tally, whose field is a category. `program` reads `values`."""

    name: str
    phrase: str
    instruction: str
    program: str
    categorical: bool = False


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="total",
            phrase="the total {field}",
            instruction="Compute the sum of `{field}` over the rows and print it with exactly two decimals.",
            program='import math\n\nprint(f"{math.fsum(values):.2f}")',
        ),
        Kind(
            name="average",
            phrase="the average {field}",
            instruction="Compute the mean of `{field}` over the rows and print it with exactly two decimals.",
            program='import statistics\n\nprint(f"{statistics.fmean(values):.2f}")',
        ),
        Kind(
            name="median",
            phrase="the median {field}",
            instruction="Compute the median of `{field}` over the rows and print it with exactly two decimals.",
            program='import statistics\n\nprint(f"{statistics.median(values):.2f}")',
        ),
        Kind(
            name="largest",
            phrase="the largest {field}",
            instruction="Find the largest `{field}` of the rows and print it with exactly two decimals.",
            program='print(f"{max(values):.2f}")',
        ),
        Kind(
            name="spread",
            phrase="the spread of {field}",
            instruction="Compute the largest minus the smallest `{field}` and print it with exactly two decimals.",
            program='print(f"{max(values) - min(values):.2f}")',
        ),
        Kind(
            name="tally",
            phrase="the count per {field}",
            instruction="Count the rows per `{field}`; print `value=count` pairs sorted by value, joined by `, `.",
            program=(
                "from collections import Counter\n\n"
                "counts = Counter(map(str, values))\n"
                "print(', '.join(f'{value}={counts[value]}' for value in sorted(counts)))"
            ),
            categorical=True,
        ),
    )
}

_NUMERIC: dict[str, Callable[[list[float]], float]] = {
    "total": math.fsum,
    "average": statistics.fmean,
    "median": statistics.median,
    "largest": max,
    "spread": lambda values: max(values) - min(values),
}
_LONGEST = 40  # characters of a category that can stand in one printed line


def phrase(kind: str, field: str) -> str:
    """The task as a user asks for it: `the total unit price`."""
    return KINDS[kind].phrase.replace("{field}", field.replace("_", " "))


def instruction(kind: str, field: str) -> str:
    """The task in words."""
    return KINDS[kind].instruction.replace("{field}", field)


def program(kind: str, field: str, rows: Rows) -> str:
    """A reference program with the rows as literals; it keeps only the field it needs."""
    data = [{field: row[field]} for row in rows]
    return f"rows = {data!r}\nvalues = [row[{field!r}] for row in rows]\n{KINDS[kind].program}\n"


def solve(kind: str, field: str, rows: Rows) -> str:
    """The line that a right program prints."""
    values = [row[field] for row in rows]
    if KINDS[kind].categorical:
        counts = Counter(map(str, values))
        return ", ".join(f"{value}={counts[value]}" for value in sorted(counts))
    return f"{_NUMERIC[kind]([value for value in values if isinstance(value, int | float)]):.2f}"


def choose(rows: Rows, rng: random.Random) -> tuple[str, str] | None:
    """A fitting (kind, field) for the rows, or None when nothing in them is worth computing."""
    fields = _shared_fields(rows)
    numeric = [name for name in fields if all(_is_number(row[name]) for row in rows)]
    categories = [
        name
        for name in fields
        if all(_is_category(row[name]) for row in rows) and len({str(row[name]) for row in rows}) < len(rows)
    ]
    options = [(kind.name, name) for kind in KINDS.values() for name in (categories if kind.categorical else numeric)]
    return rng.choice(options) if options else None


def tables(value: JsonValue, path: str = "") -> list[tuple[str, list[JsonObject]]]:
    """Every list of at least two objects inside the objects of a JSON value, with its dotted path (empty for the value
    itself)."""
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            if key and "." not in key
            for found in tables(item, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list) and len(value) >= 2:
        rows = [row for row in value if isinstance(row, dict)]
        return [(path, rows)] if len(rows) == len(value) else []
    return []


def _shared_fields(rows: Rows) -> list[str]:
    return [name for name in rows[0] if identifier_words(name)[-1:] != ["id"] and all(name in row for row in rows)]


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_category(value: JsonValue) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST and value.isprintable()
