"""Promises of a team's PostgreSQL server: a lake does what it does on SQLite, and Dagster keeps its records there."""

import re
from pathlib import Path

import dagster as dg
import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Record, Trajectory
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import attach_statement, connect
from tdscaling_assets.storage.lake import Lake, execute_read
from tdscaling_assets.storage.rows import from_frame, to_frame
from tdscaling_assets.storage.tables import MIGRATIONS, TABLES

pytestmark = pytest.mark.postgres
BATCH = "r01-b01"


def test_every_record_comes_back_equal(postgres_settings: Settings, samples: dict[str, list[Record]]) -> None:
    with Lake.open(postgres_settings) as lake:
        for name, table in TABLES.items():
            extra = {"batch": BATCH} if name in ("verdicts", "evolution_plan") else {}
            batch = BATCH if table.batched else None
            lake.write({name: to_frame(name, samples[name], **extra)}, batch=batch, message="run 1")
            back = from_frame(table.record, lake.read(name))
            assert sorted(back, key=repr) == sorted(samples[name], key=repr), name


def test_replacing_reading_and_maintaining(postgres_settings: Settings, trajectory: Trajectory) -> None:
    frames = {"raw_trajectories": to_frame("raw_trajectories", [trajectory])}
    with Lake.open(postgres_settings) as lake:
        for _ in range(2):
            snapshot = lake.write(frames, batch=BATCH, message="run 2")
        assert lake.maintain()["deleted_files"] == 0
    messages = f"SELECT commit_message AS m FROM lake.snapshots() WHERE snapshot_id = {snapshot}"
    assert execute_read(postgres_settings, messages)["m"].to_list() == ["run 2"]
    with Lake.open(postgres_settings, read_only=True) as reader:
        assert reader.records("raw_trajectories", Trajectory) == [trajectory]
        with pytest.raises(StorageError, match="read-only"):
            reader.query("DELETE FROM raw_trajectories")


def test_a_reader_of_an_empty_database_makes_nothing(postgres_settings: Settings) -> None:
    with pytest.raises(StorageError, match="cannot open the lake of "):
        Lake.open(postgres_settings, read_only=True)
    assert not postgres_settings.home.exists()


def test_data_in_another_place_than_the_catalog_says_is_refused(postgres_settings: Settings) -> None:
    Lake.open(postgres_settings).close()
    elsewhere = postgres_settings.model_copy(update={"lake_data": str(postgres_settings.home / "other")})
    with pytest.raises(StorageError, match=r"does not match existing data path .* check TDS_HOME, TDS_CATALOG and"):
        Lake.open(elsewhere)


def test_the_statement_attaches_the_lake(postgres_settings: Settings) -> None:
    Lake.open(postgres_settings).close()
    statement = attach_statement(postgres_settings)
    assert "INSTALL postgres; LOAD postgres;" in statement
    with connect(postgres_settings) as client:
        client.execute(statement[statement.index("ATTACH ") :])
        assert client.execute("SELECT version FROM schema_version").fetchall() == [(one.version,) for one in MIGRATIONS]


def test_what_dagster_yaml_says_a_team_sets_keeps_runs_there(
    postgres_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = dict(part.split("=", 1) for part in postgres_settings.catalog.removeprefix("postgres:").split())
    address = f"{told['user']}@{told['host']}:{told['port']}/{told['dbname']}"
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", f"postgresql+psycopg2://{address}")
    config = (Path(__file__).parents[2] / "dagster.yaml").read_text(encoding="utf-8")
    commented = re.search(r"(# storage:\n(?:#  .*\n)+)", config)
    assert commented is not None
    config = config.replace(commented[0], commented[0].replace("# ", "", 1).replace("\n# ", "\n"))
    for folder in ("one machine", "another"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dagster.yaml").write_text(config, encoding="utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path / "one machine")) as instance:
        instance.add_dynamic_partitions("batch", ["r01-b01"])
    with dg.DagsterInstance.from_config(str(tmp_path / "another")) as instance:
        assert instance.get_dynamic_partitions("batch") == ["r01-b01"]
