"""Times a tick of the plateau sensor over a long history, in wall-clock and CPU seconds: python benchmarks/sensor.py

The history is written batch by batch, as runs would write it: 1,000 partitions of one Parquet file each, all of them
known to Dagster with a run that succeeded. A tick opens the lake anew and ends with a sentence.
"""

import contextlib
import os
import random
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from tdscaling_assets.defs.automation import entropy_plateau_sensor, partitions_name
from tdscaling_assets.evolution.keys import batch_key
from tdscaling_assets.schema import MetricRow
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import to_frame

ROUNDS, BATCHES = 8, 125
LEVELS = ("", "_200", "_500", "_1000", "_2000", "_5000", "_10000")
METRICS = (
    "acceptance_rate",
    "cac_mean",
    *(f"h_{of}_rarefied{size}" for of in ("dom", "mode") for size in LEVELS),
    *map("m{}".format, range(14)),
)
TICKS = 15


def main() -> None:
    """Build the history, then tick."""
    os.environ["TDS_MAX_ROUNDS"] = str(ROUNDS + 1)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        home = Path(folder)
        os.environ["TDS_HOME"] = folder
        (home / "dagster").mkdir()
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home / "dagster")))
        keys = [batch_key(number, batch) for number in range(1, ROUNDS + 1) for batch in range(1, BATCHES + 1)]
        start = time.perf_counter()
        write_history(Settings(home=home, catalog="", lake_data=""), keys)
        add_runs(instance, keys)
        print(f"{len(keys)} batches of {2 * len(METRICS)} rows written in {time.perf_counter() - start:.0f} s")
        for name, clock in (("wall clock", time.perf_counter), ("CPU", time.process_time)):
            ticks = [tick(instance, clock) for _ in range(TICKS)]
            print(f"a tick: median {statistics.median(ticks):.2f} s, slowest {max(ticks):.2f} s ({name})")


def write_history(settings: Settings, keys: list[str]) -> None:
    """Reports whose figures climb, so that the newest round still gains."""
    rng = random.Random(1)
    with Lake.open(settings) as lake:
        for place, key in enumerate(keys):
            rows = [
                MetricRow(batch=key, scope=scope, metric=metric, value=1.03**place * rng.uniform(1, 1.001), n=100)
                for scope in ("batch", "cumulative")
                for metric in METRICS
            ]
            lake.write({"diversity_report": to_frame("diversity_report", rows)}, batch=key, message="benchmark")


def add_runs(instance: dg.DagsterInstance, keys: list[str]) -> None:
    """A partition per batch, and a run of it that succeeded."""
    instance.add_dynamic_partitions(partitions_name(), keys)
    for key in keys:
        tags = {"dagster/partition": key}
        instance.add_run(dg.DagsterRun("synthesis", str(uuid.uuid4()), status=dg.DagsterRunStatus.SUCCESS, tags=tags))


def tick(instance: dg.DagsterInstance, clock: Callable[[], float]) -> float:
    """Seconds of one tick."""
    start = clock()
    outcome = entropy_plateau_sensor(dg.build_sensor_context(instance=instance))
    seconds = clock() - start
    if not isinstance(outcome, dg.SkipReason) or "still gains" not in str(outcome.skip_message):
        raise SystemExit(f"the tick was to find a round that still gains: {outcome}")
    return seconds


if __name__ == "__main__":
    main()
