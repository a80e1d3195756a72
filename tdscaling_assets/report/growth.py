"""Metrics and studies in, figures of entropy against the number of trajectories out.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tdscaling_assets.report.canvas import MUTED, colour, in_style, legend_below, new_figure, say_empty, title
from tdscaling_assets.report.rounds import ordered, round_of, spread

ENTROPIES = {"h_dom": "Domain entropy (bits)", "h_mode": "Reasoning-mode entropy (bits)"}
ARMS = {"quantity": colour(1), "diversity": colour(0)}
BASES = {
    "kept": ("at equal numbers kept", "kept trajectories"),
    "calls": ("at equal model calls", "kept by quantity after as many calls"),
}
ROUNDS_NAMED = 8


class Point(NamedTuple):
    """Entropy in bits with its interval, at so many kept trajectories."""

    n: int
    value: float
    low: float
    high: float


@in_style
def entropy_figure(metrics: pl.DataFrame) -> Figure:
    """`h_dom` and `h_mode` over the number kept so far: all kept as a line with its 95 % band, each batch alone as a
    dot where it ended."""
    figure, panels = new_figure(2.9, columns=2)
    for panel, (metric, name) in zip(panels, ENTROPIES.items(), strict=True):
        rows = metrics.filter(pl.col("metric") == metric)
        together = _points(rows, "cumulative")
        if not together:
            say_empty(panel, "no batch measured yet")
            continue
        _shade_rounds(panel, {batch: point.n for batch, point in together.items()})
        _draw_line(panel, list(together.values()))
        _draw_batches(panel, {together[batch].n: p for batch, p in _points(rows, "batch").items() if batch in together})
        low, high = panel.get_ylim()
        panel.set_ylim(low, high + 0.14 * (high - low))
        panel.set_xlabel("trajectories kept so far")
        panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        title(panel, name)
    if panels[0].lines:
        legend_below(figure, panels[0])
    return figure


@in_style
def study_figure(study: pl.DataFrame) -> Figure:
    """Both arms' entropies over budgets, a row of panels per basis: the mean over seeds, each seed thin, and a band
    from the lowest to the highest end of the seeds' 95 % intervals."""
    bases = [basis for basis in BASES if basis in study["basis"]]
    figure, panels = new_figure(0.4 + 2.4 * max(len(bases), 1), columns=2, rows=max(len(bases), 1))
    if not bases:
        for panel in panels:
            say_empty(panel, "no study made yet")
    for row, basis in enumerate(bases):
        named, unit = BASES[basis]
        for panel, (metric, name) in zip(panels[2 * row :], ENTROPIES.items(), strict=False):
            own = study.filter((pl.col("basis") == basis) & (pl.col("metric") == metric))
            title(panel, f"{name}\n{named}")
            panel.set_xlabel(unit)
            for arm, shade in ARMS.items():
                _draw_arm(panel, own.filter(pl.col("arm") == arm), arm, shade)
    if bases:
        legend_below(figure, panels[0])
    return figure


def _points(rows: pl.DataFrame, scope: str) -> dict[str, Point]:
    """By batch in order; a value without an interval is its own."""
    own = {row["batch"]: row for row in rows.filter(pl.col("scope") == scope).iter_rows(named=True)}
    found = {}
    for batch in ordered(own):
        row = own[batch]
        low, high = (row["value"] if row[end] is None else row[end] for end in ("ci_low", "ci_high"))
        found[batch] = Point(row["n"], row["value"], low, high)
    return found


def _draw_line(panel: Axes, points: Sequence[Point]) -> None:
    shade, places = colour(0), [point.n for point in points]
    low, high = [point.low for point in points], [point.high for point in points]
    panel.fill_between(places, low, high, color=shade, alpha=0.15, linewidth=0)
    values = [point.value for point in points]
    panel.plot(places, values, color=shade, linewidth=1.8, marker="o", markersize=4, label="all kept so far")


def _draw_batches(panel: Axes, points: dict[int, Point]) -> None:
    low, high = [point.low for point in points.values()], [point.high for point in points.values()]
    panel.vlines(list(points), low, high, color=colour(1), linewidth=1.2, alpha=0.7)
    values = [point.value for point in points.values()]
    panel.plot(list(points), values, "o", color=colour(1), markersize=4, label="each batch alone")


def _shade_rounds(panel: Axes, ends: dict[str, int]) -> None:
    """A strip per round, from where the round before it ended."""
    rounds = ordered(map(round_of, ends))
    named, start = spread(rounds, ROUNDS_NAMED), 0
    for position, name in enumerate(rounds):
        end = max(n for batch, n in ends.items() if round_of(batch) == name)
        if position % 2 == 0:
            panel.axvspan(start, end, color="#f4f6f8", linewidth=0, zorder=0)
        if name in named:
            middle, across = (start + end) / 2, panel.get_xaxis_transform()
            panel.text(middle, 0.975, name, transform=across, ha="center", va="top", color=MUTED, fontsize=8)
        start = end
    panel.set_xlim(0, 1.03 * max(start, 1))


def _draw_arm(panel: Axes, rows: pl.DataFrame, arm: str, shade: str) -> None:
    if rows.is_empty():
        return
    for _, own in sorted(rows.group_by("seed"), key=lambda group: str(group[0])):
        line = own.sort("budget")
        panel.plot(line["budget"].to_list(), line["value"].to_list(), color=shade, linewidth=0.6, alpha=0.5)
    over = rows.group_by("budget").agg(
        pl.col("value").mean(),
        pl.col("ci_low").fill_null(pl.col("value")).min(),
        pl.col("ci_high").fill_null(pl.col("value")).max(),
    )
    places, values, low, high = (over.sort("budget")[name].to_list() for name in over.columns)
    panel.fill_between(places, low, high, color=shade, alpha=0.15, linewidth=0)
    seeds = rows["seed"].n_unique()
    name = f"{arm}, mean of {seeds} seeds" if seeds > 1 else arm
    panel.plot(places, values, color=shade, linewidth=1.8, marker="o", markersize=3.5, label=name)
