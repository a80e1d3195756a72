"""Rows in, the names of their fields that a code step can work on out."""

import re
import statistics
from collections.abc import Sequence
from datetime import date

from pydantic import JsonValue

from tdscaling_assets.schema import JsonObject
from tdscaling_assets.text import identifier_words

Rows = Sequence[JsonObject]

_LONGEST = 40  # characters of a text that can stand in one printed line
_LARGEST = 10**15
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}($|[T ])")


def tables(value: JsonValue, path: str = "") -> list[tuple[str, list[JsonObject]]]:
    """Every list of at least two objects inside the objects of a JSON value, with its dotted path (empty for the value
    itself)."""
    if isinstance(value, dict):
        return [
            found
            for key, item in value.items()
            if key and "." not in key
            for found in tables(item, f"{path}.{key}" if path else key)
        ]
    if isinstance(value, list) and len(value) >= 2:
        rows = [row for row in value if isinstance(row, dict)]
        return [(path, rows)] if len(rows) == len(value) else []
    return []


def numbers(rows: Rows) -> list[str]:
    """Fields that are a number in every row."""
    return [name for name in _shared(rows) if all(_is_number(row[name]) for row in rows)]


def positive_numbers(rows: Rows) -> list[str]:
    """Fields that are a number above zero in every row."""
    return [name for name in numbers(rows) if all(value > 0 for value in _numbers(rows, name))]


def whole_numbers(rows: Rows) -> list[str]:
    """Fields that are an integer in every row."""
    return [name for name in numbers(rows) if all(isinstance(row[name], int) for row in rows)]


def numbers_apart_from_mean(rows: Rows) -> list[str]:
    """Numeric fields that equal their mean nowhere, however it is rounded."""
    found = numbers(rows)
    means = {name: statistics.fmean(_numbers(rows, name)) for name in found}
    return [
        name
        for name in found
        if all(abs(value - means[name]) > 1e-9 * max(1.0, abs(value)) for value in _numbers(rows, name))
    ]


def several_numbers(rows: Rows) -> list[str]:
    """Numeric fields of at least two different values, all written alike: with a decimal point, or without."""
    return [
        name
        for name in numbers(rows)
        if len(set(_numbers(rows, name))) > 1 and len({type(row[name]) for row in rows}) == 1
    ]


def texts(rows: Rows) -> list[str]:
    """Fields that are a short printable text with a letter in every row."""
    return [name for name in _shared(rows) if all(_is_text(row[name]) for row in rows)]


def categories(rows: Rows) -> list[str]:
    """Fields that are a short text in every row, the same in some."""
    return [
        name
        for name in _shared(rows)
        if all(_is_short(row[name]) for row in rows) and len({str(row[name]) for row in rows}) < len(rows)
    ]


def identifiers(rows: Rows) -> list[str]:
    """Fields that name something by a text in every row."""
    return [
        name
        for name in rows[0]
        if identifier_words(name)[-1:] == ["id"] and all(_is_short(row.get(name)) for row in rows)
    ]


def days(rows: Rows) -> list[str]:
    """Fields that are a date, or begin with one, in every row."""
    return [name for name in _shared(rows) if all(_is_day(row[name]) for row in rows)]


def _shared(rows: Rows) -> list[str]:
    return [name for name in rows[0] if identifier_words(name)[-1:] != ["id"] and all(name in row for row in rows)]


def _numbers(rows: Rows, name: str) -> list[float]:
    return [value for row in rows if isinstance(value := row[name], int | float)]


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _is_short(value: JsonValue) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() and value == value.strip()


def _is_text(value: JsonValue) -> bool:
    return (
        _is_short(value) and not _is_day(value) and any(letter.isascii() and letter.isalpha() for letter in str(value))
    )


def _is_day(value: JsonValue) -> bool:
    if not isinstance(value, str) or not _DAY.match(value):
        return False
    try:
        date.fromisoformat(value[:10])
    except ValueError:
        return False
    return True
