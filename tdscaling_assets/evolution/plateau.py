"""Steering metrics of the batches so far in, "start a new round" or "wait" out, with the figures that say why."""

import math
from collections.abc import Collection, Mapping, Sequence

from tdscaling_assets.evolution.keys import newest, next_round, parse_key
from tdscaling_assets.schema import Record

History = Sequence[Mapping[str, float]]


class NewRound(Record):
    """Run the first batch of a new round, of that key."""

    key: str
    reason: str


class Wait(Record):
    """Start nothing now."""

    reason: str


def is_plateau(history: History, window: int, epsilon: float) -> bool:
    """Whether no steering metric gained `epsilon` (a relative gain) over the last `window` batches.

    `history` holds the steering metrics (cumulative scope) of one round's batches, in order. False with fewer than
    window + 1 points, and where a metric is missing at either end: what is not measured has not stood still.
    """
    if len(history) < window + 1:
        return False
    gains = plateau_gains(history, window)
    measured = set(history[-1 - window]) | set(history[-1])
    return bool(gains) and set(gains) == measured and all(gain < epsilon for gain in gains.values())


def plateau_gains(history: History, window: int) -> dict[str, float]:
    """Metric → relative gain from `window` batches ago to the last one; empty with too few points.

    Negative for a fall. A metric that leaves 0 has gained infinitely; one that is not finite is left out.
    """
    if len(history) < window + 1:
        return {}
    before, after = history[-1 - window], history[-1]
    shared = [name for name in sorted(before) if name in after]
    return {
        name: _relative_gain(before[name], after[name])
        for name in shared
        if math.isfinite(before[name]) and math.isfinite(after[name])
    }


def decide_next(
    history_by_batch: Mapping[str, Mapping[str, float]],
    batch_keys: Collection[str],
    reported: Collection[str],
    *,
    window: int,
    epsilon: float,
    max_rounds: int,
) -> NewRound | Wait:
    """What the sensor should do now.

    `history_by_batch` maps a batch key to its steering metrics (cumulative scope), `batch_keys` are all batches
    ever started, `reported` those whose diversity report is written. Waits until the newest one is reported.
    """
    last = newest(batch_keys)
    if last is None:
        return Wait(reason="There is no batch yet: run the first one.")
    if last not in reported:
        return Wait(reason=f"The newest batch {last} has no diversity report yet: it is running, or it failed.")
    number = parse_key(last)[0]
    if number >= max_rounds:
        return Wait(reason=f"Round {number} is the last of {max_rounds}: raise max_rounds to go on.")
    batches = sorted(
        (key for key in history_by_batch if parse_key(key)[0] == number and key in reported), key=parse_key
    )
    if last not in batches or not history_by_batch[last]:
        return Wait(reason=f"The report of {last} has no steering metrics: nothing was kept, so nothing can be judged.")
    history = [history_by_batch[key] for key in batches]
    if len(history) < window + 1:
        return Wait(reason=f"Round {number} has {len(history)} of the {window + 1} reports that a plateau needs.")
    figures = describe_gains(plateau_gains(history, window))
    if not is_plateau(history, window, epsilon):
        return Wait(
            reason=f"Round {number} still gains over {_batches(window)}: {figures} (plateau below {epsilon:+.1%})."
        )
    reason = f"Round {number} stands still over {_batches(window)}: {figures}, all below {epsilon:+.1%}."
    return NewRound(key=next_round(batch_keys), reason=reason)


def describe_gains(gains: Mapping[str, float]) -> str:
    """`cac_mean +0.4 %, h_dom_rarefied -0.1 %`; says so when nothing could be compared."""
    if not gains:
        return "no metric is measured at both ends"
    return ", ".join(f"{name} {gain:+.1%}" for name, gain in sorted(gains.items()))


def _relative_gain(before: float, after: float) -> float:
    if before == 0:
        return math.inf if after > 0 else 0.0
    return (after - before) / abs(before)


def _batches(window: int) -> str:
    return "the last batch" if window == 1 else f"the last {window} batches"
