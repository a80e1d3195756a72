"""The one visual style: figures on their own canvas, turned into SVG text or a PNG data URI.

No pyplot and no global figure list; the style holds only while a picture is drawn. SVG text is a function of the
figure alone: fixed hash salt, no dates, text as text.
"""

import base64
import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import wraps
from typing import ParamSpec

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK = "#1f2933"
MUTED = "#66737f"
GRID = "#e6eaee"
PALETTE = ("#2f6690", "#d1843c", "#4f8a5b", "#a6506b", "#6c6fb3", "#3b9a9c", "#b3973a", "#7d6a58")
REJECTED = "#c9a3a3"
WIDTH, WIDTH_OF_TWO = 5.2, 6.4  # inches, of one panel and of two: 8.5 pt reads well where the page puts them

Parameters = ParamSpec("Parameters")


def in_style(draw: Callable[Parameters, Figure]) -> Callable[Parameters, Figure]:
    """Make a drawing function draw in the house style, whatever matplotlib is set to elsewhere."""

    @wraps(draw)
    def styled(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Figure:
        with _style():
            return draw(*args, **kwargs)

    return styled


def new_figure(height: float, columns: int = 1, rows: int = 1, across: int | None = None) -> tuple[Figure, list[Axes]]:
    """A figure `height` inches high, with panels row by row: as many to a row as `across`, else as `columns`; it is as
    wide as `columns` (one or two) need."""
    across = columns if across is None else across
    figure = Figure(figsize=(WIDTH if columns == 1 else WIDTH_OF_TWO, height), layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    panels = [figure.add_subplot(rows, across, position + 1) for position in range(rows * across)]
    for panel in panels:
        _calm(panel)
    return figure, panels


def title(panel: Axes, text: str) -> None:
    """A left-aligned panel title."""
    panel.set_title(text, loc="left", fontsize=9, color=INK, pad=7)


def say_empty(panel: Axes, text: str) -> None:
    """A panel that says why it shows nothing."""
    panel.set_axis_off()
    panel.text(0.5, 0.5, text, ha="center", va="center", color=MUTED, transform=panel.transAxes)


def label_bars(panel: Axes, names: list[str], unit: str) -> None:
    """Horizontal bars: names from the top down, the unit below."""
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.grid(False)
    panel.grid(True, axis="x", color=GRID, linewidth=0.7)
    panel.set_xlabel(unit)


def legend(panel: Axes) -> None:
    """A quiet legend in the lower right corner."""
    panel.legend(loc="lower right", frameon=True, framealpha=0.85, edgecolor="none", fontsize=8, labelcolor=INK)


def legend_below(figure: Figure, panel: Axes) -> None:
    """One legend for all panels, under them, where it can hide nothing."""
    figure.legend(
        *panel.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=8,
        labelcolor=INK,
    )


def svg_text(figure: Figure) -> str:
    """The figure as one `<svg>` element to put into a page: scalable, no prolog, no namespaces, no metadata."""
    buffer = io.StringIO()
    with _style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:xlink)?="[^"]*"', "", text)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r'<svg width="[^"]*" height="[^"]*"', '<svg role="img"', text)
    return text.strip()


def png_data_uri(figure: Figure, dots_per_inch: int = 130) -> str:
    """The figure as a `data:image/png;base64,...` URI."""
    buffer = io.BytesIO()
    with _style():
        figure.savefig(buffer, format="png", dpi=dots_per_inch, metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def markdown_image(figure: Figure, alt: str) -> str:
    """The figure as a Markdown image, for metadata that a UI renders."""
    return f"![{alt}]({png_data_uri(figure)})"


def colour(position: int) -> str:
    """The palette's colour of a series, cycling."""
    return PALETTE[position % len(PALETTE)]


def _style() -> AbstractContextManager[None]:
    return matplotlib.rc_context(
        {
            "font.family": "sans-serif",
            "font.size": 8.5,
            "text.parse_math": False,
            "svg.fonttype": "none",
            "svg.hashsalt": "tdscaling",
            "path.simplify": False,
        }
    )


def _calm(panel: Axes) -> None:
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        panel.spines[side].set_color("#c5ccd3")
    panel.tick_params(colors=MUTED, length=0, labelsize=8)
    panel.grid(True, axis="y", color=GRID, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.xaxis.label.set_color(MUTED)
    panel.yaxis.label.set_color(MUTED)
