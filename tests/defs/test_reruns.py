"""Promises of a re-run: a batch replaces exactly itself."""

import shutil
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tdscaling_assets.defs import run
from tdscaling_assets.storage.tables import TABLES

Tables = dict[str, pl.DataFrame]
EMPTY = ("rejected_tools", "pending_blueprints", "study")
BATCHED = [table.name for table in TABLES.values() if table.batched]


@pytest.fixture(scope="module")
def again(
    home: Path, tmp_path_factory: pytest.TempPathFactory, open_instance: Callable[[Path], dg.DagsterInstance]
) -> Path:
    """A copy of the home in which the first batch ran again, with a later batch and a later round behind it."""
    again = Path(shutil.copytree(home, tmp_path_factory.mktemp("again") / "home"))
    run.run_batch(open_instance(again), "r01-b01", {"home": str(again)})
    return again


@pytest.fixture(scope="module")
def before_and_after(home: Path, again: Path, read_tables: Callable[[Path], Tables]) -> tuple[Tables, Tables]:
    return read_tables(home), read_tables(again)


@pytest.mark.parametrize("table", TABLES)
def test_running_a_batch_again_changes_no_row(table: str, before_and_after: tuple[Tables, Tables]) -> None:
    before, after = before_and_after
    assert before[table].height > 0 or table in EMPTY
    assert_frame_equal(before[table], after[table])


@pytest.mark.parametrize("table", [table for table in BATCHED if table not in EMPTY])
def test_only_the_batch_itself_is_written_again(table: str, home: Path, again: Path) -> None:
    assert files(again, table, "r01-b01") > files(home, table, "r01-b01")
    for other in ("r01-b02", "r02-b01"):
        assert files(again, table, other) == files(home, table, other) != set()


def files(home: Path, table: str, batch: str) -> set[str]:
    """Names of the Parquet files in which the batch has been written so far."""
    return {file.name for file in (home / "lake" / "data" / "main" / table / f"batch={batch}").iterdir()}
