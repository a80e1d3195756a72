"""What the benchmarks share: the median time of a piece of work, a growth exponent, settings with a home of their own.

Not a benchmark itself: `make bench` passes over files that start with an underscore.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tdscaling_assets.settings import Settings


def median_seconds(work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    """Median over `repeats` runs; `time.process_time` as the clock counts CPU seconds instead of wall-clock ones."""
    seconds = []
    for _ in range(repeats):
        gc.collect()
        start = clock()
        work()
        seconds.append(clock() - start)
    return statistics.median(seconds)


def growth_exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Slope of log seconds over log size: 1 is linear, 2 is quadratic."""
    return statistics.linear_regression([*map(math.log, sizes)], [*map(math.log, seconds)]).slope


def builtin_settings(home: Path, **overrides: object) -> Settings:
    """Settings in which the built-in services are the only source and nothing outside `home` is touched."""
    sources = home / "sources.yaml"
    sources.write_text("sources:\n  - builtin: all\n", encoding="utf-8")
    return Settings.model_validate({"home": home, "sources": sources, **overrides})
