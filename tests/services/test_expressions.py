"""The expression language: strict, closed, dict items where attributes stand."""

import pytest

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.expressions import evaluate, evaluate_each, parse_expression, render


def test_an_attribute_is_an_item() -> None:
    assert evaluate("len(order.items)", {"order": {"items": [1, 2]}, "len": len}) == 2


def test_comprehensions_see_rows_and_names() -> None:
    names = {"lines": [{"price": 2, "count": 3}, {"price": 5, "count": 1}], "factor": 10, "sum": sum}
    assert evaluate("sum(line.price * line.count * factor for line in lines if line.count > 1)", names) == 60


@pytest.mark.parametrize(
    "source", ["missing", "order.missing", "missing == 1", "order.missing or 1", "1 / 0", "'a' + 1", "order['x']"]
)
def test_what_cannot_be_computed_is_an_error(source: str) -> None:
    with pytest.raises(SpecError, match="cannot evaluate"):
        evaluate(source, {"order": {}})


@pytest.mark.parametrize(
    "source",
    [
        *("''.__class__", "().__class__.__bases__", "get.__globals__", "__import__('os')"),
        *("rows.append(1)", "order.keys()", "f'{rows.x()}'", "(get)(1)()", "get(**order)"),
        *("[0 for order.name in rows]", "[0 for rows[0] in rows]", "[x async for x in rows]"),
        *("lambda: 1", "(x := 1)", "9 ** 9", "[*rows]", "a; b", "import os", "(" * 500 + "1" + ")" * 500),
    ],
)
def test_what_is_outside_the_language_is_refused_before_it_runs(source: str) -> None:
    with pytest.raises(SpecError, match=r"write|names start|call a named function"):
        parse_expression(source)


def test_python_s_own_names_are_not_there() -> None:
    with pytest.raises(SpecError, match="name 'open' is not defined"):
        evaluate("open('/etc/passwd')", {})


def test_an_item_never_is_an_attribute_of_an_object() -> None:
    with pytest.raises(SpecError, match="cannot evaluate"):
        evaluate("function.func_name", {"function": render})


def test_rows_are_evaluated_in_order() -> None:
    rows = [{"price": 2}, {"price": 5}]
    assert evaluate_each("row.price * factor", rows, {"factor": 10}) == [20, 50]


def test_functions_can_be_called_for_each_row() -> None:
    assert evaluate_each("double(row)", [1, 2], {"double": lambda number: 2 * number}) == [2, 4]


def test_messages_are_filled_in() -> None:
    names = {"left": 3, "order": {"total": 7.5}}
    assert render("Only {left} left for {order.total:.2f}, {{so}}.", names) == "Only 3 left for 7.50, {so}."


def test_messages_quote_on_demand() -> None:
    assert render("No line {name!r}.", {"name": "Blue"}) == "No line 'Blue'."


def test_a_message_with_a_loose_brace_is_refused() -> None:
    with pytest.raises(SpecError, match="cannot parse"):
        render("Only {left left.", {"left": 3})
