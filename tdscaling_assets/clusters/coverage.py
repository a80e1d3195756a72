"""Sets of weighted elements in, the greedy best k of them out, in order: weighted maximum coverage with multi-cover.

An element counts each of the first `cover` times that a chosen set holds it, each time half of the time before (our
own definition). That is a concave function of a count, so the total is monotone submodular and the greedy choice is
within 1 - 1/e of the optimum (Nemhauser et al. 1978), and the first k are the greedy best k. All sums are of whole
numbers: the choice is the same to the last bit on every machine.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tdscaling_assets.errors import ConfigError

COVER = 3  # times that an element counts unless told otherwise
MOST_COVER = 8  # beyond it a further time would count less than 1 %
UNIT = 1_000_000  # whole units in a weight of 1

Integers = NDArray[np.int64]


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

    Of equal gains the set whose elements other sets hold least goes first, then the earlier. ConfigError when `cover`
    is not in 1..8.

    Lazily evaluated: gains only fall, so a set that beats every set it shares an element with will be chosen with
    exactly the gain it has now, before any of those. All such sets are settled in one pass over arrays, whatever can
    no longer be among the first k is dropped unevaluated, and sorting the settled by gain gives the greedy order.
    """
    if not 1 <= cover <= MOST_COVER:
        raise ConfigError(f"an element is to count {cover} times: use 1 to {MOST_COVER}")
    order, keys = _settle(membership, k, cover)
    whole = UNIT << (cover - 1)
    ranked = np.sort(keys)[::-1][:k]
    bits = _tie_bits(membership)
    positions = order[len(membership) - 1 - (ranked & ((1 << bits) - 1))]
    gains = ranked >> bits
    shares = np.cumsum(gains) / max(1, _reachable(membership, cover))
    enough = int(np.searchsorted(shares, share)) + 1
    return Chosen(positions[:enough].tolist(), (gains[:enough] / whole).tolist(), shares[:enough].tolist())


def _settle(membership: Membership, k: int, cover: int) -> tuple[Integers, Integers]:
    """The order of ties, and the key (gain, then tie rank) of every set that is chosen, in no order."""
    count, bits = len(membership), _tie_bits(membership)
    order = _tie_order(membership)
    ties = np.empty(count, np.int64)
    ties[order] = np.arange(count - 1, -1, -1)
    worth = membership.units << (cover - 1)
    left = np.where(worth > 0, cover, 0)
    best = np.zeros(len(worth), np.int64)
    elements, sizes, ties = _keep(membership.elements, np.diff(membership.starts), ties, left)
    if len(sizes) and int(sizes.max()) * int(worth.max()) >> (63 - bits):
        raise ConfigError(f"{count} sets of up to {sizes.max()} elements are too heavy to add up: scale weights down")
    settled = np.zeros(0, np.int64)
    while len(elements):
        starts = np.cumsum(sizes) - sizes
        keys = (np.add.reduceat(worth[elements], starts) << bits) | ties
        spread = np.repeat(keys, sizes)
        best[elements] = 0
        np.maximum.at(best, elements, spread)
        top = np.logical_and.reduceat(spread == best[elements], starts)
        settled = np.concatenate([settled, keys[top]])
        hit = elements[np.repeat(top, sizes)]  # no element twice: only one set is the best of its own
        left[hit] -= 1
        worth[hit] >>= 1
        stay = ~top
        if len(settled) >= k:
            stay &= keys > np.partition(settled, len(settled) - k)[len(settled) - k]
        elements, sizes, ties = _keep(elements, sizes, ties, left, stay)
    return order, settled


def _keep(
    elements: Integers, sizes: Integers, ties: Integers, left: Integers, stay: NDArray[np.bool_] | None = None
) -> tuple[Integers, Integers, Integers]:
    """The sets that stay, without elements that count no more; a set without elements goes."""
    keep = left[elements] > 0
    if stay is not None:
        keep &= np.repeat(stay, sizes)
    ends = np.concatenate([[0], np.cumsum(keep)])
    stops = np.cumsum(sizes)
    sizes = ends[stops] - ends[stops - sizes]
    return elements[keep], sizes[sizes > 0], ties[sizes > 0]


def _reachable(membership: Membership, cover: int) -> int:
    """What all sets together cover, in the finest units."""
    held = np.minimum(np.bincount(membership.elements, minlength=len(membership.units)), cover)
    doubled = membership.units << cover
    return int((doubled - (doubled >> held)).sum())


def _tie_bits(membership: Membership) -> int:
    return len(membership).bit_length()


def _tie_order(membership: Membership) -> Integers:
    """Positions by how much weight other sets want of the set's elements: the least wanted first."""
    held = np.bincount(membership.elements, minlength=len(membership.units))
    wanted = np.concatenate([[0], np.cumsum((membership.units * np.maximum(held - 1, 0))[membership.elements])])
    order: Integers = np.argsort(wanted[membership.starts[1:]] - wanted[membership.starts[:-1]], kind="stable")
    return order
