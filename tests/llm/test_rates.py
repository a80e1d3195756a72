"""Allowances fill at their pace, and what an endpoint's headers say is left is kept to."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tdscaling_assets.llm.rates import Allowance, Remaining, retry_after, seconds_of


def test_an_allowance_lets_its_burst_through_then_its_pace() -> None:
    allowance = Allowance(per_minute=60, now=0.0)
    for _ in range(5):
        assert allowance.wait(0.0) == 0.0
        allowance.take(1)
    assert allowance.wait(0.0) == pytest.approx(1.0)
    assert allowance.wait(0.5) == pytest.approx(0.5)
    assert allowance.wait(1.0) == 0.0


def test_what_is_taken_beyond_the_allowance_is_waited_for() -> None:
    allowance = Allowance(per_minute=6000, now=0.0)
    allowance.take(1500)
    assert allowance.wait(0.0) == pytest.approx(10.01)
    allowance.take(-1000)
    assert allowance.wait(0.0) == pytest.approx(0.01)


def test_no_rate_is_no_limit() -> None:
    allowance = Allowance(per_minute=0, now=0.0)
    allowance.take(1e9)
    assert allowance.wait(0.0) == 0.0


def test_what_is_left_may_be_taken_and_no_more_until_it_resets() -> None:
    remaining = Remaining()
    remaining.hear({"x-ratelimit-remaining-requests": "2", "x-ratelimit-reset-requests": "1m30s"}, "requests", 10.0)
    for _ in range(2):
        assert remaining.wait(10.0) == 0.0
        remaining.take(1)
    assert remaining.wait(10.0) == 90.0
    assert remaining.wait(100.0) == 0.0


def test_a_limit_that_is_told_refills_evenly() -> None:
    remaining = Remaining()
    told = {
        "x-ratelimit-limit-tokens": "6000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "60s",
    }
    remaining.hear(told, "tokens", 0.0)
    assert remaining.wait(0.0) == pytest.approx(0.01)


def test_debt_is_waited_for_at_the_pace_of_the_refill() -> None:
    remaining = Remaining()
    told = {"x-ratelimit-limit-tokens": "6100", "x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "60"}
    remaining.hear(told, "tokens", 0.0)
    for _ in range(3):
        remaining.take(1000)
    assert remaining.wait(1.0) == pytest.approx(28.01)
    assert remaining.wait(29.1) == 0.0


def test_no_wait_is_longer_than_the_longest() -> None:
    remaining = Remaining(longest=5.0)
    remaining.hear({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "24h"}, "requests", 0.0)
    assert remaining.wait(0.0) == 5.0


def test_anthropics_headers_are_understood() -> None:
    reset = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    remaining = Remaining()
    told = {"anthropic-ratelimit-requests-remaining": "0", "anthropic-ratelimit-requests-reset": reset}
    remaining.hear(told, "requests", 0.0)
    assert 28 < remaining.wait(0.0) <= 30


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-remaining-requests": "0"}, {"x-ratelimit-reset-requests": "9s"}])
def test_headers_that_do_not_tell_enough_are_no_limit(headers: dict[str, str]) -> None:
    remaining = Remaining()
    remaining.hear(headers, "requests", 0.0)
    assert remaining.wait(0.0) == 0.0


@pytest.mark.parametrize(
    ("text", "seconds"), [("12", 12), ("0.5", 0.5), ("-3", 0), ("1m3.5s", 63.5), ("20ms", 0.02), ("2h", 7200)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 parsecs", "nan", "inf", "1m oops"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert seconds_of(text) is None


def test_retry_after_may_be_a_date() -> None:
    then = datetime.now(UTC) + timedelta(seconds=20)
    wait = retry_after({"retry-after": format_datetime(then)})
    assert wait is not None and 17 < wait <= 20
    assert retry_after({}) is None
