"""A function from request to answer as an HTTP endpoint that counts what it does and misbehaves as told.

Plain ASGI, because it must wait without an answer and hang up without one. It runs under uvicorn alone.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

from starlette.types import Receive, Scope, Send

from tdscaling_assets.llm.misbehaviour import (
    ERRORS,
    MALFORMATIONS,
    STATUSES,
    Dice,
    Draw,
    Header,
    Misbehaviour,
    Throttle,
    spoil,
)

COUNTS = ("requests", "good", "bad_request", "gave_up", "throttled", "hung", *ERRORS, *MALFORMATIONS)
"""What is counted. Once nothing is in flight, the first is the sum of the others."""

JSON = "application/json"

Answer = Callable[[bytes], Awaitable[tuple[int, bytes]]]
"""A request's body in, status and JSON out."""


class Endpoint:
    """An ASGI application. `counts` has the keys of COUNTS that have occurred."""

    def __init__(self, answer: Answer, misbehaviour: Misbehaviour) -> None:
        self.counts: Counter[str] = Counter()
        self._answer = answer
        behaves = misbehaviour == Misbehaviour(throttle=misbehaviour.throttle, seed=misbehaviour.seed)
        self._dice = None if behaves else Dice(misbehaviour)
        self._throttle = Throttle(misbehaviour.throttle, time.monotonic()) if misbehaviour.throttle else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        self.counts["requests"] += 1
        outcome = await self._handle(receive, send)
        self.counts[outcome] += 1

    async def _handle(self, receive: Receive, send: Send) -> str:
        """Answer, or do not; what it was, among COUNTS."""
        body = await _read(receive)
        if body is None:
            return "gave_up"
        allowed, headers = self._throttle.take(time.monotonic()) if self._throttle else (True, [])
        if not allowed:
            await _respond(send, 429, _error("rate_limit_exceeded", "too many requests"), headers)
            return "throttled"
        delay, fault = self._dice.throw(body) if self._dice else Draw(0.0, None)
        if fault == "hung":
            await _left(receive)
            return fault
        if delay and await _left_within(receive, delay):
            return "gave_up"
        if fault == "dropped":
            await _hang_up(receive, send)
            return fault
        if fault is not None and fault in STATUSES:
            await _respond(send, STATUSES[fault], _error("server_error", "a rehearsed failure"), headers)
            return fault
        status, content = await self._answer(body)
        if status != 200:
            await _respond(send, status, content, headers)
            return "bad_request"
        if fault is not None:
            media, content = spoil(fault, content)
            await _respond(send, status, content, headers, media)
            return fault
        await _respond(send, status, content, headers)
        return "good"


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "code": kind}}).encode()


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when the client left before its end."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


async def _respond(send: Send, status: int, content: bytes, headers: Sequence[Header], media: str = JSON) -> None:
    about = [(b"content-type", media.encode()), (b"content-length", b"%d" % len(content)), *headers]
    await send({"type": "http.response.start", "status": status, "headers": about})
    await send({"type": "http.response.body", "body": content})


async def _left(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _left_within(receive: Receive, seconds: float) -> bool:
    """Whether the client goes within so many seconds."""
    try:
        async with asyncio.timeout(seconds):
            await _left(receive)
    except TimeoutError:
        return False
    return True


async def _hang_up(receive: Receive, send: Send) -> None:
    """Close the connection without a word. ASGI knows no way to do so, hence uvicorn's own transport."""
    cast(Any, send).__self__.transport.close()
    await _left(receive)
