"""Outcomes of a round in, a figure of its reasoning modes out: how conversations pass from label to label.

A mode is the labels of a conversation in order of first occurrence; column k is the k-th label to occur. An alluvial
diagram: a node is a label at a place, as high as the share of conversations that reach it; a band, those that go on to
the same next label.
"""

import itertools
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.typing import ColorType

from tdscaling_assets.report.canvas import INK, MUTED, PALETTE, in_style, new_figure, say_empty, title
from tdscaling_assets.report.rounds import ordered

PLACES = ("1st", "2nd", "3rd", "4th", "5th", "6th")
GAP = 0.018  # between nodes, in shares
NAMED = 0.028  # share from which a node is named
BAR = 0.07  # width of a node, in columns
SHADES: Mapping[str, ColorType] = {
    "clarify": PALETTE[4],
    "parallel": PALETTE[5],
    "retrieve": PALETTE[0],
    "compute": PALETTE[6],
    "confirm": PALETTE[3],
    "act": PALETTE[1],
    "verify": PALETTE[2],
    "recover": PALETTE[7],
    "decline": "#c2452d",
    "answer": "#8793a0",
}
"""A colour for each label; nodes stand in this order, from the top."""
Node = tuple[int, str]  # place from 0, label


def first_and_last(outcomes: pl.DataFrame) -> list[str | None]:
    """The rounds whose flows are drawn beside each other: first and last that kept any, one when they are the same,
    None when none did."""
    rounds = ordered(outcomes.filter("kept")["round"])
    return [*dict.fromkeys([rounds[0], rounds[-1]])] if rounds else [None]


@in_style
def mode_flow_figure(outcomes: pl.DataFrame, round_name: str | None) -> Figure:
    """The flow of one round's kept trajectories through at most six labels."""
    kept = outcomes.filter(pl.col("kept") & (pl.col("round") == pl.lit(round_name)))
    figure, (panel,) = new_figure(3.6)
    if kept.is_empty():
        say_empty(panel, "no trajectory kept yet")
        return figure
    modes = [mode.split(">") for mode in kept["mode"]]
    nodes, bands = count_flow(modes)
    tops = _stack(nodes, len(modes))
    _draw_bands(panel, bands, tops, len(modes))
    _draw_nodes(panel, nodes, tops, len(modes))
    columns = 1 + max(place for place, _ in nodes)
    longer = sum(len(mode) > columns for mode in modes) / len(modes)
    panel.set_axis_off()
    panel.set_xlim(-0.05, len(PLACES) - 0.2)
    panel.set_ylim(max(tops[node] + count / len(modes) for node, count in nodes.items()) + 0.01, -0.05)
    for place, name in enumerate(PLACES[:columns]):
        panel.text(place, -0.02, name, fontsize=7, color=MUTED, va="bottom")
    more = f"; {100 * longer:.0f} % go on to more labels" if longer else ""
    title(panel, f"{round_name}: {len(modes):,} kept, {len(set(map(tuple, modes)))} modes{more}")
    return figure


def count_flow(modes: Sequence[Sequence[str]]) -> tuple[Counter[Node], Counter[tuple[Node, Node]]]:
    """Conversations at each node of the first six places, and on each band between two that follow each other."""
    nodes: Counter[Node] = Counter()
    bands: Counter[tuple[Node, Node]] = Counter()
    for mode in modes:
        path = list(enumerate(mode[: len(PLACES)]))
        nodes.update(path)
        bands.update(itertools.pairwise(path))
    return nodes, bands


def _rank(label: str) -> tuple[int, str]:
    known = list(SHADES)
    return (known.index(label) if label in SHADES else len(known)), label


def _stack(nodes: Counter[Node], total: int) -> dict[Node, float]:
    """The upper end of each node; every column begins at 0."""
    tops: dict[Node, float] = {}
    filled: dict[int, float] = {}
    for place, label in sorted(nodes, key=lambda node: (node[0], _rank(node[1]))):
        top = filled.get(place, -GAP) + GAP
        tops[place, label] = top
        filled[place] = top + nodes[place, label] / total
    return tops


def _draw_bands(panel: Axes, bands: Counter[tuple[Node, Node]], tops: Mapping[Node, float], total: int) -> None:
    leaving, entering = dict(tops), dict(tops)
    for source, target in sorted(bands, key=lambda ends: (ends[0][0], _rank(ends[0][1]), _rank(ends[1][1]))):
        height = bands[source, target] / total
        shape = _band(source[0] + BAR, leaving[source], target[0], entering[target], height)
        shade = SHADES.get(source[1], MUTED)
        # a clip is named by its address in memory: no two pages would be equal
        panel.add_patch(PathPatch(shape, facecolor=shade, alpha=0.32, linewidth=0, clip_on=False))
        leaving[source] += height
        entering[target] += height


def _band(x: float, y: float, to_x: float, to_y: float, height: float) -> Path:
    """A ribbon of that height from the left edge to the right one, level at both."""
    middle = (x + to_x) / 2
    corners = [
        (x, y),
        (middle, y),
        (middle, to_y),
        (to_x, to_y),
        (to_x, to_y + height),
        (middle, to_y + height),
        (middle, y + height),
        (x, y + height),
        (x, y),
    ]
    curve = [Path.CURVE4] * 3
    return Path(corners, [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])


def _draw_nodes(panel: Axes, nodes: Counter[Node], tops: Mapping[Node, float], total: int) -> None:
    for (place, label), count in sorted(nodes.items()):
        top, share = tops[place, label], count / total
        panel.bar(place, share, bottom=top, width=BAR, align="edge", color=SHADES.get(label, MUTED), clip_on=False)
        if share >= NAMED:
            text = f"{label} {100 * share:.0f} %"
            panel.text(place + BAR + 0.03, top + share / 2, text, va="center", fontsize=6.8, color=INK)
