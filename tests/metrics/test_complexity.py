"""The interval of a mean, and the share of padding."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.metrics.complexity import mean_interval, padding_rows
from tdscaling_assets.metrics.context import MeasureContext

CONTEXT = MeasureContext(batch="r01-b01", scope="batch", resamples=200, seed=1)
FEW_VALUES = np.sort(np.random.default_rng(1).poisson(2, 4_000) / 2)
ALL_DISTINCT = np.sort(np.random.default_rng(1).random(4_000) * 4)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=60))
def test_the_interval_holds_the_mean_and_stays_within_the_values(values: list[float]) -> None:
    ordered = np.sort(np.array(values))
    low, high = mean_interval(ordered, CONTEXT)
    assert ordered[0] - 1e-9 <= low <= float(ordered.mean()) <= high <= ordered[-1] + 1e-9


@pytest.mark.parametrize("values", [FEW_VALUES, ALL_DISTINCT])
def test_the_interval_is_that_of_the_standard_error(values: np.ndarray) -> None:
    """Whether counts are drawn or values: 95 % of a normal distribution is ± 1.96 standard errors."""
    low, high = mean_interval(values, CONTEXT.model_copy(update={"resamples": 2_000}))
    error = values.std() / np.sqrt(values.size)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.2 * error)


@pytest.mark.parametrize("values", [FEW_VALUES, ALL_DISTINCT])
def test_the_interval_narrows_with_more_data(values: np.ndarray) -> None:
    few, many = mean_interval(values[::40], CONTEXT), mean_interval(values, CONTEXT)
    assert many[1] - many[0] < (few[1] - few[0]) / 3


@pytest.mark.parametrize("values", [FEW_VALUES, ALL_DISTINCT])
def test_the_interval_is_a_function_of_its_seed(values: np.ndarray) -> None:
    assert mean_interval(values, CONTEXT) == mean_interval(values, CONTEXT)
    assert mean_interval(values, CONTEXT) != mean_interval(values, CONTEXT.model_copy(update={"seed": 2}))


@pytest.mark.parametrize("values", [FEW_VALUES, ALL_DISTINCT])
def test_resampling_in_blocks_covers_every_resample(values: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mean_interval(values, CONTEXT)
    monkeypatch.setattr("tdscaling_assets.metrics.complexity._RESAMPLE_CELLS", 40_000)
    assert mean_interval(values, CONTEXT) == pytest.approx(whole, abs=1e-12)


def padded(*unused: int | None) -> pl.DataFrame:
    return pl.DataFrame({"calls": [["get", "pay"]] * len(unused), "unused_calls": unused})


def test_padding_is_of_all_calls_of_the_set() -> None:
    (row,) = padding_rows(padded(1, 0, 0), CONTEXT)
    assert (row.metric, row.value, row.n) == ("unused_call_share", 1 / 6, 6)


def test_padding_that_is_unknown_of_one_is_unknown_of_the_set() -> None:
    assert padding_rows(padded(1, None), CONTEXT) == []
    assert padding_rows(padded(1).drop("unused_calls"), CONTEXT) == []
    assert padding_rows(padded(1).clear(), CONTEXT) == []
