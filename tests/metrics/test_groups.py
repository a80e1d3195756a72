"""Figures per domain and per operator, of a set that a reader can count."""

import polars as pl

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.groups import group_rows

RUNS = pl.DataFrame(
    {
        "domain": ["bank", "bank", "bank", "shop"],
        "operators": [["verify", "guard", "verify"], ["verify"], [], ["refuse"]],
        "mode": ["act>answer", "answer", "answer", "decline"],
        "cac": [4.0, 2.0, 1.0, 8.0],
        "kept": [True, True, False, False],
    }
)
CONTEXT = MeasureContext(batch="r01-b01", scope="cumulative", resamples=50, generated=4, kept=2)


def figures(dimension: str, name: str, runs: pl.DataFrame = RUNS) -> dict[str, float]:
    rows = group_rows(runs, CONTEXT)
    return {row.metric: row.value for row in rows if (row.dimension, row.name) == (dimension, name)}


def test_a_domain_is_measured_on_its_kept_runs() -> None:
    found = figures("domain", "bank")
    assert (found["n"], found["share"], found["acceptance_rate"]) == (2, 1.0, 2 / 3)
    assert (found["h_mode"], found["cac_mean"]) == (1.0, 3.0)
    assert found["h_mode_mm"] > found["h_mode"] == found["h_mode_rarefied"]


def test_an_operator_counts_once_in_a_run_however_often_it_was_applied() -> None:
    found = figures("operator", "verify")
    assert (found["n"], found["share"], found["cac_mean"]) == (2, 1.0, 3.0)


def test_a_run_belongs_to_each_of_its_operators() -> None:
    assert figures("operator", "guard")["cac_mean"] == 4.0


def test_a_group_that_kept_nothing_has_rates_but_no_figures_of_its_members() -> None:
    assert figures("domain", "shop") == figures("operator", "refuse") == {"n": 0, "share": 0.0, "acceptance_rate": 0.0}


def test_entropy_and_mean_have_intervals_and_rows_say_where_and_on_how_many() -> None:
    rows = [row for row in group_rows(RUNS, CONTEXT) if row.name == "bank"]
    assert {row.metric for row in rows if row.ci_low is not None} == {"h_mode", "cac_mean"}
    assert {(row.batch, row.scope) for row in rows} == {("r01-b01", "cumulative")}
    assert {row.metric: row.n for row in rows}["acceptance_rate"] == 3


def test_the_order_of_runs_changes_nothing() -> None:
    assert group_rows(RUNS.reverse(), CONTEXT) == group_rows(RUNS, CONTEXT)


def test_no_runs_have_no_groups() -> None:
    assert group_rows(RUNS.clear(), CONTEXT) == []
