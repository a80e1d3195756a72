"""Blueprints that could be talked about in, those worth their model calls out: expected marginal gain, lazily greedy.

The objective is the steering metrics' own. With n_c kept trajectories of category c out of N, N·H = N log2 N − Σ n_c
log2 n_c bits. At N*, the size that the kept set would have if all that are wanted were kept, one more of c brings log2
N* − (change of n_c log2 n_c) bits; what counts is how much more that is than the H bits of a typical one, over domains
and over modes. Complexity counts as the share of the plan's target that is reached, in bits. Each gain is weighted by
the chance that the trajectory will be kept, which falls exponentially with the messages that it takes, and, unless it
is a loss, divided by their number, for calls are what is paid for. Modes that the plan aims at come first, each up to
its share of AIMED_FIRST of the batch: of a person's few targets many, of hundreds none, so that those are chosen for
what they add.

Every term is concave in what was chosen before, so the sum is submodular and a stale gain is an upper bound: only the
candidate on top need be looked at again (Minoux 1978).
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tdscaling_assets.schema import Blueprint, Record, RoundPlan

AIMED_FIRST = 0.5
"""Of the batch: most blueprints that are chosen first because the plan aims at their mode."""
STEEPEST, HALVINGS = 10.0, 50
"""Bounds of the search for the decay."""
MOST_COMPLEXITY = 1.5
"""Of the plan's CAC target: what a blueprint beyond it gains no more by."""


class Candidate(Record):
    """What is known of a blueprint before its conversation."""

    domain: str
    mode: str
    cac: float
    messages: int

    @classmethod
    def of(cls, blueprint: Blueprint) -> "Candidate":
        """What the blueprint foretells."""
        return cls(
            domain=blueprint.domain,
            mode=">".join(blueprint.target_mode),
            cac=blueprint.target_cac,
            messages=blueprint.planned_messages,
        )


@dataclass(frozen=True)
class Choice:
    """A candidate by its index, with the gain in bits per planned message expected of it."""

    index: int
    gain: float


def choose_novel(
    candidates: Sequence[Candidate],
    wanted: int,
    kept_by_domain: Mapping[str, int],
    kept_by_mode: Mapping[str, int],
    plan: RoundPlan,
    decay: float,
) -> tuple[list[Choice], list[Choice]]:
    """Up to `wanted` candidates in greedy order, and those left with what each would still add; equal gains go to the
    lower index. `decay` is that of keeping_decay."""
    domains, modes = _Spread(kept_by_domain, wanted), _Spread(kept_by_mode, wanted)
    aimed = {mode: int(AIMED_FIRST * wanted * share) for mode, share in plan.mode_targets.items()}

    def chance(candidate: Candidate) -> float:
        return math.exp(-decay * candidate.messages)

    def gain(candidate: Candidate) -> float:
        kept = chance(candidate)
        reached = min(MOST_COMPLEXITY, candidate.cac / plan.cac_target) if plan.cac_target > 0 else 0.0
        bits = domains.gain(candidate.domain, kept) + modes.gain(candidate.mode, kept) + kept * reached
        return bits / max(1, candidate.messages) if bits > 0 else bits

    def cost(index: int) -> tuple[bool, float, int]:
        """What the heap is ordered by; it never falls."""
        return aimed.get(candidates[index].mode, 0) <= 0, -gain(candidates[index]), index

    heap = [cost(index) for index in range(len(candidates))]
    heapq.heapify(heap)
    chosen: list[Choice] = []
    while heap and len(chosen) < wanted:
        stale = heapq.heappop(heap)
        fresh = cost(stale[-1])
        if fresh > stale:
            heapq.heappush(heap, fresh)
            continue
        _, loss, index = fresh
        chosen.append(Choice(index, -loss))
        domains.add(candidates[index].domain, chance(candidates[index]))
        modes.add(candidates[index].mode, chance(candidates[index]))
        if candidates[index].mode in aimed:
            aimed[candidates[index].mode] -= 1
    return chosen, [Choice(index, gain(candidates[index])) for index in sorted(index for _, _, index in heap)]


def keeping_decay(planned: pl.Series, kept: int) -> float:
    """λ ≥ 0 such that Σ exp(−λ · messages) over everything that was planned and talked about is what was kept of it:
    each message may be the one that fails. 0 where all was kept."""
    messages = planned.to_numpy()
    low, high = 0.0, STEEPEST
    if kept >= messages.size:
        return low
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if np.exp(-middle * messages).sum() > kept:
            low = middle
        else:
            high = middle
    return high


class _Spread:
    """Expected trajectories per category, and what one more would bring."""

    def __init__(self, kept: Mapping[str, int], wanted: int) -> None:
        self._counts = {name: float(count) for name, count in kept.items()}
        total = sum(kept.values())
        bits = math.log2(total) - sum(map(_c_log_c, self._counts.values())) / total if total else 0.0
        self._more = math.log2(max(2, total + wanted)) - bits

    def gain(self, name: str, chance: float) -> float:
        count = self._counts.get(name, 0.0)
        return chance * self._more - (_c_log_c(count + chance) - _c_log_c(count))

    def add(self, name: str, chance: float) -> None:
        self._counts[name] = self._counts.get(name, 0.0) + chance


def _c_log_c(count: float) -> float:
    return count * math.log2(count) if count > 0 else 0.0
