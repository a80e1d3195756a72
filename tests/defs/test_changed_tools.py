"""A tool that changes later changes nothing of what was said before, neither exports nor verdicts; one that is gone
covers nothing."""

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tdscaling_assets.defs.quality import judge_batch
from tdscaling_assets.defs.report import measure_batch
from tdscaling_assets.defs.training import export_training_set
from tdscaling_assets.quality.funnel import Funnel
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

CHANGE = """
    UPDATE tool_catalog SET content_hash = 'later', description = 'Another tool by now.',
    input_schema = '{"type": "object", "properties": {"later": {"type": "string"}}, "required": ["later"]}'
"""


@pytest.fixture
def settings(young_copy: Path) -> Settings:
    return Settings(home=young_copy, sandbox="bubblewrap", catalog="", lake_data="")


@pytest.fixture
def lake(settings: Settings, change_lake: Callable[[Path, str], None]) -> Iterator[Lake]:
    """Two batches, after which every tool of the catalog came to ask for something else."""
    change_lake(settings.home, CHANGE)
    with Lake.open(settings, read_only=True) as lake:
        yield lake


def test_an_export_carries_the_tools_that_were_offered(lake: Lake, settings: Settings) -> None:
    before = read_lines(settings.home / "export" / "latest" / "train.jsonl")
    summary = export_training_set(lake, settings, "again")
    assert read_lines(summary.folder / "train.jsonl") == before != []


def test_an_old_batch_judged_again_is_judged_by_the_tools_that_were_offered(lake: Lake, settings: Settings) -> None:
    judged = asyncio.run(judge_batch(lake, "r01-b01", Funnel({}, None, settings)))
    for table in ("verdicts", "filtered_trajectories"):
        assert_frame_equal(judged[table], lake.read(table, batch="r01-b01"), check_row_order=False)
    assert not judged["verdicts"].filter(pl.col("keep")).is_empty()


def test_coverage_is_of_what_there_is_now(
    young_copy: Path, settings: Settings, change_lake: Callable[[Path, str], None]
) -> None:
    change_lake(
        young_copy,
        "UPDATE tool_catalog SET present = tool_id = (SELECT min(messages[3].tool_calls[1].name) "
        "FROM filtered_trajectories); DELETE FROM business_clusters WHERE cluster_id <> "
        "(SELECT min(cluster_id) FROM filtered_trajectories)",
    )
    with Lake.open(settings, read_only=True) as lake:
        _, (together, _) = measure_batch(lake, "r01-b02", settings)
    shares = {row.metric: (row.value, row.n) for row in together}
    assert (shares["tool_coverage"], shares["cluster_coverage"]) == ((1.0, 1), (1.0, 1))


def read_lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
