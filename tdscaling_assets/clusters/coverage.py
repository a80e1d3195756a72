"""Sets of weighted elements in, the greedy best k of them out, in order: weighted maximum coverage with multi-cover.

An element counts each of the first `cover` times that a chosen set holds it, each time half of the time before (our
own definition). That is a concave function of a count, so the total is monotone submodular and the greedy choice is
within 1 - 1/e of the optimum (Nemhauser et al. 1978), and the first k are the greedy best k. All sums are of whole
numbers: the choice is the same to the last bit on every machine.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tdscaling_assets.errors import ConfigError

COVER = 3  # times that an element counts unless told otherwise
MOST_COVER = 8  # beyond it a further time would count less than 1 %
UNIT = 1_000_000  # whole units in a weight of 1

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Membership:
    """Which elements each set holds, as compressed sparse rows.

    Set i holds `elements[starts[i] : starts[i + 1]]`, each element once; `units[e]` is the weight of element e in
    whole units, 0 for one that is worth nothing. Shapes: starts (sets + 1,), elements (memberships,), units
    (elements,), all int64.
    """

    starts: Integers
    elements: Integers
    units: Integers

    @staticmethod
    def of(sets: Sequence[Collection[int]], weights: Iterable[float]) -> "Membership":
        """From sets of element numbers and the elements' weights; a positive weight is at least one unit."""
        values = np.fromiter(weights, dtype=np.float64)
        sizes = np.fromiter((len(one) for one in sets), dtype=np.int64, count=len(sets))
        elements = np.fromiter((element for one in sets for element in one), dtype=np.int64, count=int(sizes.sum()))
        units = np.where(values > 0, np.maximum(np.rint(values * UNIT), 1), 0).astype(np.int64)
        return Membership(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), elements, units)

    def __len__(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class Chosen:
    """Positions of the chosen sets in greedy order, what each added, as a weight, and what all up to it cover.

    `shares` are of the reachable weight: what all sets together cover, where an element that only one set holds can
    count only once.
    """

    positions: list[int]
    gains: list[float]
    shares: list[float]


def maximum_coverage(membership: Membership, k: int, cover: int = COVER, share: float = 1.0) -> Chosen:
    """Greedy choice of at most `k` sets, fewer when `share` of the reachable weight is covered or nothing is gained.

    ConfigError when `cover` is not in 1..8, or weights are too large to add up exactly.

    Lazily evaluated: gains only fall, so a set that no set sharing an element with it beats will be chosen with exactly
    the gain it has now, before all of those. All such sets are settled in one pass over arrays, and the passes end when
    no set that is left can be among the first k; sorting the settled by gain gives the greedy order. Of equal gains
    that compete, the set goes first whose elements the others need least; then the earlier.
    """
    if not 1 <= cover <= MOST_COVER:
        raise ConfigError(f"an element is to count {cover} times: use 1 to {MOST_COVER}")
    positions, gains, passes = _settle(membership, k, cover)
    order = np.lexsort((positions, passes, -gains))[:k]
    positions, gains = positions[order], gains[order]
    shares = np.cumsum(gains) / max(1, _reachable(membership, cover))
    enough = int(np.searchsorted(shares, share)) + 1
    weights = gains / (UNIT << (cover - 1))
    return Chosen(positions[:enough].tolist(), weights[:enough].tolist(), shares[:enough].tolist())


def _settle(membership: Membership, k: int, cover: int) -> tuple[Integers, Integers, Integers]:
    """Position, gain in the finest units, and number of its pass of every settled set."""
    worth = membership.units << (cover - 1)  # what an element counts the next time
    left = np.where(worth > 0, cover, 0)  # times that it still counts
    best = np.zeros(len(worth), np.int64)
    rows = _keep(
        _Rows(np.arange(len(membership)), np.diff(membership.starts), membership.elements),
        left[membership.elements] > 0,
    )
    _check_size(rows, worth)
    settled: list[tuple[Integers, Integers]] = []
    done = np.zeros(0, np.int64)  # gains of the settled
    while len(rows.elements):
        gains = np.add.reduceat(worth[rows.elements], rows.starts)
        spread = np.repeat(gains, rows.sizes)
        top = _unbeaten(rows, spread, best)
        needed = np.bincount(rows.elements, spread, minlength=len(worth)).astype(np.int64)  # exact below 2^53
        top[top] = _least_needed(_take(rows, top), worth, needed, best)
        settled.append((rows.positions[top], gains[top]))
        done = np.concatenate([done, gains[top]])
        hit = rows.elements[np.repeat(top, rows.sizes)]  # no element twice: none is in two of them
        left[hit] -= 1
        worth[hit] >>= 1
        if np.count_nonzero(done >= gains[~top].max(initial=0)) >= k:
            break
        rows = _keep(rows, np.repeat(~top, rows.sizes) & (left[rows.elements] > 0))
    passes = np.repeat(np.arange(len(settled)), [len(positions) for positions, _ in settled])
    return np.concatenate([np.zeros(0, np.int64), *(positions for positions, _ in settled)]), done, passes


class _Rows(NamedTuple):
    """The sets that are left: their positions, how many elements each has, and the elements one set after another."""

    positions: Integers
    sizes: Integers
    elements: Integers

    @property
    def starts(self) -> Integers:
        return np.cumsum(self.sizes) - self.sizes


def _unbeaten(rows: _Rows, spread: Integers, best: Integers) -> Booleans:
    """Which sets no other set beats at any of their elements; `spread` is each set's score, once per element."""
    best[rows.elements] = 0
    np.maximum.at(best, rows.elements, spread)
    return np.logical_and.reduceat(spread == best[rows.elements], rows.starts)


def _least_needed(rows: _Rows, worth: Integers, needed: Integers, best: Integers) -> Booleans:
    """Of sets with equal gain where they meet, those whose elements the gains of others depend on least."""
    fine = max(0, int(worth.max()).bit_length() - 10)  # a tie-break needs no more than ten bits of a weight
    harm = np.add.reduceat((worth[rows.elements] >> fine) * needed[rows.elements], rows.starts)
    ranks = np.empty(len(harm), np.int64)
    ranks[np.lexsort((rows.positions, harm))] = np.arange(len(harm), 0, -1)
    return _unbeaten(rows, np.repeat(ranks, rows.sizes), best)


def _take(rows: _Rows, chosen: Booleans) -> _Rows:
    return _Rows(rows.positions[chosen], rows.sizes[chosen], rows.elements[np.repeat(chosen, rows.sizes)])


def _keep(rows: _Rows, kept: Booleans) -> _Rows:
    """The rows with those of their elements that are kept; a set without elements goes."""
    ends = np.concatenate([[0], np.cumsum(kept)])
    stops = np.cumsum(rows.sizes)
    sizes = ends[stops] - ends[stops - rows.sizes]
    return _Rows(rows.positions[sizes > 0], sizes[sizes > 0], rows.elements[kept])


def _check_size(rows: _Rows, worth: Integers) -> None:
    if len(rows.sizes) and len(rows.sizes) * int(rows.sizes.max()) * int(worth.max()) >= 2**53:
        raise ConfigError(
            f"{len(rows.sizes)} sets of up to {rows.sizes.max()} elements are too heavy to add up exactly: "
            "scale the weights down"
        )


def _reachable(membership: Membership, cover: int) -> int:
    """What all sets together cover, in the finest units."""
    held = np.minimum(np.bincount(membership.elements, minlength=len(membership.units)), cover)
    doubled = membership.units << cover
    return int((doubled - (doubled >> held)).sum())
