"""The content of a file decides how it is read; a file of something else is refused."""

import gzip
import json
from pathlib import Path

import polars as pl
import pytest

from tdscaling_assets.catalog.files import read_tool_file
from tdscaling_assets.errors import ConfigError

TOOL = {"name": "get_order", "description": "Get an order.", "inputSchema": {"type": "object", "properties": {}}}
FUNCTION = {"type": "function", "function": {"name": "get_order", "parameters": {"type": "object"}}}
LINES = (json.dumps(TOOL) + "\n" + json.dumps(TOOL) + "\n").encode()


@pytest.mark.parametrize(
    ("content", "records"),
    [
        (json.dumps({"tools": [TOOL]}).encode(), [TOOL]),
        (json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": [TOOL]}}).encode(), [TOOL]),
        (json.dumps([FUNCTION, TOOL], indent=1).encode(), [FUNCTION, TOOL]),
        (json.dumps(TOOL).encode(), [TOOL]),
        (LINES, [TOOL, TOOL]),
        (gzip.compress(LINES), [TOOL, TOOL]),
        (json.dumps(TOOL).encode() + b"\nrubbish\n", [TOOL, "rubbish"]),
    ],
)
def test_each_format_is_recognised_whatever_the_name(tmp_path: Path, content: bytes, records: list[object]) -> None:
    path = tmp_path / "tools.dat"
    path.write_bytes(content)
    assert read_tool_file(path) == records


def test_nested_parquet_schemas_come_back_without_filler_nulls(tmp_path: Path) -> None:
    schemas = [{"type": "object", "properties": {key: {"type": "string"}}} for key in ("a", "b")]
    rows = [{"name": f"tool_{i}", "inputSchema": schema} for i, schema in enumerate(schemas)]
    pl.DataFrame(rows).write_parquet(tmp_path / "tools")
    assert read_tool_file(tmp_path / "tools") == rows


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
        (b"name,description\nx,y\n", "starts with 'name,description"),
        (b"3", "a bare int"),
        (b'{"messages": []}\n{"messages": []}\n', "records with the keys messages"),
        (b'{"mcpServers": {}}', "under `mcp_config`"),
        (gzip.compress(LINES)[:-9], "damaged gzip"),
        (b"PAR1 and no more", "damaged Parquet"),
    ],
)
def test_a_wrong_file_is_refused_with_what_was_seen(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "tools.jsonl"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_tool_file(path)
    assert sentence in str(refusal.value)
