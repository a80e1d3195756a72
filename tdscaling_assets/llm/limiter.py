"""Who calls an endpoint next, and when: a number of calls at a time that adapts to throttling, rates, roles in turn."""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping

from tdscaling_assets.llm.rates import Allowance, Counted, Remaining, retry_after
from tdscaling_assets.schema import Role

_MANY_THROTTLED, _FEW_THROTTLED = 0.2, 0.1
_WINDOW = 50
_WORTH_TELLING = 2.0
_LESS, _MORE = 0.7, 1.1
_ROW_OF_THROTTLED = 3
_COUNTED: tuple[Counted, ...] = ("requests", "tokens")

Waiting = deque[tuple["asyncio.Future[None]", float]]


class Limiter:
    """At most `most` calls at a time. Over each window of as many outcomes as calls are allowed, and at least 50, more
    than a fifth throttled lowers that number, fewer than a tenth raises it again. Three throttled in a row hold
    everybody back for as long as the endpoint asks. Numbers are our own."""

    def __init__(
        self,
        most: int,
        requests_per_minute: float,
        tokens_per_minute: float,
        longest: float = math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """No wait that the endpoint asks for is longer than `longest` seconds; then it may say so again."""
        self.allowed = float(most)
        self.in_flight = 0
        self._most = float(most)
        self._clock = clock
        self._queues: dict[Role, Waiting] = {}
        self._allowances = {
            "requests": Allowance(requests_per_minute, clock()),
            "tokens": Allowance(tokens_per_minute, clock()),
        }
        self._remaining = {"requests": Remaining(longest), "tokens": Remaining(longest)}
        self._longest = longest
        self._paused_until = -math.inf
        self._outcomes = self._throttled = self._row = 0
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self, role: Role, tokens: float) -> None:
        """Wait for a place; `tokens` is what the call will take by estimate."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(role, deque()).append((turn, tokens))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def complaint(self) -> str:
        """What a person should know while all wait for a rate limit, empty otherwise."""
        wait = self._wait() if self._queues else 0.0
        return f"held back by a rate limit for {wait:.0f} s" if wait >= _WORTH_TELLING else ""

    def leave(self) -> None:
        """The call is over, whatever came of it."""
        self.in_flight -= 1
        self._admit()

    def answered(self, headers: Mapping[str, str], tokens: float) -> None:
        """A call was answered, and took so many tokens more (or fewer) than estimated."""
        self._row = 0
        self._allowances["tokens"].take(tokens)
        self._hear(headers)
        self._count(0)

    def throttled(self, headers: Mapping[str, str]) -> None:
        """A call was refused because there were too many."""
        self._row += 1
        self._hear(headers)
        wait = retry_after(headers)
        if wait and self._row >= _ROW_OF_THROTTLED:
            self._paused_until = max(self._paused_until, self._clock() + min(wait, self._longest))
        self._count(1)

    def _hear(self, headers: Mapping[str, str]) -> None:
        for counted in _COUNTED if headers else ():
            self._remaining[counted].hear(headers, counted, self._clock())

    def _count(self, throttled: int) -> None:
        self._outcomes += 1
        self._throttled += throttled
        if self._outcomes < max(_WINDOW, self.allowed):
            return
        share = self._throttled / self._outcomes
        if share > _MANY_THROTTLED:
            self.allowed = max(1.0, self.allowed * _LESS)
        elif share < _FEW_THROTTLED:
            self.allowed = min(self._most, max(self.allowed + 1, self.allowed * _MORE))
        self._outcomes = self._throttled = 0

    def _admit(self) -> None:
        """Let in whoever may come in now, one role after the other; look again when time has opened a place."""
        while self._queues and self.in_flight < int(self.allowed):
            wait = self._wait()
            if wait > 0:
                self._look_again(wait)
                return
            self._let_in_next()

    def _let_in_next(self) -> None:
        role = next(iter(self._queues))
        queue = self._queues.pop(role)
        turn, tokens = queue.popleft()
        if queue:
            self._queues[role] = queue  # at the end: the other roles come first
        if turn.done():
            return
        for counted, amount in (("requests", 1.0), ("tokens", tokens)):
            self._allowances[counted].take(amount)
            self._remaining[counted].take(amount)
        self.in_flight += 1
        turn.set_result(None)

    def _wait(self) -> float:
        now = self._clock()
        waits = [bucket.wait(now) for buckets in (self._allowances, self._remaining) for bucket in buckets.values()]
        return max(self._paused_until - now, *waits)

    def _look_again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._admit)
