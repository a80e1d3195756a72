"""Entropies against a plain reference, known values and brute force."""

import math
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.metrics.entropy import (
    bootstrap_interval,
    effective_number,
    evenness,
    miller_madow,
    plugin_entropy,
    rarefaction_curve,
    rarefied_entropy,
)

COUNTS = st.lists(st.integers(0, 500), max_size=40)


def reference(counts: list[int]) -> float:
    total = sum(counts)
    return -sum(count / total * math.log2(count / total) for count in counts if count)


def brute_force(counts: list[int], n: int) -> float:
    members = [category for category, count in enumerate(counts) for _ in range(count)]
    draws = [reference([draw.count(category) for category in set(draw)]) for draw in combinations(members, n)]
    return math.fsum(draws) / len(draws)


@given(COUNTS)
def test_plugin_agrees_with_the_plain_sum(counts: list[int]) -> None:
    assert plugin_entropy(counts) == pytest.approx(reference(counts), abs=1e-9)


def test_uniform_over_eight_is_three_bits() -> None:
    assert plugin_entropy([5] * 8) == pytest.approx(3.0, abs=1e-12)


@pytest.mark.parametrize("counts", [[], [0, 0], [7], [0, 7]])
def test_nothing_to_tell_is_zero_bits(counts: list[int]) -> None:
    assert plugin_entropy(counts) == miller_madow(counts) == rarefied_entropy(counts, 3) == 0.0


@given(COUNTS.flatmap(lambda counts: st.tuples(st.just(counts), st.permutations([*counts, 0]))))
def test_order_and_empty_categories_change_nothing(pair: tuple[list[int], list[int]]) -> None:
    counts, shuffled = pair
    assert plugin_entropy(shuffled) == plugin_entropy(counts)
    assert rarefied_entropy(shuffled, 10) == rarefied_entropy(counts, 10)
    assert bootstrap_interval(shuffled, 20, 1) == bootstrap_interval(counts, 20, 1)


def test_miller_madow_adds_its_term() -> None:
    assert miller_madow([3, 2, 1]) == pytest.approx(reference([3, 2, 1]) + 2 / (2 * 6 * math.log(2)), abs=1e-12)


@pytest.mark.parametrize("counts", [[3, 2, 1], [5, 1, 1, 1], [4, 4], [1, 1, 1, 1, 1, 1]])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_rarefied_is_the_mean_over_all_subsets(counts: list[int], n: int) -> None:
    assert rarefied_entropy(counts, n) == pytest.approx(brute_force(counts, n), abs=1e-9)


@given(COUNTS, st.integers(1, 100))
def test_rarefying_never_adds_information(counts: list[int], n: int) -> None:
    assert rarefied_entropy(counts, n) <= min(plugin_entropy(counts), math.log2(n)) + 1e-9


def test_rarefying_beyond_the_set_is_the_set() -> None:
    assert rarefied_entropy([3, 2, 1], 100) == plugin_entropy([3, 2, 1])


def test_rarefying_a_large_set_stays_exact() -> None:
    """Drawing 2 of N: the entropy is 1 bit when they differ, else 0."""
    counts = [60_000, 40_000]
    assert rarefied_entropy(counts, 2) == pytest.approx(2 * 0.6 * 0.4 * 100_000 / 99_999, abs=1e-9)


@pytest.mark.parametrize("counts", [[600_000, 390_000, 10_000], [999_990, 4, 3, 2, 1], [500_000, *[250] * 2_000]])
def test_rarefying_a_million_is_exact_to_the_last_digits(counts: list[int]) -> None:
    """Against exact fractions: no category's chances are cut short or blurred by large factorials."""
    total, n = sum(counts), 300
    draws = math.comb(total, n)
    expected = 0.0
    for count, repeats in Counter(counts).items():
        chances = [math.comb(count, k) * math.comb(total - count, n - k) * 10**20 // draws for k in range(1, n + 1)]
        expected += repeats * math.fsum(-p / 1e20 * k / n * math.log2(k / n) for k, p in enumerate(chances, 1))
    assert rarefied_entropy(counts, n) == pytest.approx(expected, abs=1e-12)


def test_the_curve_is_the_rarefied_entropy_at_each_size_and_rises() -> None:
    sizes = [1, 2, 5, 20, 100, 1_000]
    curve = rarefaction_curve([50, 30, 10, 5, 5], sizes)
    assert curve == [rarefied_entropy([50, 30, 10, 5, 5], n) for n in sizes]
    assert curve == sorted(curve)
    assert (curve[0], curve[-1]) == (0.0, plugin_entropy([50, 30, 10, 5, 5]))


@settings(max_examples=50)
@given(COUNTS, st.integers(0, 99))
def test_the_interval_holds_the_value(counts: list[int], seed: int) -> None:
    low, high = bootstrap_interval(counts, 50, seed)
    assert 0.0 <= low <= plugin_entropy(counts) <= high + 1e-12


def test_the_interval_narrows_with_more_data() -> None:
    few, many = bootstrap_interval([5, 3, 2], 200, 1), bootstrap_interval([500, 300, 200], 200, 1)
    assert many[1] - many[0] < (few[1] - few[0]) / 3


def test_the_interval_is_a_function_of_its_seed() -> None:
    assert bootstrap_interval([5, 3, 2], 50, 1) == bootstrap_interval([5, 3, 2], 50, 1)
    assert bootstrap_interval([5, 3, 2], 50, 1) != bootstrap_interval([5, 3, 2], 50, 2)


def test_resampling_in_blocks_covers_every_resample(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap_interval([5, 3, 2], 50, 1)
    monkeypatch.setattr("tdscaling_assets.metrics.entropy._RESAMPLE_CELLS", 10)
    assert bootstrap_interval([5, 3, 2], 50, 1) == whole


@pytest.mark.parametrize(("counts", "share"), [([], 0.0), ([9], 1.0), ([4, 4, 4], 1.0)])
def test_evenness_of_simple_sets(counts: list[int], share: float) -> None:
    assert evenness(counts) == pytest.approx(share)


def test_evenness_of_a_skewed_set() -> None:
    assert evenness([6, 2]) == pytest.approx(reference([6, 2]) / math.log2(2))


def test_effective_number_of_three_bits_is_eight() -> None:
    assert effective_number(3.0) == 8.0
