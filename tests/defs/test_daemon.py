"""Promises of the real daemon: no run while a round still gains, exactly one run of a new round at its plateau.

`dagster-daemon` loads a code location that adds one sensor: the plateau sensor itself, asked every two seconds.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import reported_batches

PATIENCE_SECONDS = 240
LOCATION = """
import dagster as dg

import definitions
from tdscaling_assets.defs.automation import entropy_plateau_sensor, synthesis_job


@dg.sensor(job=synthesis_job, minimum_interval_seconds=2, default_status=dg.DefaultSensorStatus.RUNNING)
def hurried(context: dg.SensorEvaluationContext):
    return entropy_plateau_sensor(context)


defs = dg.Definitions.merge(definitions.defs, dg.Definitions(sensors=[hurried]))
"""
ALL_ALIKE = """
    UPDATE diversity_report AS early SET value = late.value FROM diversity_report AS late
    WHERE early.batch = 'r01-b01' AND late.batch = 'r01-b02'
      AND early.scope = late.scope AND early.metric = late.metric
"""
STILL_GAINING = "UPDATE diversity_report SET value = value / 2 WHERE batch = 'r01-b01'"


@dataclass
class Watched:
    """Runs of new rounds while a round gained and after its plateau; why the sensor last skipped in each."""

    runs_while_gaining: list[dg.DagsterRun]
    reason_while_gaining: str
    runs_at_plateau: list[dg.DagsterRun]
    reason_after_the_run: str
    reported: list[str]


@pytest.fixture(scope="module")
def watched(
    young: Path,
    tmp_path_factory: pytest.TempPathFactory,
    open_instance: Callable[[Path], dg.DagsterInstance],
    change_lake: Callable[[Path, str], None],
) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("daemon")
    home = Path(shutil.copytree(young, folder / "home"))
    shutil.copy(Path(__file__).parents[2] / "dagster.yaml", home / "dagster" / "dagster.yaml")
    (folder / "location.py").write_text(LOCATION)
    instance = open_instance(home)
    change_lake(home, STILL_GAINING)
    daemon = start_daemon(folder, home)
    try:
        wait("two ticks that skip", daemon, lambda: len(skips(instance)) >= 2)
        runs_while_gaining, reason_while_gaining = new_rounds(instance), reason(skips(instance)[0])
        change_lake(home, ALL_ALIKE)
        wait("a run", daemon, lambda: bool(new_rounds(instance)))
        wait("its end", daemon, lambda: all(found.is_finished for found in new_rounds(instance)))
        ended = time.time()
        wait("two more ticks", daemon, lambda: sum(skip.timestamp > ended for skip in skips(instance)) >= 2)
        with Lake.open(Settings(home=home, catalog="", lake_data=""), read_only=True) as lake:
            yield Watched(
                runs_while_gaining,
                reason_while_gaining,
                new_rounds(instance),
                reason(skips(instance)[0]),
                reported_batches(lake),
            )
    finally:
        daemon.send_signal(signal.SIGINT)
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            daemon.kill()


def test_no_run_starts_while_a_round_still_gains(watched: Watched) -> None:
    assert watched.runs_while_gaining == []
    assert "Round 1 still gains" in watched.reason_while_gaining


def test_a_plateau_starts_exactly_one_run_and_it_succeeds(watched: Watched) -> None:
    (found,) = watched.runs_at_plateau
    assert found.tags["dagster/partition"] == "r02-b01"
    assert found.status is dg.DagsterRunStatus.SUCCESS
    assert found.tags["dagster/sensor_name"] == "hurried"
    assert found.tags["tds/reason"].startswith("Round 1 stands still")


def test_the_run_of_the_daemon_wrote_its_batch(watched: Watched) -> None:
    assert watched.reported == ["r01-b01", "r01-b02", "r02-b01"]


def test_after_the_last_round_the_daemon_starts_no_more(watched: Watched) -> None:
    assert "Round 2 is the last of 2" in watched.reason_after_the_run


def start_daemon(folder: Path, home: Path) -> subprocess.Popen[bytes]:
    root = Path(__file__).parents[2]
    settings = {"TDS_HOME": str(home), "TDS_MAX_ROUNDS": "2", "DAGSTER_HOME": str(home / "dagster")}
    with (folder / "daemon.log").open("wb") as log:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-f", str(folder / "location.py")],
            cwd=folder,
            env={**os.environ, **settings, "PYTHONPATH": str(root)},
            stdout=log,
            stderr=log,
        )


def wait(what: str, daemon: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if daemon.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}; the daemon's exit code is {daemon.poll()}")
        time.sleep(0.3)


def new_rounds(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs of any batch beyond the first round."""
    return [found for found in instance.get_runs() if found.tags.get("dagster/partition", "r01") > "r02"]


def skips(instance: dg.DagsterInstance) -> list[InstigatorTick]:
    """Ticks of the sensor that started nothing, newest first."""
    return [
        tick
        for state in instance.all_instigator_state()
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, statuses=[TickStatus.SKIPPED])
    ]


def reason(tick: InstigatorTick) -> str:
    return str(tick.skip_reason)
