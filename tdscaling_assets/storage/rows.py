"""Records ↔ frames, driven by the types that tables.py declares.

Text that UTF-8 cannot hold (a lone surrogate) is stored as U+FFFD; everything else comes back equal.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import duckdb
import polars as pl
from duckdb.sqltypes import DuckDBPyType
from pydantic import ValidationError

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import Record
from tdscaling_assets.storage.tables import Table, find_table, table_of

ItemT = TypeVar("ItemT")
RecordT = TypeVar("RecordT", bound=Record)

CHUNK_ROWS = 500
"""Rows that are Python objects at a time where many are read or written: a few MB of conversations."""
_SCALARS: dict[str, type[pl.DataType]] = {
    "varchar": pl.String,
    "bigint": pl.Int64,
    "double": pl.Float64,
    "boolean": pl.Boolean,
}


def frame_schema(table: str) -> dict[str, pl.DataType]:
    """Column names and polars types of the table, in declared order."""
    return {name: _polars_type(kind) for name, kind in _types(find_table(table)).items()}


def to_frame(table: str, records: Iterable[Record], **extra_columns: object) -> pl.DataFrame:
    """The records as a frame of exactly the table's columns and types, also when there are none. Of what an iterator
    makes, few records are in memory at a time.

    `extra_columns` hold one value for all rows, for columns that are not in the record (`batch` of a verdict).
    StorageError when a column has neither, or a value does not fit its column.
    """
    declared = find_table(table)
    pieces = [pl.DataFrame(schema=frame_schema(table))]
    for chunk in in_chunks(records):
        rows = [{**record.model_dump(), **extra_columns} for record in chunk]
        pieces.append(pl.DataFrame([_column(declared, name, kind, rows) for name, kind in _types(declared).items()]))
    return pl.concat(pieces)


def from_frame(model: type[RecordT], frame: pl.DataFrame) -> list[RecordT]:
    """One record per row, in order; columns that the record does not have are left out.

    StorageError when a row does not make a record.
    """
    types = {name: kind for name, kind in _types(table_of(model)).items() if name in model.model_fields}
    missing = [name for name in types if name not in frame.columns]
    if missing:
        raise StorageError(f"{model.__name__} needs the columns {', '.join(missing)}: read the whole table")
    rows = frame.select(list(types)).iter_rows(named=True)
    try:
        return [model.model_validate({name: _decode(row[name], kind) for name, kind in types.items()}) for row in rows]
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise StorageError(
            f"a stored row does not make a {model.__name__} ({where}: {first['msg']}): write it again with this version"
        ) from error


def in_chunks(items: Iterable[ItemT]) -> Iterator[list[ItemT]]:
    """The items in lists of CHUNK_ROWS, the last one shorter."""
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        yield chunk


@functools.cache
def _parsed(kind: str) -> DuckDBPyType:
    return duckdb.sqltype(kind)


def _types(table: Table) -> dict[str, DuckDBPyType]:
    return {name: _parsed(kind) for name, kind in table.columns.items()}


def _children(kind: DuckDBPyType) -> dict[str, DuckDBPyType]:
    """Fields of a struct, `child` of a list, `key` and `value` of a map."""
    return {name: child for name, child in kind.children if isinstance(child, DuckDBPyType)}


@functools.cache
def _polars_type(kind: DuckDBPyType) -> pl.DataType:
    if kind.id == "list":
        return pl.List(_polars_type(_children(kind)["child"]))
    if kind.id == "struct":
        return pl.Struct({name: _polars_type(child) for name, child in _children(kind).items()})
    if kind.id == "map":
        return pl.Map(pl.String(), _polars_type(_children(kind)["value"]))
    return _SCALARS[kind.id]()


def _column(table: Table, name: str, kind: DuckDBPyType, rows: list[dict[str, object]]) -> pl.Series:
    encode = _encoder(kind)
    try:
        return pl.Series(name, [encode(row[name]) for row in rows], dtype=_polars_type(kind), strict=True)
    except KeyError:
        raise StorageError(f"{table.name} has a column {name} that its records lack: pass {name}=…") from None
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise StorageError(f"a value does not fit {table.name}.{name} ({kind}): {reason}") from error


@functools.cache
def _encoder(kind: DuckDBPyType) -> Callable[[Any], object]:
    """Makes a dumped value what polars wants: JSON columns become text, tuples become lists."""
    if str(kind) == "JSON":
        return _or_none(lambda value: _utf8(json.dumps(value, ensure_ascii=False, allow_nan=False)))
    if kind.id == "varchar":
        return _or_none(_utf8)
    if kind.id == "list":
        item = _encoder(_children(kind)["child"])
        return _or_none(lambda values: [item(value) for value in values])
    if kind.id == "struct":
        fields = [(name, _encoder(child)) for name, child in _children(kind).items()]
        return _or_none(lambda values: {name: encode(values[name]) for name, encode in fields})
    if kind.id == "map":
        return _or_none(lambda values: {_utf8(name): value for name, value in values.items()})
    return lambda value: value


def _or_none(encode: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda value: None if value is None else encode(value)


def _decode(value: object, kind: DuckDBPyType) -> object:
    """What the encoder took, up to lists for tuples, which the records accept."""
    return json.loads(value) if str(kind) == "JSON" and isinstance(value, str) else value


def _utf8(text: str) -> str:
    """The text, with U+FFFD for each lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
