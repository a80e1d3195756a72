"""Promises of the demo: it reaches a new round, says where everything is, and goes on when run again."""

from io import StringIO
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rich.console import Console

from tdscaling_assets.commands.demo import run_demo
from tdscaling_assets.settings import load_settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import reported_batches


@pytest.fixture(scope="module")
def first(home: Path) -> tuple[str, list[str], pl.DataFrame]:
    """What a demo on a new home printed, the batches it made, and their conversations."""
    return demo()


@pytest.fixture(scope="module")
def second(first: object) -> tuple[str, list[str], pl.DataFrame]:
    """The same, run again."""
    return demo()


def demo() -> tuple[str, list[str], pl.DataFrame]:
    printed = StringIO()
    settings = load_settings(plateau_epsilon=1000.0)
    run_demo(settings, {}, Console(file=printed, width=80))
    with Lake.open(settings, read_only=True) as lake:
        return printed.getvalue(), reported_batches(lake), lake.read("raw_trajectories")


def test_a_demo_runs_batches_until_a_plateau_starts_a_new_round(first: tuple[str, list[str], pl.DataFrame]) -> None:
    printed, batches, raw = first
    assert batches == ["r01-b01", "r01-b02", "r02-b01"]
    assert "Round 1 stands still over the last batch" in printed
    assert raw.height == 18


def test_a_demo_ends_with_paths_that_exist_each_on_a_line(
    first: tuple[str, list[str], pl.DataFrame], home: Path
) -> None:
    places = dict(line.split(maxsplit=1) for line in first[0].splitlines() if line.endswith(("html", "latest", "lake")))
    assert places == {
        "Report": str(home / "report" / "index.html"),
        "Export": str(home / "export" / "latest"),
        "Tables": str(home / "lake"),
    }
    assert all(Path(place).exists() for place in places.values())


def test_a_demo_with_the_scripted_teacher_says_so(first: tuple[str, list[str], pl.DataFrame]) -> None:
    assert "The scripted teacher spoke" in first[0]


def test_a_second_demo_goes_on_where_the_first_ended(
    first: tuple[str, list[str], pl.DataFrame], second: tuple[str, list[str], pl.DataFrame]
) -> None:
    _, batches, raw = second
    assert batches == ["r01-b01", "r01-b02", "r02-b01", "r02-b02", "r03-b01"]
    assert_frame_equal(raw.filter(pl.col("batch").is_in(first[1])), first[2])
