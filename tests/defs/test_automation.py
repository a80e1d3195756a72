"""Promises of schedule and sensor: quantity every night, diversity at a plateau, and a sentence when nothing starts."""

import uuid
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from tdscaling_assets.defs import run
from tdscaling_assets.defs.automation import entropy_plateau_sensor, nightly_synthesis
from tdscaling_assets.defs.liveness import hold_mark
from tdscaling_assets.settings import load_settings

Open = Callable[[Path], dg.DagsterInstance]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets TDS_HOME and further settings for one test."""

    def choose(home: Path, **values: str) -> None:
        monkeypatch.setenv("TDS_HOME", str(home))
        for name, value in values.items():
            monkeypatch.setenv(f"TDS_{name}", value)

    return choose


def sense(instance: dg.DagsterInstance) -> dg.SensorResult | dg.SkipReason:
    outcome = entropy_plateau_sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(outcome, dg.SensorResult | dg.SkipReason)
    return outcome


def skipped(outcome: object) -> str:
    assert isinstance(outcome, dg.SkipReason)
    return str(outcome.skip_message)


def tick(instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    outcome = nightly_synthesis(dg.build_schedule_context(instance=instance))
    assert isinstance(outcome, dg.RunRequest | dg.SkipReason)
    return outcome


def requested(outcome: object) -> str | None:
    assert isinstance(outcome, dg.RunRequest)
    return outcome.partition_key


def started_run(instance: dg.DagsterInstance, batch: str) -> str:
    tags = {"dagster/partition": batch}
    run_id = str(uuid.uuid4())
    instance.add_run(dg.DagsterRun("synthesis", run_id, status=dg.DagsterRunStatus.STARTED, tags=tags))
    return run_id


def test_a_plateau_requests_one_run_of_a_new_round_and_its_partition(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    outcome = sense(open_instance(young_copy))
    assert isinstance(outcome, dg.SensorResult)
    (request,) = outcome.run_requests or ()
    assert request.partition_key == "r02-b01"
    assert request.tags["tds/reason"].startswith("Round 1 stands still")
    (added,) = outcome.dynamic_partitions_requests or ()
    assert (added.partitions_def_name, list(added.partition_keys)) == ("batch", ["r02-b01"])


def test_the_next_tick_waits_for_the_report_of_the_batch_it_started(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", ["r02-b01"])
    assert "r02-b01 has no diversity report" in skipped(sense(instance))


def test_a_gain_above_epsilon_starts_nothing(
    young_copy: Path, open_instance: Open, settings: Callable[..., None], change_lake: Callable[[Path, str], None]
) -> None:
    change_lake(young_copy, "UPDATE diversity_report SET value = value / 2 WHERE batch = 'r01-b01'")
    settings(young_copy, PLATEAU_EPSILON="0.02")
    assert "Round 1 still gains" in skipped(sense(open_instance(young_copy)))


def test_a_failed_run_blocks_and_is_named(
    young_copy: Path, open_instance: Open, settings: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    with monkeypatch.context() as broken, pytest.raises(Exception, match="nonsense"):
        broken.setenv("TDS_MODEL", "nonsense")
        run.run_batch(instance, "r02-b01", {"home": str(young_copy)})
    (failed,) = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": "r02-b01"}))
    message = skipped(sense(instance))
    assert f"Its run {failed.run_id} failed" in message
    assert "r02-b01 has no diversity report" in message


def test_without_batches_nothing_starts(tmp_path: Path, open_instance: Open, settings: Callable[..., None]) -> None:
    settings(tmp_path)
    assert "lake" in skipped(sense(open_instance(tmp_path)))
    assert list(tmp_path.iterdir()) == [tmp_path / "dagster"]


def test_a_catalog_without_batches_waits_for_the_first(
    tmp_path: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(tmp_path)
    instance = open_instance(tmp_path)
    run.run_catalog(instance, {"home": str(tmp_path)})
    assert "no batch yet" in skipped(sense(instance))


def test_the_last_round_is_not_followed_by_another(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000", MAX_ROUNDS="1")
    assert "last of 1" in skipped(sense(open_instance(young_copy)))


def test_the_sensor_agrees_with_the_terminal(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    decision = run.decide(instance, load_settings())
    outcome = sense(instance)
    assert isinstance(outcome, dg.SensorResult)
    assert [request.tags["tds/reason"] for request in outcome.run_requests or ()] == [decision.reason]


def test_every_night_adds_the_next_batch(young_copy: Path, open_instance: Open, settings: Callable[..., None]) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    assert requested(tick(instance)) == "r01-b03"
    assert "r01-b03" in instance.get_dynamic_partitions("batch")


def test_an_unfinished_batch_is_run_again_before_another_is_added(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    assert [requested(tick(instance)) for _ in range(2)] == ["r01-b03", "r01-b03"]
    assert sorted(instance.get_dynamic_partitions("batch")) == ["r01-b01", "r01-b02", "r01-b03"]


def test_a_running_batch_is_left_alone(young_copy: Path, open_instance: Open, settings: Callable[..., None]) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", ["r01-b03"])
    run_id = started_run(instance, "r01-b03")
    with hold_mark(young_copy, run_id):
        assert skipped(tick(instance)) == f"Batch r01-b03 is still running as {run_id}."


def test_a_run_whose_process_is_gone_blocks_nothing(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", ["r01-b03"])
    run_id = started_run(instance, "r01-b03")
    with hold_mark(young_copy, run_id):
        pass  # the process ended, and could not tell Dagster
    assert requested(tick(instance)) == "r01-b03"
    dead = instance.get_run_by_id(run_id)
    assert dead is not None
    assert dead.status is dg.DagsterRunStatus.FAILURE


def test_a_run_seen_on_another_machine_counts_as_running(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", ["r01-b03"])
    run_id = started_run(instance, "r01-b03")
    assert run_id in skipped(tick(instance))


def test_an_instance_that_forgot_its_batches_learns_them_from_the_lake(
    young_copy: Path, tmp_path: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    forgetful = open_instance(tmp_path / "elsewhere")
    assert requested(tick(forgetful)) == "r01-b03"
    assert sorted(forgetful.get_dynamic_partitions("batch")) == ["r01-b01", "r01-b02", "r01-b03"]
