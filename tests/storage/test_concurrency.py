"""Promises of locks.py and transact.py, with real processes: no row lost, none twice, no reader kept waiting."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import duckdb
import pytest

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import MetricRow
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import connect
from tdscaling_assets.storage.lake import Lake, execute_read
from tdscaling_assets.storage.locks import file_lock, postgres_lock
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.tables import MIGRATIONS
from tdscaling_assets.storage.transact import retry

WRITER = """
import sys
from pathlib import Path
from tdscaling_assets.schema import MetricRow
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import to_frame

home, catalog, me, writes = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
with Lake.open(Settings(home=home, catalog=catalog, lake_data="")) as lake:
    for number in range(writes):
        for batch in (f"r0{me}-b{number}", "r09-b01"):
            rows = [MetricRow(batch=batch, scope="batch", metric=f"m{i}", value=number, n=int(me)) for i in range(5)]
            lake.write({"diversity_report": to_frame("diversity_report", rows)}, batch=batch, message=f"{me}-{number}")
"""


def start_writer(settings: Settings, me: int, writes: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", WRITER, str(settings.home), settings.catalog, str(me), str(writes)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def finish(writer: subprocess.Popen[bytes]) -> None:
    _, complaint = writer.communicate(timeout=120)
    assert writer.returncode == 0, complaint.decode()


def write_from_three_processes(settings: Settings) -> None:
    """From an empty home, so that creating and migrating race too; all three fight over batch r09-b01."""
    for writer in [start_writer(settings, me, 3) for me in (1, 2, 3)]:
        finish(writer)
    rows = execute_read(
        settings, "SELECT batch, count(*) AS rows, count(DISTINCT n) AS writers FROM diversity_report GROUP BY 1"
    )
    batches = [f"r0{me}-b{number}" for me in (1, 2, 3) for number in range(3)]
    assert sorted(rows.rows()) == sorted((batch, 5, 1) for batch in [*batches, "r09-b01"])
    writes = "SELECT count(*) AS n FROM lake.snapshots() WHERE regexp_full_match(commit_message, '[123]-[0-2]')"
    assert execute_read(settings, writes)["n"].to_list() == [18]
    versions = execute_read(settings, "SELECT version FROM schema_version ORDER BY version")["version"].to_list()
    assert versions == [one.version for one in MIGRATIONS]


def read_while_another_process_writes(settings: Settings) -> None:
    """Every read of a batch that is being replaced sees one whole version of it, also once its writer is killed."""
    with Lake.open(settings) as lake:
        rows = [MetricRow(batch="r09-b01", scope="batch", metric=f"m{i}", value=0, n=0) for i in range(5)]
        lake.write({"diversity_report": to_frame("diversity_report", rows)}, batch="r09-b01", message="first")
    seen: set[tuple[float, int]] = set()
    with Lake.open(settings, read_only=True) as reader, start_writer(settings, 1, 100_000) as writer:
        deadline = time.monotonic() + 60
        while len(seen) < 4 and time.monotonic() < deadline and writer.poll() is None:
            seen.add(read_whole_batch(reader))
        writer.kill()
    assert len(seen) == 4
    with Lake.open(settings) as lake:
        read_whole_batch(lake)
        lake.write({"diversity_report": to_frame("diversity_report", [])}, batch="r09-b01", message="after the kill")


def read_whole_batch(lake: Lake) -> tuple[float, int]:
    """Value and writer of the batch, after checking that all its rows are of one write."""
    rows = lake.read("diversity_report", batch="r09-b01", columns=["value", "n"]).rows()
    assert len(rows) == 5
    assert len(set(rows)) == 1
    return rows[0]


def test_three_processes_write_without_lost_or_doubled_rows(settings: Settings) -> None:
    write_from_three_processes(settings)


def test_a_reader_sees_whole_batches_while_another_process_writes(settings: Settings) -> None:
    read_while_another_process_writes(settings)


def test_a_write_waits_for_the_lock(lake: Lake, settings: Settings) -> None:
    frames = {"diversity_report": to_frame("diversity_report", [])}
    writer = threading.Thread(target=lake.write, args=(frames,), kwargs={"batch": "r01-b01", "message": "late"})
    with file_lock(settings.home / "lake" / "write.lock"):
        writer.start()
        writer.join(timeout=0.5)
        assert writer.is_alive()
    writer.join(timeout=60)
    assert not writer.is_alive()


def test_a_lock_held_elsewhere_is_waited_for_then_reported(tmp_path: Path) -> None:
    path = tmp_path / "write.lock"
    with (
        file_lock(path),
        pytest.raises(StorageError, match=r"another process has held .*write\.lock for 0\.05 s: wait"),
        file_lock(path, seconds=0.05),
    ):
        pytest.fail("two holders")
    with file_lock(path, seconds=0):
        pass


def test_a_passing_failure_is_tried_again() -> None:
    failures = [duckdb.Error("database is locked"), duckdb.Error("Transaction conflict: retry")]

    def attempt() -> str:
        if failures:
            raise failures.pop()
        return "done"

    assert retry(attempt, pause_seconds=0) == "done"


def test_any_other_failure_is_not_tried_again() -> None:
    calls: list[int] = []

    def attempt() -> None:
        calls.append(1)
        raise duckdb.Error("Out of Memory")

    with pytest.raises(duckdb.Error, match="Out of Memory"):
        retry(attempt, pause_seconds=0)
    assert len(calls) == 1


def test_retries_end() -> None:
    def attempt() -> None:
        raise duckdb.Error("database is locked")

    with pytest.raises(duckdb.Error, match="locked"):
        retry(attempt, pause_seconds=0)


@pytest.mark.postgres
def test_three_processes_write_to_postgres_without_lost_or_doubled_rows(postgres_settings: Settings) -> None:
    write_from_three_processes(postgres_settings)


@pytest.mark.postgres
def test_a_reader_sees_whole_batches_of_postgres_while_another_process_writes(postgres_settings: Settings) -> None:
    read_while_another_process_writes(postgres_settings)


@pytest.mark.postgres
def test_the_advisory_lock_is_held_by_one(postgres_settings: Settings) -> None:
    libpq = postgres_settings.catalog.removeprefix("postgres:")
    with connect(postgres_settings) as one, connect(postgres_settings) as two:
        with (
            postgres_lock(one, libpq),
            pytest.raises(StorageError, match=r"another process has held the write lock .* for 0\.1 s"),
            postgres_lock(two, libpq, seconds=0.1),
        ):
            pytest.fail("two holders")
        with postgres_lock(two, libpq, seconds=0.1):
            pass
