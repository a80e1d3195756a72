"""A frame of trajectories in, rows on their Cumulative Action Complexity out: reads the column `cac`."""

import numpy as np
import numpy.typing as npt
import polars as pl

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.schema import MetricRow

_RESAMPLE_CELLS = 4_000_000


def complexity_rows(frame: pl.DataFrame, context: MeasureContext) -> list[MetricRow]:
    """cac_mean with its interval, cac_p50, cac_p95, and cac_above_target where the context has a target."""
    values = np.sort(frame["cac"].cast(pl.Float64).to_numpy())
    if values.size == 0:
        return []
    rows = [context.row("cac_mean", float(values.mean()), values.size, mean_interval(values, context))]
    for name, quantile in (("cac_p50", 0.5), ("cac_p95", 0.95)):
        rows.append(context.row(name, float(np.quantile(values, quantile)), values.size))
    if context.cac_target is not None:
        rows.append(context.row("cac_above_target", float((values >= context.cac_target).mean()), values.size))
    return rows


def mean_interval(values: npt.NDArray[np.float64], context: MeasureContext) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of sorted `values`, resampling with replacement."""
    generator = np.random.default_rng(context.seed)
    block = max(1, _RESAMPLE_CELLS // values.size)
    means = []
    for start in range(0, context.resamples, block):
        size = (min(block, context.resamples - start), values.size)
        means.append(values[generator.integers(0, values.size, size=size)].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    mean = float(values.mean())
    return min(mean, float(low)), max(mean, float(high))
