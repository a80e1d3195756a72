"""The OpenAI rows as Parquet: `messages` nested, `tools` as JSON text, because tool schemas share no one type."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from tdscaling_assets.export.openai import openai_row
from tdscaling_assets.schema import Tool, Trajectory

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


def write_parquet(path: Path, trajectories: Iterable[Trajectory], tools: Mapping[str, Tool]) -> int:
    """Write one row per trajectory, in the order given; returns the number of rows. Raises TdsError on a fault."""
    rows = [openai_row(trajectory, tools) for trajectory in trajectories]
    frame = pl.DataFrame([row | {"tools": json.dumps(row["tools"], ensure_ascii=False)} for row in rows], schema=SCHEMA)
    frame.write_parquet(path)
    return frame.height
