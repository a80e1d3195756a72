"""How an endpoint has a bad night: what is wanted and a request in; its fault, its delay and its spoilt answer out.

A fault decides only whether and when a good answer comes, never what it says. The draw is a function of seed, request
and how often that request has come, so the same batch meets the same faults in whatever order its requests arrive.
"""

import hashlib
import json
import math
import random
from collections import Counter
from typing import Literal, NamedTuple, Self, get_args

from pydantic import Field, model_validator

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import Record

Error = Literal["error_500", "error_502", "error_503", "error_529", "dropped"]
Malformation = Literal["truncated", "html", "no_choices", "empty_message"]
Fault = Error | Malformation | Literal["hung"]
ERRORS: tuple[Error, ...] = get_args(Error)
MALFORMATIONS: tuple[Malformation, ...] = get_args(Malformation)
STATUSES: dict[Fault, int] = {"error_500": 500, "error_502": 502, "error_503": 503, "error_529": 529}

REMEMBERED = 1_000_000
"""Distinct requests whose attempts are counted; beyond them the count begins anew."""

Header = tuple[bytes, bytes]


class Misbehaviour(Record):
    """What goes wrong; by default nothing. Shares are of the requests that are not throttled, and exclude each other.

    Raises ConfigError when the shares exceed 1.
    """

    latency: float = Field(0.0, ge=0, description="Seconds before every answer.")
    jitter: float = Field(0.0, ge=0, description="Seconds, at most, that are added to the latency; uniform.")
    error_rate: float = Field(0.0, ge=0, le=1, description="Share of errors 500, 502, 503, 529 and lost connections.")
    throttle: int = Field(0, ge=0, description="Requests per minute, beyond which there is a 429; 0 for no limit.")
    malformed: float = Field(0.0, ge=0, le=1, description="Share of answers with status 200 that are none.")
    hang: float = Field(0.0, ge=0, le=1, description="Share of requests that never get an answer.")
    seed: int = Field(0, ge=0, description="Seed of the faults and delays.")

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        total = self.error_rate + self.malformed + self.hang
        if total > 1 + 1e-9:
            raise ConfigError(f"--error-rate, --malformed and --hang add up to {total:g}: keep them within 1")
        return self


class Draw(NamedTuple):
    """Seconds before the answer, and what is wrong with it."""

    delay: float
    fault: Fault | None


class Dice:
    """Draws for requests, and counts how often each has come."""

    def __init__(self, misbehaviour: Misbehaviour) -> None:
        self._misbehaviour = misbehaviour
        self._attempts: Counter[bytes] = Counter()

    def throw(self, body: bytes) -> Draw:
        """The draw of this request's next attempt."""
        key = hashlib.sha256(body).digest()[:8]
        if len(self._attempts) >= REMEMBERED:
            self._attempts.clear()
        self._attempts[key] += 1
        return draw(self._misbehaviour, key, self._attempts[key])


def draw(misbehaviour: Misbehaviour, key: bytes, attempt: int) -> Draw:
    """The fault and delay of one attempt at the request that `key` names."""
    rng = random.Random(f"{misbehaviour.seed}:{key.hex()}:{attempt}")
    delay = misbehaviour.latency + rng.uniform(0.0, misbehaviour.jitter)
    where = rng.random()
    if (where := where - misbehaviour.hang) < 0:
        return Draw(delay, "hung")
    if (where := where - misbehaviour.error_rate) < 0:
        return Draw(delay, rng.choice(ERRORS))
    return Draw(delay, rng.choice(MALFORMATIONS) if where < misbehaviour.malformed else None)


class Throttle:
    """A bucket of `per_minute` requests that refills steadily, as OpenAI's does. `now` is in seconds and only grows."""

    def __init__(self, per_minute: int, now: float) -> None:
        self._limit = per_minute
        self._seconds_each = 60 / per_minute
        self._full_at = now

    def take(self, now: float) -> tuple[bool, list[Header]]:
        """Whether one more request may pass, and the headers of its answer."""
        missing = max(0.0, self._full_at - now) / self._seconds_each
        allowed = missing <= self._limit - 1 + 1e-9
        if allowed:
            missing += 1
            self._full_at = max(self._full_at, now) + self._seconds_each
        remaining = max(0, math.floor(self._limit - missing + 1e-9))
        headers = [
            (b"x-ratelimit-limit-requests", b"%d" % self._limit),
            (b"x-ratelimit-remaining-requests", b"%d" % remaining),
            (b"x-ratelimit-reset-requests", _duration(missing * self._seconds_each).encode()),
        ]
        if not allowed:
            wait = (missing - (self._limit - 1)) * self._seconds_each
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(wait - 1e-6))))
        return allowed, headers


def spoil(fault: Fault, good: bytes) -> tuple[str, bytes]:
    """Content type and body of an answer that is none, from the good one."""
    if fault == "html":
        return "text/html", b"<!DOCTYPE html><html><body><h1>Please wait</h1>The gateway is starting.</body></html>"
    if fault == "truncated":
        return "application/json", good[: len(good) // 2]
    completion = json.loads(good)
    empty = {"index": 0, "message": {"role": "assistant", "content": None}, "finish_reason": "stop"}
    completion["choices"] = [empty] if fault == "empty_message" else []
    return "application/json", json.dumps(completion).encode()


def _duration(seconds: float) -> str:
    """As Go and OpenAI write it: 17ms, 1.5s, 6m0s."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds * 1000) / 1000, 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
