"""Finished conversations in, one line a person can read out: done, kept, failures by kind, rates, cost, time left."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence

from tdscaling_assets.schema import Trajectory

EVERY_SECONDS = 2.0
QUIET_SECONDS = 10.0
"""Between two lines while nothing ends."""


class Progress:
    """Counts what ends and says so, at most every two seconds and at the end. `clock` gives seconds, `keeps` whether
    a conversation passes the rules that need no other, `trouble` what holds the batch up."""

    def __init__(
        self,
        total: int,
        resumed: int,
        clock: Callable[[], float],
        say: Callable[[str], None],
        keeps: Callable[[Trajectory], bool] = lambda one: one.outcome == "completed",
        trouble: Callable[[], Sequence[str]] = lambda: (),
    ) -> None:
        self._total = total
        self._done = self._resumed = resumed
        self._clock = clock
        self._say = say
        self._keeps = keeps
        self._trouble = trouble
        self._kept = 0
        self._failures: Counter[str] = Counter()
        self._calls = 0
        self._tokens = 0
        self._usd: float | None = 0.0
        self._started = self._last_said = clock()
        if resumed:
            say(f"{resumed} of {total} conversations were finished before: resuming")

    def count(self, trajectory: Trajectory) -> None:
        """One more conversation has ended."""
        self._done += 1
        usage = trajectory.usage
        self._calls += usage.calls
        self._tokens += usage.prompt_tokens + usage.completion_tokens
        self._usd = None if self._usd is None or usage.usd is None else self._usd + usage.usd
        self._kept += self._keeps(trajectory)
        if trajectory.failure:
            self._failures[trajectory.failure.kind] += 1
        if self._done == self._total:
            self._speak(self._clock())
        else:
            self._speak_after(EVERY_SECONDS)

    async def watch(self) -> None:
        """Say how it stands also while nothing ends, until cancelled."""
        while True:
            await asyncio.sleep(QUIET_SECONDS / 2)
            self._speak_after(QUIET_SECONDS)

    def line(self, now: float) -> str:
        """The line at time `now`."""
        elapsed = max(now - self._started, 1e-9)
        fresh = self._done - self._resumed
        left = f"{(self._total - self._done) * elapsed / fresh:.0f} s left" if fresh else "time left unknown"
        failed = ", ".join(f"{count} {kind}" for kind, count in sorted(self._failures.items())) or "none"
        cost = "unknown" if self._usd is None else f"${self._usd:.{2 if self._usd >= 1 else 4}f}"
        return "; ".join(
            (
                f"{self._done}/{self._total} conversations, kept so far: {self._kept} of {fresh}, failed: {failed}, "
                f"{self._calls / elapsed:.0f} calls/s, {self._tokens / elapsed:.0f} tokens/s, cost {cost}, {left}",
                *self._trouble(),
            )
        )

    def _speak_after(self, seconds: float) -> None:
        now = self._clock()
        if now - self._last_said >= seconds:
            self._speak(now)

    def _speak(self, now: float) -> None:
        self._last_said = now
        self._say(self.line(now))
