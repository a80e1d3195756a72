"""What a reader sees on a picture."""

import re

from matplotlib.figure import Figure

from tdscaling_assets.report.canvas import svg_text


def texts(svg: str) -> list[str]:
    """Every text of an `<svg>` element, in drawing order."""
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def words(figure: Figure) -> list[str]:
    """Every text of the picture, in drawing order."""
    return texts(svg_text(figure))
