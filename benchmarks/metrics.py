"""Times the measures on made-up sets and prints the median of each, in milliseconds: python benchmarks/metrics.py"""

import random
from collections.abc import Callable, Sequence
from functools import partial

import polars as pl
from _timing import median_seconds

from tdscaling_assets.evolution.bandit import operator_stats
from tdscaling_assets.measures import reasoning_mode
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.diversity import mode_counts
from tdscaling_assets.metrics.entropy import bootstrap_interval, plugin_entropy, rarefied_entropy
from tdscaling_assets.metrics.measure import measure
from tdscaling_assets.schema import LABELS, OPERATORS

SIZES = (500, 5_000, 50_000)
REPEATS = 7
CONTEXT = MeasureContext(batch="r01-b01", scope="cumulative", tools=2_000, clusters=400)


def main() -> None:
    """One line per function and set size."""
    edges = make_edges(random.Random(1), 10_000)
    for size in SIZES:
        frame = make_frame(random.Random(size), size)
        counts = mode_counts(frame)
        say(size, "plugin_entropy", partial(plugin_entropy, counts))
        say(size, "rarefied_entropy, n=100", partial(rarefied_entropy, counts, 100))
        say(size, "bootstrap_interval, 200", partial(bootstrap_interval, counts, 200, 1))
        say(size, "operator_stats", partial(operator_stats, frame))
        say(size, "measure, all rows", partial(measure, frame, CONTEXT, edges))


def say(size: int, name: str, work: Callable[[], object]) -> None:
    """Print the median of REPEATS runs."""
    print(f"{size:>7} trajectories  {name:<26} {median_seconds(work, REPEATS) * 1000:9.2f} ms")


def make_frame(rng: random.Random, size: int) -> pl.DataFrame:
    """Trajectories of 3-12 messages, over 30 skewed domains and 2,000 tools."""
    labels = [skewed(rng, LABELS, rng.randint(3, 12)) for _ in range(size)]
    return pl.DataFrame(
        {
            "trajectory_id": [f"t{i}" for i in range(size)],
            "domain": [f"d{int(30 * rng.random() ** 2)}" for _ in range(size)],
            "labels": labels,
            "mode": [list(reasoning_mode(one)) for one in labels],
            "cac": [rng.lognormvariate(2, 0.5) for _ in range(size)],
            "cluster_id": [f"c{rng.randrange(400)}" for _ in range(size)],
            "calls": [[f"tool{rng.randrange(2_000)}" for _ in range(rng.randint(1, 8))] for _ in range(size)],
            "operators": [rng.sample(OPERATORS, rng.randint(0, 3)) for _ in range(size)],
            "kept": [rng.random() < 0.8 for _ in range(size)],
        }
    )


def make_edges(rng: random.Random, count: int) -> pl.DataFrame:
    """Random producer → consumer pairs."""
    ends = [[f"tool{rng.randrange(2_000)}" for _ in range(count)] for _ in range(2)]
    return pl.DataFrame({"producer_id": ends[0], "consumer_id": ends[1]})


def skewed(rng: random.Random, items: Sequence[str], count: int) -> list[str]:
    """`count` items, the first of them most often."""
    return [items[int(len(items) * rng.random() ** 2)] for _ in range(count)]


if __name__ == "__main__":
    main()
