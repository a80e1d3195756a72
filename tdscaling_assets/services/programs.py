"""The programs that services run in a sandbox: values of the state in, the text of a Python program out.

A program prints one JSON value as its last line: the tool's output, or `{"error": {"code", "message"}}`.
A spec names the function: `program: {run: select_sql, with: {…}}`.
"""

import json
from collections.abc import Callable, Mapping

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject, parse_json

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
import ctypes, os, pathlib, secrets, subprocess, sys

ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # not dumpable: what is tested cannot look into this process
for path, text in FILES.items():
    place = pathlib.Path("repo", path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
for folder in {path.parent for path in pathlib.Path("repo").rglob("*.py")} - {pathlib.Path("repo")}:
    (folder / "__init__.py").touch()  # else an installed package of that name would be imported instead
chosen = sorted(path for path in FILES if pathlib.Path(path).name.startswith("test_") and path.startswith(UNDER))
word = secrets.token_hex(16)
reading, writing = os.pipe()
runner = subprocess.Popen(
    [sys.executable, "-I", "-B", "-c", RUNNER],
    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[writing],
)
os.close(writing)
runner.communicate(json.dumps({"word": word, "pipe": writing, "chosen": chosen}).encode())
os.set_blocking(reading, False)
said = b""
try:
    while chunk := os.read(reading, 65536):
        said += chunk
except BlockingIOError:
    pass  # something that was tested is still running
reports = [json.loads(line[33:]) for line in said.decode("utf-8", "replace").splitlines() if line[:33] == word + " "]
results = {report["test"]: report for report in reports if "outcome" in report}
for path in chosen if {"end": True} not in reports else []:
    for test in [report["test"] for report in reports if report.get("found") == path] or [path]:
        message = "SystemExit: the process ended before this test did"
        results.setdefault(test, {"test": test, "outcome": "failed", "message": message})
passed = sum(result["outcome"] == "passed" for result in results.values())
answer = {"passed": passed, "failed": len(results) - passed, "results": [*results.values()]}
print(json.dumps(answer), flush=True)
"""

_RUNNER = """\
import contextlib, importlib.util, io, json, os, pathlib, sys, traceback

given = json.load(sys.stdin)
os.dup2(os.open(os.devnull, os.O_RDWR), 0)
ROOT = f"{pathlib.Path('repo').resolve()}/"
sys.path.insert(0, ROOT)


def say(**report):
    os.write(given["pipe"], f"{given['word']} {json.dumps(report)}\\n".encode())


def attempt(name, action):
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            value = action()
            if hasattr(value, "__await__"):
                raise TypeError("the test is a coroutine; write a plain function")
    except BaseException as error:
        lines = traceback.extract_tb(error.__traceback__)
        place = next((line for line in reversed(lines) if line.filename.startswith(ROOT)), None)
        where = f" ({place.filename.removeprefix(ROOT)}:{place.lineno}: {place.line})" if place else ""
        say(test=name, outcome="failed", message=f"{type(error).__name__}: {error}{where}"[:2000])
        return None
    if name.count("::"):
        say(test=name, outcome="passed", message="")
    return value


def load(path):
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, f"{ROOT}{path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(test):
    if isinstance(test, type):
        raise TypeError("test classes are not run; write plain functions")
    return test()


for path in given["chosen"]:
    module = attempt(path, lambda: load(path))
    names = [name for name in vars(module) if name.startswith(("test_", "Test"))] if module else []
    for name in names:
        say(found=path, test=f"{path}::{name}")
    for name in names:
        attempt(f"{path}::{name}", lambda: run(getattr(module, name)))
say(end=True)
os._exit(0)
"""


def select_sql(tables: Mapping[str, list[JsonObject]], sql: str) -> str:
    """One read-only SQL statement over tables of an SQLite database: `columns`, `rows`, `row_count`, `truncated`."""
    return _SELECT.format(tables=json.dumps(tables), sql=sql, most=MOST_ROWS)


def run_tests(files: Mapping[str, str], under: str | None) -> str:
    """The `test_*` functions of the `test_*.py` files whose path starts with `under`: `passed`, `failed`, `results`.

    They run in a process of their own, whose output goes nowhere, and report under a word told to it before anything
    under test is imported; what has no report has failed. Code that looks for that word within its process finds it.
    """
    given = {"FILES": files, "UNDER": under or "", "RUNNER": _RUNNER}
    lines = [f"{name} = json.loads({json.dumps(value)!r})\n" for name, value in given.items()]
    return f"import json\n{''.join(lines)}{_TESTS}"


PROGRAMS: Mapping[str, Callable[..., str]] = {function.__name__: function for function in (select_sql, run_tests)}


def printed_value(text: str) -> JsonValue:
    """What the program printed: its last line as JSON, None when it is not one JSON value."""
    lines = text.strip().splitlines()
    return parse_json(lines[-1]) if lines else None
