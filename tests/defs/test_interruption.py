"""Promises of a batch that is stopped: Ctrl-C says so, nothing finished is lost, and the next run completes the batch.

One home lives through it all: Ctrl-C, SIGTERM, kill -9, then an undisturbed end while others read; only its first run
is told the size. Another, of the same seed, is never disturbed.
"""

import json
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from defs.processes import end, lines, wait_for_lines
from polars.testing import assert_frame_equal

from tdscaling_assets.defs import run
from tdscaling_assets.defs.automation import nightly_synthesis
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.tables import TABLES

SIZE = 150
COUNTS = " UNION ALL ".join(f"SELECT '{table}' AS name, count(*) AS n FROM {table}" for table in TABLES)

Tables = dict[str, pl.DataFrame]


@dataclass
class Story:
    """What was seen: how each process ended, and the spool's lines when it had."""

    interrupted: subprocess.CompletedProcess[str]
    lines_after_interrupt: int
    terminated: subprocess.CompletedProcess[str]
    killed: subprocess.CompletedProcess[str]
    lines_after_kill: int
    status_after_kill: list[str]
    night_after_kill: object
    readings: list[subprocess.CompletedProcess[str]]
    ended: subprocess.CompletedProcess[str]
    spool_left: list[Path]
    tables: Tables


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory,
    tds: Callable[..., subprocess.Popen[str]],
    open_instance: Callable[[Path], dg.DagsterInstance],
    read_tables: Callable[[Path], Tables],
) -> Story:
    home = tmp_path_factory.mktemp("disturbed") / "home"
    instance = open_instance(home)
    run.run_catalog(instance, {"home": str(home)})

    process = tds(home, "batch", "--size", str(SIZE))
    stop(process, signal.SIGINT, home, 5)
    interrupted, lines_after_interrupt = end(process), lines(home)

    process = tds(home, "batch")
    stop(process, signal.SIGTERM, home, lines_after_interrupt + 5)
    terminated = end(process)

    process = tds(home, "batch")
    stop(process, signal.SIGKILL, home, lines(home) + 5)
    killed, lines_after_kill = end(process), lines(home)
    status_after_kill = [found.status.value for found in instance.get_runs(limit=1)]
    with pytest.MonkeyPatch.context() as night:
        night.setenv("TDS_HOME", str(home))
        night_after_kill = nightly_synthesis(dg.build_schedule_context(instance=instance))

    process = tds(home, "batch")
    readings = []
    while process.poll() is None and len(readings) < 4:
        readings.append(end(tds(home, "sql", "--json", COUNTS)))
    ended = end(process)
    return Story(
        interrupted,
        lines_after_interrupt,
        terminated,
        killed,
        lines_after_kill,
        status_after_kill,
        night_after_kill,
        readings,
        ended,
        sorted((home / "spool").iterdir()),
        read_tables(home),
    )


@pytest.fixture(scope="module")
def undisturbed(
    tmp_path_factory: pytest.TempPathFactory,
    open_instance: Callable[[Path], dg.DagsterInstance],
    read_tables: Callable[[Path], Tables],
) -> Tables:
    home = tmp_path_factory.mktemp("undisturbed") / "home"
    instance = open_instance(home)
    run.run_catalog(instance, {"home": str(home)})
    run.run_next_batch(instance, Settings(home=home), {"home": str(home), "batch_size": SIZE})
    return read_tables(home)


def test_ctrl_c_ends_with_one_sentence_and_its_own_exit_code(story: Story) -> None:
    assert story.interrupted.returncode == 130
    said = [line for line in story.interrupted.stderr.splitlines() if not line[:2].isdigit()]
    assert said == ["tds: interrupted; what is finished is kept, and `tds batch` resumes its batch"]


def test_ctrl_c_keeps_what_is_finished(story: Story) -> None:
    assert 5 <= story.lines_after_interrupt < SIZE


def test_after_ctrl_c_the_next_run_resumes(story: Story) -> None:
    resumed = f"{story.lines_after_interrupt} of {SIZE} conversations were finished before: resuming"
    assert resumed in story.terminated.stderr


def test_sigterm_ends_as_ctrl_c_does(story: Story) -> None:
    assert story.terminated.returncode == 130
    assert story.terminated.stderr.splitlines()[-1].startswith("tds: interrupted; what is finished is kept")


def test_kill_9_keeps_what_is_finished(story: Story) -> None:
    assert story.killed.returncode == -signal.SIGKILL
    assert story.lines_after_interrupt < story.lines_after_kill < SIZE


def test_a_killed_run_does_not_block_the_night(story: Story) -> None:
    assert story.status_after_kill == ["STARTED"]
    assert isinstance(story.night_after_kill, dg.RunRequest)
    assert story.night_after_kill.partition_key == "r01-b01"
    assert story.night_after_kill.run_config == {"resources": {"system": {"config": {"batch_size": SIZE}}}}


def test_after_kill_9_the_next_run_resumes_and_ends(story: Story) -> None:
    resumed = [line for line in story.ended.stderr.splitlines() if line.endswith("resuming")]
    assert story.ended.returncode == 0
    assert len(resumed) == 1
    finished = int(resumed[0].split()[2])
    assert story.lines_after_kill - 1 <= finished <= story.lines_after_kill  # the kill may have torn its line


def test_the_spool_is_gone_once_the_batch_is_in_the_lake(story: Story) -> None:
    assert story.spool_left == []


@pytest.mark.parametrize("table", TABLES)
def test_disturbed_or_not_the_same_seed_gives_the_same_rows(table: str, story: Story, undisturbed: Tables) -> None:
    when = ["first_seen", "last_seen"]  # a harvest's own clock
    assert_frame_equal(story.tables[table].drop(when, strict=False), undisturbed[table].drop(when, strict=False))


def test_every_table_answers_while_a_batch_is_written(story: Story) -> None:
    assert story.readings
    for reading in story.readings:
        assert (reading.returncode, reading.stderr) == (0, "")
        counts = {row["name"]: row["n"] for row in json.loads(reading.stdout)}
        assert set(counts) == set(TABLES)
        assert counts["raw_trajectories"] in (0, SIZE)  # a batch is there whole or not at all


def stop(process: subprocess.Popen[str], with_signal: signal.Signals, home: Path, at_lines: int) -> None:
    """Send the signal as soon as the spool holds so many lines."""
    wait_for_lines(process, home, at_lines)
    process.send_signal(with_signal)
