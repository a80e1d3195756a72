"""`sources.yaml` in, frozen source records out. Everything wrong with the file is a ConfigError in one sentence."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import Record


class BuiltinSource(Record):
    """The services that ship with the package: `all`, or those named."""

    builtin: Literal["all"] | tuple[str, ...]
    domain: str | None = None


class McpSource(Record):
    """Live MCP servers, listed in the `mcpServers` JSON at `mcp_config`: up to `at_once` are visited at the same time,
    each gets `timeout` seconds to answer unless its own entry says otherwise.

    `execute` names the servers whose tools really run: `true` for those that do no harm, or the names of some."""

    mcp_config: Path
    domain: str | None = None
    timeout: Annotated[float, Field(gt=0)] = 60.0
    at_once: Annotated[int, Field(ge=1)] = 8
    execute: dict[str, Literal[True] | tuple[str, ...]] = Field(default_factory=dict)


class FileSource(Record):
    """Tool definitions in the file at `file`."""

    file: Path
    domain: str | None = None


class OpenapiSource(Record):
    """The operations of the OpenAPI 3.0 or 3.1 document at `openapi`."""

    openapi: Path
    domain: str | None = None


Source = BuiltinSource | McpSource | FileSource | OpenapiSource

_KINDS: dict[str, type[Source]] = {
    "builtin": BuiltinSource,
    "mcp_config": McpSource,
    "file": FileSource,
    "openapi": OpenapiSource,
}
_WANTED = {
    "builtin": "`all` or a list of service names",
    "mcp_config": "the path of an MCP client configuration",
    "file": "the path of a file of tools",
    "openapi": "the path of an OpenAPI document",
    "domain": "the name of a business domain",
    "timeout": "a number of seconds above 0",
    "at_once": "a whole number of servers, at least 1",
    "execute": "a mapping of server names to `true` or a list of tool names",
}
_EXAMPLE = "`sources: [{builtin: all}]`"


def read_sources(path: Path) -> tuple[Source, ...]:
    """The entries of a sources file, in its order, with paths resolved against its folder."""
    entries = _entries(path, _load_yaml(path))
    return tuple(_read_entry(path, position, entry) for position, entry in enumerate(entries, start=1))


def label_sources(sources: Sequence[Source]) -> list[str]:
    """What stored tools call each source: kind and file name, with a number where two are alike."""
    seen: Counter[str] = Counter()
    labels: list[str] = []
    for source in sources:
        label = _label(source)
        seen[label] += 1
        labels.append(label if seen[label] == 1 else f"{label}#{seen[label]}")
    return labels


def _label(source: Source) -> str:
    match source:
        case BuiltinSource():
            return "builtin"
        case McpSource():
            return f"mcp_config:{source.mcp_config.name}"
        case OpenapiSource():
            return f"openapi:{source.openapi.name}"
        case FileSource():
            return f"file:{source.file.name}"


def _load_yaml(path: Path) -> object:
    if not path.is_file():
        raise ConfigError(
            f"sources file {path} does not exist: write one ({_EXAMPLE} is enough) or point TDS_SOURCES at yours"
        )
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        cause = " ".join(str(error).split())
        raise ConfigError(
            f"sources file {path} is not YAML ({cause}): correct it, for example to {_EXAMPLE}"
        ) from error


def _entries(path: Path, content: object) -> list[object]:
    if isinstance(content, dict):
        unknown = sorted(str(key) for key in content if key != "sources")
        if unknown:
            raise ConfigError(f"sources file {path} has the unknown key {unknown[0]!r}: its only key is `sources`")
        content = content.get("sources")
    if not isinstance(content, list) or not content:
        raise ConfigError(f"sources file {path} lists no sources: give it at least one entry, such as {_EXAMPLE}")
    return content


def _read_entry(path: Path, position: int, entry: object) -> Source:
    where = f"entry {position} of {path}"
    if entry == "builtin":
        entry = {"builtin": "all"}
    if not isinstance(entry, dict):
        raise ConfigError(f"{where} is {entry!r}: write a mapping such as `builtin: all` or `file: tools.jsonl`")
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) != 1:
        seen = ", ".join(map(str, entry)) or "nothing"
        raise ConfigError(f"{where} has the keys {seen}: give it exactly one of {', '.join(_KINDS)}")
    return _validated(path, where, kinds[0], entry)


def _validated(path: Path, where: str, kind: str, entry: dict[str, object]) -> Source:
    record = _KINDS[kind]
    unknown = [key for key in entry if key not in record.model_fields]
    if unknown:
        legal = ", ".join(record.model_fields)
        raise ConfigError(f"{where} has the unknown key {unknown[0]!r}: a {kind} source takes {legal}")
    try:
        source = record.model_validate(entry)
    except ValidationError as error:
        key = str(error.errors()[0]["loc"][0])
        raise ConfigError(f"{where} has {key} {entry[key]!r}: give {_WANTED[key]}") from error
    if isinstance(source, BuiltinSource):
        return source
    target = path.parent / str(entry[kind])
    if not target.is_file():
        seen = "is a folder, not a file" if target.is_dir() else "is not a file"
        raise ConfigError(f"{where} names {target}, which {seen}: correct the path, relative to {path.parent}")
    return source.model_copy(update={kind: target})
