"""sql: one field of rows is written into a database of the workspace, and a query gives the result."""

import statistics
from collections import Counter
from collections.abc import Callable
from typing import Any

from tdscaling_assets.code_tasks import fields
from tdscaling_assets.code_tasks.kinds import QUERY_SQLITE, Call, Kind, Material, Rows, python_call

FILE = "data.db"


def sql_distinct(values: list[str]) -> str:
    return f"{len(set(values))} of {len(values)}"


def sql_common(values: list[str]) -> str:
    counts = Counter(values)
    most = min(counts, key=lambda value: (-counts[value], value))
    return f"{most}={counts[most]}"


def sql_above(values: list[float]) -> str:
    mean = statistics.fmean(values)
    return f"{sum(value > mean for value in values)} of {len(values)}"


def sql_second(values: list[float]) -> str:
    return f"{sorted(set(values))[-2]}"


def _kind(
    function: Callable[[list[Any]], str],
    phrase: str,
    instruction: str,
    query: str,
    fitting: Callable[[Rows], list[str]],
) -> Kind:
    ask = Call(
        tool_id=QUERY_SQLITE,
        instruction=f"Query the table `records` of `{FILE}`. {instruction}",
        arguments=lambda material: {"path": FILE, "sql": query.replace("{column}", _quoted(material.field))},
    )
    store = python_call(
        _program,
        f"Write the rows into a table `records` (position, `{{field}}`) of an SQLite database `{FILE}`, positions "
        "counted from 1.",
        (FILE,),
    )
    return Kind(
        name=function.__name__,
        family="sql",
        phrase=f"{phrase} with SQL",
        calls=(store, ask),
        solve=lambda material: function(material.values),
        fields=fitting,
    )


def _program(material: Material) -> str:
    table = f"CREATE TABLE records (position INTEGER, {_quoted(material.field)})"
    return (
        "import sqlite3\n\n"
        f"values = {material.values!r}\n"
        f'base = sqlite3.connect("{FILE}")\n'
        f"base.execute({table!r})\n"
        'base.executemany("INSERT INTO records VALUES (?, ?)", list(enumerate(values, 1)))\n'
        "base.commit()\n"
        'print(base.execute("SELECT COUNT(*) FROM records").fetchone()[0], "rows stored")\n'
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


KINDS = (
    _kind(
        sql_distinct,
        "count the different {field} of the {noun}",
        "Give one text `N of M`: the different values of `{field}`, of all rows.",
        "SELECT COUNT(DISTINCT {column}) || ' of ' || COUNT(*) AS answer FROM records",
        fields.texts,
    ),
    _kind(
        sql_common,
        "find the most common {field} of the {noun}",
        "Give the most common value of `{field}` and its count, as two columns; of equally common ones the first in "
        "order.",
        "SELECT {column}, COUNT(*) AS n FROM records GROUP BY {column} ORDER BY n DESC, {column} LIMIT 1",
        fields.categories,
    ),
    _kind(
        sql_above,
        "count the {noun} whose {field} is above the average",
        "Give one text `N of M`: the rows whose `{field}` is above its average, of all rows.",
        "SELECT SUM({column} > (SELECT AVG({column}) FROM records)) || ' of ' || COUNT(*) AS answer FROM records",
        fields.numbers_apart_from_mean,
    ),
    _kind(
        sql_second,
        "find the second largest {field} of the {noun}",
        "Give the second largest of the different values of `{field}`, as one column.",
        "SELECT DISTINCT {column} FROM records ORDER BY {column} DESC LIMIT 1 OFFSET 1",
        fields.several_numbers,
    ),
)
