"""Runs in, the figures of each domain and of each operator out.

An operator's group are the runs whose blueprint it had a part in; a run may belong to several, or to none.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import polars as pl

from tdscaling_assets.metrics.complexity import Floats, mean_interval
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.diversity import entropy_rows
from tdscaling_assets.schema import GroupRow, MetricRow


def group_rows(runs: pl.DataFrame, context: MeasureContext) -> list[GroupRow]:
    """n, share, acceptance_rate, h_mode (also `_mm` and `_rarefied`) and cac_mean per domain and per operator, by name.

    `runs` has one row per trajectory, kept or not: domain, operators (list), mode (labels joined by `>`), cac, kept. A
    group of which nothing was kept has no entropy and no mean.
    """
    figures = runs.select("domain", "mode", "cac", "kept", operator=pl.col("operators").list.unique())
    domains = figures.rename({"domain": "name"})
    operators = figures.explode("operator").drop_nulls("operator").rename({"operator": "name"})
    return [*_rows("domain", domains, context), *_rows("operator", operators, context)]


def _rows(dimension: Literal["domain", "operator"], runs: pl.DataFrame, context: MeasureContext) -> Iterator[GroupRow]:
    """`runs` has name, mode, cac, kept; share is of everything that the context counts as kept."""
    kept = pl.col("kept")
    groups = runs.group_by("name").agg(generated=pl.len(), cac=pl.col("cac").filter(kept).sort(), n=kept.sum())
    modes = runs.filter(kept).group_by("name", "mode").len("count").group_by("name").agg("count")
    for name, generated, cac, n, counts in groups.join(modes, on="name", how="left").sort("name").iter_rows():
        rows = [
            context.row("n", n, n),
            *context.share("share", n, context.kept),
            *context.share("acceptance_rate", n, generated),
            *_figures(counts or [], np.array(cac, dtype=np.float64), context),
        ]
        for row in rows:
            yield GroupRow(dimension=dimension, name=name, **row.model_dump())


def _figures(modes: list[int], cac: Floats, context: MeasureContext) -> list[MetricRow]:
    if not modes:
        return []
    mean = context.row("cac_mean", float(cac.mean()), cac.size, mean_interval(cac, context))
    return [*entropy_rows("h_mode", modes, context), mean]
