"""Promises of the checks: each passes on what the jobs wrote, and fails when rows are missing from the lake."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from tdscaling_assets.defs import build_defs

Change = Callable[[Path, str], None]
Open = Callable[[Path], dg.DagsterInstance]

BATCH = "r01-b02"
CHECKED = {
    "tool_catalog": None,
    "blueprints": BATCH,
    "raw_trajectories": BATCH,
    "filtered_trajectories": BATCH,
    "training_set": None,
}
ONE_TALK = f"(SELECT min(trajectory_id) FROM raw_trajectories WHERE batch = '{BATCH}')"
ONE_KEPT = f"(SELECT min(trajectory_id) FROM filtered_trajectories WHERE batch = '{BATCH}')"
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


def check(asset: str, home: Path, instance: dg.DagsterInstance) -> dg.AssetCheckEvaluation:
    only = dg.AssetSelection.checks_for_assets(dg.AssetKey(asset))
    extended = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[dg.define_asset_job("only", selection=only)]))
    config = {"loggers": {"console": {"config": {}}}, "resources": {"system": {"config": {"home": str(home)}}}}
    result = extended.resolve_job_def("only").execute_in_process(
        instance=instance, run_config=config, tags={"dagster/partition": BATCH} if CHECKED[asset] else None
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation
