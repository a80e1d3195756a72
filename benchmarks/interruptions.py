"""A batch that is disturbed against one that is not: python benchmarks/interruptions.py [--size N] [--kills K]
[--outage SECONDS]

The scripted teacher is served over HTTP with mixed errors, malformed answers, throttling and hangs. One home runs the
batch through; in the second, `tds batch` gets SIGKILL at random moments and is started again, until it ends; in the
third, the endpoint is gone for a while when half of the calls are answered. Told are the times, the model calls that
the endpoints answered, and in how many rows of each table the homes differ, which must be none. Wall-clock times of
usage are left out of the comparison.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

import polars as pl

from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

TDS = str(Path(sys.executable).with_name("tds"))
NIGHT = ("--error-rate", "0.1", "--malformed", "0.05", "--hang", "0.01", "--throttle", "60000")
TABLES = ("blueprints", "rejected_blueprints", "pending_blueprints", "raw_trajectories", "verdicts")
SECONDS_BETWEEN_KILLS = (5.0, 25.0)


def main() -> None:
    """Run all three, compare, and end with 1 when they differ."""
    arguments = argparse.ArgumentParser(description="Kills and an outage, and what they change")
    arguments.add_argument("--size", type=int, default=2000)
    arguments.add_argument("--kills", type=int, default=10)
    arguments.add_argument("--outage", type=float, default=60.0, help="seconds")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        calm, killed, dark = (Path(folder) / name for name in ("calm", "killed", "dark"))
        run(calm, "", "catalog")
        for home in (killed, dark):
            shutil.copytree(calm, home)
        with BadNight() as night:
            seconds, _ = time_batch(calm, night.url, options.size, 0)
            calls = night.answered()
        print(f"undisturbed: {seconds:.0f} s, {calls} calls answered", flush=True)
        with BadNight() as night:
            seconds, kills = time_batch(killed, night.url, options.size, options.kills)
            print(f"killed {kills} times: {seconds:.0f} s, {night.answered()} calls answered", flush=True)
        with BadNight() as night:
            seconds, before = in_the_dark(dark, night, options.size, calls // 2, options.outage)
            answered = before + night.answered()
            print(f"endpoint gone for {options.outage:g} s: {seconds:.0f} s, {answered} calls answered", flush=True)
        differing = {
            name: {table: differing_rows(calm, home, table) for table in TABLES}
            for name, home in (("killed", killed), ("endpoint gone", dark))
        }
    for name, counts in differing.items():
        print(f"{name}: " + ", ".join(f"{count} rows of {table} differ" for table, count in counts.items()))
    sys.exit(any(any(counts.values()) for counts in differing.values()))


def time_batch(home: Path, url: str, size: int, kills: int) -> tuple[float, int]:
    """Wall-clock seconds until the batch is done, and how often it was killed before."""
    moments = random.Random(size)
    started, done = time.monotonic(), 0
    while True:
        process = start(home, url, "batch", "--size", str(size))
        try:
            code = process.wait(moments.uniform(*SECONDS_BETWEEN_KILLS) if done < kills else None)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            done += 1
            continue
        if code:
            sys.exit(f"tds batch ended with {code}")
        return time.monotonic() - started, done


def in_the_dark(home: Path, night: "BadNight", size: int, calls: int, outage: float) -> tuple[float, int]:
    """Wall-clock seconds of a batch whose endpoint goes after so many answers, and how many answers that were."""
    started = time.monotonic()
    process = start(home, night.url, "batch", "--size", str(size))
    while (before := night.answered()) < calls:
        if process.poll() is not None:
            sys.exit(f"tds batch ended with {process.returncode} after {before} answers")
        time.sleep(0.2)
    night.stop()
    time.sleep(outage)
    night.start()
    if process.wait():
        sys.exit(f"tds batch ended with {process.returncode}")
    return time.monotonic() - started, before


def differing_rows(one: Path, other: Path, table: str) -> int:
    """Rows of the table that only one of the homes has."""
    rows = [read(home, table) for home in (one, other)]
    return len(rows[0] ^ rows[1])


def read(home: Path, table: str) -> set[str]:
    """Every row as text, without times."""
    with Lake.open(Settings(home=home), read_only=True) as lake:
        frame = lake.read(table)
    if "usage" in frame.columns:
        frame = frame.with_columns(pl.col("usage").struct.with_fields(seconds=pl.lit(0.0)))
    return {str(row) for row in frame.iter_rows()}


class BadNight:
    """A teacher that misbehaves, at one URL."""

    def __init__(self) -> None:
        port = str(random.SystemRandom().randrange(20_000, 60_000))
        self.url = f"http://127.0.0.1:{port}/v1"
        self._command = [TDS, "teacher", "serve", "--port", port, *NIGHT, "--seed"]
        self._started = 0

    def __enter__(self) -> "BadNight":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve, with other faults each time; returns when it does."""
        self._process = subprocess.Popen([*self._command, str(self._started)], stdout=subprocess.PIPE, text=True)
        self._started += 1
        assert self._process.stdout is not None
        self._process.stdout.readline()

    def stop(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def answered(self) -> int:
        """Good answers since it was started."""
        with urlopen(f"{self.url}/stats") as stats:
            return int(json.load(stats)["good"])


def run(home: Path, url: str, *command: str) -> None:
    """A `tds` command that must succeed."""
    if start(home, url, *command).wait():
        sys.exit(f"tds {' '.join(command)} failed")


def start(home: Path, url: str, *command: str) -> subprocess.Popen[bytes]:
    """`tds` on that home, quiet, with a model at the URL (the teacher in process where there is none)."""
    model = {"TDS_MODEL": "openai/teacher", "TDS_MODEL_BASE_URL": url, "TDS_MODEL_KEY": "none"} if url else {}
    limits = {"TDS_MODEL_TIMEOUT": "5", "TDS_MODEL_ATTEMPTS": "12", "TDS_SANDBOX": "bubblewrap", "TDS_BOOTSTRAP": "20"}
    settings = {"TDS_HOME": str(home), **model, **limits}
    return subprocess.Popen(
        [TDS, *command], env={**os.environ, **settings}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


if __name__ == "__main__":
    main()
