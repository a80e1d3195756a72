"""Replies that were paid for: one SQLite file in the home, both the cache that resuming reads and the book of costs.

Each row is committed before the reply is used, so a killed process loses no reply that it received.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Role, Usage
from tdscaling_assets.storage.locks import file_lock

_TABLE = """
CREATE TABLE IF NOT EXISTS replies (
  key TEXT PRIMARY KEY, at TEXT NOT NULL, batch TEXT NOT NULL, role TEXT NOT NULL, model TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, usd REAL, seconds REAL NOT NULL,
  reply TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS replies_at ON replies (at);
CREATE INDEX IF NOT EXISTS replies_batch ON replies (batch);
"""
_PUT = """
INSERT INTO replies VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET reply = excluded.reply, usd = usd + excluded.usd,
  at = excluded.at, batch = excluded.batch
"""
_BUSY_SECONDS = 30.0
_NOON = timedelta(hours=12)


class RoleCost(NamedTuple):
    """What calls of one role and model cost so far: their number, then means per call; `usd` None if unpriced."""

    calls: int
    prompt_tokens: float
    completion_tokens: float
    usd: float | None
    seconds: float


class Replies:
    """The open file, for one batch ("" for calls of no batch). Raises StorageError."""

    def __init__(self, home: Path, batch: str, keep_days: int) -> None:
        """Replies older than `keep_days` are forgotten."""
        self._path = home / "cache" / "replies.sqlite"
        self._batch = batch
        with self._errors():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with file_lock(self._path.with_suffix(".lock")):  # SQLite does not wait for one who turns WAL on
                self._file = _open(self._path, datetime.now(UTC) - timedelta(days=keep_days))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; closing twice is harmless."""
        self._file.close()

    def get(self, key: str) -> str | None:
        """The reply kept under that key."""
        with self._errors():
            row = self._file.execute("SELECT reply FROM replies WHERE key = ?", [key]).fetchone()
        return str(row[0]) if row else None

    def put(self, key: str, role: Role, reply: str, usage: Usage) -> None:
        """Keep a reply. It takes the place of one that is there, which was paid for as well."""
        cost = (usage.prompt_tokens, usage.completion_tokens, usage.usd, usage.seconds)
        row = (key, datetime.now(UTC).isoformat(), self._batch, role, usage.model, *cost, reply)
        with self._errors():
            self._file.execute(_PUT, row)

    def spent_on_batch(self) -> float:
        """USD of this batch's replies; unpriced ones count as nothing."""
        return self._sum("batch = ?", self._batch)

    def spent_this_night(self) -> float:
        """USD of all replies since the last noon in UTC."""
        now = datetime.now(UTC)
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        return self._sum("at >= ?", (noon if now >= noon else noon - 2 * _NOON).isoformat())

    def costs(self) -> dict[tuple[str, str], RoleCost]:
        """What calls cost so far, by role and model."""
        with self._errors():
            rows = self._file.execute(
                "SELECT role, model, count(*), avg(prompt_tokens), avg(completion_tokens), "
                "CASE WHEN count(usd) = count(*) THEN avg(usd) END, avg(seconds) FROM replies GROUP BY role, model"
            ).fetchall()
        return {(role, model): RoleCost(*means) for role, model, *means in rows}

    def _sum(self, condition: str, value: str) -> float:
        with self._errors():
            query = f"SELECT coalesce(sum(usd), 0) FROM replies WHERE {condition}"
            return float(self._file.execute(query, [value]).fetchone()[0])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"cannot use the cache of replies {self._path}: {error}; check the disk and TDS_HOME, "
                "or move the file away"
            ) from error


def _open(path: Path, oldest: datetime) -> sqlite3.Connection:
    """The file with its table, without the replies that are older."""
    file = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute("PRAGMA synchronous = NORMAL")
        file.executescript(_TABLE)
        file.execute("DELETE FROM replies WHERE at < ?", [oldest.isoformat()])
    except sqlite3.Error:
        file.close()
        raise
    return file
