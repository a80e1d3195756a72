"""`tds batch` as a process that is waited for by what it has finished."""

import subprocess
import time
from pathlib import Path

import pytest

PATIENCE_SECONDS = 240


def wait_for_lines(process: subprocess.Popen[str], home: Path, count: int) -> None:
    """Return as soon as the spool holds so many lines; the test fails when the process ends or takes too long."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if lines(home) >= count:
            return
        time.sleep(0.005)
    process.kill()
    pytest.fail(f"tds batch ended, or finished fewer than {count} conversations: {end(process).stderr}")


def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """How the process ended, and all it said."""
    out, err = process.communicate(timeout=PATIENCE_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def lines(home: Path) -> int:
    """Conversations in the spools of the home."""
    return sum(file.read_bytes().count(b"\n") for file in (home / "spool").glob("*.jsonl"))
