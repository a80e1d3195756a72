"""Promises of migrate.py: each migration once, and no lake of another age read as if it were this one."""

import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import BusinessCluster, Record, RoundPlan, Tool
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage import migrate
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.tables import MIGRATIONS, TABLES, Migration

NEXT = MIGRATIONS[-1].version + 1


def test_a_new_lake_has_every_table_with_the_declared_columns(lake: Lake) -> None:
    for table in TABLES.values():
        described = lake.query(f"DESCRIBE {table.name}")
        assert described["column_name"].to_list() == list(table.columns)


def test_opening_again_migrates_nothing(stored: Settings) -> None:
    with Lake.open(stored) as lake:
        assert lake.query("SELECT commit_message FROM lake.snapshots() WHERE author = 'tds'").rows() == [
            ("; ".join(f"migration {one.version}: {one.description}" for one in MIGRATIONS),)
        ]
        assert lake.query("SELECT version FROM schema_version")["version"].to_list() == [
            one.version for one in MIGRATIONS
        ]


def test_clusters_of_a_lake_of_version_1_have_no_coverage_and_no_purpose(
    stored: Settings, samples: dict[str, list[Record]]
) -> None:
    with Lake.open(stored) as lake:
        frame = to_frame("business_clusters", samples["business_clusters"])
        lake.write({"business_clusters": frame}, batch=None, message="before")
        for column in ("coverage", "purpose"):
            lake.query(f"ALTER TABLE business_clusters DROP COLUMN {column}")
        lake.query("DELETE FROM schema_version WHERE version > 1")
    with Lake.open(stored) as lake:
        clusters = lake.records("business_clusters", BusinessCluster)
        described = lake.query("DESCRIBE business_clusters")["column_name"].to_list()
    assert [(cluster.coverage, cluster.purpose) for cluster in clusters] == [(None, "")] * 2
    assert described == list(TABLES["business_clusters"].columns)


def test_plans_of_a_lake_of_version_5_have_no_targets_and_no_reasons(
    stored: Settings, samples: dict[str, list[Record]]
) -> None:
    added = ("cluster_weights", "mode_targets", "candidates", "reasons")
    with Lake.open(stored) as lake:
        frame = to_frame("evolution_plan", samples["evolution_plan"], batch="r01-b01")
        lake.write({"evolution_plan": frame}, batch="r01-b01", message="before")
        for column in added:
            lake.query(f"ALTER TABLE evolution_plan DROP COLUMN {column}")
        lake.query("DELETE FROM schema_version WHERE version > 5")
    with Lake.open(stored) as lake:
        (plan,) = lake.records("evolution_plan", RoundPlan)
    assert [getattr(plan, name) for name in added] == [{}, {}, 1.0, {}]


def test_a_later_migration_applies_once(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    later = Migration(NEXT, "a note", ("ALTER TABLE training_set ADD COLUMN note VARCHAR",))
    monkeypatch.setattr(migrate, "MIGRATIONS", (*MIGRATIONS, later))
    monkeypatch.setattr(migrate, "SCHEMA_VERSION", NEXT)
    with pytest.raises(
        StorageError, match=f"the lake is at version {NEXT - 1}, older than this code's {NEXT}: run a command"
    ):
        Lake.open(stored, read_only=True)
    for _ in range(2):
        with Lake.open(stored) as lake:
            assert lake.query("SELECT * FROM schema_version ORDER BY version").rows() == [
                *((one.version, one.description) for one in MIGRATIONS),
                (NEXT, "a note"),
            ]


def test_a_failing_migration_leaves_the_lake_at_its_version(stored: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(NEXT, "broken", ("CREATE TABLE half (i BIGINT)", "CREATE TABLE verdicts (i BIGINT)"))
    with monkeypatch.context() as later:
        later.setattr(migrate, "MIGRATIONS", (*MIGRATIONS, broken))
        later.setattr(migrate, "SCHEMA_VERSION", NEXT)
        with pytest.raises(StorageError, match="already exists"):
            Lake.open(stored)
    with Lake.open(stored) as lake:
        assert lake.query("SELECT max(version) AS v FROM schema_version")["v"].to_list() == [NEXT - 1]
        assert "half" not in lake.query("SHOW TABLES")["name"].to_list()


def test_a_lake_newer_than_the_code_is_refused(stored: Settings) -> None:
    with Lake.open(stored) as lake:
        lake.query("INSERT INTO schema_version VALUES (99, 'from the future')")
    for read_only in (False, True):
        with pytest.raises(
            StorageError, match=f"the lake is at version 99, newer than this code's {NEXT - 1}: upgrade tdscaling"
        ):
            Lake.open(stored, read_only=read_only)


def test_a_lake_of_version_1_keeps_its_tools(stored: Settings) -> None:
    with Lake.open(stored) as lake:
        lake.query("DELETE FROM schema_version WHERE version > 1")
        lake.query("DROP TABLE tool_versions")
        lake.query("DROP TABLE tool_sources")
        lake.query("ALTER TABLE tool_catalog DROP COLUMN canonical_id")
        lake.query("ALTER TABLE tool_catalog DROP COLUMN present")
        lake.query(
            "INSERT INTO tool_catalog BY NAME SELECT 'a' AS tool_id, 's' AS server, 'a' AS name, '' AS description, "
            "'{}' AS input_schema, 'd' AS domain, 'f' AS source, 'mcp' AS executor, 'h' AS content_hash"
        )
    with Lake.open(stored) as lake:
        (tool,) = lake.records("tool_catalog", Tool)
        assert (tool.tool_id, tool.present, tool.canonical_id) == ("a", True, None)
        assert lake.read("tool_versions").is_empty() and lake.read("tool_sources").is_empty()


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
