"""Promises of migrate.py: each migration once, and no lake of another age read as if it were this one."""

import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage import migrate
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.tables import MIGRATIONS, TABLES, Migration


def test_a_new_lake_has_every_table_with_the_declared_columns(lake: Lake) -> None:
    for table in TABLES.values():
        described = lake.query(f"DESCRIBE {table.name}")
        assert described["column_name"].to_list() == list(table.columns)


def test_opening_again_migrates_nothing(stored: Settings) -> None:
    with Lake.open(stored) as lake:
        assert lake.query("SELECT commit_message FROM lake.snapshots() WHERE author = 'tds'").rows() == [
            (f"migration {migration.version}: {migration.description}",) for migration in MIGRATIONS
        ]
        assert lake.query("SELECT version FROM schema_version")["version"].to_list() == [
            migration.version for migration in MIGRATIONS
        ]


def test_a_later_migration_applies_once(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = migrate.SCHEMA_VERSION
    later = Migration(newest + 1, "a note", ("ALTER TABLE training_set ADD COLUMN note VARCHAR",))
    monkeypatch.setattr(migrate, "MIGRATIONS", (*MIGRATIONS, later))
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", newest + 1)
    with pytest.raises(StorageError, match=f"at version {newest}, older than this code's {newest + 1}: run a command"):
        Lake.open(stored, read_only=True)
    for _ in range(2):
        with Lake.open(stored) as lake:
            rows = lake.query("SELECT * FROM schema_version ORDER BY version").rows()
            assert rows.count((newest + 1, "a note")) == 1
            assert len(rows) == len(MIGRATIONS) + 1


def test_a_failing_migration_leaves_the_lake_at_its_version(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    newest = migrate.SCHEMA_VERSION
    broken = Migration(newest + 1, "broken", ("CREATE TABLE half (i BIGINT)", "CREATE TABLE verdicts (i BIGINT)"))
    with monkeypatch.context() as later:
        later.setattr(migrate, "MIGRATIONS", (*MIGRATIONS, broken))
        later.setattr(migrate, "SCHEMA_VERSION", newest + 1)
        with pytest.raises(StorageError, match="already exists"):
            Lake.open(stored)
    with Lake.open(stored) as lake:
        assert lake.query("SELECT max(version) AS v FROM schema_version")["v"].to_list() == [newest]
        assert "half" not in lake.query("SHOW TABLES")["name"].to_list()


def test_a_lake_newer_than_the_code_is_refused(stored: Settings) -> None:
    with Lake.open(stored) as lake:
        lake.query("INSERT INTO schema_version VALUES (9, 'from the future')")
    for read_only in (False, True):
        with pytest.raises(
            StorageError, match=f"version 9, newer than this code's {migrate.SCHEMA_VERSION}: upgrade tdscaling"
        ):
            Lake.open(stored, read_only=read_only)


def test_a_lake_of_the_first_version_gets_the_columns_of_domains(stored: Settings) -> None:
    with Lake.open(stored) as lake:
        for statement in (
            "ALTER TABLE tool_catalog DROP COLUMN domain_confidence",
            "ALTER TABLE tool_catalog DROP COLUMN category",
            "DELETE FROM schema_version WHERE version > 1",
        ):
            lake.query(statement)
    with Lake.open(stored) as lake:
        assert {"domain_confidence", "category"} <= {*lake.query("DESCRIBE tool_catalog")["column_name"]}
