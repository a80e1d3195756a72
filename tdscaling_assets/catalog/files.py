"""A file of tools in, raw tool records out. The content decides the format, never the name:

MCP `tools/list` JSON, OpenAI function lists, one JSON object per line, Parquet; JSON and lines also gzipped.
"""

import gzip
import json
import zlib
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from tdscaling_assets.errors import ConfigError

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_EXPECTED = "expected MCP tools/list JSON, a list of OpenAI functions, one tool per line (JSONL), or Parquet"


def read_tool_file(path: Path) -> list[JsonValue]:
    """The records of the file, in its order. Records that are not tools are left for the normaliser to reject.

    Raises ConfigError when the file as a whole is something else.
    """
    content = path.read_bytes()
    if content.startswith(_PARQUET):
        return _refuse_strangers(path, _read_parquet(path))
    if content.startswith(_GZIP):
        content = _gunzip(path, content)
    return _refuse_strangers(path, _read_json(path, content))


def _gunzip(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path} is a damaged gzip file ({error}): fetch it again") from error


def _read_parquet(path: Path) -> list[JsonValue]:
    try:
        frame = pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigError(f"{path} is a damaged Parquet file ({str(error).splitlines()[0]}): write it again") from error
    return [_without_nulls(row) for row in frame.to_dicts()]


def _read_json(path: Path, content: bytes) -> list[JsonValue]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is binary or not UTF-8: {_EXPECTED}") from error
    if not text.strip():
        raise ConfigError(f"{path} is empty: {_EXPECTED}")
    try:
        return _unwrap(path, json.loads(text))
    except json.JSONDecodeError:
        return _read_lines(path, text)


def _unwrap(path: Path, value: JsonValue) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        if "mcpServers" in value:
            raise ConfigError(f"{path} is an MCP client configuration: list it under `mcp_config` instead of `file`")
        inner = value.get("result", value)
        tools = inner.get("tools") if isinstance(inner, dict) else None
        return tools if isinstance(tools, list) else [value]
    raise ConfigError(f"{path} holds a bare {type(value).__name__}: {_EXPECTED}")


def _read_lines(path: Path, text: str) -> list[JsonValue]:
    records: list[JsonValue] = []
    for line in text.splitlines():
        if line.strip():
            records.append(_parse_line(line))
    if not isinstance(records[0], dict):
        raise ConfigError(f"{path} starts with {text.strip()[:40]!r}: {_EXPECTED}")
    return records


def _parse_line(line: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(line)
    except json.JSONDecodeError:
        return line
    return value


def _refuse_strangers(path: Path, records: list[JsonValue]) -> list[JsonValue]:
    """A file in which no record is named is about something else, such as conversations."""
    if not records or any(_is_named(record) for record in records):
        return records
    first = records[0]
    seen = f"records with the keys {', '.join(sorted(first))}" if isinstance(first, dict) else repr(first)[:60]
    raise ConfigError(f"{path} holds {seen}: {_EXPECTED}, each tool with a `name`")


def _is_named(record: JsonValue) -> bool:
    if not isinstance(record, dict):
        return False
    return isinstance(record.get("name"), str) or isinstance(record.get("function"), dict)


def _without_nulls(value: JsonValue) -> JsonValue:
    """Parquet fills the fields that a nested record lacks with nulls; a schema must not have them."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
