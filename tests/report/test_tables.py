import math

import polars as pl
import pytest

from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.tables import figure_rows, plan_rows, plugin_entropy, reason_rows, round_rows, study_rows


def test_rounds_are_followed_by_their_sum(report_data: ReportData) -> None:
    rows = round_rows(report_data)

    assert [row.name for row in rows] == ["r01", "r02", "all"]
    assert rows[2].raw == rows[0].raw + rows[1].raw == 48
    assert rows[2].kept == rows[0].kept + rows[1].kept


def test_a_round_counts_what_no_earlier_one_kept(report_data: ReportData) -> None:
    first, second, total = round_rows(report_data)
    kept = report_data.outcomes.filter("kept")
    old, new = (set(kept.filter(pl.col("round") == name)["mode"]) for name in ("r01", "r02"))

    assert (first.new_modes, second.new_modes, total.new_modes) == (len(old), len(new - old), len(old | new))
    assert (first.cac_target, second.cac_target, total.cac_target) == (8.0, 10.0, None)


def test_a_study_is_summed_up_at_its_largest_budget(report_data: ReportData) -> None:
    study = report_data.study.filter((pl.col("arm") == "diversity") | (pl.col("metric") == "h_dom"))

    rows = study_rows(study)

    assert [(row.basis, row.metric, row.budget) for row in rows] == [
        ("kept", "h_dom", 100),
        ("kept", "h_mode", 100),
        ("calls", "h_dom", 100),
        ("calls", "h_mode", 100),
    ]
    assert (rows[0].quantity, rows[0].diversity, rows[0].seeds) == (2.75, 3.75, 2)
    assert (rows[1].quantity, rows[1].diversity) == (None, 3.75)


def test_a_single_round_needs_no_sum(report_data: ReportData) -> None:
    first = pl.col("batch").str.starts_with("r01")
    data = ReportData(
        **{
            **vars(report_data),
            "counts": report_data.counts.filter(first),
            "outcomes": report_data.outcomes.filter(first),
        }
    )

    assert [row.name for row in round_rows(data)] == ["r01"]


def test_an_unknown_price_is_null_and_counted(report_data: ReportData) -> None:
    total = round_rows(report_data)[-1]

    assert total.usd is None
    assert total.unpriced == 48


@pytest.mark.parametrize(
    ("values", "bits"), [([], 0.0), (["a"], 0.0), (["a", "b"], 1.0), (["a", "b", "c"], math.log2(3))]
)
def test_entropy_of_equal_frequencies_is_the_logarithm_of_their_number(values: list[str], bits: float) -> None:
    assert plugin_entropy(pl.Series(values, dtype=pl.String)) == pytest.approx(bits)


def test_each_round_has_one_reason(report_data: ReportData) -> None:
    assert [(row.name, row.reason.split(":")[0]) for row in plan_rows(report_data.plans)] == [
        ("r01", "First round"),
        ("r02", "Mode entropy rose by 0.6 % over the last batch, below 2 %"),
    ]


def test_reasons_keep_the_order_of_the_funnel_and_lose_no_row() -> None:
    rejections = pl.DataFrame(
        {
            "batch": ["r01-b01", "r01-b01", "r01-b01", "r01-b02"],
            "rule": ["z", "z", "a", "a"],
            "reason": ["rare", "common", "late", "late"],
            "n": [1, 5, 2, 3],
        }
    )

    assert [(row.rule, row.reason, row.n) for row in reason_rows(rejections)] == [
        ("z", "common", 5),
        ("z", "rare", 1),
        ("a", "late", 5),
    ]


def test_reasons_that_differ_in_names_and_values_are_one() -> None:
    reasons = [
        "off_plan: the assistant ended its turn without shop__get_order, run_python",
        "off_plan: the assistant ended its turn without bank__list_accounts",
        'off_plan: ci__trigger_pipeline failed again: {"error": {"code": "x"}}',
        "the answer names none of ['a', 'b']",
        "the answer names none of ['c']",
    ]
    rows = pl.DataFrame({"batch": ["r01-b01"] * 5, "rule": ["a"] * 5, "reason": reasons, "n": [1, 1, 1, 1, 1]})
    assert [(row.reason, row.n) for row in reason_rows(rows)] == [
        ("off_plan: the assistant ended its turn without …", 2),
        ("the answer names none of …", 2),
        ("off_plan: … failed again: …", 1),
    ]


def test_figures_are_those_of_the_newest_batch_with_their_interval() -> None:
    metrics = pl.DataFrame(
        {
            "batch": ["r01-b01", "r01-b02", "r01-b02"],
            "scope": ["batch", "batch", "cumulative"],
            "metric": ["h_dom", "h_dom", "h_dom"],
            "value": [9.0, 1.5, 2.0],
            "ci_low": [8.0, 1.25, None],
            "ci_high": [9.5, 1.75, None],
            "n": [1, 1, 2],
        }
    )

    (row,) = figure_rows(metrics)

    assert (row.metric, row.batch, row.cumulative) == ("h_dom", "1.5 (1.25 to 1.75)", "2")
