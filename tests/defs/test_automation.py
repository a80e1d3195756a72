"""Promises of schedule and sensor: quantity every night, diversity at a plateau, and a sentence when nothing starts."""

import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

import dagster as dg
import pytest

from tdscaling_assets.defs import run
from tdscaling_assets.defs.automation import entropy_plateau_sensor, nightly_synthesis
from tdscaling_assets.defs.claims import PATIENCE_SECONDS, claim, read_claim
from tdscaling_assets.defs.liveness import fail_dead_runs, hold_mark
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


def started_run(
    instance: dg.DagsterInstance, batch: str, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED
) -> str:
    tags = {"dagster/partition": batch}
    run_id = str(uuid.uuid4())
    instance.add_run(dg.DagsterRun("synthesis", run_id, status=status, tags=tags))
    return run_id


def asked(outcome: object) -> list[str | None]:
    """The batches that a tick asked for."""
    return (
        [request.partition_key for request in outcome.run_requests or ()]
        if isinstance(outcome, dg.SensorResult)
        else []
    )


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


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, "is not started."),
        (dg.DagsterRunStatus.STARTED, "is started."),
        (dg.DagsterRunStatus.FAILURE, "failed: mend the cause"),
        (dg.DagsterRunStatus.CANCELED, "was cancelled: run the batch again"),
        (dg.DagsterRunStatus.SUCCESS, "the diversity report is missing: run the whole batch"),
    ],
)
@pytest.mark.parametrize("last", ["r02-b01", "r01-b02"])
def test_no_round_starts_before_the_newest_batch_is_finished(
    young_copy: Path,
    open_instance: Open,
    settings: Callable[..., None],
    last: str,
    status: dg.DagsterRunStatus,
    told: str,
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", [last])
    run_id = started_run(instance, last, status)
    outcome = sense(instance)
    if last == "r01-b02" and status is dg.DagsterRunStatus.SUCCESS:
        assert asked(outcome) == ["r02-b01"]  # it has its report
    else:
        assert skipped(outcome).startswith(f"The newest batch {last} is not finished. Its run {run_id} ")
        assert told in skipped(outcome)


def test_ticks_at_the_same_time_start_one_round(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    with ThreadPoolExecutor(3) as pool:
        outcomes = list(pool.map(lambda _: sense(instance), range(6)))
    assert [batch for outcome in outcomes for batch in asked(outcome)] == ["r02-b01"]
    assert "r02-b01 was asked for" in " ".join(skipped(one) for one in outcomes if not asked(one))


@pytest.mark.parametrize("added", [True, False], ids=["partition added", "partition not added"])
def test_a_request_that_no_run_came_of_is_made_again(
    young_copy: Path, open_instance: Open, settings: Callable[..., None], added: bool
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    assert asked(sense(instance)) == ["r02-b01"]  # and here the daemon dies
    if added:
        instance.add_dynamic_partitions("batch", ["r02-b01"])
    message = skipped(sense(instance))
    assert message.startswith("Batch r02-b01 waits: r02-b01 was asked for ") and "may take 300 s" in message
    ask_long_ago(young_copy)
    assert asked(sense(instance)) == ["r02-b01"]
    assert asked(sense(instance)) == []


def test_a_request_that_became_a_run_is_not_made_again(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    assert asked(sense(instance)) == ["r02-b01"]
    instance.add_dynamic_partitions("batch", ["r02-b01"])
    run_id = started_run(instance, "r02-b01")
    ask_long_ago(young_copy)
    assert run_id in skipped(sense(instance))


def test_a_nightly_request_that_no_run_came_of_is_made_again(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    assert requested(tick(instance)) == "r01-b03"
    assert asked(sense(instance)) == []
    ask_long_ago(young_copy)
    assert asked(sense(instance)) == ["r01-b03"]


def test_a_batch_that_a_person_added_waits_for_them(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", ["r02-b01"])
    assert skipped(sense(instance)) == ("The newest batch r02-b01 has neither a run nor a diversity report: run it.")


def test_the_schedule_adds_nothing_while_a_round_is_being_started(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy, PLATEAU_EPSILON="1000")
    instance = open_instance(young_copy)
    assert asked(sense(instance)) == ["r02-b01"]
    assert skipped(tick(instance)).startswith("Batch r01-b03 waits for the next night: r02-b01 was asked for ")
    assert "r01-b03" not in instance.get_dynamic_partitions("batch")


def ask_long_ago(home: Path) -> None:
    """The last claim is now past all patience."""
    last = read_claim(home)
    assert last is not None
    assert claim(home, last.batch, [last.batch], time.time() - 2 * PATIENCE_SECONDS) is None


def test_the_ceiling_is_named_with_its_figures(
    home_copy: Path, open_instance: Open, settings: Callable[..., None], change_lake: Callable[[Path, str], None]
) -> None:
    second = "SELECT 'r02-b02' AS batch, * EXCLUDE batch FROM diversity_report WHERE batch = 'r02-b01'"
    change_lake(home_copy, f"INSERT INTO diversity_report BY NAME {second}")
    settings(home_copy, CEILING_ROUNDS="1", PLATEAU_EPSILON="1000")
    message = skipped(sense(open_instance(home_copy)))
    assert message.startswith("Stopped at the ceiling: round 2 gained nothing (cac_mean +")
    assert "since r01-b02" in message


def test_the_sensor_compares_the_largest_size_that_both_batches_have(
    young_copy: Path, open_instance: Open, settings: Callable[..., None], change_lake: Callable[[Path, str], None]
) -> None:
    for batch, value in (("r01-b01", 5.0), ("r01-b02", 6.0)):
        change_lake(
            young_copy,
            "INSERT INTO diversity_report VALUES "
            f"('{batch}', 'cumulative', 'h_mode_rarefied_500', {value}, 0, 0, 500), "
            f"('{batch}', 'cumulative', 'h_step_rarefied_500', {value}, 0, 0, 500)",
        )
    settings(young_copy)
    message = skipped(sense(open_instance(young_copy)))
    assert "h_mode at n = 500 +20.0%" in message and "h_dom rarefied " in message
    assert "h_step" not in message


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
    assert message.startswith(f"The newest batch r02-b01 is not finished. Its run {failed.run_id} failed: mend")


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
    assert "Stopped at max_rounds: round 1 is the last of 1." in skipped(sense(open_instance(young_copy)))


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
    assert requested(tick(instance)) == "r01-b03"
    assert "r01-b03 was asked for " in skipped(tick(instance))
    started_run(instance, "r01-b03", dg.DagsterRunStatus.FAILURE)
    assert requested(tick(instance)) == "r01-b03"
    assert sorted(instance.get_dynamic_partitions("batch")) == ["r01-b01", "r01-b02", "r01-b03"]


def test_a_running_batch_is_left_alone(young_copy: Path, open_instance: Open, settings: Callable[..., None]) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    instance.add_dynamic_partitions("batch", ["r01-b03"])
    run_id = started_run(instance, "r01-b03")
    with hold_mark(young_copy, run_id):
        assert skipped(tick(instance)) == f"Batch r01-b03 is still running as {run_id}."


def run_without_process(instance: dg.DagsterInstance, home: Path) -> str:
    """The id of a started run whose process ended, and could not tell Dagster."""
    instance.add_dynamic_partitions("batch", ["r01-b03"])
    run_id = started_run(instance, "r01-b03")
    with hold_mark(home, run_id):
        pass
    return run_id


def test_a_run_whose_process_is_gone_blocks_nothing(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    run_id = run_without_process(instance, young_copy)
    assert requested(tick(instance)) == "r01-b03"
    dead = instance.get_run_by_id(run_id)
    assert dead is not None
    assert dead.status is dg.DagsterRunStatus.FAILURE


def test_a_run_that_is_just_ending_is_not_taken_for_dead(
    young_copy: Path, open_instance: Open, settings: Callable[..., None]
) -> None:
    settings(young_copy)
    instance = open_instance(young_copy)
    run_id = run_without_process(instance, young_copy)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    ending = Timer(0.5, instance.report_run_canceled, [run])
    ending.start()
    fail_dead_runs(instance, young_copy)
    ending.join()
    assert instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_CANCELED)
    assert not instance.all_logs(run_id, of_type=dg.DagsterEventType.RUN_FAILURE)


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
