"""How fast an endpoint may be called: allowances per minute from settings, and what its headers say is left.

Headers are those of OpenAI (`x-ratelimit-remaining-requests`, `x-ratelimit-reset-requests: 1m3s`) and Anthropic
(`anthropic-ratelimit-requests-remaining`, `...-reset: 2026-01-31T00:00:00Z`), for requests and for tokens alike, and
`retry-after` in seconds or as an HTTP date.
"""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

Counted = Literal["requests", "tokens"]

_BURST_SECONDS = 5.0
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


class Allowance:
    """A bucket that fills at `per_minute` and holds five seconds' worth, at least one; 0 per minute is no limit.

    What is taken may exceed what is there; the debt is waited for. Times are in seconds of one clock.
    """

    def __init__(self, per_minute: float, now: float) -> None:
        self._per_second = per_minute / 60
        self._most = max(1.0, self._per_second * _BURST_SECONDS)
        self._level = self._most
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until something may be taken."""
        if not self._per_second:
            return 0.0
        self._level = min(self._most, self._level + (now - self._at) * self._per_second)
        self._at = now
        return 0.0 if self._level >= 1 else (1 - self._level) / self._per_second

    def take(self, amount: float) -> None:
        """Take so much, or give it back when negative."""
        if self._per_second:
            self._level -= amount


class Remaining:
    """What an endpoint's headers say is left of its requests or tokens, and when there is more. Unknown is no limit.

    Where they tell the whole limit too, it is taken to refill evenly; no wait is longer than `longest` seconds.
    """

    def __init__(self, longest: float = math.inf) -> None:
        self._longest = longest
        self._left = math.inf
        self._per_second = 0.0
        self._at = self._until = 0.0

    def wait(self, now: float) -> float:
        """Seconds until something may be taken."""
        level = self._left + (now - self._at) * self._per_second
        if level >= 1 or now >= self._until:
            return 0.0
        refills = (1 - level) / self._per_second if self._per_second else math.inf
        return min(refills, self._until - now)

    def take(self, amount: float) -> None:
        """So much less is left, until the next answer says more."""
        self._left -= amount

    def hear(self, headers: Mapping[str, str], of: Counted, now: float) -> None:
        """Take over what the headers say."""
        left, limit = (_number(_told(headers, of, word)) for word in ("remaining", "limit"))
        resets = seconds_of(_told(headers, of, "reset"))
        if left is None or resets is None:
            return
        self._left, self._at, self._until = left, now, now + min(resets, self._longest)
        self._per_second = (limit - left) / resets if limit is not None and limit > left and resets else 0.0


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the endpoint asks to wait, None where it does not say."""
    return seconds_of(headers.get("retry-after", ""))


def seconds_of(text: str) -> float | None:
    """`12`, `1m3.5s`, `20ms`, an ISO or HTTP date → seconds from now, at least 0; None for anything else."""
    number = _number(text)
    if number is not None:
        return max(0.0, number)
    parts = _PART.findall(text)
    if parts and "".join(value + unit for value, unit in parts) == text.strip():
        return sum(float(value) * _UNITS[unit] for value, unit in parts)
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            then = read(text)
        except ValueError:
            continue
        return max(0.0, ((then if then.tzinfo else then.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
    return None


def _told(headers: Mapping[str, str], of: Counted, word: str) -> str:
    return headers.get(f"x-ratelimit-{word}-{of}") or headers.get(f"anthropic-ratelimit-{of}-{word}") or ""


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
