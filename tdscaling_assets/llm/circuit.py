"""Outcomes of calls in, pauses out: a circuit that opens while an endpoint is down, and lets single calls probe it.

Open, it holds every call back; one at a time goes through, and the first that is answered closes it. It gives up when
it has been open for longer than the patience.
"""

import asyncio
import time
from collections.abc import Callable

from tdscaling_assets.errors import EndpointDownError, ModelError

FAILURES = 8
"""Failed calls in a row, with none answered between, that open a circuit. Our own number."""
_FIRST_PROBE, _SLOWEST_PROBE, _SLOWER = 1.0, 5.0, 1.5
_DOWN = frozenset({"server", "timeout", "throttled", "malformed", "refused"})


class Circuit:
    """The circuit of the endpoint that `name` tells. `patience` in seconds, `clock` gives seconds."""

    def __init__(self, name: str, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self._patience = patience
        self._clock = clock
        self._failed = self._refused = 0
        self._answered = False
        self._detail = ""
        self._opened_at: float | None = None
        self._probing = False
        self._next_probe = self._pause = 0.0
        self._closed = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether calls are held back."""
        return self._opened_at is not None

    def complaint(self) -> str:
        """What a person should know while it is open, empty otherwise."""
        if self._opened_at is None:
            return ""
        return f"waiting for {self.name}, down for {self._clock() - self._opened_at:.0f} s: {self._detail}"

    async def enter(self) -> bool:
        """Wait until a call may go; whether it goes as a probe. Raises EndpointDownError when patience is over."""
        while self._opened_at is not None:
            now = self._clock()
            ends = self._opened_at + self._patience
            if now >= ends:
                raise EndpointDownError(
                    f"{self.name} has answered nothing for {self._patience:g} s ({self._detail}): see that it runs, "
                    "then run the batch again; what is finished is kept"
                )
            if not self._probing and now >= self._next_probe:
                self._probing = True
                return True
            await self._wait(min(ends, now + _FIRST_PROBE if self._probing else self._next_probe) - now)
        return False

    def answered(self) -> None:
        """A call was answered: whatever was wrong is over."""
        self._refused = 0
        self._answered = True
        self._close()

    def failed(self, error: ModelError, probe: bool) -> None:
        """A call failed, one that went as a probe or another. Raises EndpointDownError when the endpoint has refused
        every call so far."""
        self._detail = error.detail
        if error.kind in _DOWN:
            self._fail(probe, error)
        elif error.kind == "bad_request":
            self._close()
            self._refuse()
        else:
            self.answered()

    def abandon_probe(self) -> None:
        """The probing call was given up without an outcome: another may probe."""
        self._probing = False

    def _close(self) -> None:
        self._failed = 0
        self._opened_at, self._probing = None, False
        self._closed.set()

    def _refuse(self) -> None:
        self._refused += 1
        if self._refused >= FAILURES and not self._answered:
            raise EndpointDownError(
                f"{self.name} refuses every call ({self._detail}): check model, endpoint and key, then run it again"
            )

    def _fail(self, probe: bool, error: ModelError) -> None:
        if error.kind == "refused":
            self._refuse()
        self._failed += 1
        now = self._clock()
        if self._opened_at is None and self._failed >= FAILURES:
            self._opened_at, self._pause = now, _FIRST_PROBE
            self._next_probe = now + self._pause
            self._closed.clear()
        elif probe:
            self._probing = False
            self._pause = min(_SLOWEST_PROBE, self._pause * _SLOWER)
            self._next_probe = now + self._pause

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.001)):
                await self._closed.wait()
        except TimeoutError:
            return
