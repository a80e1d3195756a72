"""Raw tool records in, Tools and RejectedTools out: every record becomes exactly one of the two.

Accepts MCP tools, OpenAI functions and rows of our own catalog table. Names follow the rule of function-calling APIs.
"""

import hashlib
import json
import re

from pydantic import JsonValue

from tdscaling_assets.catalog.schemas import schema_fault
from tdscaling_assets.catalog.taxonomy import UNKNOWN, load_taxonomy
from tdscaling_assets.schema import Executor, JsonObject, Record, RejectedTool, Tool, digest, parse_object

NAME_LIMIT = 64  # characters; the shortest limit among function-calling APIs
SIZE_LIMIT = 65_536  # bytes of one record as JSON
_HASH = 8  # hex digits that tell shortened names apart
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")


class Origin(Record):
    """Where a record was found: source as written, server unless the record names its own, domain unless unknown."""

    source: str
    server: str
    executor: Executor
    domain: str | None = None
    read_server: bool = False


class UnusableError(ValueError):
    """Why one record is not a tool."""


class Normaliser:
    """Collects tools with unique ids and content; order matters, the first of two equals is kept."""

    def __init__(self) -> None:
        self.tools: list[Tool] = []
        self.rejected: list[RejectedTool] = []
        self._by_content: dict[str, str] = {}
        self._ids: set[str] = set()

    def add(self, raw: JsonValue, origin: Origin) -> None:
        """Take one record: it is a Tool, or a RejectedTool that says why not."""
        try:
            tool = self._tool(raw, origin)
        except UnusableError as error:
            self.reject(raw, origin, str(error))
            return
        self._by_content[tool.content_hash] = tool.tool_id
        self._ids.add(tool.tool_id)
        self.tools.append(tool)

    def reject(self, raw: JsonValue, origin: Origin, reason: str) -> None:
        """Record what cannot be used; `raw` is cut at the size limit."""
        name = _text(_body(raw), "name") if isinstance(raw, dict) else ""
        text = json.dumps(raw, ensure_ascii=False)[:SIZE_LIMIT]
        self.rejected.append(RejectedTool(source=origin.source, name=name or origin.server, raw=text, reason=reason))

    def _tool(self, raw: JsonValue, origin: Origin) -> Tool:
        if not isinstance(raw, dict):
            raise UnusableError(f"not an object but {type(raw).__name__}")
        if (size := len(json.dumps(raw).encode())) > SIZE_LIMIT:
            raise UnusableError(f"{size} bytes, more than the limit of {SIZE_LIMIT}")
        body = _body(raw)
        name = _text(body, "name").strip()
        if not name:
            raise UnusableError("no name")
        description = _text(body, "description").strip()
        inputs = _input_schema(body)
        outputs = _schema(body, "outputSchema", "output_schema")
        annotations = _annotations(body)
        content_hash = digest(name, description, inputs, outputs, annotations)
        if content_hash in self._by_content:
            raise UnusableError(f"duplicate of {self._by_content[content_hash]}")
        if not description and not inputs.get("properties"):
            raise UnusableError("no description and no parameters: nothing says what it does")
        for role, schema in (("input", inputs), ("output", outputs)):
            if fault := schema_fault(schema or {}):
                raise UnusableError(f"{role} schema {fault}")
        server = (_text(raw, "server") if origin.read_server else "") or origin.server
        return Tool(
            tool_id=self._free_id(legal_id(server, name), content_hash),
            server=server,
            name=name,
            title=_text(body, "title") or _text(annotations, "title") or None,
            description=description,
            input_schema=inputs,
            output_schema=outputs,
            read_only=_flag(annotations, "readOnlyHint"),
            destructive=_flag(annotations, "destructiveHint"),
            domain=origin.domain or _stated_domain(raw) or UNKNOWN,
            category=_text(raw, "category") or _text(raw, "domain") or None,
            source=origin.source,
            executor=origin.executor,
            content_hash=content_hash,
        )

    def _free_id(self, wanted: str, content_hash: str) -> str:
        if wanted not in self._ids:
            return wanted
        return _shorten(wanted, content_hash)


def legal_id(server: str, name: str) -> str:
    """`server__name` in the characters and length of function-calling APIs; a hash stands for what had to go."""
    parts = [_ILLEGAL.sub("_", part).strip("_") for part in (server, name)]
    full = "__".join(part for part in parts if part)
    if all(parts) and len(full) <= NAME_LIMIT:
        return full
    return _shorten(full or "tool", hashlib.sha256(f"{server}\n{name}".encode()).hexdigest())


def _shorten(text: str, full_hash: str) -> str:
    return f"{text[: NAME_LIMIT - _HASH - 1]}_{full_hash[:_HASH]}"


def _body(raw: JsonObject) -> JsonObject:
    """The tool itself: OpenAI wraps it in `function`."""
    inner = raw.get("function")
    return inner if isinstance(inner, dict) else raw


def _text(record: JsonObject, key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _stated_domain(raw: JsonObject) -> str:
    """The record's own `domain` where it is one of the taxonomy, else ""."""
    domain = _text(raw, "domain")
    return domain if domain in load_taxonomy().ids else ""


def _flag(record: JsonObject, key: str) -> bool | None:
    value = record.get(key)
    return value if isinstance(value, bool) else None


def _annotations(body: JsonObject) -> JsonObject:
    value = body.get("annotations")
    if isinstance(value, dict):
        return value
    own = {"readOnlyHint": body.get("read_only"), "destructiveHint": body.get("destructive")}
    return {key: hint for key, hint in own.items() if isinstance(hint, bool)}


def _input_schema(body: JsonObject) -> JsonObject:
    """The parameters' schema; one that is missing or lacks `type` means an object."""
    schema = _schema(body, "inputSchema", "input_schema", "parameters") or {}
    kind = schema.get("type", "object")
    if kind != "object":
        raise UnusableError(f"input schema has type {json.dumps(kind)}, but a tool takes an object")
    empty: JsonObject = {"type": "object", "properties": {}}
    return empty | schema


def _schema(body: JsonObject, *keys: str) -> JsonObject | None:
    """The first of the keys that is there; a schema may be an object or the JSON text of one."""
    for key in keys:
        value = body.get(key)
        if value is None or value == "":
            continue
        schema = parse_object(value) if isinstance(value, str) else value
        if not isinstance(schema, dict):
            raise UnusableError(f"{key} is not a schema object but {json.dumps(value)[:60]}")
        return schema
    return None
