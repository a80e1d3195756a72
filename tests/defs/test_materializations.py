"""Promises of a materialization: what the UI shows of it is what the lake holds."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from tdscaling_assets.defs import report
from tdscaling_assets.defs.report import read_report
from tdscaling_assets.schema import Trajectory
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.tables import TABLES

ASSETS = (
    "tool_catalog",
    "tool_graph",
    "business_clusters",
    "evolution_plan",
    "blueprints",
    "raw_trajectories",
    "filtered_trajectories",
    "diversity_report",
    "training_set",
)
BATCHES = ("r01-b01", "r01-b02", "r02-b01")
PICTURES = {
    "business_clusters": ("coverage", "cluster_domains", "cluster_graphs"),
    "evolution_plan": ("operators",),
    "filtered_trajectories": ("funnel",),
    "diversity_report": (
        *("entropy", "domains", "modes", "complexity", "funnel", "coverage", "operators"),
        *("effective", "mode_flow_first"),
        *("cluster_domains", "cluster_graphs"),
    ),
}


@pytest.fixture
def instance(home: Path, open_instance: Callable[[Path], dg.DagsterInstance]) -> dg.DagsterInstance:
    return open_instance(home)


@pytest.fixture(scope="module")
def lake(home: Path) -> Iterator[Lake]:
    with Lake.open(Settings(home=home, catalog="", lake_data=""), read_only=True) as lake:
        yield lake


@pytest.mark.parametrize("asset", ASSETS)
def test_row_count_and_snapshot_are_those_of_the_lake(asset: str, instance: dg.DagsterInstance, lake: Lake) -> None:
    newest = last(instance, asset)
    count, snapshot = newest.metadata["dagster/row_count"].value, newest.metadata["snapshot"].value
    where = f"WHERE batch = '{newest.partition}'" if TABLES[asset].batched else ""
    assert TABLES[asset].batched == (newest.partition is not None)
    assert lake.query(f"SELECT count(*) FROM {asset} AT (VERSION => {snapshot}) {where}").item() == count > 0


@pytest.mark.parametrize("asset", ASSETS)
def test_the_snapshot_is_signed_with_the_run(asset: str, instance: dg.DagsterInstance, lake: Lake) -> None:
    record = last_record(instance, asset)
    snapshot = materialization(record).metadata["snapshot"].value
    messages = lake.query("SELECT commit_message FROM ducklake_snapshots('lake') WHERE snapshot_id = ?", [snapshot])
    assert messages.item() == record.run_id


@pytest.mark.parametrize("asset", ASSETS)
def test_a_preview_shows_the_first_rows(asset: str, instance: dg.DagsterInstance) -> None:
    preview = str(last(instance, asset).metadata["preview"].value)
    head, rule, *rows = preview.splitlines()
    assert [name.strip() for name in head.strip("|").split("|")] == list(TABLES[asset].columns)
    assert set(rule) == set("|- ")
    assert 1 <= len(rows) <= 5


@pytest.mark.parametrize("batch", BATCHES)
def test_figures_of_groups_are_stored_with_those_of_their_set(batch: str, lake: Lake) -> None:
    groups, report = (lake.read(table, batch=batch) for table in ("diversity_groups", "diversity_report"))
    assert set(groups.select("scope", "dimension").iter_rows()) == {
        (scope, dimension) for scope in ("batch", "cumulative") for dimension in ("domain", "operator")
    }
    for scope in ("batch", "cumulative"):
        shares = groups.filter(scope=scope, dimension="domain", metric="share")["value"].sum()
        rates = set(report.filter(scope=scope)["metric"]) & {"unused_call_share", "final_state_agreement"}
        assert (round(shares, 9), len(rates)) == (1.0, 2)


@pytest.mark.parametrize("batch", BATCHES)
def test_every_metric_of_a_batch_is_a_number_the_ui_can_plot(
    batch: str, instance: dg.DagsterInstance, lake: Lake
) -> None:
    metadata = last(instance, "diversity_report", batch).metadata
    stored = lake.read("diversity_report", batch=batch)
    assert set(stored["scope"]) == {"batch", "cumulative"}
    for row in stored.iter_rows(named=True):
        shown = metadata[f"{row['scope']}/{row['metric']}"]
        assert isinstance(shown, dg.FloatMetadataValue | dg.IntMetadataValue)
        assert shown.value == pytest.approx(row["value"], rel=1e-5)  # shown to six digits


def test_the_plan_tells_each_of_its_reasons(instance: dg.DagsterInstance, lake: Lake) -> None:
    told = str(last(instance, "evolution_plan", "r02-b01").metadata["reasons"].value)
    reasons = lake.read("evolution_plan", batch="r02-b01")["reasons"][0]
    assert len(reasons) > 5
    for decision, sentence in reasons.items():
        assert f"| {decision.replace('_', chr(92) + '_')} |" in told
        assert sentence.split()[0] in told


@pytest.mark.parametrize(("asset", "name"), [(asset, name) for asset, names in PICTURES.items() for name in names])
def test_pictures_are_drawn_into_the_metadata(asset: str, name: str, instance: dg.DagsterInstance) -> None:
    assert "](data:image/png;base64,iVBOR" in str(last(instance, asset).metadata[name].value)


def test_the_export_holds_the_training_set(instance: dg.DagsterInstance, lake: Lake) -> None:
    metadata = last(instance, "training_set").metadata
    files = sorted(Path(str(metadata["export"].value)).glob("*.jsonl"))
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(lines) >= metadata["exported"].value > 0
    assert metadata["exported"].value == lake.read("training_set").height


def test_a_later_batch_of_a_round_repeats_its_plan(lake: Lake) -> None:
    plans = lake.read("evolution_plan").drop("batch")
    assert plans.rows(named=True)[0] == plans.rows(named=True)[1]
    assert plans["round"].to_list() == ["r01", "r01", "r02"]


def test_a_new_round_is_planned_from_the_reports_before_it(lake: Lake) -> None:
    plan = lake.read("evolution_plan", batch="r02-b01").row(0, named=True)
    before = lake.read("diversity_report", batch="r01-b02").filter(pl.col("scope") == "cumulative")
    seen = dict(plan["parent_metrics"]) if isinstance(plan["parent_metrics"], dict) else pairs(plan["parent_metrics"])
    assert seen["h_dom"] == before.filter(pl.col("metric") == "h_dom")["value"].item()


def last(instance: dg.DagsterInstance, asset: str, batch: str | None = None) -> dg.AssetMaterialization:
    return materialization(last_record(instance, asset, batch))


def last_record(instance: dg.DagsterInstance, asset: str, batch: str | None = None) -> dg.EventLogRecord:
    only = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[batch] if batch else None)
    (record,) = instance.fetch_materializations(only, limit=1).records
    return record


def materialization(record: dg.EventLogRecord) -> dg.AssetMaterialization:
    assert record.asset_materialization is not None
    return record.asset_materialization


def pairs(entries: list[dict[str, object]]) -> dict[object, object]:
    return {entry["key"]: entry["value"] for entry in entries}


def test_the_report_counts_covered_edges_among_all_edges(home: Path, lake: Lake) -> None:
    data = read_report(lake, Settings(home=home, catalog="", lake_data=""))
    assert data.total_edges == lake.query("SELECT count(*) FROM tool_graph").item()
    assert 0 < data.clusters["covered_edges"].max() <= data.total_edges
    assert 0 < data.clusters["covered_tools"].max() <= data.total_tools


def test_the_report_shows_evenly_many_trajectories_of_each_round(
    home: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(home=home, catalog="", lake_data="")
    every = lake.records("raw_trajectories", Trajectory)
    assert {one.trajectory_id for one in read_report(lake, settings).trajectories} == {
        one.trajectory_id for one in every
    }
    monkeypatch.setattr(report, "SHOWN_PER_BATCH", 2)
    data = read_report(lake, settings)
    assert Counter(one.batch for one in data.trajectories) == {"r01-b01": 2, "r01-b02": 2, "r02-b01": 2}
    assert {one.trajectory_id for one in data.verdicts} == {one.trajectory_id for one in data.trajectories}
    assert all(one in every for one in data.trajectories)
