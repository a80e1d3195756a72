"""What a set of trajectories is measured against: its place, its resampling, what there is to cover, its cost."""

from typing import Literal

from pydantic import Field

from tdscaling_assets.schema import MetricRow, Record


class MeasureContext(Record):
    """`tools` and `clusters` are the ids of those that there are now; `generated`, `kept` and `near_duplicates` are the
    funnel's counts.

    `tokens` and `usd` are those of all generated trajectories; `usd` is null when any price is unknown. `checkable` are
    the completed ones whose final state is known beforehand, `agreeing` those of them that ended in it.
    """

    batch: str
    scope: Literal["batch", "cumulative"]
    rarefaction: int = Field(100, ge=2)
    resamples: int = Field(200, ge=10)
    seed: int = 0
    cac_target: float | None = None
    tools: frozenset[str] = frozenset()
    clusters: frozenset[str] = frozenset()
    generated: int = 0
    kept: int = 0
    near_duplicates: int = 0
    tokens: int = 0
    usd: float | None = None
    checkable: int = 0
    agreeing: int = 0

    def row(self, metric: str, value: float, n: int, interval: tuple[float, float] | None = None) -> MetricRow:
        """One figure of this batch and scope, measured on `n` items."""
        low, high = interval or (None, None)
        return MetricRow(batch=self.batch, scope=self.scope, metric=metric, value=value, ci_low=low, ci_high=high, n=n)

    def share(self, metric: str, part: float, whole: int) -> list[MetricRow]:
        """part / whole as a row; no row when there is no whole, because unmeasured is not zero."""
        return [self.row(metric, part / whole, whole)] if whole > 0 else []
