"""A budget ends a batch cleanly: the rest is pending, adds up, and is finished by the next run that may spend."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from rich.console import Console

from tdscaling_assets.agents.forecast import ENOUGH_CALLS
from tdscaling_assets.commands.estimate import estimate_batch
from tdscaling_assets.commands.terminal import print_batches
from tdscaling_assets.defs import run
from tdscaling_assets.defs.automation import entropy_plateau_sensor, nightly_synthesis
from tdscaling_assets.defs.progress import read_decision, read_finished, read_progress
from tdscaling_assets.defs.report import measure_batch
from tdscaling_assets.defs.system import open_replies
from tdscaling_assets.errors import TdsError
from tdscaling_assets.evolution.plateau import NewRound, Wait
from tdscaling_assets.schema import Blueprint, Usage
from tdscaling_assets.settings import load_settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import batch_counts
from tdscaling_assets.storage.rows import to_frame

Open = Callable[[Path], dg.DagsterInstance]

BATCH = "r01-b03"
SIZE = 24


@pytest.fixture
def counts(young_copy: Path) -> Callable[[], dict[str, int]]:
    def count() -> dict[str, int]:
        with Lake.open(load_settings(home=young_copy), read_only=True) as lake:
            return batch_counts(lake, BATCH)

    return count


@pytest.fixture
def paid_model(teacher_url: str, young_copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """The teacher over HTTP, at a dollar for a thousand tokens."""
    for name, value in {
        "HOME": str(young_copy),
        "MODEL": "openai/teacher",
        "MODEL_BASE_URL": teacher_url,
        "MODEL_KEY": "sk-test-1234567",
        "PRICES": '{"openai/teacher": [1000, 1000]}',
        "BUDGET_BATCH": "50",
        "CONCURRENCY": "2",
    }.items():
        monkeypatch.setenv(f"TDS_{name}", value)
    yield monkeypatch


def next_batch(home: Path, open_instance: Open) -> str:
    return run.run_next_batch(open_instance(home), load_settings(), {"home": str(home), "batch_size": SIZE})


def test_the_rest_is_pending_and_is_finished_when_the_budget_is_raised(
    young_copy: Path, open_instance: Open, counts: Callable[[], dict[str, int]], paid_model: pytest.MonkeyPatch
) -> None:
    assert next_batch(young_copy, open_instance) == BATCH
    first = counts()
    assert first["pending_blueprints"] > 0 and first["raw_trajectories"] > 0
    assert first["blueprints"] == SIZE == first["raw_trajectories"] + first["pending_blueprints"]
    paid_model.setenv("TDS_BUDGET_BATCH", "10000")
    _, waiting, _ = estimate_batch(open_instance(young_copy), load_settings(), new_round=False)
    assert waiting == first["pending_blueprints"]
    assert next_batch(young_copy, open_instance) == BATCH
    assert (counts()["raw_trajectories"], counts()["pending_blueprints"]) == (SIZE, 0)
    assert list((young_copy / "spool").iterdir()) == []


def test_a_batch_that_stopped_before_its_first_conversation_is_estimated_for_its_own_blueprints(
    young_copy: Path, open_instance: Open
) -> None:
    settings = load_settings(home=young_copy)
    with Lake.open(settings) as lake:
        later = {name: lake.read(name, batch="r01-b02").clear() for name in ("raw_trajectories", "diversity_report")}
        few = {"blueprints": lake.read("blueprints", batch="r01-b02").head(5)}
        lake.write(later | few, batch="r01-b02", message="as if stopped")
        before = lake.snapshot()
        key, waiting, _ = estimate_batch(open_instance(young_copy), settings, new_round=False)
        assert (key, waiting, lake.snapshot()) == ("r01-b02", 5, before)


def test_a_batch_that_stopped_after_its_last_conversation_takes_nothing_more(
    young_copy: Path, open_instance: Open
) -> None:
    settings = load_settings(home=young_copy)
    with Lake.open(settings) as lake:
        report = {"diversity_report": lake.read("diversity_report", batch="r01-b02").clear()}
        lake.write(report, batch="r01-b02", message="as if stopped")
    key, waiting, roles = estimate_batch(open_instance(young_copy), settings, new_round=False)
    assert (key, waiting, sum(one.calls for one in roles)) == ("r01-b02", 0, 0)


def test_a_budget_that_ends_while_scenarios_are_written_leaves_an_empty_batch_that_is_finished_when_it_is_raised(
    young_copy: Path, open_instance: Open, counts: Callable[[], dict[str, int]], paid_model: pytest.MonkeyPatch
) -> None:
    paid_model.setenv("TDS_BUDGET_BATCH", "3")
    assert next_batch(young_copy, open_instance) == BATCH
    assert (counts()["blueprints"], counts()["pending_blueprints"], counts()["raw_trajectories"]) == (SIZE, SIZE, 0)
    written = with_scenario(young_copy)
    assert 0 < len(written) < SIZE
    with Lake.open(load_settings(), read_only=True) as lake:
        alone = set(lake.read("diversity_report", batch=BATCH).filter(scope="batch")["metric"])
        reasons = " ".join(lake.read("pending_blueprints", batch=BATCH)["reason"])
    assert {*alone} <= {"tool_coverage", "edge_coverage", "cluster_coverage"}
    assert "the batch's budget of $3" in reasons and "the budget ended before its scenario was written" in reasons
    checks = open_instance(young_copy).event_log_storage.get_asset_check_execution_history
    for asset in ("blueprints", "raw_trajectories", "filtered_trajectories"):
        (newest,) = checks(dg.AssetCheckKey(dg.AssetKey(asset), "nothing_dropped"), limit=1)
        assert newest.status.value == "SUCCEEDED"
    outcome = nightly_synthesis(dg.build_schedule_context(instance=open_instance(young_copy)))
    assert isinstance(outcome, dg.RunRequest) and outcome.partition_key == "r01-b04"
    paid_model.setenv("TDS_BUDGET_BATCH", "10000")
    run.run_batch(open_instance(young_copy), BATCH, {"home": str(young_copy), "batch_size": SIZE})
    assert (counts()["raw_trajectories"], counts()["pending_blueprints"]) == (SIZE, 0)
    finished = with_scenario(young_copy)
    assert len(finished) == SIZE and written.items() <= finished.items()


def test_conversations_leave_enough_for_the_judge(
    young_copy: Path, open_instance: Open, counts: Callable[[], dict[str, int]], paid_model: pytest.MonkeyPatch
) -> None:
    paid_model.setenv("TDS_MODEL_JUDGE", "openai/teacher")
    next_batch(young_copy, open_instance)
    given = verdicts(young_copy)
    assert counts()["pending_blueprints"] > 0
    assert given.filter(pl.col("score").is_not_null(), rule="judge").height == counts()["filtered_trajectories"] > 0
    assert given.filter(rule="unjudged").is_empty()


def test_what_the_judge_was_not_paid_for_is_not_kept_and_is_judged_when_the_budget_is_raised(
    young_copy: Path, open_instance: Open, counts: Callable[[], dict[str, int]], paid_model: pytest.MonkeyPatch
) -> None:
    paid_model.setenv("TDS_MODEL_JUDGE", "openai/teacher")
    with open_replies(load_settings(), "") as replies:  # by its past calls the judge is free, so nothing is kept back
        for number in range(ENOUGH_CALLS):
            replies.put(f"past {number}", "judge", "", Usage(usd=0.0, model="openai/teacher", calls=1))
    next_batch(young_copy, open_instance)
    first, held_back = counts(), verdicts(young_copy).filter(rule="unjudged")
    assert held_back.height > 0 and set(held_back["keep"]) == {False}
    assert all("the batch's budget of $50 is spent" in reason for reason in held_back["reason"])
    assert first["raw_trajectories"] == first["filtered_trajectories"] + first["rejected_trajectories"]
    assert first["rejected_trajectories"] >= held_back.height
    paid_model.setenv("TDS_BUDGET_BATCH", "10000")
    _, waiting, roles = estimate_batch(open_instance(young_copy), load_settings(), new_round=False)
    assert {one.role: one.calls for one in roles}["judge"] == waiting + held_back.height
    assert next_batch(young_copy, open_instance) == BATCH
    given = verdicts(young_copy)
    assert given.filter(rule="unjudged").is_empty()
    assert {*held_back["trajectory_id"]} <= {*given.filter(pl.col("score").is_not_null())["trajectory_id"]}
    assert list((young_copy / "spool").iterdir()) == []


def test_a_batch_is_not_finished_while_a_conversation_waits_for_the_judge(
    young_copy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(home=young_copy)
    assert read_finished(settings) == ["r01-b01", "r01-b02"]
    with Lake.open(settings) as lake:
        given = lake.read("verdicts", batch="r01-b02")
        last = pl.int_range(pl.len()) == 0
        waits = given.with_columns(
            rule=pl.when(last).then(pl.lit("unjudged")).otherwise("rule"), keep=pl.col("keep") & ~last
        )
        lake.write({"verdicts": waits}, batch="r01-b02", message="as if the budget had ended")
    assert read_finished(settings) == ["r01-b01"]
    assert list(read_progress(settings).pending) == ["r01-b02"]
    print_batches(settings, Console(width=200))
    assert "1 conversations of r01-b02 wait for the judge" in capsys.readouterr().out


def test_a_spent_budget_does_not_replace_what_is_stored_by_nothing(
    young_copy: Path, open_instance: Open, paid_model: pytest.MonkeyPatch
) -> None:
    paid_model.setenv("TDS_BUDGET_BATCH", "1")
    with open_replies(load_settings(), "r01-b02") as replies:
        replies.put("past", "user", "", Usage(usd=2.0, model="openai/teacher", calls=1))
    with Lake.open(load_settings(), read_only=True) as lake:
        before = lake.read("blueprints", batch="r01-b02"), lake.read("raw_trajectories", batch="r01-b02")
    with pytest.raises(TdsError, match="the conversations of batch r01-b02 stay as they are stored"):
        run.run_batch(open_instance(young_copy), "r01-b02", {"home": str(young_copy)})
    with Lake.open(load_settings(), read_only=True) as lake:
        assert lake.read("blueprints", batch="r01-b02").equals(before[0])
        assert lake.read("raw_trajectories", batch="r01-b02").equals(before[1])


def verdicts(home: Path) -> pl.DataFrame:
    with Lake.open(load_settings(home=home), read_only=True) as lake:
        return lake.read("verdicts", batch=BATCH)


def test_a_batch_without_a_conversation_has_not_stood_still(young_copy: Path) -> None:
    settings = load_settings(home=young_copy, plateau_window=1, plateau_epsilon=1000)
    assert isinstance(read_decision(settings, ["r01-b01", "r01-b02"]), NewRound)
    with Lake.open(settings) as lake:
        held = ("raw_trajectories", "filtered_trajectories")
        none = {table: lake.read(table, batch="r01-b02").clear() for table in held}
        lake.write(none, batch="r01-b02", message="as if the budget had ended before")
        (alone, _), (together, _) = measure_batch(lake, "r01-b02", settings)
        measured = {"diversity_report": to_frame("diversity_report", [*alone, *together])}
        lake.write(measured, batch="r01-b02", message="what is then measured")
    decision = read_decision(settings, ["r01-b01", "r01-b02"])
    assert isinstance(decision, Wait)
    assert decision.reason.startswith("The report of r01-b02 has no steering metrics")


def with_scenario(home: Path) -> dict[str, str]:
    """Goals of the batch's blueprints that have one, by id."""
    with Lake.open(load_settings(home=home), read_only=True) as lake:
        return {one.blueprint_id: one.goal for one in lake.records("blueprints", Blueprint, batch=BATCH) if one.goal}


def test_a_batch_whose_budget_is_spent_does_not_hold_up_the_next(
    young_copy: Path, open_instance: Open, paid_model: pytest.MonkeyPatch
) -> None:
    next_batch(young_copy, open_instance)
    paid_model.setenv("TDS_BUDGET_BATCH", "0.01")
    outcome = nightly_synthesis(dg.build_schedule_context(instance=open_instance(young_copy)))
    assert isinstance(outcome, dg.RunRequest)
    assert outcome.partition_key == "r01-b04"


def test_a_spent_night_skips_and_says_so(young_copy: Path, open_instance: Open, paid_model: pytest.MonkeyPatch) -> None:
    next_batch(young_copy, open_instance)
    paid_model.setenv("TDS_BUDGET_BATCH", "0")
    paid_model.setenv("TDS_BUDGET_NIGHT", "1")
    outcome = nightly_synthesis(dg.build_schedule_context(instance=open_instance(young_copy)))
    assert isinstance(outcome, dg.SkipReason)
    assert str(outcome.skip_message).startswith(f"Batch {BATCH} waits for the next night: the night's budget of $1 is")


def test_a_spent_night_starts_no_round_and_says_so(
    young_copy: Path, open_instance: Open, paid_model: pytest.MonkeyPatch
) -> None:
    next_batch(young_copy, open_instance)
    paid_model.setenv("TDS_PLATEAU_EPSILON", "1000")
    paid_model.setenv("TDS_BUDGET_BATCH", "0.01")  # spent, so that its pending blueprints hold up nothing
    paid_model.setenv("TDS_BUDGET_NIGHT", "1")
    outcome = entropy_plateau_sensor(dg.build_sensor_context(instance=open_instance(young_copy)))
    assert isinstance(outcome, dg.SkipReason)
    message = str(outcome.skip_message)
    assert message.startswith("Stopped at the budget: the night's budget of $1 is spent ($")
    assert "Then: Round 1 stands still" in message


def test_pending_blueprints_go_before_a_new_round(
    young_copy: Path, open_instance: Open, paid_model: pytest.MonkeyPatch
) -> None:
    next_batch(young_copy, open_instance)
    paid_model.setenv("TDS_PLATEAU_EPSILON", "1000")
    paid_model.setenv("TDS_BUDGET_BATCH", "10000")
    outcome = entropy_plateau_sensor(dg.build_sensor_context(instance=open_instance(young_copy)))
    assert isinstance(outcome, dg.SkipReason)
    assert str(outcome.skip_message).startswith(
        f"Batch {BATCH} has pending blueprints or unjudged conversations and goes first."
    )
