"""The pictures of clusters say what the frame says, and stay readable with many domains and many tools."""

import itertools
import re
from dataclasses import replace

import polars as pl
import pytest
from matplotlib.figure import Figure

from tdscaling_assets.report.canvas import svg_text
from tdscaling_assets.report.clusters import cluster_domain_figure, coverage_figure, saturation_ranks
from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.page import render_report
from tdscaling_assets.report.toolgraph import ToolName, shown_clusters, tool_graph_figure


def texts(figure: Figure) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg_text(figure))


def curve(tools: list[int], coverage: list[float | None]) -> pl.DataFrame:
    ranks = list(range(1, len(tools) + 1))
    columns = {"rank": ranks, "covered_tools": tools, "covered_edges": tools, "coverage": coverage}
    return pl.DataFrame(columns, schema_overrides={"coverage": pl.Float64})


def test_saturation_is_the_last_new_tool_and_the_rank_that_reaches_99_percent() -> None:
    assert saturation_ranks(curve([3, 5, 6, 6, 6], [0.5, 0.8, 0.95, 0.99, 1.0])) == (3, 4)


def test_a_selection_that_ends_before_it_is_saturated_has_no_saturation() -> None:
    assert saturation_ranks(curve([3, 5, 6], [0.1, 0.2, 0.3])) == (None, None)
    assert saturation_ranks(curve([3, 5, 5], [None] * 3)) == (2, None)


def test_saturation_is_marked_on_the_curve() -> None:
    shown = texts(coverage_figure(curve([3, 5, 6, *[6] * 20], [0.5, 0.8, *[0.9] * 18, 0.99, 1.0, 1.0])))
    assert {"nothing new", "after 3", "99 % at", "21", "multi-coverage"} <= set(shown)


def test_a_lake_from_before_the_coverage_was_recorded_has_its_curve_too() -> None:
    assert "multi-coverage" not in texts(coverage_figure(curve([3, 5, 6], [None] * 3)))


@pytest.mark.parametrize("domains", [3, 16, 17, 43])
def test_every_domain_has_its_bar_and_its_name_and_no_name_covers_another(domains: int) -> None:
    names = [f"a_business_domain_{number:02d}" for number in range(domains) for _ in range(number + 1)]
    figure = cluster_domain_figure(pl.DataFrame({"domain": names}))
    assert set(names) <= set(texts(figure))
    figure.canvas.draw()
    for panel in figure.axes:
        boxes = [label.get_window_extent() for label in panel.get_yticklabels()]
        assert not any(one.overlaps(other) for one, other in itertools.pairwise(boxes))


def test_domains_that_are_not_shown_are_counted() -> None:
    shown = texts(cluster_domain_figure(pl.DataFrame({"domain": [f"d{number}" for number in range(70)]})))
    assert "clusters; 10 smaller domains not shown" in shown


def test_the_first_three_clusters_are_drawn_and_the_first_across_services(report_data: ReportData) -> None:
    assert shown_clusters(report_data.clusters, report_data.tool_names)["rank"].to_list() == [1, 2, 3, 10]


def test_a_tool_graph_names_its_tools_its_services_and_what_is_handed_on(report_data: ReportData) -> None:
    one = report_data.clusters.filter(pl.col("rank") == 10)
    shown = texts(tool_graph_figure(one, report_data.tool_names))
    assert {"10  Shop: thing 10", "list_things_10", "get_thing_10", "thing_id", "shop", "bank"} <= set(shown)
    assert "cancel_the_" in shown and "thing_again_10" in shown  # a long name on two lines


@pytest.mark.parametrize("shape", ["dense", "chain"])
def test_tools_of_a_large_cluster_do_not_cover_one_another(shape: str) -> None:
    tool_ids = [f"shop__change_order_{number:02d}" for number in range(12)]
    names = {tool_id: ToolName("shop", tool_id.removeprefix("shop__")) for tool_id in tool_ids}
    pairs = list(itertools.permutations(tool_ids, 2) if shape == "dense" else itertools.pairwise(tool_ids))
    edges = [
        {"producer_id": one, "consumer_id": other, "consumer_param": "order_id", "weight": 1.0 + position}
        for position, (one, other) in enumerate(pairs)
    ]
    row = {"rank": [1], "name": ["Shop: order"], "purpose": [None], "tool_ids": [tool_ids], "edges": [edges]}
    figure = tool_graph_figure(pl.DataFrame(row), names)
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts if text.get_text().startswith("change")]
    assert len(boxes) == 12
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_the_page_says_where_the_selection_is_saturated(report_data: ReportData) -> None:
    clusters = report_data.clusters.with_columns(
        covered_tools=pl.col("covered_tools").clip(upper_bound=100),
        covered_edges=pl.col("covered_edges").clip(upper_bound=200),
        coverage=pl.when(pl.col("rank") < 30).then(0.5).otherwise(1.0),
    )
    page = render_report(replace(report_data, clusters=clusters))
    assert "After rank 9 none of them holds a new tool or edge" in page
    assert "Rank 30 reaches 99 % of the multi-coverage" in page
    assert "none of them holds a new tool" not in render_report(report_data)
