"""What an answer reports: the news first, nothing that is not there."""

import random

import pytest
from pydantic import JsonValue

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import DryRunError
from tdscaling_assets.blueprints.turns import REPORTED, report_paths
from tdscaling_assets.schema import ExpectedCall, Tool


def report(output: JsonValue, tool: Tool, *, seed: int = 1, most: int = REPORTED) -> tuple[str, ...]:
    call = ExpectedCall(step_id="s1", tool_id=tool.tool_id, arguments={"order_id": "A"}, output=output)
    return report_paths(call, tool, random.Random(seed), most)


@pytest.fixture
def tool(library: Library) -> Tool:
    return library.tools["shop__get_order"]


def test_values_that_the_call_was_given_are_no_news(tool: Tool) -> None:
    output: JsonValue = {"order": {"order_id": "A", "total": 5, "note": None, "memo": ""}}
    assert {report(output, tool, seed=seed) for seed in range(9)} == {("s1.order.total",)}


def test_where_there_is_no_news_the_rest_is_told(tool: Tool) -> None:
    assert report({"order_id": "A"}, tool) == ("s1.order_id",)


def test_the_first_row_of_a_list_stands_for_it(tool: Tool) -> None:
    assert report({"orders": [{"total": 1}, {"total": 2}]}, tool) == ("s1.orders.0.total",)


def test_no_more_is_told_than_asked_for(tool: Tool) -> None:
    output: JsonValue = {name: name for name in "qwertz"}
    assert len(report(output, tool)) == REPORTED
    assert len(report(output, tool, most=1)) == 1


def test_an_empty_result_is_a_refusal(tool: Tool) -> None:
    with pytest.raises(DryRunError) as caught:
        report({"orders": []}, tool)
    assert caught.value.reason == "empty_result"


def test_a_tool_that_does_not_say_what_it_returns_reports_nothing(tool: Tool) -> None:
    assert report({}, tool.model_copy(update={"output_schema": None})) == ()
