"""What may be spent, against what has been: said before a call, not after it."""

import math
import time
from collections.abc import Callable
from typing import Literal

from tdscaling_assets.errors import BudgetReachedError
from tdscaling_assets.llm.protocol import ReplyStore
from tdscaling_assets.schema import Usage
from tdscaling_assets.settings import Settings

Period = Literal["batch", "night"]
_SECONDS_BETWEEN_READINGS = 1.0


class Budget:
    """USD left of the batch's and the night's limit; without a limit, or for free, there is always something left."""

    def __init__(
        self, settings: Settings, store: ReplyStore | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits: dict[Period, float] = {
            "batch": settings.budget_batch or math.inf,
            "night": settings.budget_night or math.inf,
        }
        self._before: dict[Period, float] = {
            "batch": store.spent_on_batch() if store else 0.0,
            "night": store.spent_this_night() if store else 0.0,
        }
        self.spent = 0.0
        self._reserved = 0.0
        self._store = store
        self._clock = clock
        self._read_at = clock()

    def add(self, usage: Usage) -> None:
        """A call has cost so much."""
        self.spent += usage.usd or 0.0

    def reserve(self, usd: float) -> None:
        """So much more is kept for the judge: whoever spends from here is short of it."""
        self._reserved += usd

    def check(self) -> None:
        """Raises BudgetReachedError when nothing is left."""
        self._read_night()
        reason = self.exhausted(self._tighter())
        if reason:
            raise BudgetReachedError(reason)

    def exhausted(self, period: Period) -> str:
        """Why nothing more may be spent in this period, "" if something may."""
        return self._sentence(period, "is spent") if self._left(period) <= 0 else ""

    def shortage(self, usd: float) -> str:
        """Why so much more cannot be spent, "" if it can."""
        period = self._tighter()
        return self._sentence(period, "pays for no further conversation") if self._left(period) < usd else ""

    def _read_night(self) -> None:
        """What other runs spend of a limited night, too, once a second."""
        now = self._clock()
        if self._store and math.isfinite(self._limits["night"]) and now - self._read_at >= _SECONDS_BETWEEN_READINGS:
            self._read_at = now
            self._before["night"] = self._store.spent_this_night() - self.spent

    def _tighter(self) -> Period:
        return min(self._limits, key=self._left)

    def _left(self, period: Period) -> float:
        return self._limits[period] - self._before[period] - self.spent - self._reserved

    def _sentence(self, period: Period, what: str) -> str:
        spent = f"${self._before[period] + self.spent:.4f} spent"
        kept = f", ${self._reserved:.4f} kept for the judge" if round(self._reserved, 4) else ""
        return (
            f"the {period}'s budget of ${self._limits[period]:g} {what} ({spent}{kept}): "
            f"raise TDS_BUDGET_{period.upper()} and run the batch again to go on"
        )
