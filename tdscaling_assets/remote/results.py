"""What an MCP server answered to a call in, a JSON value and whether it is a success out; nothing in it is too long.

Structured content where there is some, else the texts, read as JSON where they are one JSON value; other content is
named in their place. The forms of marks are our own.
"""

import json

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic import JsonValue

from tdscaling_assets.measures import observation_failed
from tdscaling_assets.schema import Record, parse_value
from tdscaling_assets.secrets import Secrets

_SHORTEST_LIST = 2  # items that stay when a list is cut


class RemoteResult(Record):
    """`value` is what the tool returned; an error that does not look like one stands in `{"error": {…}}`."""

    ok: bool
    value: JsonValue


def read_result(result: CallToolResult, secrets: Secrets, longest: int) -> RemoteResult:
    """The result, with the secrets masked and at most about `longest` characters of JSON."""
    value = _value(result)
    if result.is_error or observation_failed(json.dumps(value)):
        return read_error("tool_error", value, secrets, longest)
    return RemoteResult(ok=True, value=cut(secrets.mask_record(value), longest))


def read_error(code: str, value: JsonValue, secrets: Secrets, longest: int) -> RemoteResult:
    """An error that the server reported, in the form that is known as one everywhere."""
    value = cut(secrets.mask_failure(value), longest)
    if observation_failed(json.dumps(value)):
        return RemoteResult(ok=False, value=value)
    message = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return RemoteResult(ok=False, value={"error": {"code": code, "message": message}})


def cut(value: JsonValue, longest: int) -> JsonValue:
    """The value with its texts cut at `longest`, then its longest lists halved until its JSON is no longer than that;
    what is then still too long is its JSON as a cut text. Every cut leaves a mark that says how much is gone."""
    value = _cut_texts(value, longest)
    left_out: dict[int, int] = {}
    while isinstance(value, dict | list) and _length(value) > longest:
        lists = [part for part in _lists(value) if len(part) - (id(part) in left_out) > _SHORTEST_LIST]
        if not lists:
            return _cut_text(json.dumps(value, ensure_ascii=False), longest)
        _halve(max(lists, key=_length), left_out)
    return value


def _value(result: CallToolResult) -> JsonValue:
    if result.structured_content is not None:
        structured: JsonValue = result.structured_content
        return structured
    text = "\n".join(map(_said, result.content))
    if all(isinstance(part, TextContent) for part in result.content):
        return parse_value(text)
    return text


def _said(part: ContentBlock) -> str:
    """A text as it is; of anything else its kind, type and size."""
    match part:
        case TextContent():
            return part.text
        case ImageContent() | AudioContent():
            return _mark(part.type, part.mime_type, f"{_decoded_bytes(part.data)} bytes")
        case EmbeddedResource(resource=BlobResourceContents() as blob):
            return _mark("resource", blob.mime_type, f"{_decoded_bytes(blob.blob)} bytes")
        case EmbeddedResource(resource=TextResourceContents() as page):
            return _mark("resource", page.mime_type, f"{len(page.text)} characters")
        case ResourceLink() as link:
            return _mark("link", link.mime_type, "size unknown" if link.size is None else f"{link.size} bytes")
        case other:
            return f"[{other.type}]"


def _mark(kind: str, mime_type: str | None, size: str) -> str:
    return f"[{kind} of type {(mime_type or 'unknown')[:80]}, {size}]"


def _decoded_bytes(base64_text: str) -> int:
    return len(base64_text.rstrip("=")) * 3 // 4


def _cut_texts(value: JsonValue, longest: int) -> JsonValue:
    if isinstance(value, str):
        return _cut_text(value, longest)
    if isinstance(value, dict):
        return {key: _cut_texts(item, longest) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut_texts(item, longest) for item in value]
    return value


def _cut_text(text: str, longest: int) -> str:
    gone = len(text) - longest
    return text if gone <= 0 else f"{text[:longest]} [… {gone} more characters]"


def _lists(value: JsonValue) -> list[list[JsonValue]]:
    """All lists inside the value."""
    parts = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*([value] if isinstance(value, list) else []), *(found for part in parts for found in _lists(part))]


def _halve(items: list[JsonValue], left_out: dict[int, int]) -> None:
    """Keep the first half of the items in place; the last item says how many are gone."""
    if id(items) in left_out:
        items.pop()
    kept = max(_SHORTEST_LIST, len(items) // 2)
    left_out[id(items)] = left_out.get(id(items), 0) + len(items) - kept
    items[kept:] = [f"[… {left_out[id(items)]} more items]"]


def _length(value: JsonValue) -> int:
    return len(json.dumps(value, ensure_ascii=False))
