"""Clusters in, a figure of their tools and dependencies out: producers left, consumers right, a colour per server."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import igraph
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from tdscaling_assets.report.canvas import INK, MUTED, colour, in_style, new_figure, say_empty

SHOWN = 3  # first clusters that are drawn, beside the first that joins services
LABELLED = 9  # arrows up to which each says what is handed on
ROW = 0.42  # inches
COLUMNS = 5
LETTERS = 15  # of a tool's name on one line
TITLE_LETTERS = 100


class ToolName(NamedTuple):
    """Whose tool it is, and what its server calls it."""

    server: str
    name: str


def shown_clusters(clusters: pl.DataFrame, tools: Mapping[str, ToolName]) -> pl.DataFrame:
    """The first three clusters, and the first whose tools are of several servers."""
    ordered = clusters.sort("rank")
    first = ordered.head(SHOWN)
    crossing = [
        len({tools[one].server for one in tool_ids if one in tools}) > 1 for tool_ids in ordered["tool_ids"].to_list()
    ]
    if any(crossing[:SHOWN]):
        return first
    return pl.concat([first, ordered.filter(pl.Series(crossing, dtype=pl.Boolean)).head(1)])


@in_style
def tool_graph_figure(clusters: pl.DataFrame, tools: Mapping[str, ToolName]) -> Figure:
    """One panel for each cluster (columns rank, name, purpose, tool_ids, edges), below one another."""
    rows = clusters.sort("rank").to_dicts()
    if not rows:
        figure, (panel,) = new_figure(1.2)
        say_empty(panel, "no cluster selected yet")
        return figure
    arrows = [_arrows(row["edges"]) for row in rows]
    layouts = [_layout(row["tool_ids"], drawn) for row, drawn in zip(rows, arrows, strict=True)]
    heights = [0.85 + ROW * (1 + max(y for _, y in places.values())) for places in layouts]
    figure, _ = new_figure(sum(heights), columns=2)
    figure.clear()
    panels = figure.subplots(len(rows), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, row, places, drawn in zip(panels, rows, layouts, arrows, strict=True):
        _draw_arrows(panel, places, drawn)
        _draw_tools(panel, places, tools)
        panel.set_title(
            _cut(f"{row['rank']}  {row['name']}", TITLE_LETTERS), loc="left", fontsize=8.5, color=INK, pad=15
        )
        says = _cut(row["purpose"] or "", TITLE_LETTERS + 20)
        panel.text(0, 1, says, transform=panel.transAxes, va="bottom", fontsize=7, color=MUTED)
    return figure


class Arrow(NamedTuple):
    """What one tool gives another: parameter names, summed weight, and whether it is the consumer's main source or
    the producer's only use among such."""

    fed: str
    weight: float
    main: bool


Arrows = Mapping[tuple[str, str], Arrow]
Place = tuple[float, float]  # column from the left, row from the top


def _arrows(edges: Sequence[Mapping[str, Any]]) -> Arrows:
    """Arrows by producer and consumer, several edges between two tools as one."""
    fed: dict[tuple[str, str], dict[str, float]] = {}
    for edge in edges:
        own = fed.setdefault((edge["producer_id"], edge["consumer_id"]), {})
        own[edge["consumer_param"]] = own.get(edge["consumer_param"], 0.0) + edge["weight"]
    strongest = sorted(fed, key=lambda ends: (-sum(fed[ends].values()), ends))
    main: set[tuple[str, str]] = set()
    for end in (1, 0):  # each consumer's best source, then a use of each producer that feeds no one yet
        for ends in strongest:
            if ends[end] not in {one[end] for one in main} and ends[::-1] not in main:
                main.add(ends)
    return {ends: Arrow(", ".join(own), sum(own.values()), ends in main) for ends, own in sorted(fed.items())}


def _layout(tool_ids: Sequence[str], arrows: Arrows) -> dict[str, Place]:
    """Layers of the main arrows from left to right (Sugiyama et al. 1981) in at most five columns, each centred."""
    number = {tool_id: position for position, tool_id in enumerate(tool_ids)}
    main = [(number[a], number[b]) for (a, b), arrow in arrows.items() if arrow.main]
    graph = igraph.Graph(n=len(tool_ids), edges=main, directed=True)
    placed = graph.layout_sugiyama(hgap=1, vgap=1).coords[: len(tool_ids)]
    squeeze = min(1.0, (COLUMNS - 1) / max(1.0, max(layer for _, layer in placed)))
    columns: dict[int, list[tuple[float, float, str]]] = {}
    for tool_id, (across, layer) in zip(tool_ids, placed, strict=True):
        columns.setdefault(round(layer * squeeze), []).append((across, layer, tool_id))
    tallest = max(map(len, columns.values()))
    return {
        tool_id: (float(position), (row + 0.5) * tallest / len(columns[column]) - 0.5)
        for position, column in enumerate(sorted(columns))
        for row, (_, _, tool_id) in enumerate(sorted(columns[column]))
    }


def _draw_tools(panel: Axes, places: Mapping[str, Place], tools: Mapping[str, ToolName]) -> None:
    servers = sorted({tools[tool_id].server for tool_id in places if tool_id in tools})
    shade = {server: colour(position) for position, server in enumerate(servers)}
    for tool_id, (x, y) in places.items():
        tool = tools.get(tool_id, ToolName("", tool_id))
        box = {"boxstyle": "round,pad=0.3", "fc": "white", "ec": shade.get(tool.server, MUTED), "linewidth": 1.1}
        panel.text(x, y, _wrap(tool.name), ha="center", va="center", fontsize=6.8, color=INK, bbox=box, zorder=3)
    bottom = max(y for _, y in places.values())
    panel.set_axis_off()
    panel.set_xlim(-0.45, max(2.0, max(x for x, _ in places.values())) + 0.45)
    panel.set_ylim(bottom + (0.9 if len(servers) > 1 else 0.6), -0.7)
    if len(servers) > 1:
        for position, server in enumerate(servers[:COLUMNS]):
            text = _cut(server, 150 // len(servers[:COLUMNS]))
            x = position / len(servers[:COLUMNS])
            panel.text(x, 0, text, transform=panel.transAxes, color=shade[server], fontweight="bold", fontsize=7)


def _draw_arrows(panel: Axes, places: Mapping[str, Place], arrows: Arrows) -> None:
    """Main arrows dark, the others pale, so that the way through a dense cluster is seen."""
    for (producer, consumer), arrow in arrows.items():
        (x, y), (to_x, to_y) = places[producer], places[consumer]
        straight = arrow.main and abs(to_x - x) <= 1
        panel.add_patch(
            FancyArrowPatch(
                (x, y),
                (to_x, to_y),
                arrowstyle="-|>",
                mutation_scale=7 if arrow.main else 5,
                connectionstyle=f"arc3,rad={0.0 if straight else 0.15}",
                shrinkA=16,
                clip_on=False,  # a clip is named by its address in memory: no two pages would be equal
                shrinkB=24 if abs(to_x - x) >= 1 else 13,
                zorder=2 if arrow.main else 1,
                color="#5f6c78" if arrow.main else "#cfd6dd",
                linewidth=1.0 if arrow.main else 0.6,
            )
        )
        if straight and to_x != x and len(arrows) <= LABELLED:
            middle = ((x + to_x) / 2, (y + to_y) / 2 - 0.16)
            panel.text(*middle, _cut(arrow.fed, LETTERS), ha="center", fontsize=6.2, color=MUTED, zorder=2)


def _wrap(name: str) -> str:
    """The name on at most two lines, broken where a word ends."""
    if len(name) <= LETTERS:
        return name
    at = max((i for i, letter in enumerate(name[:LETTERS]) if letter in "_- ./"), default=LETTERS - 1) + 1
    return f"{name[:at]}\n{_cut(name[at:], LETTERS)}"


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1]}…"
