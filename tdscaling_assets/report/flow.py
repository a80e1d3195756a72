"""Frames in, figures of how a set came about out: the funnel, the operators planned and applied.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tdscaling_assets.report.canvas import INK, REJECTED, colour, in_style, label_bars, new_figure, say_empty, title
from tdscaling_assets.report.rounds import applied_shares, first_plans, ordered, read_weights, spread

ROUNDS_SHOWN = 8


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
def operator_figure(plans: pl.DataFrame, outcomes: pl.DataFrame | None = None) -> Figure:
    """Weight of each blueprint operator over rounds, as a heat map of percentages; beside it, where outcomes are given,
    the share of each round's conversations that it had a part in."""
    planned = {name: read_weights(plan["operator_weights"]) for name, plan in first_plans(plans).items()}
    planned = {name: weights for name, weights in planned.items() if weights}
    applied: dict[str, dict[str, float]] = {}
    if outcomes is not None:
        names = ordered(outcomes["round"])
        applied = {name: applied_shares(outcomes.filter(pl.col("round") == name)) for name in names}
    operators = sorted({name for weights in [*planned.values(), *applied.values()] for name in weights})
    figure, panels = new_figure(1.0 + 0.26 * max(len(operators), 4), columns=1 if outcomes is None else 2)
    if not operators:
        for panel in panels:
            say_empty(panel, "no operator planned yet")
        return figure
    _draw_heat(panels[0], operators, planned, "Weight in the plan, %")
    for panel in panels[1:]:
        _draw_heat(panel, operators, applied, "Conversations it had a part in, %")
    return figure


def _draw_heat(panel: Axes, operators: list[str], by_round: Mapping[str, Mapping[str, float]], text: str) -> None:
    shown = spread(list(by_round), ROUNDS_SHOWN)
    title(panel, text)
    if not shown:
        say_empty(panel, "none yet")
        return
    shares = [[100 * by_round[name].get(operator, 0.0) for name in shown] for operator in operators]
    peak = max(max(row) for row in shares) or 1.0
    panel.pcolormesh(shares, cmap="Blues", vmin=0, vmax=peak * 2.2, edgecolors="white", linewidth=1.5)
    for row, values in enumerate(shares):
        for column, value in enumerate(values):
            panel.text(column + 0.5, row + 0.5, f"{value:.0f}", ha="center", va="center", color=INK, fontsize=8)
    panel.grid(False)
    panel.invert_yaxis()
    panel.set_yticks([row + 0.5 for row in range(len(operators))], operators)
    panel.set_xticks([column + 0.5 for column in range(len(shown))], shown)
