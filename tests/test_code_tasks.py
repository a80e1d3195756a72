"""What the reference program prints in a real sandbox is exactly what `solve` says, for rows of every sort."""

import asyncio
import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdscaling_assets import code_tasks
from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.sandbox.select import open_sandbox
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.settings import Settings

FIELDS = ("amount", "größe", "it's", 'a "quoted" one', "back\\slash", "{braces}", "two words")
CATEGORIES = ("north", "süd", "東", "it's", 'say "x"', "a=b", "🙂", "back\\slash", "{0}")
NUMERIC = [kind.name for kind in code_tasks.KINDS.values() if not kind.categorical]
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6).map(lambda value: round(value, 3) + 0.0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    try:
        opened = open_sandbox(Settings(sandbox="bubblewrap"))
    except SandboxError as error:
        pytest.skip(str(error))
    yield opened
    asyncio.run(opened.close())


def random_rows(kind: str, field: str, rng: random.Random) -> list[JsonObject]:
    """Two to twelve rows: integers and floats of either sign, or categories."""
    categorical = code_tasks.KINDS[kind].categorical

    def number() -> int | float:
        return rng.choice((rng.randint(-999, 999), round(rng.uniform(-999, 999), rng.randint(1, 4)), 0, 10**12))

    return [
        {field: rng.choice(CATEGORIES) if categorical else number(), "other": "x"} for _ in range(rng.randint(2, 12))
    ]


@pytest.mark.parametrize("kind", code_tasks.KINDS)
def test_the_reference_program_prints_the_solution(kind: str, sandbox: Sandbox) -> None:
    """All fields in one run of the sandbox: each program in a namespace of its own, results one to a line."""
    rng = random.Random(kind)
    tasks = [(field, random_rows(kind, field, rng)) for field in FIELDS for _ in range(3)]
    programs = [code_tasks.program(kind, field, rows) for field, rows in tasks]
    result = asyncio.run(sandbox.run_python(f"for program in {programs!r}:\n    exec(program, {{}})\n"))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [code_tasks.solve(kind, field, rows) for field, rows in tasks]


def test_one_program_as_it_stands_prints_one_line(sandbox: Sandbox) -> None:
    rows: list[JsonObject] = [{"amount": -1.005}, {"amount": 2}]
    result = asyncio.run(sandbox.run_python(code_tasks.program("total", "amount", rows)))
    assert result.stdout == f"{code_tasks.solve('total', 'amount', rows)}\n"


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("total", "9.50"),
        ("average", "2.38"),
        ("median", "2.75"),
        ("largest", "7.00"),
        ("spread", "10.00"),
    ],
)
def test_numbers_are_solved_to_two_decimals(kind: str, line: str) -> None:
    assert code_tasks.solve(kind, "x", [{"x": -3}, {"x": 7}, {"x": 2.5}, {"x": 3}]) == line


def test_a_tally_is_sorted_by_value() -> None:
    assert code_tasks.solve("tally", "x", [{"x": "b"}, {"x": "a"}, {"x": "b"}]) == "a=1, b=2"


@pytest.mark.parametrize("kind", NUMERIC)
@given(values=st.lists(NUMBERS, min_size=2, max_size=8))
def test_the_order_of_the_rows_does_not_matter(kind: str, values: list[float]) -> None:
    rows: list[JsonObject] = [{"x": value} for value in values]
    assert code_tasks.solve(kind, "x", rows) == code_tasks.solve(kind, "x", rows[::-1])


def test_a_program_holds_only_the_field_it_needs() -> None:
    program = code_tasks.program("total", "amount", [{"amount": 1, "iban": "secret"}])
    assert "secret" not in program


@pytest.mark.parametrize("kind", code_tasks.KINDS)
def test_instruction_and_phrase_name_the_field(kind: str) -> None:
    assert "`unit_price`" in code_tasks.instruction(kind, "unit_price")
    assert "unit price" in code_tasks.phrase(kind, "unit_price")


def test_chosen_tasks_fit_their_rows() -> None:
    rows: list[JsonObject] = [
        {"order_id": 1, "id": 1, "paid": 3.5, "status": "a", "city": "x", "flag": True, "gap": 1, "memo": "y" * 99},
        {"order_id": 2, "id": 2, "paid": 4, "status": "a", "city": "z", "flag": True, "memo": "y" * 99},
    ]
    chosen = {code_tasks.choose(rows, random.Random(seed)) for seed in range(200)}
    assert chosen == {(kind, "paid") for kind in NUMERIC} | {("tally", "status")}


@pytest.mark.parametrize("rows", [[{"id": 1}, {"id": 2}], [{"a": "x"}, {"a": "y"}], [{"a": None}, {"a": 1}], [{}, {}]])
def test_nothing_worth_computing_is_none(rows: list[JsonObject]) -> None:
    assert code_tasks.choose(rows, random.Random(1)) is None


def test_tables_are_found_at_any_depth_of_objects() -> None:
    rows: list[JsonObject] = [{"x": 1}, {"x": 2}]
    value: JsonObject = {"a": {"b": json.loads(json.dumps(rows))}, "one": [{"x": 1}], "mixed": [{"x": 1}, 2], "n": 3}
    assert code_tasks.tables(value) == [("a.b", rows)]


def test_a_list_itself_is_a_table_without_a_path() -> None:
    assert code_tasks.tables([{"x": 1}, {"x": 2}]) == [("", [{"x": 1}, {"x": 2}])]


def test_a_table_under_a_key_that_no_path_can_name_is_left_out() -> None:
    assert code_tasks.tables({"a.b": [{"x": 1}, {"x": 2}]}) == []
