"""Promises of a night with a bad endpoint: it errs, hangs, dies, comes back, and the batch is as it would have been.

One home lives through it all; another, of the same seed, is held by the teacher in process. The key is one to look for.
"""

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from defs.processes import end, lines, wait_for_lines

from tdscaling_assets.defs import run
from tdscaling_assets.settings import Settings

Tds = Callable[..., subprocess.Popen[str]]
Tables = dict[str, pl.DataFrame]

KEY = "sk-look-for-me-4711"
SIZE = 60
BAD = ("--error-rate", "0.1", "--malformed", "0.05", "--hang", "0.01", "--latency", "0.05", "--jitter", "0.05")


@dataclass
class Story:
    """How the run ended whose endpoint died for good, and the next, whose endpoint was only gone for a while."""

    home: Path
    given_up: subprocess.CompletedProcess[str]
    lines_after_giving_up: int
    ended: subprocess.CompletedProcess[str]
    tables: Tables


@contextmanager
def bad_endpoint(port: int) -> Iterator[subprocess.Popen[str]]:
    """`tds teacher serve` on that port, at its worst; killed at the end."""
    command = [str(Path(sys.executable).with_name("tds")), "teacher", "serve", "--port", str(port), *BAD]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def story(
    young: Path, tmp_path_factory: pytest.TempPathFactory, tds: Tds, read_tables: Callable[[Path], Tables]
) -> Story:
    home = copy(young, tmp_path_factory)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    model = {
        "TDS_MODEL": "openai/teacher",
        "TDS_MODEL_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "TDS_MODEL_KEY": KEY,
        "TDS_MODEL_TIMEOUT": "3",
        "TDS_MODEL_ATTEMPTS": "12",
        "TDS_CONCURRENCY": "8",
        "TDS_MODEL_PROCESSES": "2",
    }
    with bad_endpoint(port) as endpoint:
        process = tds(home, "batch", "--size", str(SIZE), TDS_MODEL_PATIENCE="3", **model)
        wait_for_lines(process, home, 5)
        endpoint.kill()
        given_up = end(process)
    kept = lines(home)
    process = tds(home, "batch", "--size", str(SIZE), **model)
    with bad_endpoint(port) as endpoint:
        wait_for_lines(process, home, kept + 10)
        endpoint.kill()
    time.sleep(3)
    with bad_endpoint(port):
        ended = end(process)
    return Story(home, given_up, kept, ended, read_tables(home))


@pytest.fixture(scope="module")
def undisturbed(
    young: Path,
    tmp_path_factory: pytest.TempPathFactory,
    open_instance: Callable[[Path], dg.DagsterInstance],
    read_tables: Callable[[Path], Tables],
) -> Tables:
    home = copy(young, tmp_path_factory)
    run.run_next_batch(open_instance(home), Settings(home=home), {"home": str(home), "batch_size": SIZE})
    return read_tables(home)


def test_a_dead_endpoint_ends_the_run_with_one_sentence(story: Story) -> None:
    assert story.given_up.returncode == 1
    said = [line for line in story.given_up.stderr.splitlines() if not line[:2].isdigit()]
    assert len(said) == 1
    assert said[0].startswith("tds: http://127.0.0.1:")
    assert "has answered nothing for 3 s" in said[0]
    assert said[0].endswith("then run the batch again; what is finished is kept")


def test_what_was_finished_is_kept_and_the_next_run_ends_the_batch(story: Story) -> None:
    assert 5 <= story.lines_after_giving_up < SIZE
    assert story.ended.returncode == 0, story.ended.stderr
    assert f"{story.lines_after_giving_up} of {SIZE} conversations were finished before: resuming" in story.ended.stderr


def test_an_endpoint_that_comes_back_costs_only_the_time(story: Story) -> None:
    assert f"{SIZE}/{SIZE} conversations" in story.ended.stderr


@pytest.mark.parametrize("table", ["blueprints", "raw_trajectories", "filtered_trajectories", "verdicts"])
def test_the_tables_are_those_of_an_undisturbed_batch(table: str, story: Story, undisturbed: Tables) -> None:
    here, there = (tables[table].drop("usage", strict=False) for tables in (story.tables, undisturbed))
    assert here.height > 0
    assert here.equals(there)


def test_every_blueprint_ends_as_one_trajectory(story: Story) -> None:
    batch = story.tables["raw_trajectories"].filter(batch="r01-b03")
    assert batch["blueprint_id"].n_unique() == batch.height == SIZE
    assert story.tables["pending_blueprints"].is_empty()


def test_the_key_is_nowhere(story: Story) -> None:
    files = [path for path in story.home.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert not any(KEY in str(row) for frame in story.tables.values() for row in frame.iter_rows())
    assert KEY not in "".join((story.ended.stdout, story.ended.stderr, story.given_up.stdout, story.given_up.stderr))


def copy(home: Path, folders: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(home, folders.mktemp("night") / "home"))
