"""A frame of trajectories in, entropy rows out: over domains, reasoning modes, label transitions and labels.

Reads the columns `trajectory_id`, `domain`, `mode` (list of labels) and `labels` (list of labels, one per message).
"""

import polars as pl

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.entropy import (
    bootstrap_interval,
    effective_number,
    evenness,
    miller_madow,
    plugin_entropy,
    rarefied_entropy,
)
from tdscaling_assets.schema import MetricRow

JOIN = ">"


def diversity_rows(frame: pl.DataFrame, context: MeasureContext) -> list[MetricRow]:
    """h_dom, h_mode, h_transition, h_step (each also `_mm` and `_rarefied`), effective numbers and evenness."""
    domains, modes = domain_counts(frame), mode_counts(frame)
    return [
        *_entropy_rows("h_dom", domains, context),
        *_entropy_rows("h_mode", modes, context),
        *_entropy_rows("h_transition", transition_counts(frame), context),
        *_entropy_rows("h_step", step_counts(frame), context),
        *_spread_rows("domains", "dom", domains, context),
        *_spread_rows("modes", "mode", modes, context),
    ]


def domain_counts(frame: pl.DataFrame) -> list[int]:
    """Trajectories per domain, ascending."""
    return _counts(frame["domain"])


def mode_counts(frame: pl.DataFrame) -> list[int]:
    """Trajectories per reasoning mode, ascending."""
    return _counts(frame["mode"].cast(pl.List(pl.String)).list.join(JOIN))


def transition_counts(frame: pl.DataFrame) -> list[int]:
    """Occurrences per pair of labels that follow each other within one trajectory, ascending."""
    labels = pl.col("labels").cast(pl.List(pl.String))
    steps = frame.select(label=labels, owner=pl.int_range(pl.len())).filter(pl.col("label").list.len() > 0)
    following = pl.col("label").shift(-1).over("owner", order_by="position")
    pairs = (
        steps.explode("label")
        .with_columns(position=pl.int_range(pl.len()))
        .select(pair=pl.concat_str("label", following, separator=JOIN))
    )
    return _counts(pairs["pair"].drop_nulls())


def step_counts(frame: pl.DataFrame) -> list[int]:
    """Assistant messages per label, ascending."""
    return _counts(frame["labels"].cast(pl.List(pl.String)).explode().drop_nulls())


def _counts(values: pl.Series) -> list[int]:
    counted: list[int] = values.value_counts(name="n")["n"].sort().to_list()
    return counted


def _entropy_rows(metric: str, counts: list[int], context: MeasureContext) -> list[MetricRow]:
    n = sum(counts)
    if n == 0:
        return []
    interval = bootstrap_interval(counts, context.resamples, context.seed)
    return [
        context.row(metric, plugin_entropy(counts), n, interval),
        context.row(f"{metric}_mm", miller_madow(counts), n),
        context.row(f"{metric}_rarefied", rarefied_entropy(counts, context.rarefaction), n),
    ]


def _spread_rows(plural: str, short: str, counts: list[int], context: MeasureContext) -> list[MetricRow]:
    n = sum(counts)
    if n == 0:
        return []
    return [
        context.row(f"effective_{plural}", effective_number(plugin_entropy(counts)), n),
        context.row(f"evenness_{short}", evenness(counts), n),
    ]
