"""Counts per category in, Shannon entropy in bits out: plug-in, bias-corrected, rarefied, with an interval.

Counts are one-dimensional arrays of non-negative whole numbers; zeros are allowed and change nothing.
Sources: Shannon 1948; Miller 1955 (bias); Hurlbert 1971 (rarefaction, here of the entropy itself).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Counts = Sequence[int] | npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_RESAMPLE_CELLS = 4_000_000


def plugin_entropy(counts: Counts) -> float:
    """H = −Σ p log2 p of the observed shares, in bits; 0 for an empty set."""
    present = _present(counts)
    if present.size <= 1:
        return 0.0
    return float(_bits(present / present.sum()).sum())


def miller_madow(counts: Counts) -> float:
    """Plug-in entropy plus (k − 1) / (2n ln 2) bits, the first-order bias of k seen categories in n draws."""
    present = _present(counts)
    if present.size <= 1:
        return 0.0
    return plugin_entropy(present) + (present.size - 1) / (2 * float(present.sum()) * float(np.log(2)))


def rarefied_entropy(counts: Counts, n: int) -> float:
    """Exact mean of the plug-in entropy over all subsets of size `n`, in bits; of the whole set when it is smaller.

    A category with c of N members appears k times in a subset with hypergeometric probability; the mean is
    Σ_c Σ_k P(k | N, c, n) · (−(k/n) log2 (k/n)), computed once per distinct c.
    """
    present = _present(counts)
    if present.size <= 1 or n < 1:
        return 0.0
    total = int(present.sum())
    if n >= total:
        return plugin_entropy(present)
    sizes, repeats = np.unique(present, return_counts=True)
    starts, drawn = _likely_draws(total, sizes, n)
    chances = _hypergeometric(total, sizes, n, starts, drawn)
    means = np.add.reduceat(chances * _bits(drawn / n), starts)
    return float(repeats @ means)


def rarefaction_curve(counts: Counts, sizes: Sequence[int]) -> list[float]:
    """The rarefied entropy at each subset size, in bits: how the entropy grows with the set."""
    return [rarefied_entropy(counts, n) for n in sizes]


def bootstrap_interval(counts: Counts, resamples: int, seed: int) -> tuple[float, float]:
    """95 % interval of the plug-in entropy, in bits, from multinomial resamples.

    Resampling lowers the plug-in entropy, so each resample's deviation is taken from the resamples' mean: the
    interval is centred on the observed value and always holds it. It never leaves [0, log2 n].
    """
    present = _present(counts)
    value = plugin_entropy(present)
    if present.size <= 1:
        return value, value
    total = int(present.sum())
    generator = np.random.default_rng(seed)
    draws = _resampled_entropies(generator, present / total, total, resamples)
    low, high = np.quantile(draws - draws.mean(), [0.025, 0.975])
    return max(0.0, value + min(0.0, float(low))), min(float(np.log2(total)), value + max(0.0, float(high)))


def evenness(counts: Counts) -> float:
    """Entropy over its maximum log2 k for the k seen categories, in [0, 1]; 1 for a single category, 0 for none."""
    present = _present(counts)
    if present.size <= 1:
        return float(present.size)
    return min(1.0, plugin_entropy(present) / float(np.log2(present.size)))


def effective_number(bits: float) -> float:
    """2^H: how many equally common categories have this entropy."""
    return float(2.0**bits)


def _present(counts: Counts) -> npt.NDArray[np.int64]:
    """Counts above zero in ascending order, so that equal multisets give bit-equal sums."""
    array = np.asarray(counts, dtype=np.int64)
    return np.sort(array[array > 0])


def _bits(shares: Floats) -> Floats:
    """−p log2 p, element by element, with 0 at p = 0."""
    safe = np.where(shares > 0, shares, 1.0)
    return np.asarray(-safe * np.log2(safe), dtype=np.float64)


def _likely_draws(total: int, sizes: Whole, n: int) -> tuple[Whole, Whole]:
    """Per category size, one after the other, how many of it may be among n drawn of total: places where each size
    begins, and the numbers.

    Left out is what lies 12 standard deviations and 60 from the mean: by Bernstein's inequality, less than 1e-28.
    """
    mean = n * sizes / total
    reach = 12 * np.sqrt(mean) + 60
    low = np.maximum(np.maximum(0, n - (total - sizes)), np.floor(mean - reach)).astype(np.int64)
    high = np.minimum(np.minimum(sizes, n), np.ceil(mean + reach)).astype(np.int64)
    widths = high - low + 1
    starts = np.cumsum(widths) - widths
    return starts, np.arange(widths.sum()) - np.repeat(starts - low, widths)


def _hypergeometric(total: int, sizes: Whole, n: int, starts: Whole, drawn: Whole) -> Floats:
    """P(drawn of a category of that size are among n drawn of total), for each of the likely draws.

    From the ratios of neighbouring chances, scaled so that those of one size sum to 1: no large factorials cancel.
    """
    widths = np.diff(starts, append=drawn.size)
    c = np.repeat(sizes, widths)
    k = drawn - 1
    with np.errstate(divide="ignore", invalid="ignore"):  # at each start, replaced in the next line
        steps = np.log((c - k) * (n - k) / ((k + 1) * (total - c - n + k + 1.0)))
    steps[starts] = 0.0
    logs = np.cumsum(steps)
    chances = np.exp(logs - np.repeat(np.maximum.reduceat(logs, starts), widths))
    return np.asarray(chances / np.repeat(np.add.reduceat(chances, starts), widths), dtype=np.float64)


def _resampled_entropies(generator: np.random.Generator, shares: Floats, total: int, resamples: int) -> Floats:
    """Plug-in entropies of `resamples` multinomial draws, in blocks that bound memory."""
    block = max(1, _RESAMPLE_CELLS // shares.size)
    parts = []
    for start in range(0, resamples, block):
        rows = generator.multinomial(total, shares, size=min(block, resamples - start))
        parts.append(_bits(rows / total).sum(axis=1))
    return np.concatenate(parts)
