"""The lake: frames in, one transaction per write, frames and records out (DuckLake, https://ducklake.select).

Writers take turns under a lock; readers never wait. A batch is replaced whole, so writing it twice is writing it once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

import duckdb
import polars as pl

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Record
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.attach import (
    attach,
    catalog_file,
    connect,
    data_location,
    lake_folder,
    postgres_libpq,
    storage_errors,
)
from tdscaling_assets.storage.migrate import check_version, migrate
from tdscaling_assets.storage.rows import CHUNK_ROWS, frame_schema, from_frame
from tdscaling_assets.storage.tables import Table, find_table
from tdscaling_assets.storage.transact import current_snapshot, fetch, retry, scalar, transact, write_lock

RecordT = TypeVar("RecordT", bound=Record)

_BATCH_ORDER = "CAST(regexp_extract_all(batch, '[0-9]+') AS BIGINT[]), batch"
# CALL, because as part of a SELECT these report their work without doing it
_MERGE = "CALL ducklake_merge_adjacent_files('lake')"
_FORGET = "CALL ducklake_expire_snapshots('lake', versions => {})"
_CLEAN = "CALL ducklake_cleanup_old_files('lake', older_than => now() - INTERVAL 1 DAY)"
_REPLACED = """
    SELECT snapshot_id FROM (
        SELECT snapshot_id, lead(snapshot_time) OVER (ORDER BY snapshot_id) AS replaced FROM ducklake_snapshots('lake')
    ) WHERE replaced < now() - INTERVAL 7 DAY
"""  # not those that are merely that old: one may have been the newest, and in use, until a moment ago


class Update(NamedTuple):
    """A snapshot that holds what was to be stored, and by table how many rows it took to get there."""

    snapshot: int
    rows: dict[str, int]


class Lake:
    """One connection with the lake attached, for one thread. Every method raises StorageError and nothing else."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings

    @classmethod
    def open(cls, settings: Settings, read_only: bool = False) -> Self:
        """Attach the lake of these settings: missing folders and tables are created; read-only, nothing is."""
        with storage_errors(
            f"cannot open the lake of {settings.home}", "check TDS_HOME, TDS_CATALOG and TDS_LAKE_DATA"
        ):
            if read_only:
                _need_lake(settings)
            else:
                _make_folders(settings)
            lake = cls(connect(settings), settings)
            try:
                lake._attach(read_only)
            except BaseException:
                lake.close()
                raise
            return lake

    def close(self) -> None:
        """Release the connection; closing twice is harmless."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, frames: Mapping[str, pl.DataFrame], *, batch: str | None, message: str) -> int:
        """Replace that batch's rows (of batched tables), or the whole tables (batch None), in one transaction.

        `frames` maps table names to frames of their declared columns; `message` is kept with the snapshot. Returns
        the id of the snapshot that holds the result.
        """
        checked = {name: _check_frame(find_table(name), frame, batch) for name, frame in frames.items()}

        def replace() -> None:
            for name, frame in checked.items():
                self._replace(name, frame, batch)

        with (
            storage_errors(f"cannot write {', '.join(checked)}", "check the disk and the catalog, then run it again"),
            write_lock(self._connection, self._settings),
        ):
            return transact(self._connection, message, replace)

    def update(self, frames: Mapping[str, pl.DataFrame], *, message: str, partial: Iterable[str] = ()) -> Update:
        """Make whole tables equal to the frames, touching only rows that differ, in one transaction.

        Of tables named in `partial` the frame holds only some rows: those with other keys stay. Where nothing differs
        nothing is written, and no snapshot made.
        """
        checked = {name: _check_frame(find_table(name), frame, None) for name, frame in frames.items()}
        kept = frozenset(partial)
        rows: dict[str, int] = {}

        def bring_level() -> None:
            for name, frame in checked.items():
                rows[name] = self._bring_level(find_table(name), frame, name in kept)

        with (
            storage_errors(f"cannot write {', '.join(checked)}", "check the disk and the catalog, then run it again"),
            write_lock(self._connection, self._settings),
        ):
            return Update(transact(self._connection, message, bring_level), rows)

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """The result of one SQL statement, with each `?` bound to a parameter."""
        with storage_errors("the query failed", "correct the SQL"):
            result = self._connection.execute(sql, list(parameters))
        if result is None:
            raise StorageError("the query is empty: pass one SQL statement")
        with storage_errors("the query's result has no frame", "cast such columns to VARCHAR"):
            return _plain_integers(result.pl())

    def stream(self, sql: str, parameters: Sequence[object] = (), rows: int = CHUNK_ROWS) -> Iterator[pl.DataFrame]:
        """That result in frames of at most `rows` rows, each made when it is asked for."""
        with self._connection.cursor() as cursor:
            with storage_errors("the query failed", "correct the SQL"):
                cursor.execute("USE lake")
                reader = cursor.execute(sql, list(parameters)).to_arrow_reader(rows)
            while True:
                with storage_errors("the query's result has no frame", "cast such columns to VARCHAR"):
                    batch = next(reader, None)
                    frame = None if batch is None else pl.DataFrame(pl.from_arrow(batch))
                if frame is None:
                    return
                yield _plain_integers(frame)

    def read(
        self,
        table: str,
        *,
        batch: str | None = None,
        batches: Iterable[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """Rows of one batch, of several, or all, ordered by batch and key."""
        declared = find_table(table)
        names = _check_columns(declared, columns)
        wanted = [batch] if batch is not None else None if batches is None else sorted(set(batches))
        if wanted is not None and not declared.batched:
            raise StorageError(f"{table} has no batches: read it whole")
        if wanted == []:
            return pl.DataFrame(schema=frame_schema(table)).select(names)
        where = f"WHERE batch IN ({', '.join('?' * len(wanted))})" if wanted else ""
        order = ", ".join(([_BATCH_ORDER] if declared.batched else []) + [f'"{name}"' for name in declared.key])
        chosen = ", ".join(f'"{name}"' for name in names)
        return self.query(f"SELECT {chosen} FROM {table} {where} ORDER BY {order}", wanted or ())

    def records(
        self, table: str, model: type[RecordT], *, batch: str | None = None, batches: Iterable[str] | None = None
    ) -> list[RecordT]:
        """Those rows as records; `model` is the record that the table holds."""
        _check_record(find_table(table), model)
        return from_frame(model, self.read(table, batch=batch, batches=batches))

    def stream_records(self, table: str, model: type[RecordT], batches: Iterable[str]) -> Iterator[RecordT]:
        """The rows of those batches as records, batch by batch in the order given; of any number of them, few are in
        memory at a time."""
        declared = find_table(table)
        _check_record(declared, model)
        key = ", ".join(f'"{name}"' for name in declared.key)
        columns = ", ".join(f'"{name}"' for name in declared.columns)
        for batch in batches:
            for frame in self.stream(f"SELECT {columns} FROM {table} WHERE batch = ? ORDER BY {key}", [batch]):
                yield from from_frame(model, frame)

    def snapshot(self) -> int:
        """Id of the newest snapshot, for `AT (VERSION => id)`."""
        with storage_errors("cannot read the lake's snapshot", "check the catalog"):
            return current_snapshot(self._connection)

    def maintain(self) -> dict[str, int]:
        """Merge small files, forget snapshots replaced 7 days ago, delete files unused for a day; the count of each.

        A statement that began less than a day ago, or a transaction less than 7 days ago, is not disturbed.
        """
        with (
            storage_errors("cannot maintain the lake", "check the disk and the catalog, then run it again"),
            write_lock(self._connection, self._settings),
        ):
            merged = self._carry_out(_MERGE)
            old = [snapshot for (snapshot,) in self._carry_out(_REPLACED)]
            expired = self._carry_out(_FORGET.format(old)) if old else []
            deleted = self._carry_out(_CLEAN)
        return {"merged_partitions": len(merged), "expired_snapshots": len(expired), "deleted_files": len(deleted)}

    def _carry_out(self, sql: str) -> list[tuple[Any, ...]]:
        return retry(partial(fetch, self._connection, sql))

    def _attach(self, read_only: bool) -> None:
        if read_only:
            attach(self._connection, self._settings, read_only=True)
            check_version(self._connection)
            return
        with write_lock(self._connection, self._settings):
            attach(self._connection, self._settings, read_only=False)
            migrate(self._connection)

    def _replace(self, table: str, frame: pl.DataFrame, batch: str | None) -> None:
        if batch is None:
            self._connection.execute(f"DELETE FROM {table}")
        else:
            self._connection.execute(f"DELETE FROM {table} WHERE batch = ?", [batch])
        self._connection.register("incoming_rows", frame)
        try:
            self._connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")
        finally:
            self._connection.unregister("incoming_rows")

    def _bring_level(self, table: Table, frame: pl.DataFrame, partial: bool) -> int:
        """Delete and insert the rows of those keys whose rows differ; how many rows that were."""
        key = ", ".join(f'"{name}"' for name in table.key)
        columns = ", ".join(f'"{name}"' for name in table.columns)
        old, new = f"SELECT {columns} FROM {table.name}", f"SELECT {columns} FROM incoming_rows"
        if partial:
            old += f" WHERE ({key}) IN (SELECT ({key}) FROM incoming_rows)"
        self._connection.register("incoming_rows", frame)
        try:
            self._connection.execute(
                f"CREATE OR REPLACE TEMP TABLE touched_keys AS SELECT DISTINCT {key} FROM "
                f"(({new} EXCEPT ALL {old}) UNION ALL ({old} EXCEPT ALL {new}))"
            )
            if not scalar(self._connection, "SELECT count(*) FROM touched_keys"):
                return 0
            touched = f"({key}) IN (SELECT ({key}) FROM touched_keys)"
            ((gone,),) = fetch(self._connection, f"DELETE FROM {table.name} WHERE {touched}")
            self._connection.execute(f"INSERT INTO {table.name} BY NAME SELECT * FROM incoming_rows WHERE {touched}")
            return max(int(gone), scalar(self._connection, f"SELECT count(*) FROM incoming_rows WHERE {touched}"))
        finally:
            self._connection.unregister("incoming_rows")


def execute_read(settings: Settings, sql: str) -> pl.DataFrame:
    """The result of a person's SQL on the lake, attached read-only; bare table names resolve."""
    with Lake.open(settings, read_only=True) as lake:
        return lake.query(sql)


def _plain_integers(frame: pl.DataFrame) -> pl.DataFrame:
    """Sums of integers, which DuckDB widens to 128 bits, as integers again where they fit."""
    wide = [name for name, kind in frame.schema.items() if isinstance(kind, pl.Decimal) and kind.scale == 0]
    narrow = frame.select(pl.col(wide).cast(pl.Int64, strict=False))
    return frame.with_columns(*(column for column in narrow if column.null_count() == frame[column.name].null_count()))


def _need_lake(settings: Settings) -> None:
    if postgres_libpq(settings) is None and not catalog_file(settings).is_file():
        raise StorageError(
            f"{settings.home} holds no lake yet: run `make demo` or `tds catalog` first, or set TDS_HOME to its folder"
        )


def _make_folders(settings: Settings) -> None:
    lake_folder(settings).mkdir(parents=True, exist_ok=True)
    if "://" not in data_location(settings):
        Path(data_location(settings)).mkdir(parents=True, exist_ok=True)


def _check_record(table: Table, model: type[Record]) -> None:
    if table.record is not model:
        raise StorageError(f"{table.name} holds {table.record.__name__} records, not {model.__name__}: ask for those")


def _check_columns(table: Table, columns: Sequence[str] | None) -> list[str]:
    unknown = [name for name in columns or () if name not in table.columns]
    if unknown:
        raise StorageError(f"{table.name} has no column {unknown[0]!r}: use {', '.join(table.columns)}")
    return list(table.columns if columns is None else columns)


def _check_frame(table: Table, frame: pl.DataFrame, batch: str | None) -> pl.DataFrame:
    """The frame in declared columns and types; StorageError when it is not of this table, or not of this batch."""
    if table.batched != (batch is not None):
        raise StorageError(f"{table.name} is replaced {'batch by batch' if table.batched else 'whole'}: pass batch so")
    if set(frame.columns) != set(table.columns):
        odd = sorted(set(frame.columns) ^ set(table.columns))
        raise StorageError(f"the frame for {table.name} differs from the table in {', '.join(odd)}: use to_frame")
    schema = frame_schema(table.name)
    with storage_errors(f"the frame for {table.name} has other types than the table", "use to_frame"):
        typed = frame.select(list(schema)).cast(pl.Schema(schema))
    strangers = typed.filter(pl.col("batch").ne_missing(batch)) if table.batched else typed.clear()
    if strangers.height:
        raise StorageError(
            f"the frame for {table.name} holds {strangers.height} rows of another batch than {batch}: write each alone"
        )
    return typed
