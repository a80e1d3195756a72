import polars as pl
import pytest
from report.drawn import words

from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.growth import entropy_figure, study_figure


def test_entropy_is_drawn_over_the_number_kept(report_data: ReportData) -> None:
    panel = entropy_figure(report_data.metrics).axes[0]
    rows = report_data.metrics.filter(pl.col("metric") == "h_dom")
    together = rows.filter(pl.col("scope") == "cumulative")

    (line,) = [line for line in panel.lines if line.get_label() == "all kept so far"]

    assert [list(column) for column in line.get_data()] == [together["n"].to_list(), together["value"].to_list()]


def test_a_batch_alone_stands_where_it_ended(report_data: ReportData) -> None:
    panel = entropy_figure(report_data.metrics).axes[1]
    rows = report_data.metrics.filter(pl.col("metric") == "h_mode")

    (dots,) = [line for line in panel.lines if line.get_label() == "each batch alone"]

    assert list(dots.get_xdata()) == rows.filter(pl.col("scope") == "cumulative")["n"].to_list()
    assert list(dots.get_ydata()) == rows.filter(pl.col("scope") == "batch")["value"].to_list()


def test_a_study_has_a_row_of_panels_per_basis(report_data: ReportData) -> None:
    both = study_figure(report_data.study)
    one = study_figure(report_data.study.filter(pl.col("basis") == "calls"))

    assert (len(both.axes), len(one.axes)) == (4, 2)
    assert "at equal model calls" in words(one) and "at equal numbers kept" not in words(one)


def test_an_arm_is_its_mean_and_each_seed(report_data: ReportData) -> None:
    lines = study_figure(report_data.study).axes[0].lines

    drawn = {(line.get_label(), tuple(line.get_ydata())) for line in lines if not line.get_label().startswith("_")}
    thin = [tuple(line.get_ydata()) for line in lines if line.get_label().startswith("_")]

    assert drawn == {("quantity, mean of 2 seeds", (1.75, 2.75)), ("diversity, mean of 2 seeds", (2.75, 3.75))}
    assert thin == [(1.5, 2.5), (2.0, 3.0), (2.5, 3.5), (3.0, 4.0)]


@pytest.mark.parametrize(("arm", "low", "high"), [(0, 1.25, 3.25), (1, 2.25, 4.25)])
def test_the_band_reaches_from_the_lowest_end_to_the_highest(
    report_data: ReportData, arm: int, low: float, high: float
) -> None:
    band = study_figure(report_data.study).axes[0].collections[arm]

    heights = band.get_paths()[0].vertices[:, 1]

    assert (heights.min(), heights.max()) == (low, high)


def test_a_seed_without_an_interval_is_its_own_band(report_data: ReportData) -> None:
    bare = report_data.study.with_columns(ci_low=pl.lit(None, pl.Float64), ci_high=pl.lit(None, pl.Float64))

    heights = study_figure(bare).axes[0].collections[0].get_paths()[0].vertices[:, 1]

    assert (heights.min(), heights.max()) == (1.5, 3.0)


def test_no_study_says_so(report_data: ReportData) -> None:
    assert words(study_figure(report_data.study.clear())) == ["no study made yet"] * 2
