"""Times the measures on made-up sets and prints the median of each, in milliseconds: python benchmarks/metrics.py

The last lines are of a million trajectories, with the process's peak memory.
"""

import resource
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl
from _timing import median_seconds

from tdscaling_assets.evolution.bandit import operator_stats
from tdscaling_assets.measures import reasoning_mode
from tdscaling_assets.metrics.complexity import complexity_rows
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.diversity import LEVELS, diversity_rows, mode_counts
from tdscaling_assets.metrics.entropy import bootstrap_interval, plugin_entropy, rarefaction_curve, rarefied_entropy
from tdscaling_assets.metrics.groups import group_rows
from tdscaling_assets.metrics.measure import measure
from tdscaling_assets.schema import LABELS, OPERATORS

SIZES = (500, 5_000, 50_000)
MILLION = 1_000_000
REPEATS, REPEATS_OF_MILLION = 7, 3
DOMAINS, KINDS, TOOLS, CLUSTERS = 39, 8_000, 2_000, 400
CONTEXT = MeasureContext(
    batch="r01-b01",
    scope="cumulative",
    tools=frozenset(f"tool{number}" for number in range(TOOLS)),
    clusters=frozenset(map(str, range(CLUSTERS))),
)


def main() -> None:
    """One line per function and set size."""
    edges = make_edges(np.random.default_rng(1), 10_000)
    for size in SIZES:
        frame = make_frame(np.random.default_rng(size), size)
        counts = mode_counts(frame)
        runs = frame.with_columns(pl.col("mode").list.join(">"))
        say(size, "plugin_entropy", partial(plugin_entropy, counts))
        say(size, "rarefied_entropy, n=100", partial(rarefied_entropy, counts, 100))
        say(size, "rarefaction_curve, 6 levels", partial(rarefaction_curve, counts, LEVELS))
        say(size, "bootstrap_interval, 200", partial(bootstrap_interval, counts, 200, 1))
        say(size, "operator_stats", partial(operator_stats, frame))
        say(size, "group_rows", partial(group_rows, runs, CONTEXT))
        say(size, "measure, all rows", partial(measure, frame, CONTEXT, edges))
    measure_million()


def measure_million() -> None:
    """Rows on labels, domains and complexity of a million trajectories, also with a CAC that never repeats."""
    frame = make_frame(np.random.default_rng(MILLION), MILLION, with_calls=False)
    distinct = frame.with_columns(cac=np.random.default_rng(1).lognormal(2, 0.5, MILLION))
    labels, modes = frame["labels"].list.len().mean(), len(mode_counts(frame))
    before = peak_megabytes()
    print(f"{MILLION} trajectories: {DOMAINS} domains, {modes} modes, {labels:.1f} labels each")
    for name, chosen in (("", frame), (", distinct CAC", distinct)):
        say(MILLION, f"diversity_rows{name}", partial(diversity_rows, chosen, CONTEXT), REPEATS_OF_MILLION)
        say(MILLION, f"complexity_rows{name}", partial(complexity_rows, chosen, CONTEXT), REPEATS_OF_MILLION)
    print(f"peak memory {peak_megabytes():.0f} MB, of which {before:.0f} MB to hold the sets")


def say(size: int, name: str, work: Callable[[], object], repeats: int = REPEATS) -> None:
    """Print the median of the runs."""
    print(f"{size:>7} trajectories  {name:<29} {median_seconds(work, repeats) * 1000:9.2f} ms")


def peak_megabytes() -> float:
    """Most memory that the process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def make_frame(rng: np.random.Generator, size: int, with_calls: bool = True) -> pl.DataFrame:
    """Trajectories over skewed domains, label sequences (4 to 12 labels each), tools and clusters.

    CAC as calls, leaves and flows would give it, with a program in one of five.
    """
    kinds = pl.DataFrame({"labels": [draw(rng, LABELS, count) for count in rng.integers(4, 13, KINDS)]})
    kinds = kinds.with_columns(mode=pl.Series([reasoning_mode(labels) for labels in kinds["labels"]]))
    calls = rng.integers(1, 9, size)
    program = np.where(rng.random(size) < 0.2, 0.5 * np.log2(1 + rng.integers(5, 400, size)), 0.0)
    cac = calls + 0.5 * rng.poisson(2 * calls) + rng.binomial(calls, 0.4) + program
    frame = kinds[rng.choice(KINDS, size, p=skew(KINDS))].with_columns(
        trajectory_id=pl.int_range(size, eager=True).cast(pl.String),
        domain=pl.Series(rng.choice(DOMAINS, size, p=skew(DOMAINS))).cast(pl.String),
        cac=np.round(cac, 4),
        cluster_id=pl.Series(rng.integers(0, CLUSTERS, size)).cast(pl.String),
        kept=pl.Series(rng.random(size) < 0.8),
    )
    if not with_calls:
        return frame
    names = [f"tool{number}" for number in range(TOOLS)]
    return frame.with_columns(
        calls=pl.Series([draw(rng, names, count) for count in calls]),
        unused_calls=pl.Series(rng.binomial(calls, 0.05)),
        operators=pl.Series([draw(rng, OPERATORS, count) for count in rng.integers(0, 4, size)]),
    )


def make_edges(rng: np.random.Generator, count: int) -> pl.DataFrame:
    """Random producer → consumer pairs."""
    ends = rng.integers(0, TOOLS, (2, count))
    return pl.DataFrame({"producer_id": [f"tool{i}" for i in ends[0]], "consumer_id": [f"tool{i}" for i in ends[1]]})


def draw(rng: np.random.Generator, items: Sequence[str], count: int) -> list[str]:
    """`count` items, the first of them most often."""
    return [items[int(place)] for place in len(items) * rng.random(count) ** 2]


def skew(count: int) -> npt.NDArray[np.float64]:
    """Probabilities that fall as 1 / rank^0.9."""
    weights = np.arange(1, count + 1) ** -0.9
    return np.asarray(weights / weights.sum())


if __name__ == "__main__":
    main()
