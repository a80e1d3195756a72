"""Promises of the real daemon: no run while a round still gains; at a plateau exactly one run of a new round, and so on
from round to round until the ceiling.

`dagster-daemon` asks a code server whose location adds two sensors, each every four seconds: the plateau sensor itself,
and the nightly schedule for as long as the plateau sensor wants for reports.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import InstigatorTick, TickStatus

from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import reported_batches

PATIENCE_SECONDS = 300
LOCATION = """
import dagster as dg

import definitions
from tdscaling_assets.defs.automation import entropy_plateau_sensor, nightly_synthesis, synthesis_job
from tdscaling_assets.defs.run import decide
from tdscaling_assets.settings import load_settings

HURRIED = {"job": synthesis_job, "minimum_interval_seconds": 4, "default_status": dg.DefaultSensorStatus.RUNNING}


@dg.sensor(**HURRIED)
def hurried(context: dg.SensorEvaluationContext):
    return entropy_plateau_sensor(context)


@dg.sensor(**HURRIED)
def nights(context: dg.SensorEvaluationContext):
    if not all(run.is_finished for run in context.instance.get_runs()):
        return dg.SkipReason("busy")
    wanting = "reports that a plateau needs" in decide(context.instance, load_settings()).reason
    return nightly_synthesis(dg.build_schedule_context(instance=context.instance)) if wanting else dg.SkipReason("day")


defs = dg.Definitions.merge(definitions.defs, dg.Definitions(sensors=[hurried, nights]))
"""
BATCHES = ["r02-b01", "r02-b02", "r03-b01", "r03-b02"]
WORKSPACE = "load_from: [{grpc_server: {socket: code.sock, location_name: watched}}]"
SETTINGS = {
    "TDS_BATCH_SIZE": "8",
    "TDS_PLATEAU_EPSILON": "1000",
    "TDS_CEILING_ROUNDS": "2",
    "DAGSTER_GRPC_TIMEOUT_SECONDS": "300",
}
ALL_ALIKE = """
    UPDATE diversity_report AS early SET value = late.value FROM diversity_report AS late
    WHERE early.batch = 'r01-b01' AND late.batch = 'r01-b02'
      AND early.scope = late.scope AND early.metric = late.metric
"""
STILL_GAINING = "UPDATE diversity_report SET value = value / 5000 WHERE batch = 'r01-b01'"


@dataclass
class Watched:
    """Runs of new rounds while round 1 gained and until the end, oldest first; why the sensor skipped in each."""

    runs_while_gaining: list[dg.DagsterRun]
    reason_while_gaining: str
    runs: list[dg.DagsterRun]
    last_reason: str
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
    (folder / "workspace.yaml").write_text(WORKSPACE)
    server = start(folder, home, "dagster", "api", "grpc", "-f", "location.py", "--socket", "code.sock")
    daemon = start(folder, home, "dagster-daemon", "run", "-w", "workspace.yaml")
    try:
        wait("two ticks that skip", daemon, lambda: len(skips(instance)) >= 2)
        runs_while_gaining, reason_while_gaining = new_rounds(instance), reason(skips(instance)[0])
        change_lake(home, ALL_ALIKE)
        for count, key in enumerate(BATCHES, 1):  # each with patience of its own
            wait(f"the end of {key}", daemon, partial(ended_runs, instance, count))
        wait("the ceiling", daemon, lambda: "Stopped" in reason(skips(instance)[0]))
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
        for process in (daemon, server):
            stop(process)


def test_no_run_starts_while_a_round_still_gains(watched: Watched) -> None:
    assert watched.runs_while_gaining == []
    assert "Round 1 still gains" in watched.reason_while_gaining


def test_every_plateau_starts_exactly_one_run_of_the_next_round(watched: Watched) -> None:
    found = [run for run in watched.runs if run.tags["dagster/sensor_name"] == "hurried"]
    assert [run.tags["dagster/partition"] for run in found] == ["r02-b01", "r03-b01"]
    for number, run in enumerate(found, 1):
        assert run.tags["tds/reason"].startswith(f"Round {number} stands still over the last batch: ")


def test_rounds_follow_each_other_in_order_and_succeed(watched: Watched) -> None:
    assert [run.tags["dagster/partition"] for run in watched.runs] == BATCHES
    assert {run.status for run in watched.runs} == {dg.DagsterRunStatus.SUCCESS}


def test_the_runs_of_the_daemon_wrote_their_batches(watched: Watched) -> None:
    assert watched.reported == ["r01-b01", "r01-b02", *BATCHES]


def test_at_the_ceiling_the_daemon_starts_no_more_and_says_why(watched: Watched) -> None:
    assert watched.last_reason.startswith("Stopped at the ceiling: rounds 2 to 3 gained nothing (cac_mean ")
    assert "since r01-b02" in watched.last_reason


def start(folder: Path, home: Path, program: str, *arguments: str) -> subprocess.Popen[bytes]:
    """The program in that folder, with its output in a log there."""
    settings = {**SETTINGS, "TDS_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    with (folder / f"{program}.log").open("wb") as log:
        return subprocess.Popen(
            [str(Path(sys.executable).with_name(program)), *arguments],
            cwd=folder,
            env={**os.environ, **settings, "PYTHONPATH": str(Path(__file__).parents[2])},
            stdout=log,
            stderr=log,
        )


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait(what: str, daemon: subprocess.Popen[bytes], happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if daemon.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"waited in vain for {what}; the daemon's exit code is {daemon.poll()}")
        time.sleep(0.3)


def ended_runs(instance: dg.DagsterInstance, count: int) -> bool:
    """Whether so many runs of new rounds have ended."""
    return sum(found.is_finished for found in new_rounds(instance)) >= count


def new_rounds(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Runs of any batch beyond the first round, oldest first."""
    runs = reversed(instance.get_runs())
    return [found for found in runs if found.tags.get("dagster/partition", "r01") > "r02"]


def skips(instance: dg.DagsterInstance) -> list[InstigatorTick]:
    """Ticks of the plateau sensor that started nothing, newest first."""
    return [
        tick
        for state in instance.all_instigator_state()
        if state.instigator_name == "hurried"
        for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, statuses=[TickStatus.SKIPPED])
    ]


def reason(tick: InstigatorTick) -> str:
    return str(tick.skip_reason)
