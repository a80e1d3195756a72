"""The clusters' frame in, figures of the selection out: what the first k cover, and how many each domain has.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from tdscaling_assets.report.canvas import INK, MUTED, colour, in_style, label_bars, legend, new_figure, say_empty

DOMAINS_SHOWN = 60
DOMAIN_LETTERS = 28
ONE_COLUMN = 16  # domains up to which one column of bars is enough
LITTLE = 0.01  # share of the reachable multi-coverage below which further clusters add little


@in_style
def coverage_figure(clusters: pl.DataFrame, total_tools: int | None = None, total_edges: int | None = None) -> Figure:
    """What the first k clusters cover: tools and dependency edges, in % of the totals or of what all clusters cover,
    and the selection's own multi-coverage, in % of what the candidates reach. Saturation is marked."""
    figure, (panel,) = new_figure(2.9)
    if clusters.is_empty():
        say_empty(panel, "no cluster selected yet")
        return figure
    ordered = clusters.sort("rank")
    ranks = range(1, ordered.height + 1)
    series = (("covered_tools", "tools", total_tools), ("covered_edges", "dependency edges", total_edges))
    for position, (column, name, total) in enumerate(series):
        whole = total or max(int(ordered[column][-1]), 1)
        share = [100 * value / whole for value in ordered[column]]
        panel.plot(ranks, share, color=colour(position), linewidth=1.8, label=f"{name} ({whole:,} = 100 %)")
    if not ordered["coverage"].null_count():
        share = [100 * value for value in ordered["coverage"]]
        panel.plot(ranks, share, color=colour(2), linewidth=1.2, linestyle=(0, (4, 1.5)), label="multi-coverage")
    nothing_new, little_left = saturation_ranks(ordered)
    if nothing_new:
        _mark(panel, nothing_new, f"nothing new\nafter {nothing_new:,}", ordered.height, 52)
    if little_left:
        _mark(panel, little_left, f"{100 * (1 - LITTLE):.0f} % at\n{little_left:,}", ordered.height, 70)
    panel.set_ylim(0, 104)
    panel.set_xlim(left=0)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlabel("first k clusters")
    panel.set_ylabel("% covered")
    legend(panel)
    return figure


@in_style
def cluster_domain_figure(clusters: pl.DataFrame) -> Figure:
    """Clusters of each domain, the most first; two columns of bars where there are many domains."""
    counts = clusters.group_by("domain").len().sort(["len", "domain"], descending=[True, False])
    shown = counts.head(DOMAINS_SHOWN)
    columns = 1 if shown.height <= ONE_COLUMN else 2
    rows = -(-shown.height // columns)
    figure, panels = new_figure(0.8 + 0.19 * max(rows, 4), columns)
    if counts.is_empty():
        say_empty(panels[0], "no cluster selected yet")
        return figure
    longest = int(shown["len"][0])
    for position, panel in enumerate(panels):
        part = shown.slice(position * rows, rows)
        panel.barh(range(part.height), part["len"], height=0.68, color=colour(0))
        for row, count in enumerate(part["len"]):
            panel.text(count + longest * 0.02, row, f"{count:,}", va="center", color=INK, fontsize=7.5)
        panel.set_xlim(0, longest * 1.18)
        panel.set_ylim(-0.6, rows - 0.4)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        label_bars(panel, [_shorten(name) for name in part["domain"]], "clusters")
    if counts.height > shown.height:
        panels[-1].set_xlabel(f"clusters; {counts.height - shown.height} smaller domains not shown")
    return figure


def saturation_ranks(clusters: pl.DataFrame) -> tuple[int | None, int | None]:
    """The rank after which no selected cluster holds a new tool or edge, and the one that reaches 99 % of the reachable
    multi-coverage; None where the selection ended before."""
    ordered = clusters.sort("rank")
    new = ordered.filter(
        (pl.col("covered_tools").diff().fill_null(1) > 0) | (pl.col("covered_edges").diff().fill_null(1) > 0)
    )
    enough = ordered.filter(pl.col("coverage") >= 1 - LITTLE)
    last = int(new["rank"][-1]) if new.height else None
    return (
        last if last is not None and last < ordered.height else None,
        int(enough["rank"][0]) if enough.height else None,
    )


def _mark(panel: Axes, rank: int, text: str, last: int, height: int) -> None:
    panel.axvline(rank, color=MUTED, linewidth=0.8, linestyle=(0, (2, 2)))
    right = rank < 0.8 * last
    panel.annotate(
        text,
        (rank, height),
        xytext=(4 if right else -4, 0),
        textcoords="offset points",
        ha="left" if right else "right",
        color=MUTED,
        fontsize=7.5,
        bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
    )


def _shorten(name: str) -> str:
    return name if len(name) <= DOMAIN_LETTERS else f"{name[: DOMAIN_LETTERS - 1]}…"
