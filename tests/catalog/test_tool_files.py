"""The content of a file decides how it is read; a file of something else is refused with what was seen."""

import gzip
import io
import json
from pathlib import Path

import polars as pl
import pytest

from tdscaling_assets.catalog.files import read_api_document, read_tool_file
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
        (gzip.compress(json.dumps({"tools": [TOOL]}).encode()), [TOOL]),
        (b"tools:\n- name: get_order\n  since: 2020-01-01\n", [{"name": "get_order", "since": "2020-01-01"}]),
        (json.dumps(TOOL).encode("utf-16"), [TOOL]),
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


def test_a_gzipped_parquet_file_is_read(tmp_path: Path) -> None:
    plain = io.BytesIO()
    pl.DataFrame([{"name": "tool"}]).write_parquet(plain)
    (tmp_path / "tools").write_bytes(gzip.compress(plain.getvalue()))
    assert read_tool_file(tmp_path / "tools") == [{"name": "tool"}]


API_YAML = b"""
openapi: 3.0.3
info: {title: Shop, version: 1.0}
paths:
  /on:
    get: {operationId: on, responses: {200: {description: ok}}}
"""
API = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": 1.0},
    "paths": {"/on": {"get": {"operationId": "on", "responses": {"200": {"description": "ok"}}}}},
}


@pytest.mark.parametrize("content", [API_YAML, gzip.compress(API_YAML), json.dumps(API).encode()])
def test_an_openapi_document_is_read_under_both_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "shop"
    path.write_bytes(content)
    assert read_tool_file(path) == read_api_document(path) == API


POSTMAN = {
    "info": {"_postman_id": "1", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"},
    "item": [{"name": "Get order"}],
}
BOMB = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty: expected MCP tools/list JSON"),
        (b"\x89PNG\r\n\x1a\n\x00", "not UTF-8"),
        (b"MZ\x00\x01", "is binary"),
        (b"name,description\nx,y\n", "is CSV with the columns name, description"),
        (b"<!doctype html>\n<html>", "is HTML or XML"),
        (b"Dear reader,\nthis is a letter.\n", "is text that starts with 'Dear reader"),
        (b"3", "a bare int"),
        (b'{"tools": [{"name": "x"}', "is damaged JSON (Expecting"),
        (b"[" * 100_000, "nested too deeply"),
        (b"a: [1\nb: 2\n", "neither JSON nor YAML"),
        (b"a: &a [*a]\n", "an alias leads back to itself"),
        (BOMB.encode(), "its aliases unfold to"),
        (b'{"messages": []}\n{"messages": []}\n', "holds conversations (a list of records with the keys messages)"),
        (b'{"messages": [], "tools": [{"name": "x"}]}', "holds conversations"),
        (b'{"log": {}}', "holds records with the keys log"),
        (b'{"mcpServers": {}}', "list it under `mcp_config` instead of `file`"),
        (b'{"swagger": "2.0", "paths": {}}', "is a Swagger 2.0 document: expected an OpenAPI 3.0 or 3.1"),
        (b'{"openapi": "4.0.0", "paths": {}}', "is an OpenAPI 4.0.0 document"),
        (json.dumps(POSTMAN).encode(), "is a Postman collection"),
        (b'{"$schema": "x", "type": "object", "properties": {}}', "is a JSON Schema"),
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
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (LINES, "list it under `file` instead of `openapi`"),
        (b'{"mcpServers": {}}', "list it under `mcp_config` instead of `openapi`"),
        (b'{"swagger": "2.0"}', "is a Swagger 2.0 document"),
        (b"name,description\nx,y\n", "expected an OpenAPI 3.0 or 3.1 document"),
    ],
)
def test_another_file_under_openapi_is_refused_with_what_to_write(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "api.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as refusal:
        read_api_document(path)
    assert sentence in str(refusal.value)
