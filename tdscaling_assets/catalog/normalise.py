"""One raw tool record in, one Tool out, or UnusableError that says why it is none.

Accepts MCP tools, OpenAI functions and rows of our own catalog table. The limits are our own definitions, well above
what 17,578 real tools have (20 levels, 630 properties, 53 kB).
"""

import hashlib
import json
import re

from pydantic import JsonValue

from tdscaling_assets.catalog.clean import clean_json, json_text
from tdscaling_assets.catalog.schemas import SchemaFaultError, sound_schema
from tdscaling_assets.catalog.shapes import measure_json, unwrapped, with_parameters_at_root
from tdscaling_assets.catalog.taxonomy import UNKNOWN, load_taxonomy
from tdscaling_assets.schema import Executor, JsonObject, Record, Tool, digest, parse_object
from tdscaling_assets.text import identifier_words

RULES = 1
"""Raise it when a rule here changes: stored tools are then made anew from their records."""

SIZE_LIMIT = 65_536  # bytes of one record as JSON
DEPTH_LIMIT = 40  # levels of objects and lists in one record
PROPERTY_LIMIT = 1_000  # named properties in one record, at all levels

_SAYS_NOTHING = frozenset(
    identifier_words(
        "api action call cmd command default endpoint execute func function handle handler invoke main method new "
        "operation process request run test tmp tool undefined unknown untitled"
    )
)
_LABEL = re.compile(r"[\w &/,+()'-]{1,60}")  # what a category may look like: it gets into prompts as a domain


class Origin(Record):
    """Where a record was found: source as written, server unless the record names its own, domain unless unknown."""

    source: str
    server: str
    executor: Executor
    domain: str | None = None
    read_server: bool = False


class UnusableError(ValueError):
    """Why one record is not a tool: a kind, and after a colon the details."""


def record_hash(raw: JsonValue, origin: Origin) -> str:
    """Names the record, where it was found, and the rules that read it."""
    found = digest(RULES, origin.model_dump(mode="json"))
    return hashlib.sha256(f"{found}{json.dumps(raw)}".encode()).hexdigest()[:16]


def raw_text(raw: JsonValue) -> str:
    """The record as JSON text, cut at the size limit; one too deep for that is only named."""
    try:
        return json_text(raw)[:SIZE_LIMIT]
    except RecursionError:
        return '"nested too deep to show"'


def read_tool(raw: JsonValue, origin: Origin) -> Tool:
    """The tool, with an empty id. Raises UnusableError."""
    if not isinstance(raw, dict):
        raise UnusableError(f"not an object: {type(raw).__name__}")
    record = _cleaned(raw)
    body = _body(record)
    name = _text(body, "name").strip()
    if not name:
        raise UnusableError("no name")
    description = _text(body, "description").strip()
    inputs = _input_schema(body)
    outputs = _sound("output", _schema(body, "outputSchema", "output_schema"))
    annotations = _annotations(body)
    if not description and not (inputs.get("properties") and tells_something(name)):
        raise UnusableError("nothing says what it does: no description, and no parameters under a telling name")
    server = (_text(record, "server").strip() if origin.read_server else "") or origin.server
    return Tool(
        tool_id="",
        server=server,
        name=name,
        title=_text(body, "title") or _text(annotations, "title") or None,
        description=description,
        input_schema=inputs,
        output_schema=outputs,
        read_only=_flag(annotations, "readOnlyHint"),
        destructive=_flag(annotations, "destructiveHint"),
        domain=origin.domain or _stated_domain(record) or UNKNOWN,
        category=_label(record, "category") or _label(record, "domain") or None,
        source=origin.source,
        executor=origin.executor,
        content_hash=digest(name, description, inputs, outputs, annotations),
    )


def tells_something(name: str) -> bool:
    """Whether a name holds a word of three letters or more besides those that fit any tool (`run`, `tool`, `new`)."""
    return any(len(word) > 2 and word not in _SAYS_NOTHING and not word.isdigit() for word in identifier_words(name))


def _cleaned(raw: JsonObject) -> JsonObject:
    """The record without what cannot be seen, if its sizes are sane."""
    levels, properties = measure_json(raw)
    if levels > DEPTH_LIMIT:
        raise UnusableError(f"too deep: {levels} levels, more than the limit of {DEPTH_LIMIT}")
    try:
        text = json.dumps(raw, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise UnusableError("not JSON: holds NaN or an infinite number") from None
    if (size := len(text.encode("utf-8", "surrogatepass"))) > SIZE_LIMIT:
        raise UnusableError(f"too large: {size} bytes, more than the limit of {SIZE_LIMIT}")
    if properties > PROPERTY_LIMIT:
        raise UnusableError(f"too many properties: {properties}, more than the limit of {PROPERTY_LIMIT}")
    try:
        record = clean_json(raw, text)
    except ValueError as error:
        raise UnusableError(f"ambiguous names: {error}") from None
    return record if isinstance(record, dict) else {}


def _body(raw: JsonObject) -> JsonObject:
    """The tool itself: OpenAI wraps it in `function`."""
    inner = raw.get("function")
    return inner if isinstance(inner, dict) else raw


def _text(record: JsonObject, key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _label(record: JsonObject, key: str) -> str:
    text = _text(record, key).strip()
    return text if _LABEL.fullmatch(text) else ""


def _stated_domain(record: JsonObject) -> str:
    """The record's own `domain` where it is one of the taxonomy, else ""."""
    domain = _text(record, "domain")
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
    """The parameters' schema; one that is missing or lacks `type` means an object, `true` an object without a word."""
    schema = unwrapped(_schema(body, "inputSchema", "input_schema", "parameters") or {})
    kind = schema.get("type", "object")
    if kind != "object":
        raise UnusableError(f"input schema is no object: it has type {json.dumps(kind)}, but a tool takes an object")
    empty: JsonObject = {"type": "object", "properties": {}}
    return with_parameters_at_root(_sound("input", empty | schema) or empty)


def _sound(role: str, schema: JsonObject | None) -> JsonObject | None:
    if schema is None:
        return None
    try:
        return sound_schema(schema)
    except SchemaFaultError as error:
        raise UnusableError(f"{role} schema {error}") from None


def _schema(body: JsonObject, *keys: str) -> JsonObject | None:
    """The first of the keys that is there; a schema may be an object, `true`, or the JSON text of an object."""
    for key in keys:
        value = body.get(key)
        if value is None or value == "" or value is True:
            continue
        schema = parse_object(value) if isinstance(value, str) else value
        if not isinstance(schema, dict):
            raise UnusableError(f"not a schema: {key} is {json.dumps(value)[:60]}")
        return schema
    return None
