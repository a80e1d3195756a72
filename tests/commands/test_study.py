"""Promises of the study: both arms from one seed, in homes of their own, gone on with, and its rows stored."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tdscaling_assets.metrics.compare import ARMS, STEERED
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.locks import file_lock
from tdscaling_assets.storage.queries import stored_batches

ROOT = Path(__file__).parents[2]


def study(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("tds")), "study", *arguments]
    size = {"TDS_HOME": str(home), "TDS_BATCH_SIZE": "12", "TDS_PLATEAU_EPSILON": "9"}
    size["TDS_PLAN"] = str(home / "no-such-plan.yaml")  # arms do not read it
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **size}, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study") / "home"


@pytest.fixture(scope="module")
def printed(place: Path) -> subprocess.CompletedProcess[str]:
    """Every batch after the second of a round is a plateau, so the third batch of *diversity* is steered."""
    return study(place, "--budget", "5,24", "--json")


@pytest.fixture(scope="module")
def rows(printed: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    assert printed.returncode == 0, printed.stderr
    found: list[dict[str, Any]] = json.loads(printed.stdout)
    return found


def test_every_arm_is_measured_at_each_budget_on_both_bases(rows: list[dict[str, Any]]) -> None:
    figures = [(row["arm"], row["basis"], row["budget"], row["metric"]) for row in rows if row["metric"] in STEERED]
    assert sorted(figures) == sorted(
        (arm, basis, budget, metric)
        for arm in ARMS
        for basis in ("kept", "calls")
        for budget in (5, 24)
        for metric in STEERED
    )


def test_the_arms_start_from_the_same_batch(rows: list[dict[str, Any]]) -> None:
    first = [
        {row["metric"]: row["value"] for row in rows if (row["arm"], row["basis"], row["budget"]) == (arm, "kept", 5)}
        for arm in ARMS
    ]
    assert all(first[0][metric] == first[1][metric] for metric in STEERED)


def test_only_one_arm_is_steered(place: Path, rows: list[dict[str, Any]]) -> None:
    rounds = {}
    for arm in ARMS:
        (home,) = (place / "study").glob(f"*/{arm}-7")
        with Lake.open(Settings(home=home, catalog="", lake_data=""), read_only=True) as lake:
            rounds[arm] = {batch.split("-")[0] for batch in stored_batches(lake, "diversity_report")}
    assert rounds["quantity"] == {"r01"}
    assert rounds["diversity"] > {"r01"}


def test_the_rows_are_stored_and_the_report_shows_them(place: Path, rows: list[dict[str, Any]]) -> None:
    with Lake.open(Settings(home=place, catalog="", lake_data=""), read_only=True) as lake:
        assert lake.read("study").height == len(rows)
        assert stored_batches(lake, "raw_trajectories") == []
    assert "diversity" in (place / "report" / "index.html").read_text(encoding="utf-8")


def test_a_study_run_again_goes_on_where_it_was(place: Path, rows: list[dict[str, Any]]) -> None:
    again = study(place, "--budget", "5,24")
    assert again.returncode == 0, again.stderr
    assert "kept" not in again.stderr  # no batch was run
    assert "difference" in again.stdout and "calls whose output nothing used" in again.stdout


def test_a_batch_that_keeps_nothing_ends_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TDS_COMPLIANCE", "0")
    ended = study(tmp_path / "home", "--budget", "5")
    assert ended.returncode == 1
    assert "batch r01-b01 of" in ended.stderr and "kept nothing, so 5 are out of reach" in ended.stderr


def test_an_arm_stopped_in_its_catalog_or_a_batch_is_gone_on_with(place: Path, rows: list[dict[str, Any]]) -> None:
    (home,) = (place / "study").glob("*/quantity-7")
    with Lake.open(Settings(home=home, catalog="", lake_data="")) as lake:
        last = stored_batches(lake, "diversity_report")[-1]
        empty = {name: lake.read(name, batch=last).clear() for name in ("diversity_report", "diversity_groups")}
        lake.write(empty, batch=last, message="as if stopped")
        lake.write({"business_clusters": lake.read("business_clusters").clear()}, batch=None, message="as if stopped")
        kept = lake.read("filtered_trajectories").height
    again = study(place, "--budget", str(kept + 1))
    assert again.returncode == 0, again.stderr
    assert f"quantity, seed 7: {last}" in again.stderr


def test_two_studies_do_not_write_the_same_arm(place: Path, rows: list[dict[str, Any]]) -> None:
    (home,) = (place / "study").glob("*/quantity-7")
    with file_lock(home / "study.lock"):
        refused = study(place, "--budget", "5")
    assert refused.returncode == 1
    assert f"another process has held {home / 'study.lock'}" in refused.stderr


def test_a_study_leaves_the_home_of_others_alone(home: Path, printed: subprocess.CompletedProcess[str]) -> None:
    assert not home.exists()
