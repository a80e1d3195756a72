import math
import time
from collections import Counter
from random import Random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.export.select import select_training_set

Row = tuple[str, str, float]  # (domain, mode, cac)
ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.sampled_from([1.0, 2.0])), min_size=1, max_size=14
)


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [(f"t{number:02d}", *row) for number, row in enumerate(rows)],
        schema={"trajectory_id": pl.String, "domain": pl.String, "mode": pl.String, "cac": pl.Float64},
        orient="row",
    )


def bits(values: list[str]) -> float:
    shares = [count / len(values) for count in Counter(values).values()]
    return -sum(share * math.log2(share) for share in shares)


def joint_bits(rows: list[Row]) -> float:
    return bits([row[0] for row in rows]) + bits([row[1] for row in rows]) if rows else 0.0


@settings(deadline=None)
@given(ROWS)
def test_each_row_is_the_best_of_those_left(rows: list[Row]) -> None:
    chosen: list[int] = []
    for selected in select_training_set(frame(rows)):
        before = [rows[index] for index in chosen]
        left = {index: joint_bits([*before, rows[index]]) for index in range(len(rows)) if index not in chosen}
        index = int(selected.trajectory_id[1:])
        assert left[index] >= max(left.values()) - 1e-9
        ties = [other for other, value in left.items() if abs(value - left[index]) < 1e-9]
        assert index == min(ties, key=lambda other: (-rows[other][2], other))
        chosen.append(index)


@settings(deadline=None)
@given(ROWS)
def test_gains_add_up_to_the_entropy_of_the_set(rows: list[Row]) -> None:
    assert sum(row.gain for row in select_training_set(frame(rows))) == pytest.approx(joint_bits(rows), abs=1e-9)


@settings(deadline=None)
@given(ROWS, st.integers(0, 20))
def test_a_budget_cuts_the_full_order_and_zero_means_all(rows: list[Row], budget: int) -> None:
    everything = select_training_set(frame(rows))

    assert select_training_set(frame(rows), budget) == everything[: budget or None]
    assert sorted(row.trajectory_id for row in everything) == frame(rows)["trajectory_id"].to_list()


@settings(deadline=None)
@given(ROWS, st.randoms())
def test_the_order_does_not_depend_on_the_order_of_the_rows(rows: list[Row], random: Random) -> None:
    table = frame(rows)
    shuffled = table[random.sample(range(table.height), table.height)]

    assert select_training_set(shuffled) == select_training_set(table)


def test_new_domains_and_modes_come_first() -> None:
    rows = [("a", "x", 9.0)] * 5 + [("b", "y", 1.0), ("c", "z", 1.0)]

    first = select_training_set(frame(rows), 3)

    assert {row.trajectory_id for row in first} == {"t00", "t05", "t06"}
    assert [row.order for row in first] == [1, 2, 3]
    assert first[0].gain == 0.0 and first[1].gain == pytest.approx(2.0)


def test_entropy_rises_while_new_cells_last_and_may_then_fall() -> None:
    rows = [(domain, mode, 1.0) for domain, mode in zip("abcd", "wxyz", strict=True)] + [("a", "w", 1.0)] * 4

    gains = [row.gain for row in select_training_set(frame(rows))]

    assert all(gain >= 0 for gain in gains[:4])
    assert all(gain < 0 for gain in gains[4:])


def test_modes_may_be_lists_of_labels() -> None:
    table = frame([("a", "x>y", 1.0), ("a", "x", 1.0), ("b", "x>y", 1.0)])
    listed = table.with_columns(pl.col("mode").str.split(">"))

    assert select_training_set(listed) == select_training_set(table)


def test_no_rows_give_no_selection() -> None:
    assert select_training_set(frame([]), 5) == []


def test_ten_thousand_rows_take_well_under_two_seconds() -> None:
    rows = [(f"d{number % 37}", f"m{number * number % 211}", float(number % 13)) for number in range(10_000)]
    table = frame(rows)

    start = time.perf_counter()
    selected = select_training_set(table)

    assert len(selected) == 10_000
    assert time.perf_counter() - start < 2
