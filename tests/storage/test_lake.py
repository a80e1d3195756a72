"""Promises of lake.py: a batch is replaced whole or not at all, and read back as it was written."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Blueprint, MetricRow, Record, RejectedTool, Trajectory
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake, execute_read
from tdscaling_assets.storage.rows import CHUNK_ROWS, frame_schema, from_frame, to_frame
from tdscaling_assets.storage.tables import TABLES

BATCH = "r01-b01"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake for tests that each keep to batches of their own."""
    with Lake.open(Settings(home=tmp_path_factory.mktemp("shared"), catalog="", lake_data="")) as lake:
        yield lake


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """An empty lake, attached read-only."""
    settings = Settings(home=tmp_path_factory.mktemp("read"), catalog="", lake_data="")
    Lake.open(settings).close()
    with Lake.open(settings, read_only=True) as reader:
        yield reader


def metrics(batch: str, *names: str, value: float = 1.0) -> pl.DataFrame:
    rows = [MetricRow(batch=batch, scope="batch", metric=name, value=value, n=1) for name in names]
    return to_frame("diversity_report", rows)


def test_every_record_comes_back_from_disk_equal(shared: Lake, samples: dict[str, list[Record]]) -> None:
    frames = {
        name: to_frame(name, samples[name], **({"batch": BATCH} if name in ("verdicts", "evolution_plan") else {}))
        for name in TABLES
    }
    shared.write({name: frames[name] for name in TABLES if TABLES[name].batched}, batch=BATCH, message="run 1")
    shared.write({name: frames[name] for name in TABLES if not TABLES[name].batched}, batch=None, message="run 1")
    for name, table in TABLES.items():
        frame = shared.read(name, batch=BATCH if table.batched else None)
        assert dict(frame.schema) == frame_schema(name)
        assert sorted(from_frame(table.record, frame), key=repr) == sorted(samples[name], key=repr), name


def test_tables_without_rows_read_as_empty_frames_of_the_declared_types(shared: Lake) -> None:
    shared.write({"raw_trajectories": to_frame("raw_trajectories", [])}, batch="r02-b01", message="nothing")
    frame = shared.read("raw_trajectories", batch="r02-b01")
    assert frame.is_empty()
    assert dict(frame.schema) == frame_schema("raw_trajectories")


def test_writing_a_batch_again_replaces_exactly_that_batch(shared: Lake) -> None:
    shared.write({"diversity_report": metrics("r03-b01", "old", "both")}, batch="r03-b01", message="first")
    shared.write({"diversity_report": metrics("r03-b02", "other")}, batch="r03-b02", message="neighbour")
    for _ in range(2):
        shared.write({"diversity_report": metrics("r03-b01", "both", "new")}, batch="r03-b01", message="again")
    rows = shared.read("diversity_report", batches=["r03-b01", "r03-b02"], columns=["batch", "metric"]).rows()
    assert rows == [("r03-b01", "both"), ("r03-b01", "new"), ("r03-b02", "other")]


def test_a_stream_of_records_is_all_of_them_in_order_while_others_are_written(
    shared: Lake, trajectory: Trajectory
) -> None:
    for batch, count in (("r05-b99", 2), ("r05-b100", CHUNK_ROWS + 1)):
        rows = [trajectory.model_copy(update={"trajectory_id": f"t{n:04}", "batch": batch}) for n in range(count)]
        shared.write({"filtered_trajectories": to_frame("filtered_trajectories", rows)}, batch=batch, message="rows")
    batches = ["r05-b99", "r05-b100"]
    stream = shared.stream_records("filtered_trajectories", Trajectory, batches)
    first = next(stream)
    shared.write({"diversity_report": metrics("r05-b99", "x")}, batch="r05-b99", message="meanwhile")
    assert [first, *stream] == shared.records("filtered_trajectories", Trajectory, batches=batches)
    assert list(shared.stream_records("filtered_trajectories", Trajectory, ["r05-b01"])) == []


def test_a_stream_holds_no_more_rows_than_asked_for(shared: Lake) -> None:
    frames = list(shared.stream("SELECT i FROM range(10) AS t(i) WHERE i <> ?", [5], rows=4))
    assert [frame["i"].to_list() for frame in frames] == [[0, 1, 2, 3], [4, 6, 7, 8], [9]]


def test_a_stream_of_bad_sql_or_of_other_records_is_one_sentence(shared: Lake) -> None:
    with pytest.raises(StorageError, match=r"the query failed: .*; correct the SQL"):
        next(shared.stream("SELECT nothing FROM nowhere"))
    with pytest.raises(StorageError, match="verdicts holds Verdict records, not Trajectory"):
        next(shared.stream_records("verdicts", Trajectory, ["r01-b01"]))


def test_writing_an_empty_frame_empties_the_batch(shared: Lake) -> None:
    shared.write({"diversity_report": metrics("r04-b01", "x")}, batch="r04-b01", message="first")
    shared.write({"diversity_report": metrics("r04-b01")}, batch="r04-b01", message="empty")
    assert shared.read("diversity_report", batch="r04-b01").is_empty()


def test_an_unbatched_table_is_replaced_whole(shared: Lake) -> None:
    for name in ("a", "b"):
        row = RejectedTool(source="s", name=name, raw="", reason="r")
        shared.write({"rejected_tools": to_frame("rejected_tools", [row])}, batch=None, message=name)
    assert shared.read("rejected_tools")["name"].to_list() == ["b"]


def test_columns_are_matched_by_name_not_by_place(shared: Lake) -> None:
    frame = metrics("r05-b01", "m", value=4.5)
    shared.write({"diversity_report": frame.select(reversed(frame.columns))}, batch="r05-b01", message="reversed")
    assert shared.read("diversity_report", batch="r05-b01", columns=["metric", "value"]).rows() == [("m", 4.5)]


def test_a_failing_write_changes_no_table(lake: Lake, settings: Settings, trajectory: Trajectory) -> None:
    first = {"diversity_report": metrics(BATCH, "kept")}
    lake.write(first, batch=BATCH, message="first")
    folder = settings.home / "lake" / "data" / "main" / "raw_trajectories"
    folder.mkdir(parents=True)
    (folder / f"batch={BATCH}").write_text("in the way")
    second = {
        "diversity_report": metrics(BATCH, "lost"),
        "raw_trajectories": to_frame("raw_trajectories", [trajectory]),
    }
    with pytest.raises(StorageError, match="cannot write diversity_report, raw_trajectories: "):
        lake.write(second, batch=BATCH, message="second")
    assert lake.read("diversity_report")["metric"].to_list() == ["kept"]


def test_the_message_and_the_snapshot_name_the_write(shared: Lake) -> None:
    snapshot = shared.write({"diversity_report": metrics("r06-b01", "m")}, batch="r06-b01", message="run 42")
    assert shared.snapshot() == snapshot
    messages = shared.query("SELECT commit_message FROM lake.snapshots() WHERE snapshot_id = ?", [snapshot])
    assert messages["commit_message"].to_list() == ["run 42"]


def test_an_old_snapshot_still_shows_the_old_batch(shared: Lake) -> None:
    old = shared.write({"diversity_report": metrics("r07-b01", "old")}, batch="r07-b01", message="old")
    shared.write({"diversity_report": metrics("r07-b01", "new")}, batch="r07-b01", message="new")
    sql = f"SELECT metric FROM diversity_report AT (VERSION => {old}) WHERE batch = 'r07-b01'"
    assert shared.query(sql)["metric"].to_list() == ["old"]


def test_batches_are_read_in_numeric_order(shared: Lake) -> None:
    batches = ["r08-b99", "r08-b100", "r08-b02", "r10-b01", "r100-b01"]
    for batch in batches:
        shared.write({"diversity_report": metrics(batch, "m")}, batch=batch, message=batch)
    read = shared.read("diversity_report", batches=batches)["batch"].to_list()
    assert read == ["r08-b02", "r08-b99", "r08-b100", "r10-b01", "r100-b01"]


def test_reading_no_batches_yields_no_rows(shared: Lake) -> None:
    shared.write({"diversity_report": metrics("r09-b01", "m")}, batch="r09-b01", message="m")
    assert shared.read("diversity_report", batches=[], columns=["metric", "n"]).schema == {
        "metric": pl.String(),
        "n": pl.Int64(),
    }


def test_records_are_typed_by_their_table(shared: Lake, trajectory: Trajectory) -> None:
    with pytest.raises(StorageError, match="raw_trajectories holds Trajectory records, not Blueprint"):
        shared.records("raw_trajectories", Blueprint)


@pytest.mark.parametrize(
    ("frames", "batch", "complaint"),
    [
        ({"diversity_report": metrics("r01-b02", "m")}, "r01-b01", "1 rows of another batch than r01-b01"),
        ({"diversity_report": metrics("r01-b01", "m")}, None, "diversity_report is replaced batch by batch"),
        ({"training_set": to_frame("training_set", [])}, "r01-b01", "training_set is replaced whole"),
        ({"diversity_report": metrics("r01-b01", "m").drop("n")}, "r01-b01", "differs from the table in n"),
        ({"training_set": pl.DataFrame({"order": ["x"], "trajectory_id": ["t"], "gain": [0.1]})}, None, "other types"),
        ({"nothing": pl.DataFrame()}, None, "no table 'nothing'"),
    ],
)
def test_a_frame_that_does_not_belong_is_refused(
    shared: Lake, frames: dict[str, pl.DataFrame], batch: str | None, complaint: str
) -> None:
    with pytest.raises(StorageError, match=complaint):
        shared.write(frames, batch=batch, message="wrong")


def test_reading_what_is_not_there_is_refused_by_name(shared: Lake) -> None:
    with pytest.raises(StorageError, match="diversity_report has no column 'nope'"):
        shared.read("diversity_report", columns=["nope"])
    with pytest.raises(StorageError, match="tool_catalog has no batches"):
        shared.read("tool_catalog", batch=BATCH)


def test_no_row_is_inlined_into_the_catalog(lake: Lake, trajectory: Trajectory, settings: Settings) -> None:
    lake.write({"raw_trajectories": to_frame("raw_trajectories", [trajectory])}, batch=BATCH, message="small")
    folder = settings.home / "lake" / "data" / "main" / "raw_trajectories" / f"batch={BATCH}"
    assert len(list(folder.glob("*.parquet"))) == 1


def test_a_home_that_moves_keeps_its_rows(lake: Lake, settings: Settings, tmp_path: Path) -> None:
    lake.write({"diversity_report": metrics(BATCH, "m")}, batch=BATCH, message="before")
    lake.close()
    settings.home.rename(tmp_path / "elsewhere")
    moved = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    assert execute_read(moved, "SELECT metric FROM diversity_report")["metric"].to_list() == ["m"]
    with Lake.open(moved) as lake:
        lake.write({"diversity_report": metrics(BATCH, "n")}, batch=BATCH, message="after")
        assert lake.read("diversity_report")["metric"].to_list() == ["n"]


def test_two_homes_do_not_touch_each_other(lake: Lake, settings: Settings, tmp_path: Path) -> None:
    lake.write({"diversity_report": metrics(BATCH, "m")}, batch=BATCH, message="one")
    with Lake.open(settings.model_copy(update={"home": tmp_path / "second"})) as other:
        assert other.read("diversity_report").is_empty()


def test_maintenance_keeps_rows_and_recent_snapshots(lake: Lake, settings: Settings) -> None:
    for name in ("a", "b", "c"):
        lake.write({"diversity_report": metrics(BATCH, name)}, batch=BATCH, message=name)
    lake.maintain()  # merges what the migrations wrote
    before = lake.query("SELECT count(*) AS n FROM lake.snapshots()")["n"][0]
    counts = lake.maintain()
    assert counts["expired_snapshots"] == counts["deleted_files"] == 0
    assert lake.query("SELECT count(*) AS n FROM lake.snapshots()")["n"][0] >= before
    assert lake.read("diversity_report")["metric"].to_list() == ["c"]


def test_maintenance_forgets_what_is_a_week_old_and_its_files(lake: Lake, settings: Settings) -> None:
    for name in ("a", "b", "c"):
        lake.write({"diversity_report": metrics(BATCH, name)}, batch=BATCH, message=name)
    _age(settings, _EIGHT_DAYS_OLD)
    assert lake.maintain()["expired_snapshots"] > 0
    _age(settings, "UPDATE ducklake_files_scheduled_for_deletion SET schedule_start = datetime('now', '-2 days')")
    assert lake.maintain()["deleted_files"] == 2
    assert len(list((settings.home / "lake" / "data").rglob("*.parquet"))) == 2  # one report, one schema version
    assert lake.read("diversity_report")["metric"].to_list() == ["c"]


def test_maintenance_leaves_an_open_reader_its_files(lake: Lake, settings: Settings) -> None:
    lake.write({"diversity_report": metrics(BATCH, "old")}, batch=BATCH, message="old")
    with Lake.open(settings, read_only=True) as reader:
        reader.query("BEGIN")
        before = reader.read("diversity_report")["metric"].to_list()
        _age(settings, _EIGHT_DAYS_OLD)
        lake.write({"diversity_report": metrics(BATCH, "new")}, batch=BATCH, message="new")
        assert lake.maintain()["expired_snapshots"] > 0
        assert reader.read("diversity_report")["metric"].to_list() == before == ["old"]
        reader.query("COMMIT")
        assert reader.read("diversity_report")["metric"].to_list() == ["new"]


def test_a_persons_sql_finds_bare_table_names(lake: Lake, settings: Settings) -> None:
    lake.write({"diversity_report": metrics(BATCH, "m", value=2.0)}, batch=BATCH, message="m")
    frame = execute_read(settings, "SELECT metric, sum(n) AS n FROM diversity_report GROUP BY metric")
    assert frame.to_dicts() == [{"metric": "m", "n": 1}]


@pytest.mark.parametrize(
    ("sql", "complaint"),
    [
        (
            "SELECT nope FROM verdicts",
            r'the query failed: Binder Error: Referenced column "nope" not found .*; correct',
        ),
        ("SELEC 1", "syntax error"),
        ("SELECT CAST(version || 'x' AS INTEGER) FROM schema_version", "the query failed: Conversion Error"),
        ("SELECT INTERVAL 1 DAY", "cast such columns to VARCHAR"),
        ("-- nothing", "the query is empty"),
        ("DELETE FROM verdicts", "read-only"),
        ("CREATE TABLE mine (i INTEGER)", "read-only"),
        ("CALL lake.set_option('data_inlining_row_limit', 9)", "read-only|read only"),
    ],
)
def test_sql_that_fails_is_one_sentence(reader: Lake, sql: str, complaint: str) -> None:
    with pytest.raises(StorageError, match=complaint) as caught:
        reader.query(sql)
    assert "\n" not in str(caught.value)


def test_local_variables_are_not_tables(shared: Lake) -> None:
    secret = pl.DataFrame({"x": [1]})
    with pytest.raises(StorageError, match="secret does not exist"):
        shared.query("SELECT * FROM secret")
    assert secret.height == 1


_EIGHT_DAYS_OLD = """
    UPDATE ducklake_snapshot SET snapshot_time = datetime('now', '-8 days', '+' || snapshot_id || ' seconds')
"""


def _age(settings: Settings, statement: str) -> None:
    with sqlite3.connect(settings.home / "lake" / "catalog.sqlite") as catalog:
        catalog.execute(statement)
    catalog.close()
