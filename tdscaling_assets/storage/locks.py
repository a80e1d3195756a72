"""One writer at a time: an exclusive lock over a file or over a Postgres database, freed when its holder dies."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from tdscaling_assets.errors import StorageError

LOCK_SECONDS = 300.0
_POLL_SECONDS = 0.01
_ADVISORY_KEY = 7_680_001


@contextmanager
def file_lock(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold `path` exclusively, between processes and between threads; StorageError after waiting `seconds`."""
    with path.open("a") as file:
        deadline = time.monotonic() + seconds
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                waited = f" for {seconds:g} s" if seconds else ""
                raise StorageError(f"another process has held {path}{waited}: wait for its run to end, or stop it")
            time.sleep(_POLL_SECONDS)
        yield


def try_lock(descriptor: int) -> bool:
    """Whether the open file is now locked by this descriptor, which frees it on close."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def postgres_lock(connection: duckdb.DuckDBPyConnection, libpq: str, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the database's advisory lock in a transaction of its own, so that poolers may sit in between."""
    quoted = libpq.replace("'", "''")
    with connection.cursor() as cursor:
        cursor.execute(f"ATTACH IF NOT EXISTS '{quoted}' AS lake_lock (TYPE postgres)")
        cursor.execute("BEGIN")
        try:
            cursor.execute("CALL postgres_execute('lake_lock', ?)", [f"SET LOCAL lock_timeout = '{seconds:g}s'"])
            _advise(cursor, seconds)
            yield
        finally:
            cursor.execute("ROLLBACK")


def _advise(cursor: duckdb.DuckDBPyConnection, seconds: float) -> None:
    lock = f"SELECT pg_advisory_xact_lock({_ADVISORY_KEY})::text AS held"
    try:
        cursor.execute("SELECT held FROM postgres_query('lake_lock', ?)", [lock]).fetchall()
    except duckdb.Error as error:
        if "lock timeout" not in str(error):
            raise
        raise StorageError(
            f"another process has held the write lock of the Postgres catalog for {seconds:g} s: "
            "wait for its run to end, or stop it"
        ) from None
