"""Which batch schedule and sensor asked for last, and when: one file in the home.

Between a request and its run Dagster shows nothing of it. A claim keeps another tick from asking meanwhile, and tells
the next one that the request came to nothing, should the daemon have died in between.
"""

import json
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from tdscaling_assets.errors import StorageError
from tdscaling_assets.storage.locks import file_lock

PATIENCE_SECONDS = 300.0
"""Seconds that a request may take to become a run."""


class Claim(NamedTuple):
    """A batch that was asked for, at a time in seconds since the epoch."""

    batch: str
    at: float


def claim(home: Path, batch: str, settled: Collection[str], now: float) -> Claim | None:
    """Ask for the batch; the claim that stands in the way instead, of one that was asked for a moment ago.

    No claim of a `settled` batch is in the way. Raises StorageError where the home cannot be written.
    """
    path = _file(home)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(path):
            last = read_claim(home)
            if last is not None and last.batch not in settled and 0 <= now - last.at < PATIENCE_SECONDS:
                return last
            path.write_text(json.dumps(Claim(batch, now)), encoding="utf-8")
            return None
    except OSError as error:
        raise StorageError(f"cannot write {path} ({error.strerror}): set TDS_HOME to a folder you can write") from error


def read_claim(home: Path) -> Claim | None:
    """The last one; None when there is none, or when a tick died while it wrote it."""
    try:
        batch, at = json.loads(_file(home).read_text(encoding="utf-8"))
        return Claim(str(batch), float(at))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _file(home: Path) -> Path:
    return home / "runs" / "claim.json"
