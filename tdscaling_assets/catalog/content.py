"""A file in, the JSON value it holds out. The content decides the format, never the name:

JSON, one JSON value per line, YAML, Parquet; each text also gzipped. What cannot be read is a ConfigError that says
what was expected and what was seen.
"""

import codecs
import gzip
import json
import zlib
from pathlib import Path

import polars as pl
from pydantic import JsonValue

from tdscaling_assets.catalog.yaml_text import UnreadableYamlError, parse_yaml
from tdscaling_assets.errors import ConfigError

_GZIP, _PARQUET = b"\x1f\x8b", b"PAR1"
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SHOWN = 40  # characters of a strange file that its refusal quotes


def read_content(path: Path, expected: str) -> JsonValue:
    """The value of the file; lines and Parquet rows become a list, in order; a line that is not JSON stays text.

    `expected` ends the sentence of the ConfigError that a file of another format raises.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): {expected}") from error
    if content.startswith(_GZIP):
        content = _gunzip(path, content)
    if content.startswith(_PARQUET):
        return _read_parquet(path, content)
    return _read_text(path, _decode(path, content, expected), expected)


def _gunzip(path: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise ConfigError(f"{path} is a damaged gzip file ({error}): fetch it again") from error


def _read_parquet(path: Path, content: bytes) -> list[JsonValue]:
    try:
        frame = pl.read_parquet(content)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise ConfigError(f"{path} is a damaged Parquet file ({str(error).splitlines()[0]}): write it again") from error
    return [_without_nulls(row) for row in frame.to_dicts()]


def _without_nulls(value: JsonValue) -> JsonValue:
    """Parquet fills the fields that a nested record lacks with nulls; a schema must not have them."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _decode(path: Path, content: bytes, expected: str) -> str:
    try:
        text = content.decode("utf-16" if content.startswith(_UTF16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is binary or not UTF-8: {expected}") from error
    if not text.strip():
        raise ConfigError(f"{path} is empty: {expected}")
    if "\0" in text:
        raise ConfigError(f"{path} is binary (it has zero bytes): {expected}")
    return text


def _read_text(path: Path, text: str, expected: str) -> JsonValue:
    try:
        return _parse_json(text)
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply to be read: {expected}") from error
    except json.JSONDecodeError as error:
        damage = f"{error.msg} at line {error.lineno}, column {error.colno}"
    lines = [_parse_line(line) for line in text.splitlines() if line.strip()]
    if isinstance(lines[0], dict):
        return lines
    if text.lstrip().startswith(("{", "[")):
        raise ConfigError(f"{path} is damaged JSON ({damage}): {expected}")
    if text.lstrip().startswith("<"):
        raise ConfigError(f"{path} is HTML or XML (it starts with {_start(text)!r}): {expected}")
    return _read_yaml(path, text, expected)


def _read_yaml(path: Path, text: str, expected: str) -> JsonValue:
    try:
        value = parse_yaml(text)
    except UnreadableYamlError as error:
        raise ConfigError(f"{path} is neither JSON nor YAML ({error}): {expected}") from error
    if isinstance(value, dict | list):
        return value
    if columns := _csv_columns(text):
        raise ConfigError(f"{path} is CSV with the columns {', '.join(columns)}: {expected}")
    raise ConfigError(f"{path} is text that starts with {_start(text)!r}: {expected}")


def _parse_json(text: str) -> JsonValue:
    value: JsonValue = json.loads(text)
    return value


def _parse_line(line: str) -> JsonValue:
    try:
        return _parse_json(line)
    except (json.JSONDecodeError, RecursionError):
        return line


def _csv_columns(text: str) -> list[str]:
    """The names in the first line when the second has as many fields or more; [] when this is no table."""
    head, *rest = text.strip().splitlines()[:2]
    for mark in (",", ";", "\t"):
        if mark in head and rest and rest[0].count(mark) >= head.count(mark):
            return [column.strip(' "') for column in head.split(mark)][:6]
    return []


def _start(text: str) -> str:
    return " ".join(text.split())[:_SHOWN]
