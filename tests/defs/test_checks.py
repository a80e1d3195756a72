"""Promises of the checks: each passes on what the jobs wrote, and fails when rows are missing from the lake, or when
they are all alike."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from tdscaling_assets.defs import build_defs

Change = Callable[[Path, str], None]
Open = Callable[[Path], dg.DagsterInstance]

BATCH = "r01-b02"
CHECKED = ("tool_catalog", "blueprints", "raw_trajectories", "filtered_trajectories", "training_set")
UNPARTITIONED = ("tool_catalog", "training_set")
ONE_TALK = f"(SELECT min(trajectory_id) FROM raw_trajectories WHERE batch = '{BATCH}')"
ONE_KEPT = f"(SELECT min(trajectory_id) FROM filtered_trajectories WHERE batch = '{BATCH}')"
MANY = (
    "INSERT INTO filtered_trajectories "
    "SELECT kept.* REPLACE (trajectory_id || i AS trajectory_id) FROM filtered_trajectories AS kept, range(9) AS r(i)"
)
ONE_FOR_ALL = (
    "list_transform(messages, lambda one: struct_update(one, content := "
    "CASE one.role WHEN 'user' THEN 'Hello, please do the usual for me' ELSE one.content END))"
)
LOSSES = [
    ("tool_catalog", "DELETE FROM tool_catalog WHERE tool_id = (SELECT min(tool_id) FROM tool_catalog)"),
    (
        "blueprints",
        f"DELETE FROM blueprints WHERE batch = '{BATCH}' AND blueprint_id = (SELECT min(blueprint_id) FROM blueprints "
        f"WHERE batch = '{BATCH}')",
    ),
    ("blueprints", f"DELETE FROM rejected_blueprints WHERE batch = '{BATCH}'"),
    ("raw_trajectories", f"DELETE FROM raw_trajectories WHERE trajectory_id = {ONE_TALK}"),
    ("filtered_trajectories", f"DELETE FROM filtered_trajectories WHERE trajectory_id = {ONE_KEPT}"),
    ("filtered_trajectories", f"DELETE FROM verdicts WHERE batch = '{BATCH}' AND NOT keep"),
    ("training_set", 'DELETE FROM training_set WHERE "order" = (SELECT max("order") FROM training_set)'),
    ("training_set", f"DELETE FROM filtered_trajectories WHERE trajectory_id = {ONE_KEPT}"),
]


@pytest.mark.parametrize("asset", CHECKED)
def test_the_job_itself_checked_the_asset_and_it_passed(asset: str, home: Path, open_instance: Open) -> None:
    key = dg.AssetCheckKey(dg.AssetKey(asset), "nothing_dropped")
    records = open_instance(home).event_log_storage.get_asset_check_execution_history(key, limit=10)
    assert len(records) == (3 if asset not in ("tool_catalog",) else 1)
    assert {str(record.status.value) for record in records} == {"SUCCEEDED"}


@pytest.mark.parametrize(("asset", "loss"), LOSSES)
def test_a_check_fails_when_rows_are_missing(
    asset: str, loss: str, home_copy: Path, change_lake: Change, open_instance: Open
) -> None:
    change_lake(home_copy, loss)
    evaluation = check(asset, home_copy, open_instance(home_copy))
    assert not evaluation.passed
    assert evaluation.description is not None
    assert "run the stage again" in evaluation.description


def test_a_check_reads_only_its_own_batch(home_copy: Path, change_lake: Change, open_instance: Open) -> None:
    change_lake(home_copy, "DELETE FROM raw_trajectories WHERE batch <> 'r01-b02'")
    assert check("raw_trajectories", home_copy, open_instance(home_copy)).passed


def test_healthy_batches_do_not_warn(home: Path, open_instance: Open) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("diversity_report"), "no_collapse")
    records = open_instance(home).event_log_storage.get_asset_check_execution_history(key, limit=10)
    assert [str(record.status.value) for record in records] == ["SUCCEEDED"] * 3


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        (f"UPDATE blueprints SET persona = 'A clone.' WHERE batch = '{BATCH}'", "100.0% share the persona 'A clone.'"),
        (
            f"UPDATE filtered_trajectories SET messages = {ONE_FOR_ALL} WHERE batch = '{BATCH}'",
            "100.0% share the opening",
        ),
        (f"UPDATE filtered_trajectories SET domain = 'one' WHERE batch = '{BATCH}'", "h_dom fell by 100.0%, from "),
    ],
)
def test_a_collapse_warns_and_blocks_nothing(
    planted: str, told: str, home_copy: Path, change_lake: Change, open_instance: Open
) -> None:
    change_lake(home_copy, MANY)
    change_lake(home_copy, planted)
    evaluation = check("diversity_report", home_copy, open_instance(home_copy))
    assert not evaluation.passed
    assert (evaluation.severity, evaluation.blocking) == (dg.AssetCheckSeverity.WARN, False)
    assert told in str(evaluation.description)
    assert {"persona share", "opening share", "template share", "h_dom change"} <= set(evaluation.metadata)
    assert "| persona |" in str(evaluation.metadata["commonest"].value)


def check(asset: str, home: Path, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    only = dg.AssetSelection.checks_for_assets(dg.AssetKey(asset))
    extended = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[dg.define_asset_job("only", selection=only)]))
    config = {"loggers": {"console": {"config": {}}}, "resources": {"system": {"config": {"home": str(home)}}}}
    result = extended.resolve_job_def("only").execute_in_process(
        instance=instance, run_config=config, tags=None if asset in UNPARTITIONED else {"dagster/partition": BATCH}
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation
