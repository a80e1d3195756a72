"""Steering metrics of the batches so far in, "start a new round" or "wait" out, with the figures that say why."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from tdscaling_assets.evolution.keys import newest, next_round, parse_key
from tdscaling_assets.schema import Record

History = Sequence[Mapping[str, float]]

_RAREFIED = "_rarefied"


class NewRound(Record):
    """Run the first batch of a new round, of that key."""

    key: str
    reason: str


class Wait(Record):
    """Start nothing now. `stop` names the limit that has been reached, "" when only time is wanting."""

    reason: str
    stop: Literal["", "max_rounds", "ceiling"] = ""


class Compared(NamedTuple):
    """The batches whose metrics a decision reads. `window`: the last of the newest round, in order. `before`: the last
    one from before the rounds that the ceiling looks at, None when there is none."""

    before: str | None
    window: list[str]


def plain_name(metric: str) -> str:
    """The metric without the size that it is rarefied to: `h_mode_rarefied_500` → `h_mode_rarefied`."""
    name, rarefied, _ = metric.partition(_RAREFIED)
    return name + rarefied


def is_plateau(history: History, window: int, epsilon: float) -> bool:
    """Whether no steering metric gained `epsilon` (a relative gain) over the last `window` batches.

    `history` holds the steering metrics (cumulative scope) of one round's batches, in order; an entropy may be there
    at several sizes. False with fewer than window + 1 points, and where a metric is missing at either end: what is
    not measured has not stood still.
    """
    if len(history) < window + 1:
        return False
    gains = plateau_gains(history, window)
    measured = {plain_name(name) for name in {*history[-1 - window], *history[-1]}}
    return {plain_name(name) for name in gains} == measured != set() and all(gain < epsilon for gain in gains.values())


def plateau_gains(history: History, window: int) -> dict[str, float]:
    """Metric → relative gain from `window` batches ago to the last one; empty with too few points.

    Negative for a fall. A metric that leaves 0 has gained infinitely; one that is not finite is left out. An entropy
    is compared at the largest size that is measured at both ends, since at a small one it is soon at its most.
    """
    if len(history) < window + 1:
        return {}
    before, after = history[-1 - window], history[-1]
    shared = [name for name in before if math.isfinite(before[name]) and math.isfinite(after.get(name, math.nan))]
    largest = {plain_name(name): name for name in sorted(shared, key=_size)}
    return {name: _relative_gain(before[name], after[name]) for name in sorted(largest.values())}


def compared_batches(reported: Iterable[str], window: int, ceiling_rounds: int) -> Compared:
    """Which of the batches with a report `decide_next` compares."""
    keys = sorted(reported, key=parse_key)
    number = parse_key(keys[-1])[0] if keys else 0
    before = [key for key in keys if parse_key(key)[0] <= number - ceiling_rounds]
    recent = [key for key in keys if parse_key(key)[0] == number]
    return Compared(before[-1] if before else None, recent[-1 - window :])


def decide_next(
    history_by_batch: Mapping[str, Mapping[str, float]],
    batch_keys: Collection[str],
    reported: Collection[str],
    *,
    window: int,
    epsilon: float,
    max_rounds: int,
    ceiling_rounds: int,
) -> NewRound | Wait:
    """What the sensor should do now.

    `history_by_batch` maps the `compared_batches`, or more, to their steering metrics (cumulative scope); `batch_keys`
    are all batches ever started, `reported` those whose diversity report is written. Waits until the newest one is.
    """
    last = newest(batch_keys)
    if last is None:
        return Wait(reason="There is no batch yet: run the first one.")
    if last not in reported:
        return Wait(reason=f"The newest batch {last} has no diversity report yet.")
    number = parse_key(last)[0]
    if number >= max_rounds:
        return Wait(
            reason=f"Stopped at max_rounds: round {number} is the last of {max_rounds}. Raise TDS_MAX_ROUNDS to go on.",
            stop="max_rounds",
        )
    if not history_by_batch.get(last):
        return Wait(reason=f"The report of {last} has no steering metrics: nothing was kept, so nothing can be judged.")
    before, recent = compared_batches(reported, window, ceiling_rounds)
    if len(recent) < window + 1:
        return Wait(reason=f"Round {number} has {len(recent)} of the {window + 1} reports that a plateau needs.")
    history = [history_by_batch.get(key, {}) for key in recent]
    over = f"{_batches(window)}: {describe_gains(plateau_gains(history, window))}"
    if not is_plateau(history, window, epsilon):
        return Wait(reason=f"Round {number} still gains over {over} (plateau below {epsilon:+.1%}).")
    ends = [history_by_batch.get(before, {}), history[-1]] if before else []
    if is_plateau(ends, 1, epsilon):
        gained = f"{describe_gains(plateau_gains(ends, 1))} since {before}, all below {epsilon:+.1%}"
        return Wait(reason=_ceiling(number, ceiling_rounds, gained), stop="ceiling")
    reason = f"Round {number} stands still over {over}, all below {epsilon:+.1%}."
    return NewRound(key=next_round(batch_keys), reason=reason)


def describe_gains(gains: Mapping[str, float]) -> str:
    """`cac_mean +0.4%, h_dom at n = 500 -0.1%`; says so when nothing could be compared."""
    if not gains:
        return "no metric is measured at both ends"
    return ", ".join(f"{_readable(name)} {gain:+.1%}" for name, gain in sorted(gains.items()))


def _ceiling(number: int, rounds: int, gained: str) -> str:
    spell = f"round {number}" if rounds == 1 else f"rounds {number - rounds + 1} to {number}"
    return (
        f"Stopped at the ceiling: {spell} gained nothing ({gained}). More tools or another model may lift it; "
        "TDS_CEILING_ROUNDS is how many rounds it takes."
    )


def _relative_gain(before: float, after: float) -> float:
    if before == 0:
        return math.inf if after > 0 else 0.0
    return (after - before) / abs(before)


def _size(metric: str) -> int:
    """The size that the metric is rarefied to; 0 where its name has none."""
    return int(metric.partition(_RAREFIED)[2].strip("_") or 0)


def _readable(metric: str) -> str:
    name, rarefied, size = metric.partition(_RAREFIED)
    if not rarefied:
        return name
    return f"{name} at n = {size.strip('_')}" if size else f"{name} rarefied"


def _batches(window: int) -> str:
    return "the last batch" if window == 1 else f"the last {window} batches"
