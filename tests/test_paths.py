"""Dotted paths: a concrete one gives its value or KeyError; a pattern gives every scalar that it matches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tdscaling_assets.paths import concrete_paths, value_at
from tdscaling_assets.schema import JsonObject

ORDERS: JsonObject = {
    "orders": [{"order_id": "A", "lines": [{"sku": 1}, {"sku": 2}]}, {"order_id": "B", "lines": []}],
    "total": 3,
    "note": None,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", ORDERS),
        ("total", 3),
        ("note", None),
        ("orders.1.order_id", "B"),
        ("orders.0.lines.1", {"sku": 2}),
    ],
)
def test_a_path_gives_its_value(path: str, value: JsonValue) -> None:
    assert value_at(ORDERS, path) == value


@pytest.mark.parametrize("path", ["orders.2", "orders.-1", "orders.first", "total.x", "note.x", "missing", "orders."])
def test_a_path_to_nothing_is_a_key_error(path: str) -> None:
    with pytest.raises(KeyError):
        value_at(ORDERS, path)


def test_an_object_may_have_numbers_as_keys() -> None:
    assert value_at({"0": {"x": 1}}, "0.x") == 1


@pytest.mark.parametrize(
    ("pattern", "paths"),
    [
        ("total", ["total"]),
        ("orders[].order_id", ["orders.0.order_id", "orders.1.order_id"]),
        ("orders[].lines[].sku", ["orders.0.lines.0.sku", "orders.0.lines.1.sku"]),
        ("orders", []),
        ("note", []),
        ("orders.order_id", []),
        ("missing[].x", []),
    ],
)
def test_a_pattern_gives_the_paths_of_its_scalars(pattern: str, paths: list[str]) -> None:
    assert concrete_paths(ORDERS, pattern) == paths


def test_a_pattern_may_start_in_a_list() -> None:
    assert concrete_paths([{"id": 1}, {"id": 2}], "[].id") == ["0.id", "1.id"]


def test_lists_of_lists_have_paths() -> None:
    assert concrete_paths({"grid": [[1], [2, 3]]}, "grid[][]") == ["grid.0.0", "grid.1.0", "grid.1.1"]


def test_a_scalar_is_its_own_empty_pattern() -> None:
    assert concrete_paths("x", "") == [""]


NAMES = st.sampled_from(["a", "b", "rows"])
VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@given(value=VALUES, parts=st.lists(NAMES | st.just("[]"), max_size=4))
def test_every_path_found_can_be_followed_to_a_scalar(value: JsonValue, parts: list[str]) -> None:
    for path in concrete_paths(value, ".".join(parts).replace(".[]", "[]")):
        assert not isinstance(value_at(value, path), dict | list)
