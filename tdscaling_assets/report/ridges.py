"""Outcomes and plans in, a figure of action complexity out: one density per round over a shared axis.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

from collections.abc import Mapping
from statistics import fmean

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from tdscaling_assets.report.canvas import GRID, INK, colour, in_style, new_figure, say_empty
from tdscaling_assets.report.rounds import first_plans, ordered, spread

ROUNDS_SHOWN = 20
NAMED = 8  # rounds up to which every target is written out; else the first and the last
POINTS = 120
BINS = 1000  # far finer than any bandwidth, and memory does not grow with the number of trajectories
OVERLAP = 1.35  # height of the highest ridge, in rows
TARGET = "#b3402f"

Floats = NDArray[np.float64]


@in_style
def complexity_figure(outcomes: pl.DataFrame, plans: pl.DataFrame) -> Figure:
    """CAC of kept trajectories as a ridge per round; a dot is the mean, a red stroke the plan's target."""
    kept = outcomes.filter("kept")
    shown = spread(ordered(kept["round"]), ROUNDS_SHOWN)
    figure, (panel,) = new_figure(1.1 + (0.45 if len(shown) <= NAMED else 0.3) * max(len(shown), 2))
    if not shown:
        say_empty(panel, "no trajectory kept yet")
        return figure
    values = {name: kept.filter(pl.col("round") == name)["cac"].to_numpy() for name in shown}
    targets = {name: plan["cac_target"] for name, plan in first_plans(plans).items() if name in values}
    right = 1.05 * max([*(own.max() for own in values.values()), *targets.values()])
    grid = np.linspace(0.0, right, POINTS)
    ridges = {name: density(own, grid) for name, own in values.items()}
    scale = OVERLAP / max(ridge.max() for ridge in ridges.values())
    for row, name in enumerate(shown):
        _draw_ridge(panel, row, grid, scale * ridges[name], fmean(values[name]))
    _draw_targets(panel, shown, targets)
    panel.grid(False)
    panel.grid(True, axis="x", color=GRID, linewidth=0.7)
    panel.set_yticks(range(len(shown)), [f"{name} (n = {len(values[name]):,})" for name in shown])
    panel.set_ylim(len(shown) - 0.7, -OVERLAP - 0.1)
    panel.set_xlim(0, right)
    panel.set_xlabel("Cumulative Action Complexity of a trajectory")
    return figure


def density(values: Floats, grid: Floats) -> Floats:
    """Gaussian kernel density at the grid's points, mass reflected at 0; bandwidth by Silverman's rule, at least a
    hundredth of the grid."""
    first, third = np.quantile(values, [0.25, 0.75])
    spreads = [size for size in (float(values.std()), float(third - first) / 1.34) if size > 0]
    width = max(0.9 * min(spreads, default=0.0) * len(values) ** -0.2, float(grid[-1]) / 100)
    counts, edges = np.histogram(values, bins=BINS, range=(0.0, float(grid[-1])))
    places = (edges[1:] + edges[:-1]) / 2
    kernels = sum(np.exp(-0.5 * ((grid[:, None] - side * places[None, :]) / width) ** 2) for side in (1, -1))
    heights: Floats = kernels @ counts / (len(values) * width * np.sqrt(2 * np.pi))
    return heights


def _draw_ridge(panel: Axes, row: int, grid: Floats, heights: Floats, mean: float) -> None:
    layer = 2 + row
    panel.fill_between(grid, row, row - heights, color=colour(0), alpha=0.28, linewidth=0, zorder=layer)
    panel.plot(grid, row - heights, color=colour(0), linewidth=1.2, zorder=layer)
    panel.plot([mean], [row], "o", markersize=4, color=INK, zorder=layer + 1)


def _draw_targets(panel: Axes, shown: list[str], targets: Mapping[str, float]) -> None:
    for row, name in enumerate(shown):
        if name not in targets:
            continue
        panel.vlines(targets[name], row - 0.5, row, color=TARGET, linewidth=1.8, zorder=len(shown) + 3)
        if len(shown) > NAMED and row not in (0, len(shown) - 1):
            continue
        panel.annotate(
            f"target {targets[name]:.1f}",
            (targets[name], row - 0.5),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=TARGET,
            zorder=len(shown) + 3,
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.7},
        )
