"""Kinds of code step that run one program over one field of rows: aggregate, clean, validate and simulate.

Each function is both what the planner knows and, as text, the reference program: values in, the printed line out.
"""

import math
import re
import statistics
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

from tdscaling_assets.code_tasks import fields
from tdscaling_assets.code_tasks.kinds import Kind, Material, Rows, python_call, source_of


def total(values: list[float]) -> str:
    return f"{math.fsum(values):.2f}"


def average(values: list[float]) -> str:
    return f"{statistics.fmean(values):.2f}"


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}"


def largest(values: list[float]) -> str:
    return f"{max(values):.2f}"


def spread(values: list[float]) -> str:
    return f"{max(values) - min(values):.2f}"


def tally(values: list[str]) -> str:
    counts = Counter(values)
    return ", ".join(f"{value}={counts[value]}" for value in sorted(counts))


def slugs(values: list[str]) -> str:
    found = {re.sub("[^a-z0-9]+", "-", value.lower()).strip("-") for value in values}
    return f"{len(found)} different, the first is {min(found)}"


def weekdays(values: list[str]) -> str:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    counts = Counter(date.fromisoformat(value[:10]).weekday() for value in values)
    return ", ".join(f"{names[day]}={counts[day]}" for day in sorted(counts))


def months(values: list[str]) -> str:
    counts = Counter(value[:7] for value in values)
    return ", ".join(f"{month}={counts[month]}" for month in sorted(counts))


def days_apart(values: list[str]) -> str:
    days = [date.fromisoformat(value[:10]) for value in values]
    return f"{(max(days) - min(days)).days} days"


def thousands(values: list[float]) -> str:
    return ", ".join(f"{value / 1000:.3f}k" for value in sorted(values)[-3:])


def repeated(values: list[str]) -> str:
    counts = Counter(values)
    again = sorted(value for value in counts if counts[value] > 1)
    return ", ".join([f"{len(again)} repeated", *again])


def well_formed(values: list[str]) -> str:
    valid = sum(re.fullmatch("[A-Z]{2,5}-[0-9]+", value) is not None for value in values)
    return f"valid={valid}, invalid={len(values) - valid}"


def outliers(values: list[float]) -> str:
    middle = statistics.median(values)
    return f"{sum(value > 2 * middle for value in values)} of {len(values)} above {2 * middle:.2f}"


def ordered(values: list[float]) -> str:
    places = [place for place in range(1, len(values)) if values[place] < values[place - 1]]
    return f"out of order at row {places[0] + 1}" if places else f"all {len(values)} in order"


def growth(values: list[float]) -> str:
    for _ in range(5):
        values = [round(value * 1.03, 2) for value in values]
    return f"{math.fsum(values):.2f}"


def queue(values: list[float]) -> str:
    free = longest = 0.0
    for place, minutes in enumerate(values):
        start = max(free, 5.0 * place)
        longest = max(longest, start - 5.0 * place)
        free = start + minutes
    return f"longest wait {longest:.2f}, last done at {free:.2f}"


def depletion(values: list[float]) -> str:
    stock, served = 10 * max(values), 0
    while stock >= values[served % len(values)]:
        stock -= values[served % len(values)]
        served += 1
    return f"{served} served, {stock:.2f} left"


def lottery(values: list[float]) -> str:
    state, drawn = 1, 0.0
    for _ in range(200):
        state = (1103515245 * state + 12345) % 2**31
        drawn += values[state % len(values)]
    return f"mean {drawn / 200:.2f}"


def _kind(
    function: Callable[[list[Any]], str],
    family: str,
    phrase: str,
    instruction: str,
    fitting: Callable[[Rows], list[str]],
    needs: str = "",
) -> Kind:
    def program(material: Material) -> str:
        body = f"{source_of(function)}\n\nvalues = {material.values!r}\nprint({function.__name__}(values))\n"
        return f"{needs}\n\n\n{body}" if needs else body

    return Kind(
        name=function.__name__,
        family=family,
        phrase=phrase,
        calls=(python_call(program, instruction),),
        solve=lambda material: function(material.values),
        fields=fitting,
    )


_TWO = "and print it with exactly two decimals."

KINDS = (
    _kind(
        total,
        "aggregate",
        "work out the total {field} over the {noun}",
        f"Compute the sum of `{{field}}` over the rows {_TWO}",
        fields.numbers,
        "import math",
    ),
    _kind(
        average,
        "aggregate",
        "work out the average {field} over the {noun}",
        f"Compute the mean of `{{field}}` over the rows {_TWO}",
        fields.numbers,
        "import statistics",
    ),
    _kind(
        median,
        "aggregate",
        "work out the median {field} over the {noun}",
        f"Compute the median of `{{field}}` over the rows {_TWO}",
        fields.numbers,
        "import statistics",
    ),
    _kind(
        largest,
        "aggregate",
        "work out the largest {field} over the {noun}",
        f"Find the largest `{{field}}` of the rows {_TWO}",
        fields.numbers,
    ),
    _kind(
        spread,
        "aggregate",
        "work out the spread of {field} over the {noun}",
        f"Compute the largest minus the smallest `{{field}}` {_TWO}",
        fields.numbers,
    ),
    _kind(
        tally,
        "aggregate",
        "work out the count per {field} over the {noun}",
        "Count the rows per `{field}`; print `value=count` pairs sorted by value, joined by `, `.",
        fields.categories,
        "from collections import Counter",
    ),
    _kind(
        slugs,
        "clean",
        "clean up the {field} of the {noun} into slugs and tell how many differ",
        "Turn each `{field}` into a slug: lower case, each run of characters other than a-z and 0-9 one hyphen, none "
        "at the ends. Print `N different, the first is S`, with S the first in sorted order.",
        fields.texts,
        "import re",
    ),
    _kind(
        weekdays,
        "clean",
        "convert the {field} of the {noun} to weekdays and count them",
        "Convert the date of each `{field}`, as written, to its weekday. Print `Mon=N` pairs, Monday first, without "
        "days that do not occur, joined by `, `.",
        fields.days,
        "from collections import Counter\nfrom datetime import date",
    ),
    _kind(
        months,
        "clean",
        "convert the {field} of the {noun} to months and count them",
        "Cut each `{field}` to its month `YYYY-MM`. Print `month=count` pairs sorted by month, joined by `, `.",
        fields.days,
        "from collections import Counter",
    ),
    _kind(
        days_apart,
        "clean",
        "convert the {field} of the {noun} to days and tell how far they lie apart",
        "Convert each `{field}` to a day, as written. Print the days between the first and the last as `N days`.",
        fields.days,
        "from datetime import date",
    ),
    _kind(
        thousands,
        "clean",
        "convert the {field} of the {noun} to thousands and list the three largest",
        "Divide each `{field}` by 1000. Print the three largest, or all if there are fewer, in ascending order with "
        "exactly three decimals and the suffix `k`, joined by `, `.",
        fields.numbers,
    ),
    _kind(
        repeated,
        "validate",
        "check the {noun} for a {field} that occurs more than once",
        "Find the values of `{field}` that more than one row has. Print `N repeated` and the values, sorted, "
        "joined by `, `.",
        fields.texts,
        "from collections import Counter",
    ),
    _kind(
        well_formed,
        "validate",
        "check the form of each {field} of the {noun}",
        "Check that each `{field}` is two to five letters A-Z, a hyphen, and digits 0-9 to its end. Print "
        "`valid=N, invalid=M`.",
        fields.identifiers,
        "import re",
    ),
    _kind(
        outliers,
        "validate",
        "check the {field} of the {noun} for outliers",
        "Count the rows whose `{field}` is more than twice the median. Print `N of M above T`, with M the rows and T "
        "twice the median with exactly two decimals.",
        fields.numbers,
        "import statistics",
    ),
    _kind(
        ordered,
        "validate",
        "check that the {field} of the {noun} never falls",
        "Find the first row, counted from 1, whose `{field}` is smaller than that of the row before. Print "
        "`out of order at row N`, or `all M in order` with M the rows.",
        fields.numbers,
    ),
    _kind(
        growth,
        "simulate",
        "simulate five periods of three per cent growth of the {field} of the {noun}",
        "Let each `{field}` grow by 3 % in each of 5 periods, rounded to two decimals after each. Print the sum at the "
        "end with exactly two decimals.",
        fields.positive_numbers,
        "import math",
    ),
    _kind(
        queue,
        "simulate",
        "simulate one clerk who needs as many minutes as the {field} of each of the {noun}",
        "One clerk serves the rows in order, each for its `{field}` in minutes; row k, from 0, arrives at minute 5k. "
        "Print `longest wait W, last done at T`, both with exactly two decimals.",
        fields.positive_numbers,
    ),
    _kind(
        depletion,
        "simulate",
        "simulate how long a stock of ten times the largest {field} serves the {noun}",
        "A stock starts at ten times the largest `{field}`. The rows take their `{field}` in turn, again and again, "
        "until one cannot be served. Print `N served, R left`, R with exactly two decimals.",
        fields.positive_numbers,
    ),
    _kind(
        lottery,
        "simulate",
        "simulate 200 random draws from the {field} of the {noun}",
        "Draw 200 rows by x = (1103515245 x + 12345) mod 2^31, starting from x = 1, each time row x mod n of the n "
        "rows, from 0. Print `mean M`, the mean of `{field}` of the rows drawn with exactly two decimals.",
        fields.numbers,
    ),
)
