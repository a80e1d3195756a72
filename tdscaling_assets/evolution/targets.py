"""How often each reasoning mode was kept in, the modes to aim at next out: rare ones, and ones never seen.

A mode never seen is one label away from a mode that was seen, and no two of its labels follow each other that never
did, so that it can be reached: the adjacent possible.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from tdscaling_assets.schema import LABELS

TARGETS_PER_BLUEPRINT = 0.5
"""Modes that a plan aims at, of the blueprints of a batch; half of them never seen, as long as there are as many."""
NEIGHBOURS_OF = 120
"""Seen modes, the most frequent first, whose neighbours are considered."""
LONGEST = 8
"""Labels of the longest target: each one more costs a step or a turn."""

_CALLS = frozenset({"retrieve", "act", "parallel", "compute", "verify"})
_SPOKEN = frozenset({"answer", "decline", "clarify", "confirm"})
_NEEDS: dict[str, frozenset[str]] = {"recover": _CALLS, "verify": frozenset({"act", "parallel"})}
"""What must have come before a label, any one of it: a call that failed, a value that was written."""


def mode_targets(
    kept: Mapping[str, int], labels: Mapping[str, float], decay: float, batch_size: int, rng: random.Random
) -> dict[str, float]:
    """Mode (labels joined by `>`) → probability, TARGETS_PER_BLUEPRINT of them at most, as a function of the arguments.

    A mode's share is ∝ a / labels · (1 + kept)^−0.5, a its chance of being kept: exp(−decay) per label. A label takes
    about one message, and messages are what is paid for. Rare modes, of which one more raises the entropy, are drawn by
    that weight; new ones by it times the weight of the new label in `labels` (label → probability). Empty where nothing
    was kept.
    """
    seen = sorted((mode for mode in kept if kept[mode] > 0 and mode), key=lambda mode: (-kept[mode], mode))
    most = max(2, round(TARGETS_PER_BLUEPRINT * batch_size))

    def score(mode: str) -> float:
        return math.exp(-decay * _length(mode)) / _length(mode) / math.sqrt(1 + kept.get(mode, 0))

    unseen = _unseen(seen[:NEIGHBOURS_OF], kept)
    new = _draw({mode: score(mode) * labels.get(label, 0.0) for mode, label in unseen.items()}, most // 2, rng)
    short = [mode for mode in _rarer_than_typical(kept, seen) if _length(mode) <= LONGEST]
    rare = _draw({mode: score(mode) for mode in short}, most - len(new), rng)
    scores = {mode: score(mode) for mode in (*new, *rare)}
    total = sum(scores.values())
    return {mode: score / total for mode, score in scores.items()}


def is_possible(mode: Sequence[str]) -> bool:
    """Whether a conversation can have this mode: labels once each, words at the end, nothing before what it needs."""
    if not mode or mode[-1] not in _SPOKEN or len(set(mode)) < len(mode) or not set(mode) <= set(LABELS):
        return False
    return all(not _NEEDS.get(label) or _NEEDS[label].intersection(mode[:place]) for place, label in enumerate(mode))


def _unseen(seen: Sequence[str], kept: Mapping[str, int]) -> dict[str, str]:
    """Mode → the label that is new in it, of every neighbour within reach that was never kept."""
    followed = {pair for mode in kept for pair in _pairs(mode.split(">"))}
    found: dict[str, str] = {}
    for mode in seen:
        for neighbour, label in _neighbours(mode.split(">")):
            joined = ">".join(neighbour)
            if not kept.get(joined) and joined not in found and followed.issuperset(_pairs(neighbour)):
                found[joined] = label
    return found


def _pairs(mode: Sequence[str]) -> Iterator[tuple[str, str]]:
    return pairwise(("", *mode, ""))


def _neighbours(mode: list[str]) -> Iterator[tuple[list[str], str]]:
    """The mode with one more label, in every place."""
    for label in LABELS if len(mode) < LONGEST else ():
        if label not in mode:
            for place in range(len(mode) + 1):
                yield [*mode[:place], label, *mode[place:]], label


def _rarer_than_typical(kept: Mapping[str, int], seen: Sequence[str]) -> list[str]:
    """Those whose surprisal −log2 p is at least the entropy of all, their mean surprisal."""
    total = sum(kept[mode] for mode in seen)
    surprisals = {mode: math.log2(total / kept[mode]) for mode in seen}
    entropy = sum(kept[mode] / total * surprisals[mode] for mode in seen)
    return [mode for mode in seen if surprisals[mode] >= entropy - 1e-9]


def _length(mode: str) -> int:
    return mode.count(">") + 1


def _draw(weights: Mapping[str, float], most: int, rng: random.Random) -> list[str]:
    """`most` of them, without replacement, by weight (Efraimidis and Spirakis 2006)."""
    keyed = [(rng.expovariate(weights[mode]), mode) for mode in sorted(weights) if weights[mode] > 0]
    return [mode for _, mode in sorted(keyed)[:most]]
