"""Values of one field in, the line that a code step over rows prints out.

Each function is both what the planner knows and, as text, the reference program.
"""

import math
import re
import statistics
from collections import Counter
from datetime import date


def total(values: list[float]) -> str:
    return f"{math.fsum(values):.2f}"


def average(values: list[float]) -> str:
    return f"{statistics.fmean(values):.2f}"


def median(values: list[float]) -> str:
    return f"{statistics.median(values):.2f}"


def largest(values: list[float]) -> str:
    return f"{max(values):.2f}"


def spread(values: list[float]) -> str:
    return f"{max(values) - min(values):.2f}"


def tally(values: list[str]) -> str:
    counts = Counter(values)
    return ", ".join(f"{value}={counts[value]}" for value in sorted(counts))


def slugs(values: list[str]) -> str:
    found = {re.sub("[^a-z0-9]+", "-", value.lower()).strip("-") for value in values}
    return f"{len(found)} different, the first is {min(found)}"


def weekdays(values: list[str]) -> str:
    names = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    counts = Counter(date.fromisoformat(value[:10]).weekday() for value in values)
    return ", ".join(f"{names[day]}={counts[day]}" for day in sorted(counts))


def months(values: list[str]) -> str:
    counts = Counter(value[:7] for value in values)
    return ", ".join(f"{month}={counts[month]}" for month in sorted(counts))


def days_apart(values: list[str]) -> str:
    days = [date.fromisoformat(value[:10]) for value in values]
    return f"{(max(days) - min(days)).days} days"


def thousands(values: list[float]) -> str:
    return ", ".join(f"{value / 1000:.3f}k" for value in sorted(values)[-3:])


def repeated(values: list[str]) -> str:
    counts = Counter(values)
    again = sorted(value for value in counts if counts[value] > 1)
    return ", ".join([f"{len(again)} repeated", *again])


def well_formed(values: list[str]) -> str:
    valid = sum(re.fullmatch("[A-Z]{2,5}-[0-9]+", value) is not None for value in values)
    return f"valid={valid}, invalid={len(values) - valid}"


def outliers(values: list[float]) -> str:
    middle = statistics.median(values)
    return f"{sum(value > 2 * middle for value in values)} of {len(values)} above {2 * middle:.2f}"


def ordered(values: list[float]) -> str:
    places = [place for place in range(1, len(values)) if values[place] < values[place - 1]]
    return f"out of order at row {places[0] + 1}" if places else f"all {len(values)} in order"


def growth(values: list[float]) -> str:
    for _ in range(5):
        values = [round(value * 1.03, 2) for value in values]
    return f"{math.fsum(values):.2f}"


def queue(values: list[float]) -> str:
    free = longest = 0.0
    for place, minutes in enumerate(values):
        start = max(free, 5.0 * place)
        longest = max(longest, start - 5.0 * place)
        free = start + minutes
    return f"longest wait {longest:.2f}, last done at {free:.2f}"


def depletion(values: list[float]) -> str:
    stock, served = 10 * max(values), 0
    while stock >= values[served % len(values)]:
        stock -= values[served % len(values)]
        served += 1
    return f"{served} served, {stock:.2f} left"


def lottery(values: list[float]) -> str:
    state, drawn = 1, 0.0
    for _ in range(200):
        state = (1103515245 * state + 12345) % 2**31
        drawn += values[state % len(values)]
    return f"mean {drawn / 200:.2f}"
