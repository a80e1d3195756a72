"""Outcomes in, a figure of effective numbers out: 2^H of domains and modes, per round and of all kept so far.

The paper's own figures (Domain Entropy 4.25 against 2.15, Reasoning Mode Entropy 8.97 against 5.42 bits) stand beside
them. It gives no formula, and what it counts as a domain or a mode is not what is counted here.
"""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from tdscaling_assets.report.canvas import GRID, MUTED, colour, in_style, legend_below, new_figure, say_empty, title
from tdscaling_assets.report.rounds import batch_order, ordered, spread
from tdscaling_assets.report.tables import plugin_entropy

ROUNDS_SHOWN = 12
PAPER_BITS = {"domain": {"paper": 4.25, "its baseline": 2.15}, "mode": {"paper": 8.97, "its baseline": 5.42}}
"""Entropies that the paper reports for its method and for the baseline it compares with."""
TICKS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


@in_style
def effective_figure(outcomes: pl.DataFrame) -> Figure:
    """Effective domains and modes of each round alone and of all up to it, logarithmic; the paper's are dashed."""
    kept = outcomes.filter("kept")
    rounds = ordered(kept["round"])
    shown = spread(rounds, ROUNDS_SHOWN)
    figure, panels = new_figure(1.5 + 0.24 * max(len(shown), 2), columns=2)
    for panel, column in zip(panels, PAPER_BITS, strict=True):
        if not rounds:
            say_empty(panel, "no trajectory kept yet")
            continue
        alone = [2 ** plugin_entropy(kept.filter(pl.col("round") == name)[column]) for name in shown]
        so_far = [2 ** plugin_entropy(_until(kept, rounds, name)[column]) for name in shown]
        numbers = [2**bits for bits in PAPER_BITS[column].values()]
        panel.set_xscale("log")
        panel.set_xlim(min(2.0, *alone, *so_far) * 0.8, max(*numbers, *alone, *so_far) * 1.6)
        _draw_dots(panel, shown, alone, so_far)
        _draw_paper(panel, column, len(shown))
        title(panel, f"Effective {column}s (2^H)")
    if rounds:
        legend_below(figure, panels[0])
    return figure


def _until(kept: pl.DataFrame, rounds: list[str], last: str) -> pl.DataFrame:
    return kept.filter(pl.col("round").is_in([name for name in rounds if batch_order(name) <= batch_order(last)]))


def _draw_dots(panel: Axes, names: list[str], alone: list[float], so_far: list[float]) -> None:
    rows = range(len(names))
    panel.hlines(rows, alone, so_far, color=GRID, linewidth=1.5)
    panel.plot(so_far, rows, "o", markersize=6, markerfacecolor="white", color=colour(0), label="all kept so far")
    panel.plot(alone, rows, "o", markersize=4.5, color=colour(1), label="round alone")
    panel.set_yticks(rows, names)
    panel.grid(False)
    panel.grid(True, axis="x", color=GRID, linewidth=0.7)


def _draw_paper(panel: Axes, column: str, rows: int) -> None:
    for name, bits in PAPER_BITS[column].items():
        number = 2**bits
        panel.axvline(number, color=MUTED, linewidth=0.9, linestyle=(0, (3, 2)))
        text = panel.text(number, -0.75, f"{name}\n{number:.1f}", ha="center", va="center", fontsize=7, color=MUTED)
        text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    panel.set_ylim(rows - 0.4, -1.2)
    panel.xaxis.set_major_locator(FixedLocator(TICKS))
    panel.xaxis.set_minor_locator(NullLocator())
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
