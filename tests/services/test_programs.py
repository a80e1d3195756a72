"""Programs that services run: SQL that only reads, and tests of small repositories."""

import json
from typing import Any

import pytest
from services.claims import run_here

from tdscaling_assets.services.programs import MOST_ROWS, printed_value, run_tests, select_sql

TABLES: dict[str, Any] = {
    "orders": [{"order_id": 1, "total": 5.5, "note": None}, {"order_id": 2, "total": 4.5, "note": "it's"}],
    "empty": [],
}
SOURCE = "def double(number):\n    return number * 2\n"
TEST = "from maths.double import double\n\n\ndef test_double():\n    print('noise')\n    assert double(2) == 4\n"


def query(sql: str) -> Any:
    return json.loads(run_here(select_sql(TABLES, sql)))


def outcome_of(files: dict[str, str], under: str | None = None) -> Any:
    return json.loads(run_here(run_tests(files, under)))


def test_a_query_answers_with_columns_and_rows() -> None:
    assert query("SELECT sum(total) AS total, count(note) AS notes FROM orders") == {
        "columns": ["total", "notes"],
        "rows": [[10.0, 1]],
        "row_count": 1,
        "truncated": False,
    }


@pytest.mark.parametrize(
    "sql", ["SELECT note FROM orders WHERE note = 'it''s'", "WITH n AS (SELECT 1) SELECT * FROM n"]
)
def test_quotes_and_subqueries_work(sql: str) -> None:
    assert len(query(sql)["rows"]) == 1


@pytest.mark.parametrize(
    "sql",
    [
        *("DELETE FROM orders", "INSERT INTO orders VALUES (3, 1, '')", "DROP TABLE orders", "CREATE TABLE x (y)"),
        *(
            "PRAGMA writable_schema = 1",
            "ATTACH '/tmp/x.db' AS x",
            "SELECT load_extension('x')",
            "UPDATE orders SET total = 0",
        ),
    ],
)
def test_only_reading_is_allowed(sql: str) -> None:
    assert query(sql)["error"]["code"] == "not_allowed"


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT missing FROM orders", "SELECT 1; SELECT 2", ""])
def test_wrong_sql_is_an_error_that_says_why(sql: str) -> None:
    answer = query(sql)
    assert answer.get("error", {"code": "sql_error"})["code"] == "sql_error"
    assert sql == "" or answer["error"]["message"]


def test_a_long_answer_is_cut() -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n"
    answer = query(numbers)
    assert (answer["row_count"], answer["truncated"], len(answer["rows"])) == (MOST_ROWS, True, MOST_ROWS)


def test_tests_pass_and_fail_with_a_place() -> None:
    files = {"maths/double.py": SOURCE, "maths/tests/test_double.py": TEST}
    good = outcome_of(files)
    assert (good["passed"], good["failed"]) == (1, 0)
    bad = outcome_of({**files, "maths/double.py": SOURCE.replace("* 2", "* 3")})
    assert (bad["passed"], bad["failed"]) == (0, 1)
    assert bad["results"][0]["test"] == "maths/tests/test_double.py::test_double"
    assert bad["results"][0]["message"].startswith("AssertionError")
    assert "maths/tests/test_double.py:6: assert double(2) == 4" in bad["results"][0]["message"]


def test_a_file_that_cannot_be_imported_is_a_failed_test() -> None:
    answer = outcome_of({"maths/tests/test_double.py": TEST})
    assert (answer["passed"], answer["failed"]) == (0, 1)
    assert "No module named 'maths" in answer["results"][0]["message"]


@pytest.mark.parametrize(
    "test",
    ["async def test_a():\n    assert False\n", "class TestA:\n    def test_a(self):\n        assert True\n"],
    ids=["coroutine", "class"],
)
def test_what_is_not_run_does_not_pass(test: str) -> None:
    assert outcome_of({"one/test_a.py": test})["failed"] == 1


def test_nothing_under_test_prints_after_the_result() -> None:
    late = "import atexit\n\natexit.register(print, '{\"passed\": 99}')\n\n\ndef test_a(): pass\n"
    assert outcome_of({"one/test_a.py": late})["passed"] == 1


@pytest.mark.parametrize(
    "forgery",
    [
        "import os\ndef test_a():\n    os._exit(0)\n",
        'import os\ndef test_a():\n    os.write(1, b\'{"passed": 1, "failed": 0}\\n\')\n    os._exit(0)\n',
        "import os\nos._exit(0)\ndef test_a(): pass\n",
        "import os\ndef test_b(): pass\ndef test_a():\n    for n in range(3, 64):\n        try:\n"
        '            os.write(n, b\'{"test": "one/test_a.py::test_a", "outcome": "passed"}\\n\')\n'
        "        except OSError:\n            pass\n    os._exit(0)\n",
    ],
    ids=["ends the process", "prints a result", "ends at import", "writes to every descriptor"],
)
def test_a_result_is_not_forged(forgery: str) -> None:
    answer = outcome_of({"one/test_a.py": forgery})
    assert answer["failed"] == 1
    assert "ended before" in answer["results"][-1]["message"]


def test_what_a_test_leaves_running_does_not_hold_the_result_up() -> None:
    child = "import os, time\ndef test_a():\n    if os.fork() == 0:\n        time.sleep(3)\n        os._exit(0)\n"
    assert outcome_of({"one/test_a.py": child}) == {
        "passed": 1,
        "failed": 0,
        "results": [{"test": "one/test_a.py::test_a", "outcome": "passed", "message": ""}],
    }


def test_what_json_cannot_hold_is_null() -> None:
    assert query("SELECT 9e999 AS x")["rows"] == [[None]]


def test_only_the_chosen_folder_is_tested() -> None:
    files = {"one/test_a.py": "def test_a(): pass\n", "two/test_b.py": "def test_b(): assert False\n"}
    assert outcome_of(files, "one/")["failed"] == 0


@pytest.mark.parametrize("text", ["", "Traceback", "{", "noise\n"])
def test_a_program_that_prints_no_json_has_no_value(text: str) -> None:
    assert printed_value(text) is None
