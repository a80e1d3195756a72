"""Frames in, figures of the kept set out: entropies, domains, reasoning modes, action complexity.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

from statistics import fmean

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdscaling_assets.report.canvas import (
    GRID,
    INK,
    MUTED,
    colour,
    in_style,
    label_bars,
    legend,
    new_figure,
    say_empty,
    title,
)
from tdscaling_assets.report.data import round_of

ENTROPIES = {"h_dom": "Domain entropy (bits)", "h_mode": "Reasoning-mode entropy (bits)"}
MODES_SHOWN = 20
DOMAINS_SHOWN = 24
MODE_LETTERS = 54


@in_style
def entropy_figure(metrics: pl.DataFrame) -> Figure:
    """`h_dom` and `h_mode` over batches: cumulative as a line with its 95 % band, each batch as a dot."""
    figure, panels = new_figure(2.7, columns=2)
    batches = metrics["batch"].unique().sort().to_list()
    for panel, (metric, name) in zip(panels, ENTROPIES.items(), strict=True):
        rows = metrics.filter(pl.col("metric") == metric)
        if rows.is_empty():
            say_empty(panel, "no batch measured yet")
            continue
        _shade_rounds(panel, batches)
        _draw_entropy(panel, rows, batches)
        title(panel, name)
    return figure


@in_style
def domain_figure(outcomes: pl.DataFrame) -> Figure:
    """Share of kept trajectories per domain, one bar per round."""
    kept = outcomes.filter("kept")
    domains = _by_frequency(kept, "domain")[:DOMAINS_SHOWN]
    rounds = _rounds(kept)
    figure, (panel,) = new_figure(0.9 + max(0.3, 0.1 * len(rounds)) * max(len(domains), 4))
    if not domains:
        say_empty(panel, "no trajectory kept yet")
        return figure
    thickness = 0.78 / len(rounds)
    for position, name in enumerate(rounds):
        rows = kept.filter(pl.col("round") == name)
        shares = _shares(rows, "domain")
        offsets = [row + (position - (len(rounds) - 1) / 2) * thickness for row in range(len(domains))]
        values = [100 * shares.get(domain, 0.0) for domain in domains]
        panel.barh(offsets, values, height=thickness * 0.9, color=colour(position), label=f"{name} (n = {rows.height})")
    label_bars(panel, domains, "% of the round's kept trajectories")
    legend(panel)
    return figure


@in_style
def mode_figure(outcomes: pl.DataFrame) -> Figure:
    """The most frequent reasoning modes of kept trajectories, stacked by round."""
    kept = outcomes.filter("kept")
    every = _by_frequency(kept, "mode")
    modes = every[:MODES_SHOWN]
    figure, (panel,) = new_figure(0.9 + 0.24 * max(len(modes), 6))
    if not modes:
        say_empty(panel, "no trajectory kept yet")
        return figure
    left = [0] * len(modes)
    for position, name in enumerate(_rounds(kept)):
        counts = dict(kept.filter(pl.col("round") == name).group_by("mode").len().iter_rows())
        values = [counts.get(mode, 0) for mode in modes]
        panel.barh(range(len(modes)), values, left=left, height=0.7, color=colour(position), label=name)
        left = [start + value for start, value in zip(left, values, strict=True)]
    label_bars(panel, [_mode_name(mode) for mode in modes], "kept trajectories")
    panel.tick_params(axis="y", labelsize=7)
    if len(every) > len(modes):
        title(panel, f"{len(modes)} most frequent of {len(every)} modes")
    legend(panel)
    return figure


@in_style
def complexity_figure(outcomes: pl.DataFrame) -> Figure:
    """CAC of kept trajectories, one box per round: quartiles, whiskers at p5 and p95, the mean as a dot."""
    kept = outcomes.filter("kept")
    rounds = _rounds(kept)
    figure, (panel,) = new_figure(1.0 + 0.42 * max(len(rounds), 2))
    if not rounds:
        say_empty(panel, "no trajectory kept yet")
        return figure
    panel.grid(False)
    panel.grid(True, axis="x", color=GRID, linewidth=0.7)
    for position, name in enumerate(rounds):
        values = kept.filter(pl.col("round") == name)["cac"]
        _draw_box(panel, position, values, colour(position))
    panel.set_yticks(range(len(rounds)), rounds)
    panel.invert_yaxis()
    panel.set_xlim(left=0)
    panel.set_xlabel("Cumulative Action Complexity of a trajectory")
    return figure


def _shade_rounds(panel: Axes, batches: list[str]) -> None:
    rounds = [round_of(batch) for batch in batches]
    for position, name in enumerate(dict.fromkeys(rounds)):
        first = rounds.index(name)
        last = len(rounds) - 1 - rounds[::-1].index(name)
        if position % 2 == 0:
            panel.axvspan(first - 0.5, last + 0.5, color="#f4f6f8", linewidth=0, zorder=0)
        panel.text(
            (first + last) / 2,
            0.975,
            name,
            transform=panel.get_xaxis_transform(),
            ha="center",
            va="top",
            color=MUTED,
            fontsize=8,
        )
    panel.set_xlim(-0.5, len(batches) - 0.5)
    step = max(1, -(-len(batches) // 10))
    panel.set_xticks(range(0, len(batches), step), [batch.split("-")[-1] for batch in batches[::step]])


def _draw_entropy(panel: Axes, rows: pl.DataFrame, batches: list[str]) -> None:
    for scope, shade, style in (("cumulative", colour(0), "-"), ("batch", colour(1), "")):
        own = rows.filter(pl.col("scope") == scope).sort("batch")
        places = [batches.index(batch) for batch in own["batch"]]
        values = own["value"].to_list()
        low = own["ci_low"].fill_null(own["value"]).to_list()
        high = own["ci_high"].fill_null(own["value"]).to_list()
        if style:
            panel.fill_between(places, low, high, color=shade, alpha=0.15, linewidth=0)
        else:
            panel.vlines(places, low, high, color=shade, linewidth=1.2, alpha=0.7)
        panel.plot(places, values, color=shade, linestyle=style, linewidth=1.8, marker="o", markersize=4, label=scope)
    low_end, high_end = panel.get_ylim()
    panel.set_ylim(low_end, high_end + 0.14 * (high_end - low_end))
    legend(panel)


def _draw_box(panel: Axes, row: int, values: pl.Series, shade: str) -> None:
    low, first, middle, third, high = (values.quantile(q, "linear") or 0.0 for q in (0.05, 0.25, 0.5, 0.75, 0.95))
    panel.hlines(row, low, high, color=shade, linewidth=1.4)
    panel.barh(row, third - first, left=first, height=0.5, color=shade, alpha=0.35)
    panel.vlines(middle, row - 0.25, row + 0.25, color=shade, linewidth=2)
    panel.plot([fmean(values)], [row], marker="o", markersize=4, color=INK)


def _mode_name(mode: str) -> str:
    text = mode.replace(">", " › ")
    return text if len(text) <= MODE_LETTERS else text[: MODE_LETTERS - 1] + "…"


def _by_frequency(rows: pl.DataFrame, column: str) -> list[str]:
    return rows.group_by(column).len().sort(["len", column], descending=[True, False])[column].to_list()


def _shares(rows: pl.DataFrame, column: str) -> dict[str, float]:
    return {name: count / rows.height for name, count in rows.group_by(column).len().iter_rows()}


def _rounds(rows: pl.DataFrame) -> list[str]:
    return rows["round"].unique().sort().to_list()
