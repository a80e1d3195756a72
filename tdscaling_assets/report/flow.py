"""Frames in, figures of how a set came about out: the funnel, the operators planned.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

import json
from collections.abc import Mapping

import polars as pl
from matplotlib.figure import Figure

from tdscaling_assets.report.canvas import INK, REJECTED, colour, in_style, label_bars, new_figure, say_empty


@in_style
def funnel_figure(counts: pl.DataFrame, rejections: pl.DataFrame) -> Figure:
    """From raw trajectories through each rule's rejections to the kept ones."""
    by_rule = rejections.group_by("rule", maintain_order=True).agg(pl.col("n").sum())
    raw, kept = int(counts["raw"].sum()), int(counts["kept"].sum())
    figure, (panel,) = new_figure(0.8 + 0.28 * (by_rule.height + 2))
    if not raw:
        say_empty(panel, "no trajectory made yet")
        return figure
    names = ["raw", *by_rule["rule"].to_list(), "kept"]
    sizes = [raw, *by_rule["n"].to_list(), kept]
    starts, remaining = [0], raw
    for size in sizes[1:-1]:
        remaining -= size
        starts.append(remaining)
    colours = [colour(0), *[REJECTED] * by_rule.height, colour(2)]
    panel.barh(range(len(names)), sizes, left=[*starts, 0], height=0.66, color=colours)
    for row, (start, size) in enumerate(zip([*starts, 0], sizes, strict=True)):
        sign = "" if row in (0, len(names) - 1) else "−"
        panel.text(start + size + raw * 0.012, row, f"{sign}{size:,}", va="center", color=INK, fontsize=8)
    panel.set_xlim(0, raw * 1.1)
    label_bars(panel, names, "trajectories")
    return figure


@in_style
def operator_figure(plans: pl.DataFrame) -> Figure:
    """Weight of each blueprint operator over rounds, as a heat map of percentages."""
    by_round = {
        row["round"]: read_weights(row["operator_weights"])
        for row in plans.sort("batch").unique("round", keep="first", maintain_order=True).iter_rows(named=True)
    }
    by_round = {name: weights for name, weights in by_round.items() if weights}
    operators = sorted({operator for weights in by_round.values() for operator in weights})
    figure, (panel,) = new_figure(0.9 + 0.26 * max(len(operators), 4))
    if not operators:
        say_empty(panel, "no operator planned yet")
        return figure
    shares = [[100 * weights.get(operator, 0.0) for weights in by_round.values()] for operator in operators]
    peak = max(max(row) for row in shares) or 1.0
    panel.pcolormesh(shares, cmap="Blues", vmin=0, vmax=peak * 2.2, edgecolors="white", linewidth=1.5)
    for row, values in enumerate(shares):
        for column, value in enumerate(values):
            panel.text(column + 0.5, row + 0.5, f"{value:.0f} %", ha="center", va="center", color=INK, fontsize=8)
    panel.grid(False)
    panel.invert_yaxis()
    panel.set_yticks([row + 0.5 for row in range(len(operators))], operators)
    panel.set_xticks([column + 0.5 for column in range(len(by_round))], list(by_round))
    return figure


def read_weights(value: object) -> dict[str, float]:
    """Named weights out of a struct, a map (list of key/value) or JSON text; absent ones are left out."""
    if isinstance(value, str):
        value = json.loads(value)
    if isinstance(value, pl.Series):
        value = value.to_list()
    if isinstance(value, list):
        value = {item["key"]: item["value"] for item in value}
    if not isinstance(value, Mapping):
        return {}
    return {str(name): float(weight) for name, weight in value.items() if weight is not None}
