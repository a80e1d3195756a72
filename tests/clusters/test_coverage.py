"""Promises of coverage.py: the greedy choice exactly, its guarantee, and multi-cover that is monotone submodular."""

import itertools
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdscaling_assets.clusters import Membership, maximum_coverage
from tdscaling_assets.errors import ConfigError

Sets = list[frozenset[int]]
ELEMENTS = 9
sets_of_elements = st.lists(st.frozensets(st.integers(0, ELEMENTS - 1), max_size=5), min_size=1, max_size=7)
weights_of_elements = st.lists(st.integers(0, 9), min_size=ELEMENTS, max_size=ELEMENTS)
covers = st.integers(1, 4)
instances = st.tuples(sets_of_elements, weights_of_elements, st.integers(1, 4), covers)


def worth(chosen: Sequence[frozenset[int]], weights: Sequence[float], cover: int) -> float:
    """By the definition: weight × (1 + 1/2 + 1/4 + ...), a term for each of the first `cover` times."""
    held = Counter(element for one in chosen for element in one)
    return sum(weights[element] * sum(0.5**j for j in range(min(n, cover))) for element, n in held.items())


def naive_greedy(sets: Sets, weights: Sequence[float], k: int, cover: int) -> list[int]:
    """Every gain anew at every step; of equal gains the set whose elements the others want least, then the earlier."""
    held = Counter(element for one in sets for element in one)
    wanted = [sum(weights[element] * (held[element] - 1) for element in one) for one in sets]
    chosen: list[int] = []
    while len(chosen) < min(k, len(sets)):
        so_far = [sets[i] for i in chosen]
        gains = {
            i: worth([*so_far, sets[i]], weights, cover) - worth(so_far, weights, cover)
            for i in range(len(sets))
            if i not in chosen
        }
        best = min(gains, key=lambda i: (-gains[i], wanted[i], i))
        if gains[best] == 0:
            break
        chosen.append(best)
    return chosen


def value(sets: Sequence[frozenset[int]], weights: Sequence[float], cover: int) -> float:
    """What the code says that all the sets together cover."""
    return sum(maximum_coverage(Membership.of(sets, weights), len(sets), cover).gains)


@given(instances)
def test_the_choice_is_that_of_naive_greedy(instance: tuple[Sets, list[float], int, int]) -> None:
    sets, weights, k, cover = instance
    chosen = maximum_coverage(Membership.of(sets, weights), k, cover)
    assert chosen.positions == naive_greedy(sets, weights, k, cover)
    assert sum(chosen.gains) == worth([sets[i] for i in chosen.positions], weights, cover)


@given(instances)
def test_greedy_is_within_its_guarantee_of_the_optimum(instance: tuple[Sets, list[float], int, int]) -> None:
    sets, weights, k, cover = instance
    found = sum(maximum_coverage(Membership.of(sets, weights), k, cover).gains)
    best = max(worth(some, weights, cover) for some in itertools.combinations(sets, min(k, len(sets))))
    assert found >= (1 - 1 / math.e) * best


@given(sets_of_elements, sets_of_elements, st.frozensets(st.integers(0, ELEMENTS - 1)), weights_of_elements, covers)
def test_multi_cover_is_monotone_and_submodular(
    fewer: Sets, added: Sets, one: frozenset[int], weights: list[float], cover: int
) -> None:
    more = [*fewer, *added]
    early = value([*fewer, one], weights, cover) - value(fewer, weights, cover)
    late = value([*more, one], weights, cover) - value(more, weights, cover)
    assert early >= late >= 0


@given(instances)
def test_the_first_k_are_the_first_of_more(instance: tuple[Sets, list[float], int, int]) -> None:
    sets, weights, k, cover = instance
    membership = Membership.of(sets, weights)
    whole = maximum_coverage(membership, len(sets), cover)
    assert maximum_coverage(membership, k, cover).positions == whole.positions[:k]
    assert maximum_coverage(membership, k, cover).shares == whole.shares[:k]


@given(instances, st.floats(0.05, 1.0))
def test_a_share_stops_the_choice_as_soon_as_it_is_covered(
    instance: tuple[Sets, list[float], int, int], share: float
) -> None:
    sets, weights, _, cover = instance
    reachable = worth(sets, weights, cover)
    chosen = maximum_coverage(Membership.of(sets, weights), len(sets), cover, share)
    covered = list(itertools.accumulate(chosen.gains))
    assert [round(one, 9) for one in chosen.shares] == [round(one / reachable, 9) for one in covered]
    assert all(one < share for one in chosen.shares[:-1])
    assert not reachable or chosen.shares[-1] >= share


@given(instances, st.permutations(range(ELEMENTS)))
def test_the_numbering_of_the_elements_changes_nothing(
    instance: tuple[Sets, list[float], int, int], order: list[int]
) -> None:
    sets, weights, k, cover = instance
    renumbered = [frozenset(order[element] for element in one) for one in sets]
    moved = [0.0] * ELEMENTS
    for element, weight in enumerate(weights):
        moved[order[element]] = weight
    expected = maximum_coverage(Membership.of(sets, weights), k, cover)
    assert maximum_coverage(Membership.of(renumbered, moved), k, cover) == expected


def test_a_large_instance_is_chosen_as_naive_greedy_chooses() -> None:
    rng = np.random.default_rng(3)
    sets = [frozenset(map(int, rng.integers(0, 120, rng.integers(3, 12)))) for _ in range(90)]
    weights = [float(weight) for weight in rng.integers(1, 6, 120)]
    for cover in (1, 3):
        chosen = maximum_coverage(Membership.of(sets, weights), 40, cover).positions
        assert chosen == naive_greedy(sets, weights, 40, cover)


def test_a_tiny_weight_still_counts() -> None:
    assert maximum_coverage(Membership.of([{0}], [1e-9]), 1).positions == [0]


def test_nothing_to_choose_from_is_nothing_chosen() -> None:
    assert maximum_coverage(Membership.of([], []), 5).positions == []
    assert maximum_coverage(Membership.of([set()], [1.0]), 5).positions == []


@pytest.mark.parametrize("cover", [0, 9])
def test_an_absurd_cover_is_refused(cover: int) -> None:
    with pytest.raises(ConfigError, match=f"count {cover} times: use 1 to 8"):
        maximum_coverage(Membership.of([{0}], [1.0]), 1, cover)


def test_weights_that_would_overflow_are_refused() -> None:
    with pytest.raises(ConfigError, match="scale weights down"):
        maximum_coverage(Membership.of([{0}, {1}], [1e12, 1.0]), 1)
