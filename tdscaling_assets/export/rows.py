"""Rows in, one after another, a file out: JSON lines of any rows, Parquet of OpenAI rows.

In Parquet `messages` are nested and `tools` are JSON text, because tool schemas share no one type.
"""

import json
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import polars as pl
import pyarrow.parquet as pq

from tdscaling_assets.schema import JsonObject

FUNCTION = pl.Struct({"name": pl.String, "arguments": pl.String})
CALL = pl.Struct({"id": pl.String, "type": pl.String, "function": FUNCTION})
MESSAGE = pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.List(CALL), "tool_call_id": pl.String})
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "messages": pl.List(MESSAGE),
    "tools": pl.String,
    "domain": pl.String,
    "id": pl.String,
    "mode": pl.String,
    "cac": pl.Float64,
}
GROUP_ROWS = 1000
"""Rows that are in memory at a time, and in a row group of the file."""


class JsonLines(AbstractContextManager["JsonLines"]):
    """One JSON object per line, in UTF-8."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, row: JsonObject) -> None:
        """Add a line."""
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")


class ParquetRows(AbstractContextManager["ParquetRows"]):
    """One row per conversation; a file that an error interrupts is no whole file."""

    def __init__(self, path: Path) -> None:
        self._waiting: list[JsonObject] = []
        self._file = pq.ParquetWriter(path, pl.DataFrame(schema=SCHEMA).to_arrow().schema, compression="zstd")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        self._file.close()

    def write(self, row: JsonObject) -> None:
        """Add a row."""
        self._waiting.append(row | {"tools": json.dumps(row["tools"], ensure_ascii=False)})
        if len(self._waiting) == GROUP_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._file.write_table(pl.DataFrame(self._waiting, schema=SCHEMA).to_arrow())
            self._waiting.clear()
