"""The end of a batch tidies the lake: snapshots a week old are forgotten, and a failure to do so costs nothing."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from tdscaling_assets.defs import build_defs
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

Open = Callable[[Path], dg.DagsterInstance]

EIGHT_DAYS_OLD = """
    UPDATE ducklake_snapshot SET snapshot_time = datetime('now', '-8 days', '+' || snapshot_id || ' seconds')
"""
COUNT = "SELECT count(*) FROM ducklake_snapshots('lake')"


def test_snapshots_of_last_week_are_gone_and_no_row_is(young_copy: Path, open_instance: Open) -> None:
    change_catalog(young_copy, EIGHT_DAYS_OLD)
    before, kept = ask(young_copy, COUNT), ask(young_copy, "SELECT count(*) FROM filtered_trajectories")
    metadata = materialize(young_copy, open_instance).metadata
    assert metadata["expired_snapshots"].value == before - 1 > ask(young_copy, COUNT)  # the newest was in use since
    assert ask(young_copy, "SELECT count(*) FROM training_set") == kept > 0


def test_a_lake_that_cannot_be_maintained_keeps_its_training_set(young_copy: Path, open_instance: Open) -> None:
    change_catalog(young_copy, "DROP TABLE ducklake_files_scheduled_for_deletion")
    metadata = materialize(young_copy, open_instance).metadata
    assert "expired_snapshots" not in metadata
    assert metadata["exported"].value == ask(young_copy, "SELECT count(*) FROM training_set")


def materialize(home: Path, open_instance: Open) -> dg.AssetMaterialization:
    """What the asset records of itself, run alone."""
    result = (
        build_defs()
        .resolve_implicit_global_asset_job_def()
        .execute_in_process(
            instance=open_instance(home),
            asset_selection=[dg.AssetKey("training_set")],
            run_config={"resources": {"system": {"config": {"home": str(home)}}}},
        )
    )
    (made,) = result.get_asset_materialization_events()
    return made.step_materialization_data.materialization


def change_catalog(home: Path, statement: str) -> None:
    with sqlite3.connect(home / "lake" / "catalog.sqlite") as catalog:
        catalog.execute(statement)
    catalog.close()


def ask(home: Path, sql: str) -> int:
    with Lake.open(Settings(home=home, catalog="", lake_data=""), read_only=True) as lake:
        return int(lake.query(sql).item())
