"""A file of a source in, what it is about out: tool records, an API document or a client configuration.

A file may be listed under the wrong word of `sources.yaml`, or be something else altogether; its refusal names what
was expected, what was seen and the word to write.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from tdscaling_assets.catalog.content import read_content
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.remote.config import McpServer, RefusedServer, read_servers
from tdscaling_assets.schema import JsonObject

Word = Literal["file", "openapi", "mcp_config"]
Kind = Literal["tools", "openapi", "swagger", "mcp_config", "postman", "conversations", "json_schema", "unknown"]

_EXPECTED: dict[Word, str] = {
    "file": "expected MCP tools/list JSON, a list of OpenAI functions, one tool per line (JSONL), Parquet or OpenAPI",
    "openapi": "expected an OpenAPI 3.0 or 3.1 document as JSON or YAML",
    "mcp_config": 'expected JSON such as {"mcpServers": {"name": {"command": …}}}',
}
_VERSIONS = ("3.0", "3.1")
_SCHEMA_WORDS = {"$schema", "$defs", "properties", "allOf", "anyOf", "oneOf", "items"}


def read_tool_file(path: Path) -> list[JsonValue] | JsonObject:
    """The records of a file of tools, in its order, or the OpenAPI document that the file turns out to be.

    Records that are not tools are left for the normaliser. Raises ConfigError when the file is about something else.
    """
    content = read_content(path, _EXPECTED["file"])
    kind = recognise(content)
    if kind == "openapi" and isinstance(content, dict):
        return _checked_version(path, content)
    if kind != "tools":
        raise ConfigError(_refusal(path, "file", kind, content))
    return _records(content)


def read_api_document(path: Path) -> JsonObject:
    """The OpenAPI 3.0 or 3.1 document of the file. Raises ConfigError when it is anything else."""
    return _checked_version(path, _read_object(path, "openapi"))


def read_mcp_config(path: Path, environment: Mapping[str, str]) -> tuple[McpServer | RefusedServer, ...]:
    """The servers of the MCP client configuration in the file, by name. Raises ConfigError when it is anything else."""
    return read_servers(_read_object(path, "mcp_config")["mcpServers"], path, environment)


def recognise(content: JsonValue) -> Kind:
    """What a value is about, from its keys; a list is about what its first record is, unless any record has a name."""
    if isinstance(content, list):
        if not content or any(_is_named(record) for record in content):
            return "tools"
        kind = recognise(content[0]) if isinstance(content[0], dict) else "unknown"
        return kind if kind in ("conversations", "json_schema") else "unknown"
    if not isinstance(content, dict):
        return "unknown"
    return _recognise_object(content)


def _recognise_object(content: JsonObject) -> Kind:
    if "openapi" in content:
        return "openapi"
    if "swagger" in content:
        return "swagger"
    if "mcpServers" in content:
        return "mcp_config"
    if _is_postman(content.get("info")):
        return "postman"
    if "messages" in content or "conversations" in content:
        return "conversations"
    if _is_named(content) or _listed_tools(content) is not None:
        return "tools"
    return "json_schema" if _SCHEMA_WORDS & set(content) else "unknown"


def _read_object(path: Path, word: Word) -> JsonObject:
    content = read_content(path, _EXPECTED[word])
    kind = recognise(content)
    if kind == word and isinstance(content, dict):
        return content
    raise ConfigError(_refusal(path, word, kind, content))


def _checked_version(path: Path, document: JsonObject) -> JsonObject:
    version = str(document["openapi"])
    if not version.startswith(_VERSIONS):
        raise ConfigError(f"{path} is an OpenAPI {version[:20]} document: {_EXPECTED['openapi']}")
    return document


def _refusal(path: Path, word: Word, kind: Kind, content: JsonValue) -> str:
    expected = _EXPECTED[word]
    match kind:
        case "swagger":
            return (
                f"{path} is a Swagger 2.0 document: {_EXPECTED['openapi']}; "
                "convert it (swagger2openapi does) and list the result under `openapi`"
            )
        case "openapi":
            return f"{path} is an OpenAPI document: list it under `openapi` instead of `{word}`"
        case "mcp_config":
            return f"{path} is an MCP client configuration: list it under `mcp_config` instead of `{word}`"
        case "tools":
            return f"{path} holds tool definitions: list it under `file` instead of `{word}`"
        case "postman":
            return f"{path} is a Postman collection: {expected}; export the API as OpenAPI and list that"
        case "conversations":
            return f"{path} holds conversations ({_seen(content)}): {expected}"
        case "json_schema":
            return f"{path} is a JSON Schema ({_seen(content)}): {expected}; a tool also has a `name`"
        case "unknown":
            return f"{path} holds {_seen(content)}: {expected}"


def _seen(content: JsonValue) -> str:
    if isinstance(content, list):
        return f"a list of {_seen(content[0])}"
    if isinstance(content, dict):
        return f"records with the keys {', '.join(sorted(content)[:8])}"
    return f"a bare {type(content).__name__}"


def _records(content: JsonValue) -> list[JsonValue]:
    if isinstance(content, list):
        return content
    listed = _listed_tools(content) if isinstance(content, dict) else None
    return [content] if listed is None else listed


def _listed_tools(content: JsonObject) -> list[JsonValue] | None:
    inner = content.get("result", content)
    tools = inner.get("tools") if isinstance(inner, dict) else None
    return tools if isinstance(tools, list) else None


def _is_named(record: JsonValue) -> bool:
    if not isinstance(record, dict):
        return False
    return isinstance(record.get("name"), str) or isinstance(record.get("function"), dict)


def _is_postman(info: JsonValue) -> bool:
    return isinstance(info, dict) and ("_postman_id" in info or "getpostman" in str(info.get("schema")))
