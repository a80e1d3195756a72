"""The expression language: strict, sandboxed, dict items first."""

import pytest

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.expressions import evaluate, evaluate_each, render


def test_dict_items_win_over_dict_methods() -> None:
    assert evaluate("order.items | length", {"order": {"items": [1, 2]}}) == 2


def test_a_dict_has_no_methods() -> None:
    with pytest.raises(SpecError, match="keys"):
        evaluate("order.keys()", {"order": {}})


@pytest.mark.parametrize(
    "source", ["missing", "order.missing", "missing == 1", "order.missing or 1", "1 / 0", "'a' + 1"]
)
def test_what_cannot_be_computed_is_an_error(source: str) -> None:
    with pytest.raises(SpecError, match="cannot evaluate"):
        evaluate(source, {"order": {}})


@pytest.mark.parametrize("source", ["''.__class__", "rows.append(1)", "rows.sort()", "get.__globals__"])
def test_the_sandbox_keeps_its_walls(source: str) -> None:
    rows = [2, 1]
    with pytest.raises(SpecError):
        evaluate(source, {"rows": rows, "get": render})
    assert rows == [2, 1]


def test_rows_are_evaluated_in_order() -> None:
    rows = [{"price": 2}, {"price": 5}]
    assert evaluate_each("row.price * factor", rows, {"factor": 10}) == [20, 50]


def test_functions_can_be_called_for_each_row() -> None:
    assert evaluate_each("double(row)", [1, 2], {"double": lambda number: 2 * number}) == [2, 4]


def test_messages_are_filled_in() -> None:
    assert render("Only {{ left }} left.", {"left": 3}) == "Only 3 left."
