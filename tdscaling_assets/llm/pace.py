"""How far apart a process starts its calls: as far as the CPU time that one of them takes.

An event loop takes every call of a burst one step further before it takes any of them the next. So a burst is sent as
one, answered as one, and stays one: the process is idle, then all of its calls wait for each other. Spread, they need
not.
"""

import asyncio
import time
from collections.abc import Callable

_FIRST_GUESS, _MOST = 0.003, 0.010
_CALLS = 32
"""Calls over which the CPU time is averaged. Numbers are our own."""


class Pace:
    """Seconds between starts, measured. `cpu` gives the CPU seconds of this process so far."""

    def __init__(self, cpu: Callable[[], float] = time.process_time) -> None:
        self.seconds = _FIRST_GUESS
        self._cpu = cpu
        self._measured_at = cpu()
        self._ended = 0
        self._next = 0.0

    async def wait(self) -> None:
        """Return when it is this call's turn, in the order of asking."""
        now = asyncio.get_running_loop().time()
        turn = max(now, self._next)
        self._next = turn + self.seconds
        if turn > now:
            await asyncio.sleep(turn - now)

    def ended(self) -> None:
        """A call is over."""
        self._ended += 1
        if self._ended == _CALLS:
            spent, self._measured_at = self._cpu() - self._measured_at, self._cpu()
            self.seconds = min(_MOST, spent / self._ended)
            self._ended = 0
