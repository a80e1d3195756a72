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


def gains_of(sets: Sets, so_far: Sequence[int], weights: Sequence[float], cover: int) -> dict[int, float]:
    """What each set that is not chosen would add, each summed anew."""
    chosen = [sets[i] for i in so_far]
    before = worth(chosen, weights, cover)
    return {i: worth([*chosen, one], weights, cover) - before for i, one in enumerate(sets) if i not in so_far}


def naive_greedy(sets: Sets, weights: Sequence[float], k: int, cover: int) -> list[int]:
    """For weights under which no two gains are equal."""
    chosen: list[int] = []
    while len(chosen) < min(k, len(sets)):
        gains = gains_of(sets, chosen, weights, cover)
        best = max(gains, key=lambda i: gains[i])
        if gains[best] == 0:
            break
        chosen.append(best)
    return chosen


def value(sets: Sequence[frozenset[int]], weights: Sequence[float], cover: int) -> float:
    """What the code says that all the sets together cover."""
    return sum(maximum_coverage(Membership.of(sets, weights), len(sets), cover).gains)


@given(instances)
def test_every_step_takes_the_largest_gain_there_is(instance: tuple[Sets, list[float], int, int]) -> None:
    sets, weights, k, cover = instance
    chosen = maximum_coverage(Membership.of(sets, weights), k, cover)
    for step, (position, gain) in enumerate(zip(chosen.positions, chosen.gains, strict=True)):
        gains = gains_of(sets, chosen.positions[:step], weights, cover)
        assert gain == gains[position] == max(gains.values()) > 0
    left = gains_of(sets, chosen.positions, weights, cover)
    assert len(chosen.positions) == k or max(left.values(), default=0) == 0


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


@pytest.mark.parametrize("cover", [1, 3])
def test_a_large_instance_is_chosen_as_naive_greedy_chooses(cover: int) -> None:
    rng = np.random.default_rng(3)
    sets = [frozenset(map(int, rng.integers(0, 120, rng.integers(3, 12)))) for _ in range(90)]
    weights = [round(float(weight), 6) for weight in rng.uniform(0.5, 6, 120)]  # no two gains are equal
    chosen = maximum_coverage(Membership.of(sets, weights), 40, cover).positions
    assert chosen == naive_greedy(sets, weights, 40, cover)


def test_of_equal_gains_the_set_goes_first_that_others_need_least() -> None:
    sets = [frozenset({0, 1}), frozenset({0, 2}), frozenset({1, 3, 4})]
    weights = [2.0, 2.0, 2.0, 0.5, 0.5]
    chosen = maximum_coverage(Membership.of(sets, weights), 2, 1)  # the first would spoil the third
    assert chosen.positions == [1, 2]
    assert chosen.gains == [4.0, 3.0]


def test_of_sets_that_are_equal_in_all_the_earlier_goes_first() -> None:
    twins = Membership.of([{0, 1}, {0, 1}, {2, 3}], [1.0] * 4)
    assert maximum_coverage(twins, 3, 1).positions == [0, 2]
    assert maximum_coverage(twins, 3, 2).positions == [0, 2, 1]


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
    with pytest.raises(ConfigError, match="scale the weights down"):
        maximum_coverage(Membership.of([{0}, {1}], [1e10, 1.0]), 1)
