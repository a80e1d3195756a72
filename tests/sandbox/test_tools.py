"""Calls of the code tools in, observations out: one workspace per conversation, the same on both backends."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tdscaling_assets.sandbox.program import MAX_PROGRAM_BYTES, Limits
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox, observation_schema
from tdscaling_assets.sandbox.tools import TOOLS, use_tool
from tdscaling_assets.schema import CODE_SERVER, CODE_TOOL, CODE_TOOLS, JsonObject

Open = Callable[[Limits], Sandbox]
Calls = Sequence[tuple[str, Mapping[str, str]]]

TABLE = """
import sqlite3
base = sqlite3.connect("shop.db")
base.execute("CREATE TABLE orders (id, total, note)")
base.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(1, 2.5, "ä"), (2, None, b"\\x00\\xff"), (3, 1e999, "")])
base.commit()
"""
TESTS = """
import pytest
from shop.prices import add

def test_adds():
    assert add(1, 2) == 3

def test_adds_wrongly():
    assert add(1, 2) == 4

def test_breaks():
    raise ValueError("no price")

@pytest.mark.skip
def test_later():
    pass

@pytest.fixture
def broken():
    raise KeyError("shelf")

def test_with_a_broken_fixture(broken):
    pass

@pytest.mark.parametrize("n", [1, 2])
def test_each(n):
    print(n)
"""
CONVERSATION: Calls = (
    ("write_file", {"path": "shop/prices.py", "content": "def add(a, b):\n    return a + b\n"}),
    ("write_file", {"path": "tests/test_prices.py", "content": TESTS}),
    ("list_files", {}),
    ("read_file", {"path": "shop/prices.py"}),
    ("read_file", {"path": "/work/shop/prices.py"}),
    ("read_file", {"path": "missing.txt"}),
    ("read_file", {"path": "shop"}),
    ("read_file", {"path": "../etc/passwd"}),
    ("list_files", {"path": "shop"}),
    ("list_files", {"path": "shop/prices.py"}),
    ("run_tests", {}),
    ("run_tests", {"path": "shop"}),
    ("run_tests", {"path": "tests/test_prices.py::test_adds"}),
    ("run_tests", {"path": "missing"}),
    ("run_python", {"code": "from shop.prices import add\nprint(add(20, 22))"}),
    ("run_python", {"code": TABLE}),
    ("query_sqlite", {"path": "shop.db", "sql": "SELECT * FROM orders ORDER BY id"}),
    ("query_sqlite", {"path": "shop.db", "sql": "SELECT count(*) AS n FROM orders"}),
    ("query_sqlite", {"path": "shop.db", "sql": "DELETE FROM orders"}),
    ("query_sqlite", {"path": "shop.db", "sql": "ATTACH '/work/x.db' AS x"}),
    ("query_sqlite", {"path": "shop.db", "sql": "SELEC"}),
    ("query_sqlite", {"path": "missing.db", "sql": "SELECT 1"}),
    ("run_shell", {"command": "ls -R | wc -l; cat shop/*.py | grep -c def; echo $PWD $HOME; exit 3"}),
    ("run_shell", {"command": "sed -n 1p shop/prices.py; for n in 1 2; do echo $n | awk '{print $1 * 2}'; done"}),
    ("run_shell", {"command": "no-such-command"}),
    ("run_shell", {"command": "ln -s /etc/passwd link; mkfifo pipe; echo 'ü' > 'a b'"}),
    ("read_file", {"path": "link"}),
    ("read_file", {"path": "pipe"}),
    ("write_file", {"path": "link", "content": "x"}),
    ("list_files", {"path": "."}),
    ("read_file", {"path": "a b"}),
    ("read_file", {"path": "nul\0"}),
    ("write_file", {"path": "\ud800", "content": "\ud800"}),
)


def converse(sandbox: Sandbox, calls: Calls) -> list[ExecResult]:
    """The results of the calls, all of one conversation."""

    async def conversation() -> list[ExecResult]:
        async with sandbox.open("conversation") as session:
            return [await use_tool(session, name, arguments) for name, arguments in calls]

    return asyncio.run(conversation())


@pytest.fixture(scope="module")
def roomy(backend: Open, limits: Limits) -> Sandbox:
    """A sandbox with memory for pytest."""
    return backend(limits.model_copy(update={"memory_mb": 512}))


@pytest.fixture(scope="module")
def results(roomy: Sandbox) -> list[ExecResult]:
    """The results of the conversation."""
    return converse(roomy, CONVERSATION)


def answer(results: Sequence[ExecResult], name: str, **arguments: str) -> ExecResult:
    """The result of that call of the conversation."""
    return results[CONVERSATION.index((name, arguments))]


def verdict(sandbox: Sandbox, content: str, **files: str) -> tuple[ExecResult, dict[str, str]]:
    """What `run_tests` says of a test file beside others: its result, and the outcome of each test."""
    written = [("write_file", {"path": path.replace("__", "."), "content": text}) for path, text in files.items()]
    test = ("write_file", {"path": "test_it.py", "content": content})
    result = converse(sandbox, [*written, test, ("run_tests", {})])[-1]
    told: list[dict[str, Any]] = json.loads(result.stdout)["tests"] if result.stdout else []
    return result, {one["test"].rpartition("::")[2]: one["outcome"] for one in told}


@pytest.mark.docker
def test_the_same_conversation_gives_the_same_observations(docker: Open, bubblewrap: Open, limits: Limits) -> None:
    enough = limits.model_copy(update={"memory_mb": 512})
    one, other = (converse(open_backend(enough), CONVERSATION) for open_backend in (docker, bubblewrap))
    for call, ours, theirs in zip(CONVERSATION, one, other, strict=True):
        assert (call, ours.observation()) == (call, theirs.observation())


def test_the_same_conversation_again_gives_the_same_observations(roomy: Sandbox, results: list[ExecResult]) -> None:
    again = converse(roomy, CONVERSATION)
    assert [one.observation() for one in again] == [one.observation() for one in results]


def test_every_observation_satisfies_the_schema(results: list[ExecResult]) -> None:
    validator = Draft202012Validator(observation_schema())
    assert [error for result in results for error in validator.iter_errors(result.observation())] == []


def test_a_file_written_is_a_file_read(results: list[ExecResult]) -> None:
    assert results[0].created == ("shop/prices.py",)
    assert answer(results, "read_file", path="shop/prices.py").stdout == "def add(a, b):\n    return a + b\n"


def test_files_are_listed_with_their_sizes(results: list[ExecResult]) -> None:
    assert answer(results, "list_files").stdout == f"32\tshop/prices.py\n{len(TESTS)}\ttests/test_prices.py\n"
    assert "11\tlink -> /etc/passwd\n" in answer(results, "list_files", path=".").stdout


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("missing.txt", "No such file or directory"),
        ("shop", "Is a directory"),
        ("../etc/passwd", "not in the workspace"),
        ("link", "not in the workspace"),
        ("pipe", "not a regular file"),
    ],
)
def test_what_cannot_be_read_is_said(results: list[ExecResult], path: str, reason: str) -> None:
    result = answer(results, "read_file", path=path)
    assert (result.exit_code, result.stderr) == (1, f"read_file: {path}: {reason}\n")


def test_a_null_character_is_refused(results: list[ExecResult]) -> None:
    assert answer(results, "read_file", path="nul\0").stderr == "read_file: an argument has a null character\n"


def test_programs_import_what_was_written(results: list[ExecResult]) -> None:
    assert results[14].stdout == "42\n"


def test_a_query_gives_columns_and_rows(results: list[ExecResult]) -> None:
    found = json.loads(answer(results, "query_sqlite", path="shop.db", sql="SELECT * FROM orders ORDER BY id").stdout)
    rows = [[1, 2.5, "ä"], [2, None, "00ff"], [3, None, ""]]
    assert found == {"columns": ["id", "total", "note"], "rows": rows, "truncated": False}


@pytest.mark.parametrize("sql", ["DELETE FROM orders", "ATTACH '/work/x.db' AS x"])
def test_a_query_only_reads(results: list[ExecResult], sql: str) -> None:
    result = answer(results, "query_sqlite", path="shop.db", sql=sql)
    assert (result.exit_code, result.stderr) == (1, "query_sqlite: shop.db: not authorized\n")


def test_a_shell_has_its_exit_code(results: list[ExecResult]) -> None:
    result = next(one for one in results if one.exit_code == 3)
    assert result.stdout.splitlines()[-2:] == ["1", "/work /work"]


def test_each_test_has_its_outcome(results: list[ExecResult]) -> None:
    result = answer(results, "run_tests")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert {key: found[key] for key in ("passed", "skipped", "failed", "errors")} == {
        "passed": 3, "skipped": 1, "failed": 2, "errors": 1
    }  # fmt: skip
    messages = {one["test"].rpartition("::")[2]: one["message"] for one in found["tests"]}
    assert messages["test_breaks"] == "tests/test_prices.py:12: ValueError: no price"


def test_no_tests_and_passed_tests_have_pytests_exit_codes(results: list[ExecResult]) -> None:
    assert answer(results, "run_tests", path="shop").exit_code == 5
    assert answer(results, "run_tests", path="tests/test_prices.py::test_adds").exit_code == 0
    assert answer(results, "run_tests", path="missing").exit_code == 4


FORGERIES = {
    "ends the process": """
import os
def test_a():
    os._exit(0)
def test_b():
    assert False
""",
    "is killed": "import os\ndef test_a():\n    os.kill(os.getpid(), 9)",
    "exits": "import atexit, os\natexit.register(os._exit, 0)\ndef test_a():\n    assert False",
    "ends at import": "import os\nos._exit(0)",
    "prints a verdict": """
def test_a():
    print('{"passed": 1, "failed": 0, "errors": 0, "tests": []}')
    assert False
""",
    "writes to every descriptor": """
import contextlib, os
def test_a():
    for n in range(64):
        with contextlib.suppress(OSError):
            os.write(n, b'{"test": "test_it.py::test_a", "outcome": "passed"}\\n{"end": 0}\\n')
    os._exit(0)
""",
    "kills the referee": "import os\ndef test_a():\n    os.kill(os.getppid(), 9)\n    assert False",
    "stays behind": """
import os
def test_a():
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 3)
        while True:
            pass
    assert False
""",
}
"""Test files that should pass for passed, and must not."""


@pytest.mark.parametrize("content", FORGERIES.values(), ids=FORGERIES)
def test_a_verdict_is_not_forged(roomy: Sandbox, content: str) -> None:
    result, outcomes = verdict(roomy, content)
    assert result.exit_code != 0
    assert outcomes.get("test_a") != "passed"


@pytest.mark.parametrize("name", ["pytest__py", "json__py", "sitecustomize__py", "usercustomize__py", "pluggy__py"])
def test_a_module_of_the_workspace_is_not_taken_for_the_referees(roomy: Sandbox, name: str) -> None:
    result, outcomes = verdict(roomy, "def test_a():\n    assert False", **{name: "import os\nos._exit(0)"})
    assert (result.exit_code, outcomes) == (1, {"test_a": "failed"})


def test_a_large_input_is_refused(roomy: Sandbox) -> None:
    (result,) = converse(roomy, [("write_file", {"path": "big", "content": "x" * (MAX_PROGRAM_BYTES + 1)})])
    assert result.exit_code is None and "larger" in result.stderr


def test_a_long_path_is_an_error_not_a_failure_of_the_sandbox(roomy: Sandbox) -> None:
    (result,) = converse(roomy, [("read_file", {"path": "x" * 200_000})])
    assert result.exit_code != 0


def test_nothing_of_a_conversation_is_seen_by_the_next(roomy: Sandbox) -> None:
    mess = "echo x > /tmp/left; echo x > /dev/shm/left; echo x > left; sleep 60 & mkdir -p a/b"
    converse(roomy, [("run_shell", {"command": mess})])
    look = "find /work /tmp /dev/shm -mindepth 1; kill -0 -1 2> /dev/null && echo a process"
    (result,) = converse(roomy, [("run_shell", {"command": look})])
    assert result.stdout == ""


def test_the_tools_are_those_of_the_catalog() -> None:
    ids = {tool.name if tool.name == CODE_TOOL else f"{CODE_SERVER}__{tool.name}" for tool in TOOLS}
    assert ids == CODE_TOOLS
    for tool in TOOLS:
        schema: JsonObject = tool.input_schema()
        Draft202012Validator.check_schema(schema)
