"""Which runs still have a process. Each holds a lock file in the home while it lives; the kernel frees the lock of a
process that was killed, so what Dagster still calls started is then known to be gone."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg

from tdscaling_assets.errors import StorageError
from tdscaling_assets.storage.locks import try_lock

_SECONDS_TO_RECORD = 2.0


@contextmanager
def hold_mark(home: Path, run_id: str) -> Iterator[None]:
    """Show that the run's process lives, for as long as the context is open. Raises StorageError.

    The file stays: on a full disk the run cannot even write down that it failed, and is then found dead.
    """
    path = _mark(home, run_id)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a")
    except OSError as error:
        raise StorageError(f"cannot write {path} ({error.strerror}): set TDS_HOME to a folder you can write") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def has_process(home: Path, run_id: str) -> bool | None:
    """Whether the run's process lives; None when this home never saw it."""
    try:
        with _mark(home, run_id).open() as file:
            return not try_lock(file.fileno())
    except FileNotFoundError:
        return None


def fail_dead_runs(instance: dg.DagsterInstance, home: Path) -> None:
    """Mark as failed every started run whose process is gone, so that it blocks nothing and can be run again; the
    files of ended runs are removed. Takes seconds where there is such a run: one that ends well lets go of its mark a
    moment before Dagster records the end."""
    gone = [mark for mark in sorted((home / "runs").glob("*.lock")) if has_process(home, mark.stem) is False]
    if any(_is_started(instance.get_run_by_id(mark.stem)) for mark in gone):
        time.sleep(_SECONDS_TO_RECORD)
    for mark in gone:
        run = instance.get_run_by_id(mark.stem)
        if run is None:
            continue
        if _is_started(run):
            instance.report_run_failed(run, "The process of this run is gone: it was killed, or the machine stopped.")
        mark.unlink(missing_ok=True)


def _is_started(run: dg.DagsterRun | None) -> bool:
    return run is not None and run.status is dg.DagsterRunStatus.STARTED


def _mark(home: Path, run_id: str) -> Path:
    return home / "runs" / f"{run_id}.lock"
