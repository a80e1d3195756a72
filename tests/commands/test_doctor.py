"""Promises of `tds doctor`: it says what works, what to do about the rest, and exits 1 where a run could not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tdscaling_assets.commands.doctor import examine
from tdscaling_assets.settings import load_settings

ROOT = Path(__file__).parents[2]


def doctor(**settings: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("tds")), "doctor"]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, timeout=240
    )


def test_where_all_is_well_every_finding_is_a_line_and_the_exit_code_is_0(home: Path) -> None:
    process = doctor()
    assert (process.returncode, process.stderr) == (0, "")
    findings = {line.split()[1]: line.split()[0] for line in process.stdout.splitlines()}
    assert list(findings) == ["python", "lake", "disk", "sources", "model", "docker", "bubblewrap"]
    assert "no" not in findings.values()


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lake", {"TDS_HOME": str(ROOT / "pyproject.toml" / "home")}),
        ("sources", {"TDS_SOURCES": "/nonexistent/sources.yaml"}),
        ("model", {"TDS_MODEL": "nonsense"}),
        ("docker", {"TDS_SANDBOX": "docker", "DOCKER_HOST": "unix:///nonexistent.sock"}),
    ],
)
def test_what_stops_a_run_is_a_no_and_exit_code_1(name: str, settings: dict[str, str]) -> None:
    process = doctor(**settings)
    assert (process.returncode, process.stderr) == (1, "")
    assert [line.split()[1] for line in process.stdout.splitlines() if line.startswith("no")] == [name]


def test_a_sandbox_that_another_replaces_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    findings = {finding.name: finding for finding in examine(load_settings(sandbox="auto"))}
    assert not findings["docker"].ok
    assert not findings["docker"].needed
    assert findings["bubblewrap"].ok


def test_each_model_is_told_with_its_place_and_whether_its_price_is_known() -> None:
    settings = load_settings(
        model="openai/my-model",
        model_base_url="http://127.0.0.1:9/v1",
        model_judge="openai/gpt-4o",
        model_key="sk-secret-1",
    )
    findings = {finding.name: finding for finding in examine(settings)}
    assert findings["model"].detail == (
        "openai/gpt-4o at http://127.0.0.1:9/v1 (not called; price known); "
        "openai/my-model at http://127.0.0.1:9/v1 (not called; price unknown: see TDS_PRICES)"
    )
