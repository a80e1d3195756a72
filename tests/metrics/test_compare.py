"""Two arms compared: at equal numbers kept, at equal calls, and by what answers the objections."""

import math
import random

import polars as pl
import pytest

from tdscaling_assets.metrics.compare import SHUFFLES, ArmRuns, compare_arms
from tdscaling_assets.schema import StudyRow

MODES = {"poor": ["a>b"] * 8 + ["a"] * 2, "rich": [f"a>{letter}" for letter in "bcdefghijk"]}


def arm(kind: str, size: int, *, calls: int = 4, seed: int = 1) -> ArmRuns:
    """`size` trajectories of which every third is rejected, each of so many calls."""
    rng = random.Random(seed)
    modes = [rng.choice(MODES[kind]) for _ in range(size)]
    kept = [number % 3 != 2 for number in range(size)]
    runs = pl.DataFrame(
        {
            "trajectory_id": [f"t{number:04d}" for number in range(size)],
            "mode": modes,
            "kept": kept,
            "calls": [calls] * size,
            "planned_mode": ["a>b" if number % 4 == 0 else mode for number, mode in enumerate(modes)],
            "agrees": [None if number % 5 == 4 else number % 5 > 0 for number in range(size)],
        },
        schema_overrides={"agrees": pl.Boolean},
    )
    rows = runs.filter("kept")
    domains = ["bank"] if kind == "poor" else ["bank", "shop", "law"]
    return ArmRuns(
        runs,
        pl.DataFrame(
            {
                "trajectory_id": rows["trajectory_id"],
                "domain": [rng.choice(domains) for _ in range(rows.height)],
                "mode": [mode.split(">") for mode in rows["mode"]],
                "labels": [mode.split(">") for mode in rows["mode"]],
                "cac": [rng.uniform(3, 6) if kind == "poor" else rng.uniform(6, 9) for _ in range(rows.height)],
                "cluster_id": ["c"] * rows.height,
                "calls": [["x", "y"]] * rows.height,
                "unused_calls": [int(number % 10 == 0) for number in range(rows.height)],
            }
        ),
    )


@pytest.fixture(scope="module")
def rows() -> list[StudyRow]:
    arms = {"quantity": arm("poor", 300), "diversity": arm("rich", 300, calls=8)}
    return compare_arms(arms, [40, 120], 7, 50)


def one(rows: list[StudyRow], metric: str, arm: str, basis: str = "kept", budget: int = 120) -> StudyRow:
    (found,) = [row for row in rows if (row.metric, row.arm, row.basis, row.budget) == (metric, arm, basis, budget)]
    return found


def test_at_equal_numbers_kept_each_arm_has_that_many(rows: list[StudyRow]) -> None:
    for name in ("quantity", "diversity"):
        assert (one(rows, "h_mode", name, budget=40).n, one(rows, "h_mode", name).n) == (40, 120)


def test_at_equal_calls_the_dearer_arm_has_kept_fewer(rows: list[StudyRow]) -> None:
    """120 kept of 179 made, at 4 calls: 716 calls, which pay for 89 at 8 calls, of which 60 are kept."""
    assert one(rows, "h_mode", "quantity", "calls").n == 120
    assert one(rows, "h_mode", "diversity", "calls").n == 60


def test_costs_and_shares_by_hand(rows: list[StudyRow]) -> None:
    assert one(rows, "acceptance_rate", "quantity").value == pytest.approx(120 / 179)
    assert one(rows, "calls_per_kept", "diversity").value == pytest.approx(8 * 179 / 120)
    assert one(rows, "final_state_agreement", "quantity").value == pytest.approx(108 / 144)
    assert one(rows, "unused_call_share", "quantity").value == pytest.approx(12 / 240)
    assert one(rows, "mode_as_planned", "diversity").value < 1.0
    assert one(rows, "h_mode_generated", "diversity").n == 179


def test_intervals_hold_the_values(rows: list[StudyRow]) -> None:
    for metric in ("h_dom", "h_mode", "cac_mean"):
        row = one(rows, metric, "diversity")
        assert row.ci_low is not None and row.ci_high is not None and row.ci_low <= row.value <= row.ci_high


def test_a_real_difference_is_hardly_ever_reached_by_shuffling(rows: list[StudyRow]) -> None:
    for metric in ("h_dom", "h_mode", "cac_mean"):
        assert one(rows, f"{metric}_chance", "diversity").value == pytest.approx(1 / (SHUFFLES + 1))


def test_no_difference_is_often_reached_by_shuffling() -> None:
    arms = {"quantity": arm("rich", 300, seed=1), "diversity": arm("rich", 300, seed=2)}
    rows = compare_arms(arms, [200], 7, 20)
    assert all(one(rows, f"{name}_chance", "diversity", budget=200).value > 0.02 for name in ("h_dom", "h_mode"))


def test_exactly_what_was_kept_ends_with_the_last_kept() -> None:
    """20 kept of 30, the last of them the 29th: the reject after it was made for the next."""
    runs = arm("poor", 30)
    assert runs.first_kept(20).runs.height == 29
    assert runs.first_kept(21).runs.height == 30


def test_an_arm_that_falls_behind_has_a_chance_near_one() -> None:
    rows = compare_arms({"quantity": arm("rich", 300), "diversity": arm("poor", 300)}, [120], 7, 20)
    for metric in ("h_dom", "h_mode", "cac_mean"):
        assert one(rows, f"{metric}_chance", "diversity").value > 0.99


def test_more_than_was_kept_is_all_of_it() -> None:
    arms = {"quantity": arm("poor", 30), "diversity": arm("rich", 30)}
    assert {row.n for row in compare_arms(arms, [999], 7, 20) if row.metric == "h_mode"} == {20}


def test_an_arm_that_kept_nothing_has_no_figures() -> None:
    empty = arm("rich", 30)
    empty = ArmRuns(empty.runs.with_columns(kept=False), empty.kept.clear())
    rows = compare_arms({"quantity": arm("poor", 30), "diversity": empty}, [10], 7, 20)
    assert {row.arm for row in rows} == {"quantity"}
    assert all(math.isfinite(row.value) for row in rows)
