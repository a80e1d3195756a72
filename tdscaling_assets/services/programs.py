"""The programs that services run in a sandbox: values of the state in, the text of a Python program out.

A program prints one JSON value as its last line: the tool's output, or `{"error": {"code", "message"}}`.
A spec names the function: `program: {run: select_sql, with: {…}}`.
"""

import json
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject

MOST_ROWS = 200
"""Rows of a query's answer; more are cut."""

_SELECT = """\
import json, sqlite3

TABLES = json.loads({tables!r})
SQL = {sql!r}
ALLOWED = {{sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}}



def storable(value):
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def printable(value):
    if isinstance(value, float) and value - value != 0:
        return None  # JSON knows no infinity
    return value.hex() if isinstance(value, bytes) else value


base = sqlite3.connect(":memory:")
for name, rows in TABLES.items():
    columns = list(rows[0]) if rows else ["empty"]
    quoted = ", ".join(f'"{{column}}"' for column in columns)
    marks = ", ".join("?" * len(columns))
    cells = [[row[column] for column in columns] for row in rows]
    base.execute(f'CREATE TABLE "{{name}}" ({{quoted}})')
    base.executemany(f'INSERT INTO "{{name}}" VALUES ({{marks}})', [list(map(storable, row)) for row in cells])
base.commit()
base.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY)
try:
    cursor = base.execute(SQL)
    rows = cursor.fetchmany({most} + 1)
    names = [column[0] for column in cursor.description or ()]
    print(json.dumps({{
        "columns": names,
        "rows": [[printable(value) for value in row] for row in rows[:{most}]],
        "row_count": min(len(rows), {most}),
        "truncated": len(rows) > {most},
    }}))
except (sqlite3.Error, sqlite3.Warning) as error:
    code = "not_allowed" if "not authorized" in str(error) or "prohibited" in str(error) else "sql_error"
    print(json.dumps({{"error": {{"code": code, "message": str(error)}}}}))
"""

_TESTS = """\
import contextlib, importlib.util, io, json, os, pathlib, sys, traceback

FILES = json.loads({files!r})
ROOT = f"{{pathlib.Path('repo').resolve()}}/"
for path, text in FILES.items():
    place = pathlib.Path("repo", path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
for folder in {{path.parent for path in pathlib.Path("repo").rglob("*.py")}} - {{pathlib.Path("repo")}}:
    (folder / "__init__.py").touch()  # else an installed package of that name would be imported instead
sys.path.insert(0, ROOT)
sys.dont_write_bytecode = True
results = []


def attempt(name, action):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            value = action()
            if hasattr(value, "__await__"):
                raise TypeError("the test is a coroutine; write a plain function")
    except BaseException as error:
        lines = traceback.extract_tb(error.__traceback__)
        place = next((line for line in reversed(lines) if line.filename.startswith(ROOT)), None)
        where = f" ({{place.filename.removeprefix(ROOT)}}:{{place.lineno}}: {{place.line}})" if place else ""
        message = f"{{type(error).__name__}}: {{error}}{{where}}"
        results.append({{"test": name, "outcome": "failed", "message": message}})
        return None
    if name.count("::"):
        results.append({{"test": name, "outcome": "passed", "message": ""}})
    return value


def load(path):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, f"{{ROOT}}{{path}}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(test):
    if isinstance(test, type):
        raise TypeError("test classes are not run; write plain functions")
    return test()


chosen = [path for path in FILES if pathlib.Path(path).name.startswith("test_") and path.startswith({under!r})]
for path in sorted(chosen):
    module = attempt(path, lambda: load(path))
    for name in [name for name in vars(module) if name.startswith(("test_", "Test"))] if module else []:
        attempt(f"{{path}}::{{name}}", lambda: run(getattr(module, name)))
passed = sum(result["outcome"] == "passed" for result in results)
print(json.dumps({{"passed": passed, "failed": len(results) - passed, "results": results}}), flush=True)
os._exit(0)  # so that nothing under test prints after it
"""


def select_sql(tables: Mapping[str, list[JsonObject]], sql: str) -> str:
    """One read-only SQL statement over tables of an SQLite database: `columns`, `rows`, `row_count`, `truncated`."""
    return _SELECT.format(tables=json.dumps(tables), sql=sql, most=MOST_ROWS)


def run_tests(files: Mapping[str, str], under: str | None) -> str:
    """The `test_*` functions of the `test_*.py` files whose path starts with `under`: `passed`, `failed`, `results`."""
    return _TESTS.format(files=json.dumps(files), under=under or "")


PROGRAMS: Mapping[str, Callable[..., str]] = {function.__name__: function for function in (select_sql, run_tests)}


def printed_value(text: str) -> JsonValue:
    """What the program printed: its last line as JSON, None when it is not one JSON value."""
    lines = text.strip().splitlines()
    try:
        value: JsonValue = json.loads(lines[-1]) if lines else None
    except json.JSONDecodeError:
        return None
    return value
