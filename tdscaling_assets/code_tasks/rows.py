"""Kinds of code step that run one program over one field of rows: aggregate, clean, validate and simulate."""

from collections.abc import Callable
from typing import Any

from tdscaling_assets.code_tasks import fields, programs
from tdscaling_assets.code_tasks.kinds import Kind, Material, Rows, python_call, source_of


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
        programs.total,
        "aggregate",
        "work out the total {field} over the {noun}",
        f"Compute the sum of `{{field}}` over the rows {_TWO}",
        fields.numbers,
        "import math",
    ),
    _kind(
        programs.average,
        "aggregate",
        "work out the average {field} over the {noun}",
        f"Compute the mean of `{{field}}` over the rows {_TWO}",
        fields.numbers,
        "import statistics",
    ),
    _kind(
        programs.median,
        "aggregate",
        "work out the median {field} over the {noun}",
        f"Compute the median of `{{field}}` over the rows {_TWO}",
        fields.numbers,
        "import statistics",
    ),
    _kind(
        programs.largest,
        "aggregate",
        "work out the largest {field} over the {noun}",
        f"Find the largest `{{field}}` of the rows {_TWO}",
        fields.numbers,
    ),
    _kind(
        programs.spread,
        "aggregate",
        "work out the spread of {field} over the {noun}",
        f"Compute the largest minus the smallest `{{field}}` {_TWO}",
        fields.numbers,
    ),
    _kind(
        programs.tally,
        "aggregate",
        "work out the count per {field} over the {noun}",
        "Count the rows per `{field}`; print `value=count` pairs sorted by value, joined by `, `.",
        fields.categories,
        "from collections import Counter",
    ),
    _kind(
        programs.slugs,
        "clean",
        "clean up the {field} of the {noun} into slugs and tell how many differ",
        "Turn each `{field}` into a slug: lower case, each run of characters other than a-z and 0-9 one hyphen, none "
        "at the ends. Print `N different, the first is S`, with S the first in sorted order.",
        fields.texts,
        "import re",
    ),
    _kind(
        programs.weekdays,
        "clean",
        "convert the {field} of the {noun} to weekdays and count them",
        "Convert the date of each `{field}`, as written, to its weekday. Print `Mon=N` pairs, Monday first, without "
        "days that do not occur, joined by `, `.",
        fields.days,
        "from collections import Counter\nfrom datetime import date",
    ),
    _kind(
        programs.months,
        "clean",
        "convert the {field} of the {noun} to months and count them",
        "Cut each `{field}` to its month `YYYY-MM`. Print `month=count` pairs sorted by month, joined by `, `.",
        fields.days,
        "from collections import Counter",
    ),
    _kind(
        programs.days_apart,
        "clean",
        "convert the {field} of the {noun} to days and tell how far they lie apart",
        "Convert each `{field}` to a day, as written. Print the days between the first and the last as `N days`.",
        fields.days,
        "from datetime import date",
    ),
    _kind(
        programs.thousands,
        "clean",
        "convert the {field} of the {noun} to thousands and list the three largest",
        "Divide each `{field}` by 1000. Print the three largest, or all if there are fewer, in ascending order with "
        "exactly three decimals and the suffix `k`, joined by `, `.",
        fields.numbers,
    ),
    _kind(
        programs.repeated,
        "validate",
        "check the {noun} for a {field} that occurs more than once",
        "Find the values of `{field}` that more than one row has. Print `N repeated` and the values, sorted, "
        "joined by `, `.",
        fields.texts,
        "from collections import Counter",
    ),
    _kind(
        programs.well_formed,
        "validate",
        "check the form of each {field} of the {noun}",
        "Check that each `{field}` is two to five letters A-Z, a hyphen, and digits 0-9 to its end. Print "
        "`valid=N, invalid=M`.",
        fields.identifiers,
        "import re",
    ),
    _kind(
        programs.outliers,
        "validate",
        "check the {field} of the {noun} for outliers",
        "Count the rows whose `{field}` is more than twice the median. Print `N of M above T`, with M the rows and T "
        "twice the median with exactly two decimals.",
        fields.numbers,
        "import statistics",
    ),
    _kind(
        programs.ordered,
        "validate",
        "check that the {field} of the {noun} never falls",
        "Find the first row, counted from 1, whose `{field}` is smaller than that of the row before. Print "
        "`out of order at row N`, or `all M in order` with M the rows.",
        fields.numbers,
    ),
    _kind(
        programs.growth,
        "simulate",
        "simulate five periods of three per cent growth of the {field} of the {noun}",
        "Let each `{field}` grow by 3 % in each of 5 periods, rounded to two decimals after each. Print the sum at the "
        "end with exactly two decimals.",
        fields.positive_numbers,
        "import math",
    ),
    _kind(
        programs.queue,
        "simulate",
        "simulate one clerk who needs as many minutes as the {field} of each of the {noun}",
        "One clerk serves the rows in order, each for its `{field}` in minutes; row k, from 0, arrives at minute 5k. "
        "Print `longest wait W, last done at T`, both with exactly two decimals.",
        fields.positive_numbers,
    ),
    _kind(
        programs.depletion,
        "simulate",
        "simulate how long a stock of ten times the largest {field} serves the {noun}",
        "A stock starts at ten times the largest `{field}`. The rows take their `{field}` in turn, again and again, "
        "until one cannot be served. Print `N served, R left`, R with exactly two decimals.",
        fields.positive_numbers,
    ),
    _kind(
        programs.lottery,
        "simulate",
        "simulate 200 random draws from the {field} of the {noun}",
        "Draw 200 rows by x = (1103515245 x + 12345) mod 2^31, starting from x = 1, each time row x mod n of the n "
        "rows, from 0. Print `mean M`, the mean of `{field}` of the rows drawn with exactly two decimals.",
        fields.numbers,
    ),
)
