"""What a code step may compute from a list of objects: the instruction, the known result, and a reference program.

The result is always one short printed line, so that a program written by any model can be checked against it.
Six kinds: total, average, median, largest, tally, spread.
"""

import random
import statistics
from collections import Counter
from collections.abc import Callable, Sequence

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, Record

Rows = Sequence[JsonObject]


class Kind(Record):
    """One kind of task: `field` is numeric, except for a tally, whose field is a category."""

    name: str
    instruction: str
    program: str
    categorical: bool = False


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            name="total",
            instruction="Compute the sum of `{field}` over the rows, rounded to two decimals, and print it.",
            program="print(f\"{sum(row['{field}'] for row in rows):.2f}\")",
        ),
        Kind(
            name="average",
            instruction="Compute the mean of `{field}` over the rows, rounded to two decimals, and print it.",
            program="import statistics\n\nprint(f\"{statistics.fmean(row['{field}'] for row in rows):.2f}\")",
        ),
        Kind(
            name="median",
            instruction="Compute the median of `{field}` over the rows, rounded to two decimals, and print it.",
            program="import statistics\n\nprint(f\"{statistics.median(row['{field}'] for row in rows):.2f}\")",
        ),
        Kind(
            name="largest",
            instruction="Find the largest `{field}` of the rows, rounded to two decimals, and print it.",
            program="best = max(rows, key=lambda row: row['{field}'])\nprint(f\"{best['{field}']:.2f}\")",
        ),
        Kind(
            name="spread",
            instruction="Compute the largest minus the smallest `{field}`, rounded to two decimals, and print it.",
            program="values = sorted(row['{field}'] for row in rows)\nprint(f\"{values[-1] - values[0]:.2f}\")",
        ),
        Kind(
            name="tally",
            instruction="Count the rows per `{field}`; print `value=count` pairs sorted by value, joined by `, `.",
            program=(
                "from collections import Counter\n\n"
                "counts = Counter(str(row['{field}']) for row in rows)\n"
                "print(', '.join(f'{key}={counts[key]}' for key in sorted(counts)))"
            ),
            categorical=True,
        ),
    )
}

_NUMERIC: dict[str, Callable[[list[float]], float]] = {
    "total": sum,
    "average": statistics.fmean,
    "median": statistics.median,
    "largest": max,
    "spread": lambda values: max(values) - min(values),
}


def instruction(kind: str, field: str) -> str:
    """The task in words."""
    return KINDS[kind].instruction.replace("{field}", field)


def program(kind: str, field: str, rows: Rows) -> str:
    """A reference program with the rows as literals; it keeps only the field it needs."""
    data = [{field: row[field]} for row in rows]
    return f"rows = {data!r}\n{KINDS[kind].program.replace('{field}', field)}\n"


def solve(kind: str, field: str, rows: Rows) -> str:
    """The line that a right program prints."""
    if KINDS[kind].categorical:
        counts = Counter(str(row[field]) for row in rows)
        return ", ".join(f"{key}={counts[key]}" for key in sorted(counts))
    return f"{_NUMERIC[kind]([float(str(row[field])) for row in rows]):.2f}"


def choose(rows: Rows, rng: random.Random) -> tuple[str, str] | None:
    """A fitting (kind, field) for the rows, or None when nothing in them is worth computing."""
    fields = _shared_fields(rows)
    numeric = [name for name in fields if all(_is_number(row[name]) for row in rows)]
    categories = [
        name
        for name in fields
        if all(isinstance(row[name], str) for row in rows) and len({row[name] for row in rows}) < len(rows)
    ]
    options = [(kind.name, name) for kind in KINDS.values() for name in (categories if kind.categorical else numeric)]
    return rng.choice(options) if options else None


def tables(value: JsonValue, path: str = "") -> list[tuple[str, list[JsonObject]]]:
    """Every list of at least two objects inside a JSON value, with its dotted path (empty for the value itself)."""
    if isinstance(value, dict):
        return [found for key, item in value.items() for found in tables(item, f"{path}.{key}" if path else key)]
    if isinstance(value, list) and len(value) >= 2:
        rows = [row for row in value if isinstance(row, dict)]
        return [(path, rows)] if len(rows) == len(value) else []
    return []


def _shared_fields(rows: Rows) -> list[str]:
    return [name for name in rows[0] if not name.endswith("id") and all(name in row for row in rows)]


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
