"""A frame of kept trajectories and its context in, all metric rows of the diversity report out."""

import polars as pl

from tdscaling_assets.metrics.complexity import complexity_rows, padding_rows
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.cost import cost_rows
from tdscaling_assets.metrics.coverage import coverage_rows
from tdscaling_assets.metrics.diversity import diversity_rows, mode_counts
from tdscaling_assets.metrics.entropy import plugin_entropy
from tdscaling_assets.schema import MetricRow

STEERING = ("h_dom_rarefied", "h_mode_rarefied", "cac_mean")
"""What plateaus are judged by."""


def measure(frame: pl.DataFrame, context: MeasureContext, edges: pl.DataFrame | None = None) -> list[MetricRow]:
    """One row per figure, in a fixed order; a figure that is not defined on this set has no row.

    `frame` holds kept trajectories: trajectory_id, domain, mode, labels, cac, cluster_id, calls, unused_calls. Coverage
    needs `calls` and the catalog's `edges` (producer_id, consumer_id); `unused_calls` may be missing.
    """
    rows = [*diversity_rows(frame, context), *complexity_rows(frame, context), *padding_rows(frame, context)]
    if edges is not None:
        rows += coverage_rows(frame, edges, context)
    return rows + cost_rows(context, frame.height * plugin_entropy(mode_counts(frame)))


def metric_values(rows: list[MetricRow]) -> dict[str, float]:
    """Metric name → value, of rows that share batch and scope."""
    return {row.metric: row.value for row in rows}
