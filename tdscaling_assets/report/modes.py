"""Outcomes in, a figure of the most frequent reasoning modes out.

Columns as in data.py's ReportData; canvas.py turns a figure into text.
"""

import matplotlib
import polars as pl
from matplotlib.figure import Figure
from matplotlib.typing import ColorType

from tdscaling_assets.report.canvas import colour, in_style, label_bars, legend, new_figure, say_empty, title
from tdscaling_assets.report.rounds import ordered, spread

MODES_SHOWN = 20
ROUNDS_NAMED = 8
MODE_LETTERS = 54


@in_style
def mode_figure(outcomes: pl.DataFrame) -> Figure:
    """The most frequent reasoning modes of kept trajectories, stacked by round."""
    kept = outcomes.filter("kept")
    every = _by_frequency(kept)
    modes = every[:MODES_SHOWN]
    figure, (panel,) = new_figure(0.9 + 0.24 * max(len(modes), 6))
    if not modes:
        say_empty(panel, "no trajectory kept yet")
        return figure
    rounds, left = ordered(kept["round"]), [0] * len(modes)
    for position, name in enumerate(rounds):
        counts = dict(kept.filter(pl.col("round") == name).group_by("mode").len().iter_rows())
        values = [counts.get(mode, 0) for mode in modes]
        bars = panel.barh(range(len(modes)), values, left=left, height=0.7, color=_shade(position, len(rounds)))
        if name in spread(rounds, ROUNDS_NAMED):
            bars.set_label(name)
        left = [start + value for start, value in zip(left, values, strict=True)]
    label_bars(panel, [_mode_name(mode) for mode in modes], "kept trajectories")
    panel.tick_params(axis="y", labelsize=7)
    if len(every) > len(modes):
        title(panel, f"{len(modes)} most frequent of {len(every)} modes")
    legend(panel)
    return figure


def _shade(position: int, rounds: int) -> ColorType:
    """A colour of its own for each of a few rounds; from dark to light where there are many."""
    return colour(position) if rounds <= ROUNDS_NAMED else matplotlib.colormaps["viridis"](position / (rounds - 1))


def _mode_name(mode: str) -> str:
    text = mode.replace(">", " › ")
    return text if len(text) <= MODE_LETTERS else text[: MODE_LETTERS - 1] + "…"


def _by_frequency(rows: pl.DataFrame) -> list[str]:
    return rows.group_by("mode").len().sort(["len", "mode"], descending=[True, False])["mode"].to_list()
