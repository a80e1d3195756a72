"""A batch that is killed ten times against one that is not: python benchmarks/interruptions.py [--size N] [--kills K]

The scripted teacher is served over HTTP with mixed errors, malformed answers, throttling and hangs. One home runs the
batch through; in the other, `tds batch` gets SIGKILL at random moments and is started again, until it ends. Told are
the times, the model calls that both endpoints answered, and in how many rows of each table the homes differ, which must
be none. Wall-clock times of usage are left out of the comparison.
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
from collections.abc import Iterator
from contextlib import contextmanager
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
    """Run both, compare, and end with 1 when they differ."""
    arguments = argparse.ArgumentParser(description="Kills, and what they change")
    arguments.add_argument("--size", type=int, default=2000)
    arguments.add_argument("--kills", type=int, default=10)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder) / "calm", Path(folder) / "killed"
        run(calm, "", "catalog")
        shutil.copytree(calm, killed)
        with bad_night() as url:
            seconds, _ = time_batch(calm, url, options.size, 0)
            print(f"undisturbed: {seconds:.0f} s, {answered(url)} calls answered")
        with bad_night() as url:
            seconds, kills = time_batch(killed, url, options.size, options.kills)
            print(f"killed {kills} times: {seconds:.0f} s, {answered(url)} calls answered")
        differing = {table: differing_rows(calm, killed, table) for table in TABLES}
    print(", ".join(f"{table}: {count} rows differ" for table, count in differing.items()))
    sys.exit(any(differing.values()))


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


@contextmanager
def bad_night() -> Iterator[str]:
    """The base URL of a teacher that misbehaves."""
    port = random.SystemRandom().randrange(20_000, 60_000)
    process = subprocess.Popen(
        [TDS, "teacher", "serve", "--port", str(port), *NIGHT], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.communicate()


def answered(url: str) -> int:
    """Good answers that the endpoint gave."""
    with urlopen(f"{url}/stats") as stats:
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
