"""Promises of the study: both arms at equal numbers kept, in homes of their own, whatever lake the settings name."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tdscaling_assets.commands import study

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def printed(home: Path) -> subprocess.CompletedProcess[str]:
    """`tds study` where TDS_CATALOG names a database that does not answer."""
    command = [str(Path(sys.executable).with_name("tds")), "study", "--budget", "2,3", "--json"]
    elsewhere = {"TDS_CATALOG": "postgres:host=127.0.0.1 port=1"}
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **elsewhere}, capture_output=True, text=True, timeout=300
    )


def test_a_study_prints_one_array_with_every_metric_of_both_arms_at_each_budget(
    printed: subprocess.CompletedProcess[str],
) -> None:
    assert printed.returncode == 0, printed.stderr
    rows = json.loads(printed.stdout)
    assert sorted((row["arm"], row["kept"], row["metric"]) for row in rows) == sorted(
        (arm, kept, metric) for arm in study.ARMS for kept in (2, 3) for metric in study.METRICS
    )


def test_the_arms_start_from_the_same_batch(printed: subprocess.CompletedProcess[str]) -> None:
    values = {arm: [row["value"] for row in json.loads(printed.stdout) if row["arm"] == arm] for arm in study.ARMS}
    assert values["quantity"] == values["diversity"]


def test_a_study_leaves_the_home_alone(printed: subprocess.CompletedProcess[str], home: Path) -> None:
    assert not home.exists()
