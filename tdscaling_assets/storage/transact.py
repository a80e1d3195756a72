"""One change of the lake at a time: the write lock, a transaction with its message, retries of passing failures."""

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import duckdb

from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import lake_folder, postgres_libpq, reason
from tdscaling_assets.storage.locks import file_lock, postgres_lock

ResultT = TypeVar("ResultT")

_ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 0.05
_PASSING = ("locked", "conflict", "could not serialize", "deadlock detected")


def write_lock(connection: duckdb.DuckDBPyConnection, settings: Settings) -> AbstractContextManager[None]:
    """The lock that every writer of this lake takes."""
    libpq = postgres_libpq(settings)
    if libpq is None:
        return file_lock(lake_folder(settings) / "write.lock")
    return postgres_lock(connection, libpq)


def transact(connection: duckdb.DuckDBPyConnection, message: str, work: Callable[[], None]) -> int:
    """Run `work` in a transaction, under the lock that the caller holds; the id of the snapshot with its result.

    `message` is kept with the snapshot; a transaction that changes nothing makes none.
    """

    def attempt() -> int:
        connection.execute("BEGIN")
        try:
            work()
            connection.execute("CALL lake.set_commit_message('tds', ?)", [message])
            connection.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # a failed COMMIT has already rolled back
                connection.execute("ROLLBACK")
            raise
        return current_snapshot(connection)

    return retry(attempt)


def retry(attempt: Callable[[], ResultT], pause_seconds: float = _FIRST_PAUSE_SECONDS) -> ResultT:
    """The result of `attempt`, tried again while clients that take no lock are in the way."""
    for left in range(_ATTEMPTS - 1, -1, -1):
        try:
            return attempt()
        except duckdb.Error as error:
            if left == 0 or not any(word in reason(error).lower() for word in _PASSING):
                raise
            time.sleep(pause_seconds)
            pause_seconds *= 2
    raise AssertionError("unreachable: the last attempt returns or raises")


def current_snapshot(connection: duckdb.DuckDBPyConnection) -> int:
    """Id of the newest snapshot."""
    return scalar(connection, "SELECT id FROM lake.current_snapshot()")


def scalar(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    """The one integer that the statement yields."""
    ((value,),) = fetch(connection, sql)
    return int(value)


def fetch(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[Any, ...]]:
    """All rows that the statement yields."""
    return connection.execute(sql).fetchall()
