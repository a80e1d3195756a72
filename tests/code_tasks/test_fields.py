"""Which fields of rows a code step can work on, and where rows are."""

import json

import pytest

from tdscaling_assets.code_tasks import fields, tables
from tdscaling_assets.schema import JsonObject

ROWS: list[JsonObject] = [
    {"order_id": "ORD-1", "paid": 3.5, "n": 1, "status": "open", "city": "Oslo", "due": "2025-05-19", "flag": True},
    {
        "order_id": "ORD-2",
        "paid": -4,
        "n": 2,
        "status": "open",
        "city": "Rome",
        "due": "2025-05-20T10:00:00Z",
        "gap": 1,
    },
]


@pytest.mark.parametrize(
    ("fitting", "names"),
    [
        (fields.numbers, ["paid", "n"]),
        (fields.positive_numbers, ["n"]),
        (fields.whole_numbers, ["n"]),
        (fields.numbers_apart_from_mean, ["paid", "n"]),
        (fields.several_numbers, ["n"]),
        (fields.texts, ["status", "city"]),
        (fields.categories, ["status"]),
        (fields.identifiers, ["order_id"]),
        (fields.days, ["due"]),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_fields_are_found_by_their_values(fitting: object, names: list[str]) -> None:
    assert callable(fitting) and fitting(ROWS) == names


@pytest.mark.parametrize("value", [True, None, 10**15, "1"])
def test_what_is_no_number_of_use_is_none(value: object) -> None:
    assert fields.numbers([{"x": value}, {"x": 1}]) == []  # type: ignore[list-item]


@pytest.mark.parametrize("value", ["", " a", "a\nb", "y" * 41, "2025-05-19", "17", "東", None])
def test_what_is_no_short_text_is_none(value: object) -> None:
    assert fields.texts([{"x": value}, {"x": "a"}]) == []  # type: ignore[list-item]


@pytest.mark.parametrize("value", ["2025-02-30", "20250519", "2025-05-19x", 20250519])
def test_what_is_no_day_is_none(value: object) -> None:
    assert fields.days([{"x": value}, {"x": "2025-05-19"}]) == []  # type: ignore[list-item]


def test_a_number_at_the_mean_does_not_fit_a_comparison_with_it() -> None:
    assert fields.numbers_apart_from_mean([{"x": 0.1}, {"x": 0.1}, {"x": 0.1}]) == []


def test_tables_are_found_at_any_depth_of_objects() -> None:
    rows: list[JsonObject] = [{"x": 1}, {"x": 2}]
    value: JsonObject = {"a": {"b": json.loads(json.dumps(rows))}, "one": [{"x": 1}], "mixed": [{"x": 1}, 2], "n": 3}
    assert tables(value) == [("a.b", rows)]


def test_a_list_itself_is_a_table_without_a_path() -> None:
    assert tables([{"x": 1}, {"x": 2}]) == [("", [{"x": 1}, {"x": 2}])]


def test_a_table_under_a_key_that_no_path_can_name_is_left_out() -> None:
    assert tables({"a.b": [{"x": 1}, {"x": 2}]}) == []
