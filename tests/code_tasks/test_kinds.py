"""Each kind's known result on small values, and how it is put into words."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tdscaling_assets.code_tasks import FAMILIES, KINDS, Kind, Material, result_line

Draw = Callable[[Kind, random.Random], Material]
NUMBERS = st.integers(-(10**6), 10**6) | st.floats(-1e6, 1e6).map(lambda value: round(value, 3) + 0.0)
LOG = """\
2025-05-19T08:00:00Z INFO get_order status=200 ms=30
2025-05-19T08:00:09Z ERROR add_line status=500 ms=90
2025-05-19T08:01:00Z INFO get_order status=200 ms=41"""


def of(*values: JsonValue) -> Material:
    """Rows of one field with these values."""
    return Material(field="x", rows=tuple({"x": value} for value in values))


@pytest.mark.parametrize(
    ("name", "values", "line"),
    [
        ("total", (-3, 7, 2.5, 3), "9.50"),
        ("average", (-3, 7, 2.5, 3), "2.38"),
        ("median", (-3, 7, 2.5, 3), "2.75"),
        ("largest", (-3, 7, 2.5, 3), "7.00"),
        ("spread", (-3, 7, 2.5, 3), "10.00"),
        ("tally", ("b", "a", "b"), "a=1, b=2"),
        ("slugs", ("Ada  Lovelace!", "ada-lovelace", "Zoe"), "2 different, the first is ada-lovelace"),
        ("weekdays", ("2025-05-19", "2025-05-18T23:00:00Z", "2025-05-26"), "Mon=2, Sun=1"),
        ("months", ("2025-05-19", "2024-12-01", "2025-05-01"), "2024-12=1, 2025-05=2"),
        ("days_apart", ("2025-03-01", "2025-02-27T10:00:00Z"), "2 days"),
        ("thousands", (4, 1500, 2.5, 20_000), "0.004k, 1.500k, 20.000k"),
        ("repeated", ("b", "a", "b", "c", "c"), "2 repeated, b, c"),
        ("repeated", ("b", "a"), "0 repeated"),
        ("well_formed", ("ORD-1", "ORD1", "O-1", "ord-1", "ORDERS-1", "ORD-12x"), "valid=1, invalid=5"),
        ("outliers", (1, 2, 3, 5), "0 of 4 above 5.00"),
        ("outliers", (1, 2, 3, 7), "1 of 4 above 5.00"),
        ("ordered", (1, 1, 3), "all 3 in order"),
        ("ordered", (1, 4, 3, 2), "out of order at row 3"),
        ("growth", (100, 10), "127.53"),
        ("queue", (12, 3, 1), "longest wait 7.00, last done at 16.00"),
        ("depletion", (3, 4), "11 served, 2.00 left"),
        ("lottery", (5, 5), "mean 5.00"),
        ("sql_distinct", ("a", "b", "a"), "2 of 3"),
        ("sql_common", ("b", "a", "b", "a", "c"), "a=2"),
        ("sql_above", (1, 2, 9), "1 of 3"),
        ("sql_second", (1, 9, 9, 4), "4"),
        ("write_running_totals", (3, 1, 2), "3, 4, 6"),
        ("write_ranks", (5, 5, 9), "2, 2, 1"),
        ("write_differences", (3, 1, 2), "-2, 1"),
        ("write_run_lengths", ("aab", "x"), "2a1b, 1x"),
        ("write_initials", ("Ada Lovelace", "north-west"), "AL, NW"),
        ("write_checksum", ("x", "ab"), "23, 02"),
        ("write_shift_letters", ("Zoe!",), "Crh!"),
        ("write_abbreviate", ("Zoe", "internationalization"), "Zoe, i18n"),
    ],
)
def test_small_values_are_solved(name: str, values: tuple[JsonValue, ...], line: str) -> None:
    assert KINDS[name].solve(of(*values)) == line


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("log_levels", "ERROR=1, INFO=2"),
        ("log_slowest", "add_line took 90 ms"),
        ("log_means", "add_line=90, get_order=35"),
        ("log_failures", "1 of 3 failed"),
    ],
)
def test_a_small_log_is_parsed(name: str, line: str) -> None:
    assert KINDS[name].solve(Material(facts={"service_log": LOG})) == line


@pytest.mark.parametrize("name", ["total", "average", "median", "largest", "spread"])
@given(values=st.lists(NUMBERS, min_size=2, max_size=8))
def test_the_order_of_the_rows_does_not_matter(name: str, values: list[float]) -> None:
    assert KINDS[name].solve(of(*values)) == KINDS[name].solve(of(*values[::-1]))


@pytest.mark.parametrize("name", KINDS)
def test_a_result_is_one_printed_line(name: str, draw_material: Draw) -> None:
    for seed in range(5):
        line = KINDS[name].solve(draw_material(KINDS[name], random.Random(seed)))
        assert line == result_line(f"{line}\n")
        assert "\n" not in line


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if kind.fields])
def test_the_user_and_the_assistant_are_told_the_field(name: str) -> None:
    kind = KINDS[name]
    wish = kind.wish("unit_price", "lines")
    assert "unit price" in wish
    told = " ".join(kind.instruction(stage, "unit_price") for stage in range(len(kind.calls)))
    assert "`unit_price`" in told or kind.family == "write_function"
    assert "{" not in wish + told


def test_what_the_user_gives_is_drawn_by_seed() -> None:
    for kind in KINDS.values():
        if kind.draw:
            first, second, other = (kind.draw(random.Random(seed), ["a", "b"]) for seed in (1, 1, 2))
            assert first == second
            assert first != other or kind.family == "write_function"


def test_every_kind_is_in_one_family() -> None:
    assert len(FAMILIES) == 8
    assert [kind.name for kinds in FAMILIES.values() for kind in kinds] == [*KINDS]
    assert all(len(kinds) >= 3 for kinds in FAMILIES.values())


def test_a_repair_is_given_broken_and_never_mended() -> None:
    for kind in FAMILIES["repair_test"]:
        assert kind.draw is not None
        material = Material(facts=kind.draw(random.Random(1), ()))
        broken, mended = (kind.calls[stage].arguments(material)["content"] for stage in (0, 4))
        assert broken != mended
        assert broken in material.facts.values() and mended not in material.facts.values()
