"""What each blueprint operator has brought so far in, operator weights for the next round out.

A seeded Thompson bandit: acceptance is drawn from its Beta posterior, so an operator tried seldom can still win.
"""

import random
from collections.abc import Mapping

import polars as pl

from tdscaling_assets.schema import OPERATORS, Record

FLOOR = 0.4  # share of the weight that all operators divide equally, so that none is ever given up


class OperatorStats(Record):
    """`surprisal` is the mean −log2 p(mode) of kept trajectories, in bits; `calls` the mean model calls per try."""

    tried: int = 0
    kept: int = 0
    surprisal: float = 0.0
    calls: float = 0.0

    @property
    def gain_bits(self) -> float:
        """Marginal bits per try: acceptance × surprisal."""
        return self.surprisal * self.kept / self.tried if self.tried else 0.0


def operator_stats(frame: pl.DataFrame) -> dict[str, OperatorStats]:
    """Per operator; those without a trajectory are absent.

    `frame` has a row per generated trajectory: `operators` (list), `mode` (text), `kept` (bool), `calls` (number).
    p(mode) is the mode's share among kept trajectories.
    """
    share = pl.col("kept").sum().over("mode") / pl.col("kept").sum()
    grouped = (
        frame.select(
            operator=pl.col("operators").list.unique(),
            kept="kept",
            surprisal=pl.when("kept").then(-share.log(2)),
            calls="calls",
        )
        .explode("operator")
        .drop_nulls("operator")
        .group_by("operator")
        .agg(pl.len().alias("tried"), pl.col("kept").sum(), pl.col("surprisal").mean(), pl.col("calls").mean())
        .sort("operator")
    )
    return {
        row["operator"]: OperatorStats(
            tried=row["tried"], kept=row["kept"], surprisal=max(0.0, row["surprisal"] or 0.0), calls=row["calls"] or 0.0
        )
        for row in grouped.iter_rows(named=True)
    }


def operator_weights(stats: Mapping[str, OperatorStats], temperature: float, rng: random.Random) -> dict[str, float]:
    """Operator → probability: (drawn acceptance × bits / calls)^(1/temperature), above the floor.

    An untried operator is taken at the best surprisal and the mean cost seen, so it is tried.
    """
    seen = [stats[name] for name in OPERATORS if name in stats and stats[name].tried]
    best = max((one.surprisal for one in seen), default=1.0) or 1.0
    cost = sum(one.calls for one in seen) / len(seen) if seen else 1.0
    scores: dict[str, float] = {}
    for name in OPERATORS:
        one = stats.get(name, OperatorStats())
        acceptance = rng.betavariate(1 + one.kept, 1 + max(0, one.tried - one.kept))
        bits = one.surprisal if one.kept else best
        calls = max(1.0, one.calls if one.tried else cost)
        scores[name] = (acceptance * bits / calls) ** (1 / temperature)
    return with_floor(scores, FLOOR)


def with_floor(scores: Mapping[str, float], floor: float) -> dict[str, float]:
    """Scores as probabilities that sum to 1, of which `floor` is divided equally; equal when no score is positive."""
    total = sum(scores.values())
    even = 1 / len(scores)
    if total <= 0:
        return dict.fromkeys(scores, even)
    return {name: (1 - floor) * score / total + floor * even for name, score in scores.items()}
