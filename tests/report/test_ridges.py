import numpy as np
import polars as pl
import pytest
from report.drawn import words

from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.ridges import complexity_figure, density

GRID = np.linspace(0.0, 40.0, 400)


@pytest.mark.parametrize("values", [[3.0, 9.0, 12.0, 12.5, 20.0], [7.0], [7.0, 7.0], [0.0, 0.5, 1.0]])
def test_a_density_integrates_to_one(values: list[float]) -> None:
    heights = density(np.array(values), GRID)

    assert (heights.sum() - heights[0] / 2) * (GRID[1] - GRID[0]) == pytest.approx(1.0, abs=0.02)


def test_a_density_peaks_where_the_values_are() -> None:
    heights = density(np.array([5.0] * 8 + [5.5] * 8 + [30.0]), GRID)

    assert GRID[heights.argmax()] == pytest.approx(5.25, abs=0.3)


def test_each_round_has_a_ridge_a_mean_and_its_target(report_data: ReportData) -> None:
    figure = complexity_figure(report_data.outcomes, report_data.plans)
    means = [float(line.get_xdata()[0]) for line in figure.axes[0].lines if len(line.get_xdata()) == 1]
    kept = report_data.outcomes.filter("kept")

    assert means == pytest.approx(kept.group_by("round").agg(pl.col("cac").mean()).sort("round")["cac"].to_list())
    assert len([line for line in figure.axes[0].lines if len(line.get_xdata()) > 1]) == 2
    assert {"target 8.0", "target 10.0"} <= set(words(figure))


def test_a_round_without_a_plan_has_no_target(report_data: ReportData) -> None:
    plans = report_data.plans.filter(pl.col("round") == "r02")

    shown = words(complexity_figure(report_data.outcomes, plans))

    assert [text for text in shown if text.startswith("target")] == ["target 10.0"]


def test_of_many_targets_the_first_and_the_last_are_written_out(report_data: ReportData) -> None:
    names = [f"r{number:02d}" for number in range(1, 13)]
    outcomes = pl.concat([report_data.outcomes.with_columns(round=pl.lit(name)) for name in names])
    plans = pl.DataFrame({"round": names, "batch": names, "cac_target": [float(n) for n in range(1, 13)]})

    shown = words(complexity_figure(outcomes, plans))

    assert [text for text in shown if text.startswith("target")] == ["target 1.0", "target 12.0"]
