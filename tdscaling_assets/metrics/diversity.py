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
    rarefaction_curve,
    rarefied_entropy,
)
from tdscaling_assets.schema import MetricRow

JOIN = ">"
LEVELS = (200, 500, 1_000, 2_000, 5_000, 10_000)
"""Sizes at which the entropies over domains and modes are also compared, by sets that are as large."""


def diversity_rows(frame: pl.DataFrame, context: MeasureContext) -> list[MetricRow]:
    """h_dom, h_mode, h_transition, h_step (each also `_mm` and `_rarefied`), effective numbers and evenness.

    h_dom and h_mode also as `_rarefied_200` and so on, at each of LEVELS that the set reaches.
    """
    domains, modes = domain_counts(frame), mode_counts(frame)
    return [
        *entropy_rows("h_dom", domains, context),
        *_level_rows("h_dom", domains, context),
        *entropy_rows("h_mode", modes, context),
        *_level_rows("h_mode", modes, context),
        *entropy_rows("h_transition", transition_counts(frame), context),
        *entropy_rows("h_step", step_counts(frame), context),
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
    steps = frame.select(label=labels, owner=pl.int_range(pl.len())).explode("label").drop_nulls()
    within = pl.col("owner") == pl.col("owner").shift(-1)
    pairs = steps.select("label", following=pl.when(within).then(pl.col("label").shift(-1))).drop_nulls()
    return _ascending(pairs.group_by("label", "following").len("n"))


def step_counts(frame: pl.DataFrame) -> list[int]:
    """Assistant messages per label, ascending."""
    return _counts(frame["labels"].cast(pl.List(pl.String)).explode().drop_nulls())


def entropy_rows(metric: str, counts: list[int], context: MeasureContext) -> list[MetricRow]:
    """The entropy with its interval, then `_mm` and `_rarefied`; no row of an empty set."""
    n = sum(counts)
    if n == 0:
        return []
    interval = bootstrap_interval(counts, context.resamples, context.seed)
    return [
        context.row(metric, plugin_entropy(counts), n, interval),
        context.row(f"{metric}_mm", miller_madow(counts), n),
        context.row(f"{metric}_rarefied", rarefied_entropy(counts, context.rarefaction), n),
    ]


def _counts(values: pl.Series) -> list[int]:
    return _ascending(values.value_counts(name="n"))


def _ascending(counted: pl.DataFrame) -> list[int]:
    counts: list[int] = counted["n"].sort().to_list()
    return counts


def _level_rows(metric: str, counts: list[int], context: MeasureContext) -> list[MetricRow]:
    """The entropy rarefied to each of LEVELS that the set reaches."""
    n = sum(counts)
    reached = [level for level in LEVELS if level <= n]
    values = rarefaction_curve(counts, reached)
    return [context.row(f"{metric}_rarefied_{level}", value, n) for level, value in zip(reached, values, strict=True)]


def _spread_rows(plural: str, short: str, counts: list[int], context: MeasureContext) -> list[MetricRow]:
    n = sum(counts)
    if n == 0:
        return []
    return [
        context.row(f"effective_{plural}", effective_number(plugin_entropy(counts)), n),
        context.row(f"evenness_{short}", evenness(counts), n),
    ]
