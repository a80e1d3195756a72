"""Promises of tables.py: every table mirrors its record, in data-flow order."""

import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Record, Tool
from tdscaling_assets.storage.tables import MIGRATIONS, TABLES, Table, find_table, table_of

TABLE_LIST = list(TABLES.values())


@pytest.mark.parametrize("table", TABLE_LIST, ids=lambda table: table.name)
def test_columns_are_the_records_fields_in_order(table: Table) -> None:
    fields = list(table.record.model_fields)
    extra = [name for name in table.columns if name not in fields]
    assert [name for name in table.columns if name in fields] == fields
    assert extra in ([], ["batch"])


@pytest.mark.parametrize("table", TABLE_LIST, ids=lambda table: table.name)
def test_batched_tables_and_only_those_have_a_batch_column(table: Table) -> None:
    assert table.batched == ("batch" in table.columns)


@pytest.mark.parametrize("table", TABLE_LIST, ids=lambda table: table.name)
def test_keys_are_columns(table: Table) -> None:
    assert table.key
    assert set(table.key) <= set(table.columns)


def test_tables_are_in_data_flow_order() -> None:
    assert list(TABLES) == [
        "tool_catalog",
        "tool_versions",
        "tool_sources",
        "rejected_tools",
        "tool_graph",
        "business_clusters",
        "evolution_plan",
        "blueprints",
        "rejected_blueprints",
        "pending_blueprints",
        "raw_trajectories",
        "verdicts",
        "filtered_trajectories",
        "diversity_report",
        "diversity_groups",
        "study",
        "training_set",
    ]


def test_migrations_count_up_from_one() -> None:
    assert [migration.version for migration in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_table_is_found_by_its_record() -> None:
    assert table_of(Tool).name == "tool_catalog"


def test_an_unknown_table_is_named_with_those_that_exist() -> None:
    with pytest.raises(StorageError, match=r"no table 'trajectories': use one of tool_catalog, .*training_set"):
        find_table("trajectories")


def test_a_record_without_a_table_is_refused() -> None:
    with pytest.raises(StorageError, match="no table holds Record records"):
        table_of(Record)
