import base64
import re

import matplotlib
import polars as pl
import pytest
from report.drawn import texts, words

from tdscaling_assets.report.canvas import markdown_image, png_data_uri, svg_text
from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.domains import domain_figure
from tdscaling_assets.report.flow import funnel_figure, operator_figure
from tdscaling_assets.report.modes import mode_figure
from tdscaling_assets.report.page import draw_pictures

NAMES = (
    "entropy",
    "effective",
    "study",
    "domains",
    "mode_flow_first",
    "mode_flow_last",
    "modes",
    "complexity",
    "funnel",
    "coverage",
    "cluster_domains",
    "cluster_graphs",
    "operators",
)


@pytest.fixture(scope="module")
def drawn(report_data: ReportData) -> dict[str, str]:
    """Every picture's SVG text."""
    return {name: svg_text(figure) for name, figure in draw_pictures(report_data).items()}


def test_pictures_are_the_same_text_every_time(report_data: ReportData, drawn: dict[str, str]) -> None:
    assert {name: svg_text(figure) for name, figure in draw_pictures(report_data).items()} == drawn


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_is_one_inline_element_without_images_or_addresses(drawn: dict[str, str], name: str) -> None:
    assert drawn[name].startswith("<svg") and drawn[name].endswith("</svg>")
    assert "<image" not in drawn[name] and "//" not in drawn[name]


def test_an_empty_home_gives_pictures_that_say_why(empty_data: ReportData) -> None:
    for name, figure in draw_pictures(empty_data).items():
        assert any(text.endswith("yet") for text in words(figure)), name


def test_drawing_leaves_matplotlib_as_it_was(report_data: ReportData) -> None:
    before = dict(matplotlib.rcParams)

    svg_text(domain_figure(report_data.outcomes))

    assert dict(matplotlib.rcParams) == before


def test_the_entropy_picture_names_both_rounds(drawn: dict[str, str]) -> None:
    shown = texts(drawn["entropy"])

    assert shown.count("r01") == 2 and shown.count("r02") == 2


def test_the_domain_picture_leaves_rejected_trajectories_out(report_data: ReportData) -> None:
    outcomes = report_data.outcomes.head(1).with_columns(kept=pl.lit(False), domain=pl.lit("only_rejected"))

    shown = words(domain_figure(pl.concat([report_data.outcomes, outcomes])))

    assert "retail" in shown and "only_rejected" not in shown


def test_the_mode_picture_stops_at_twenty_and_says_so(report_data: ReportData) -> None:
    outcomes = pl.concat(
        [report_data.outcomes.head(1).with_columns(mode=pl.lit(f"m{n:02d}"), kept=pl.lit(True)) for n in range(25)]
    )

    shown = words(mode_figure(outcomes))

    assert sum(bool(re.fullmatch(r"m\d\d", text)) for text in shown) == 20
    assert "20 most frequent of 25 modes" in shown


def test_a_dollar_sign_in_a_name_is_a_dollar_sign(report_data: ReportData) -> None:
    outcomes = report_data.outcomes.with_columns(domain=pl.lit("a$b$c"))

    assert "a$b$c" in words(domain_figure(outcomes))


def test_the_funnel_shows_each_rule_with_what_it_took() -> None:
    counts = pl.DataFrame({"batch": ["r01-b01"], "raw": [10], "kept": [5]})
    rejections = pl.DataFrame({"batch": ["r01-b01"] * 2, "rule": ["a", "b"], "reason": ["x", "y"], "n": [3, 2]})

    shown = words(funnel_figure(counts, rejections))

    assert [text for text in shown if text in ("raw", "a", "b", "kept")] == ["raw", "a", "b", "kept"]
    assert [text for text in shown if text in ("−3", "−2")] == ["−3", "−2"]


def test_operators_are_drawn_from_a_map_column() -> None:
    weights = pl.Series([{"deepen": 0.25, "widen": 0.75}], dtype=pl.Map(pl.String(), pl.Float64()))
    plans = pl.DataFrame({"round": ["r01"], "batch": ["r01-b01"], "operator_weights": weights})

    assert {"25", "75"} <= set(words(operator_figure(plans)))


def test_planned_and_applied_operators_stand_side_by_side(report_data: ReportData) -> None:
    outcomes = report_data.outcomes.with_columns(operators=pl.lit(["guard"]))

    alone = words(operator_figure(report_data.plans))
    both = words(operator_figure(report_data.plans, outcomes))

    assert "Conversations it had a part in, %" not in alone
    assert both[both.index("Conversations it had a part in, %") :] and both.count("100") == 2


def test_many_rounds_are_named_by_a_few(report_data: ReportData) -> None:
    outcomes = pl.concat([report_data.outcomes.with_columns(round=pl.lit(f"r{n:02d}")) for n in range(1, 21)])

    named = [text for text in words(mode_figure(outcomes)) if re.fullmatch(r"r\d\d", text)]

    assert len(named) == 8 and (named[0], named[-1]) == ("r01", "r20")


def test_a_markdown_image_holds_a_png(report_data: ReportData) -> None:
    figure = funnel_figure(report_data.counts, report_data.rejections)

    prefix, _, data = png_data_uri(figure).partition(",")

    assert prefix == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")
    assert markdown_image(figure, "funnel").startswith("![funnel](data:image/png;base64,")
