"""A frame of trajectories in, rows on their Cumulative Action Complexity and on padding out.

Reads the columns `cac`, `calls` (list, one entry per call) and `unused_calls`.
"""

import numpy as np
import numpy.typing as npt
import polars as pl

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.schema import MetricRow

Floats = npt.NDArray[np.float64]

_RESAMPLE_CELLS = 4_000_000
_REPETITIVE = 4
"""Mean occurrences of a value from which drawing counts is faster than drawing values."""


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


def padding_rows(frame: pl.DataFrame, context: MeasureContext) -> list[MetricRow]:
    """unused_call_share: calls whose output nothing used, of all calls; no row when any trajectory's is unknown."""
    if "unused_calls" not in frame.columns or frame["unused_calls"].null_count():
        return []
    unused, made = frame.select(pl.sum("unused_calls"), pl.col("calls").list.len().sum()).row(0)
    return context.share("unused_call_share", unused, made)


def mean_interval(values: Floats, context: MeasureContext) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of sorted `values`, resampling with replacement."""
    generator = np.random.default_rng(context.seed)
    distinct, counts = np.unique(values, return_counts=True)
    repetitive = values.size > _REPETITIVE * distinct.size
    block = max(1, _RESAMPLE_CELLS // (distinct.size if repetitive else values.size))
    means = []
    for start in range(0, context.resamples, block):
        rows = min(block, context.resamples - start)
        if repetitive:  # how often each distinct value is drawn has the same distribution, in fewer draws
            drawn = generator.multinomial(values.size, counts / values.size, size=rows)
            means.append(drawn @ distinct / values.size)
        else:
            chosen = generator.integers(0, values.size, size=(rows, values.size), dtype=np.int32)
            means.append(values[chosen].mean(axis=1))
    low, high = np.quantile(np.concatenate(means), [0.025, 0.975])
    mean = float(values.mean())
    return min(mean, float(low)), max(mean, float(high))
