"""Time and memory of every stage, batch after batch in one home: python benchmarks/run.py [--size N] [--batches K]

Each batch is one `tds batch` with the scripted teacher called directly and code run under bubblewrap. Told per batch
and stage are wall-clock seconds, from the step events of Dagster, and the greatest resident memory of the process in
MB, read every 10 ms from outside; sandboxes are processes of their own and not in it. Whatever grows from the first
line to the last grows with what the home already holds.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from tdscaling_assets.defs.automation import BATCH_ASSETS
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

TDS = str(Path(sys.executable).with_name("tds"))
SECONDS_BETWEEN_SAMPLES = 0.01
STEP_ENDS = {dg.DagsterEventType.STEP_START, dg.DagsterEventType.STEP_SUCCESS}
WHOLE = "all"
TABLES = ("raw_trajectories", "filtered_trajectories")


class Cost(NamedTuple):
    """Wall-clock seconds, and the greatest resident memory in MB meanwhile."""

    seconds: float
    megabytes: float


class Sample(NamedTuple):
    """Resident memory in MB at a moment, in seconds since the epoch."""

    moment: float
    megabytes: float


def main() -> None:
    """A catalog, then batches; two tables of a line per batch."""
    arguments = argparse.ArgumentParser(description="Time and memory of every stage")
    arguments.add_argument("--size", type=int, default=100)
    arguments.add_argument("--batches", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        watch(start(home, "catalog"), home)
        costs = []
        for number in range(1, options.batches + 1):
            costs.append(run_batch(home, options.size))
            told = (f"{stage} {cost.seconds:.0f} s {cost.megabytes:.0f} MB" for stage, cost in costs[-1].items())
            print(f"batch {number}: {', '.join(told)}", file=sys.stderr, flush=True)
        print(f"{options.batches} batches of {options.size}: {count(home)}")
    show("seconds", [{stage: cost.seconds for stage, cost in one.items()} for one in costs])
    show("peak MB", [{stage: cost.megabytes for stage, cost in one.items()} for one in costs])


def run_batch(home: Path, size: int) -> dict[str, Cost]:
    """What each stage of the next batch costs, and all of it, start and checks included."""
    samples = watch(start(home, "batch", "--size", str(size)), home)
    spans = step_spans(home)
    spans[WHOLE] = (samples[0].moment, samples[-1].moment)
    return {stage: cost_between(samples, *spans[stage]) for stage in (*BATCH_ASSETS, WHOLE)}


def start(home: Path, *command: str) -> subprocess.Popen[bytes]:
    """`tds` on that home, quiet, on defaults but for the sandbox."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("TDS_", "DAGSTER_"))}
    settings = {"TDS_HOME": str(home), "TDS_SANDBOX": "bubblewrap", "DAGSTER_HOME": str(home / "dagster")}
    with log_of(home).open("ab") as log:
        return subprocess.Popen([TDS, *command], env={**own, **settings}, stdout=log, stderr=log)


def log_of(home: Path) -> Path:
    """What the commands said."""
    return home.with_suffix(".log")


def watch(process: subprocess.Popen[bytes], home: Path) -> list[Sample]:
    """Samples from now to the end of the process; SystemExit with what it said when it fails."""
    samples = [Sample(time.time(), 0.0)]
    while process.poll() is None:
        samples.append(Sample(time.time(), resident_megabytes(process.pid)))
        time.sleep(SECONDS_BETWEEN_SAMPLES)
    if process.returncode:
        sys.exit(log_of(home).read_text()[-5000:])
    return samples


def resident_megabytes(process: int) -> float:
    """Resident memory of a process that may just have ended."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def step_spans(home: Path) -> dict[str, tuple[float, float]]:
    """Start and end of every step of the newest run, in seconds since the epoch."""
    moments: dict[str, list[float]] = {}
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        (run,) = instance.get_runs(limit=1)
        for entry in instance.all_logs(run.run_id, of_type=STEP_ENDS):
            moments.setdefault(str(entry.step_key), []).append(entry.timestamp)
    return {step: (min(ends), max(ends)) for step, ends in moments.items()}


def cost_between(samples: list[Sample], begin: float, end: float) -> Cost:
    """Of the time between two moments."""
    return Cost(end - begin, max((one.megabytes for one in samples if begin <= one.moment <= end), default=0.0))


def count(home: Path) -> str:
    """What became of the conversations."""
    with Lake.open(Settings(home=home), read_only=True) as lake:
        raw, kept = (lake.read(table, columns=["trajectory_id"]).height for table in TABLES)
    return f"{raw} conversations, {kept} kept"


def show(name: str, rows: list[dict[str, float]]) -> None:
    """A table of a line per batch, a column per stage."""
    print(f"\n{name:<9}" + "".join(f"{stage:>23}" for stage in rows[0]))
    for number, row in enumerate(rows, 1):
        print(f"batch {number:<3}" + "".join(f"{value:>23.1f}" for value in row.values()))


if __name__ == "__main__":
    main()
