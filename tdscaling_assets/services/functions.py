"""What every expression may call, besides the state: dates, money and text. Pure.

Dates are `YYYY-MM-DD`, moments `YYYY-MM-DDThh:mm:ssZ`; as texts of one length they compare in order of time.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def parse_moment(text: str) -> datetime:
    """A moment or date as a datetime (a date is its midnight)."""
    return datetime.fromisoformat(text.removesuffix("Z"))


def format_moment(moment: datetime) -> str:
    """A datetime as a moment."""
    return f"{moment.isoformat(timespec='seconds')}Z"


def days_after(day: str, days: int) -> str:
    """The date that many days after (before, when negative) a date or moment."""
    return (date.fromisoformat(day[:10]) + timedelta(days=days)).isoformat()


def minutes_after(moment: str, minutes: float) -> str:
    """The moment that many minutes after (before, when negative) a moment or date."""
    return format_moment(parse_moment(moment) + timedelta(minutes=minutes))


def days_between(start: str, end: str) -> int:
    """Calendar days from start to end."""
    return (date.fromisoformat(end[:10]) - date.fromisoformat(start[:10])).days


def minutes_between(start: str, end: str) -> int:
    """Whole minutes from start to end."""
    return int((parse_moment(end) - parse_moment(start)).total_seconds() // 60)


def date_of(moment: str) -> str:
    """The date of a moment."""
    return moment[:10]


def at_time(day: str, time: str) -> str:
    """The moment of a date at `hh:mm`."""
    return f"{day[:10]}T{time}:00Z"


def weekday(day: str) -> str:
    """`Monday` … `Sunday`."""
    return WEEKDAYS[date.fromisoformat(day[:10]).weekday()]


def working_day(day: str) -> str:
    """The date itself, or the Monday after it when it is on a weekend."""
    ahead = {5: 2, 6: 1}.get(date.fromisoformat(day[:10]).weekday(), 0)
    return days_after(day, ahead)


def money(amount: float) -> float:
    """An amount rounded to 2 decimals."""
    return round(float(amount) + 0.0, 2)


def contains(text: str, part: str) -> bool:
    """Whether the text holds every word of the part, in any order and case."""
    folded = text.casefold()
    return all(word in folded for word in part.casefold().split())


def overlap(start: str, end: str, other_start: str, other_end: str) -> bool:
    """Whether two half-open spans of time share a moment."""
    return start < other_end and other_start < end


def cents(amount: float) -> int:
    """An amount of money in whole cents."""
    return round(float(amount) * 100)


def sorted_by(rows: Iterable[dict[str, Any]], *fields: str) -> list[dict[str, Any]]:
    """The rows in order of these fields, nulls last; `-field` sorts the other way round, nulls first."""
    ordered = list(rows)
    for field in reversed(fields):
        ordered.sort(key=lambda row: _sortable(row[field.removeprefix("-")]), reverse=field.startswith("-"))
    return ordered


def lower(text: str) -> str:
    """The text in lower case."""
    return text.lower()


def upper(text: str) -> str:
    """The text in upper case."""
    return text.upper()


def capitalize(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def title_case(text: str) -> str:
    """The text with every word capitalized."""
    return " ".join(map(capitalize, text.split()))


def replace(text: str, old: str, new: str) -> str:
    """The text with every `old` replaced."""
    return text.replace(old, new)


def split(text: str, separator: str) -> list[str]:
    """The parts of a text between separators."""
    return text.split(separator)


def join(separator: str, texts: Iterable[str]) -> str:
    """The texts as one, a separator between them."""
    return separator.join(texts)


def starts_with(text: str, prefix: str) -> bool:
    """Whether the text starts with the prefix."""
    return text.startswith(prefix)


def _sortable(value: Any) -> tuple[bool, Any]:
    return (value is None, "" if value is None else value)


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        days_after, minutes_after, days_between, minutes_between, date_of, at_time, weekday, working_day,
        money, cents, contains, overlap, sorted_by, lower, upper, capitalize, title_case, replace, split, join,
        starts_with,
        abs, all, any, bool, dict, enumerate, float, format, int, len, list, max, min, range, round, set, sorted, str,
        sum, zip,
    )
}  # fmt: skip
"""By name; the last two lines are Python's own."""
