"""Promises of the code location: it loads quietly, and its graph is the one in the picture."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from tdscaling_assets.defs import build_defs
from tdscaling_assets.storage.tables import TABLES

ROOT = Path(__file__).parents[1]
UPSTREAM = {
    "tool_catalog": set(),
    "tool_graph": {"tool_catalog"},
    "business_clusters": {"tool_graph"},
    "evolution_plan": {"business_clusters"},  # and, by SQL, the reports of earlier batches
    "blueprints": {"business_clusters", "evolution_plan"},
    "raw_trajectories": {"blueprints"},
    "filtered_trajectories": {"raw_trajectories"},
    "diversity_report": {"filtered_trajectories"},
    "training_set": {"filtered_trajectories"},
}
BATCHED = {"evolution_plan", "blueprints", "raw_trajectories", "filtered_trajectories", "diversity_report"}
LOAD = "import definitions; definitions.defs.get_repository_def().load_all_definitions()"


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs()


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in defs.resolve_all_asset_specs()}


def test_the_code_location_loads_without_a_warning_and_touches_no_file(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_graph_is_the_picture(specs: dict[str, dg.AssetSpec]) -> None:
    assert {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs.items()} == UPSTREAM


def test_every_asset_is_a_table(specs: dict[str, dg.AssetSpec]) -> None:
    assert set(specs) <= set(TABLES)


@pytest.mark.parametrize("asset", UPSTREAM)
def test_an_asset_says_whose_and_what_it_is(asset: str, specs: dict[str, dg.AssetSpec]) -> None:
    spec = specs[asset]
    assert spec.owners
    assert "duckdb" in spec.kinds
    assert spec.group_name not in (None, "default")
    assert spec.description
    schema = spec.metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    assert {column.name: column.type for column in schema.columns} == TABLES[asset].columns


def test_what_a_batch_replaces_is_partitioned_and_nothing_else(specs: dict[str, dg.AssetSpec]) -> None:
    partitioned = {name: spec.partitions_def for name, spec in specs.items() if spec.partitions_def is not None}
    assert set(partitioned) == BATCHED
    assert set(partitioned.values()) == {dg.DynamicPartitionsDefinition(name="batch")}


def test_the_two_jobs_run_every_asset_once(defs: dg.Definitions) -> None:
    runs = {name: assets_of(defs, name) for name in ("catalog", "synthesis")}
    assert runs["catalog"] == {"tool_catalog", "tool_graph", "business_clusters"}
    assert runs["synthesis"] == BATCHED | {"training_set"}


def test_schedule_and_sensor_start_the_synthesis_job(defs: dg.Definitions) -> None:
    schedule = defs.resolve_schedule_def("nightly_synthesis")
    sensor = defs.resolve_sensor_def("entropy_plateau_sensor")
    assert (schedule.job_name, sensor.job_name) == ("synthesis", "synthesis")
    assert schedule.cron_schedule == "0 1 * * *"


def test_a_check_of_one_batch_does_not_load_them_all(defs: dg.Definitions) -> None:
    checks = {
        key.asset_key.to_user_string(): definition.check_specs_by_output_name.values()
        for definition in defs.asset_checks or ()
        if isinstance(definition, dg.AssetChecksDefinition)
        for key in definition.check_keys
    }
    assert set(checks) == {
        "tool_catalog",
        "blueprints",
        "raw_trajectories",
        "filtered_trajectories",
        "diversity_report",
        "training_set",
    }
    for asset, found in checks.items():
        (spec,) = found
        assert (spec.partitions_def is not None) == (asset in BATCHED)


def assets_of(defs: dg.Definitions, job: str) -> set[str]:
    layer = defs.resolve_job_def(job).asset_layer
    return {key.to_user_string() for key in layer.selected_asset_keys}
