"""Finished conversations in, one line a person can read out: done, failures by kind, rates, cost, time left."""

from collections import Counter
from collections.abc import Callable

from tdscaling_assets.schema import Trajectory

EVERY_SECONDS = 2.0


class Progress:
    """Counts what ends and says so, at most every two seconds and at the end. `clock` gives seconds."""

    def __init__(self, total: int, resumed: int, clock: Callable[[], float], say: Callable[[str], None]) -> None:
        self._total = total
        self._done = self._resumed = resumed
        self._clock = clock
        self._say = say
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
        if trajectory.failure:
            self._failures[trajectory.failure.kind] += 1
        now = self._clock()
        if self._done == self._total or now - self._last_said >= EVERY_SECONDS:
            self._last_said = now
            self._say(self.line(now))

    def line(self, now: float) -> str:
        """The line at time `now`."""
        elapsed = max(now - self._started, 1e-9)
        fresh = self._done - self._resumed
        left = (self._total - self._done) * elapsed / fresh if fresh else 0.0
        failed = ", ".join(f"{count} {kind}" for kind, count in sorted(self._failures.items())) or "none"
        cost = "unknown" if self._usd is None else f"${self._usd:.2f}"
        return (
            f"{self._done}/{self._total} conversations, failed: {failed}, {self._calls / elapsed:.0f} calls/s, "
            f"{self._tokens / elapsed:.0f} tokens/s, cost {cost}, {left:.0f} s left"
        )
