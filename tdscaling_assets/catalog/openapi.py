"""An OpenAPI 3.0 or 3.1 document in, one record per operation out: a tool as MCP writes it, or why it is none.

A document is taken as it comes: an operation that cannot be used never hides its neighbours, so nothing here validates
the document as a whole. https://spec.openapis.org/oas/v3.1.1
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.catalog.api_calls import CallSchemas
from tdscaling_assets.catalog.api_schemas import ApiDocument, UnusableOperationError
from tdscaling_assets.schema import JsonObject

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_HINTS: dict[str, JsonObject] = {
    "get": {"readOnlyHint": True},
    "head": {"readOnlyHint": True},
    "put": {"readOnlyHint": False, "idempotentHint": True},
    "patch": {"readOnlyHint": False},
    "delete": {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": True},
}
_NAME_PARTS = re.compile(r"[^A-Za-z0-9_-]+")
_SERVER_LIMIT = 32  # characters of the title that name the server, so that a tool's id has room. Our own number


class Operation(NamedTuple):
    """One operation: a tool record when `reason` is empty, else what was seen of it and the reason."""

    record: JsonObject
    reason: str = ""


class _Place(NamedTuple):
    method: str
    path: str
    value: JsonValue  # the operation
    item: JsonObject  # its path item
    fault: str = ""


def list_operations(document: JsonObject) -> tuple[Operation, ...]:
    """Every operation under `paths` and `webhooks`, in the document's order. Raises nothing."""
    api = ApiDocument(document)
    schemas = CallSchemas(api)
    title = api_title(document)
    taken: set[str] = set()
    operations: list[Operation] = []
    for place in [*_places(api), *_webhooks(document)]:
        name = _name(place, taken)
        taken.add(name)
        operations.append(_read(place, name, title, schemas))
    return tuple(operations)


def api_title(document: JsonObject) -> str:
    """The API's own title, or ""."""
    info = document.get("info")
    title = info.get("title") if isinstance(info, dict) else None
    return " ".join(title.split()) if isinstance(title, str) else ""


def server_name(document: JsonObject, fallback: str) -> str:
    """The title in lower case, words joined by `_`; `fallback` where no Latin letter is in it."""
    slug = _NAME_PARTS.sub("_", api_title(document).lower()).replace("-", "_")
    return re.sub("_+", "_", slug)[:_SERVER_LIMIT].strip("_") or fallback


def _places(api: ApiDocument) -> Iterator[_Place]:
    paths = api.content.get("paths")
    for path, item in paths.items() if isinstance(paths, dict) else ():
        if path.startswith("x-"):
            continue
        try:
            found = api.follow(item)
        except UnusableOperationError as error:
            yield _Place("", path, item, {}, str(error))
            continue
        if not isinstance(found, dict):
            yield _Place("", path, item, {}, f"its path holds no operations but {_kind(found)}")
            continue
        for method in [key for key in found if key in _METHODS]:
            yield _Place(method, path, found[method], found)


def _webhooks(document: JsonObject) -> Iterator[_Place]:
    hooks = document.get("webhooks")
    for name, item in hooks.items() if isinstance(hooks, dict) else ():
        if not isinstance(item, dict):
            continue
        for method in [key for key in item if key in _METHODS]:
            yield _Place(method, name, item[method], {}, "a webhook: the API calls it, not those who use the API")


def _read(place: _Place, name: str, title: str, schemas: CallSchemas) -> Operation:
    try:
        return Operation(record=_tool(place, name, title, schemas))
    except UnusableOperationError as error:
        seen: JsonObject = {"name": name, "method": place.method, "path": place.path, "operation": place.value}
        return Operation(record=seen, reason=str(error))


def _tool(place: _Place, name: str, title: str, schemas: CallSchemas) -> JsonObject:
    operation = place.value
    if place.fault:
        raise UnusableOperationError(place.fault)
    if not isinstance(operation, dict):
        raise UnusableOperationError(f"not an operation but {_kind(operation)}")
    if operation.get("deprecated") is True:
        raise UnusableOperationError("deprecated by its API")
    summary = _text(operation, "summary") or _text(place.item, "summary")
    record: JsonObject = {
        "name": name,
        "description": _description(summary, _text(operation, "description"), place.item, title),
        "inputSchema": schemas.inputs(operation, place.item),
    }
    if summary:
        record["title"] = summary
    outputs = None if place.method == "head" else schemas.outputs(operation)
    if outputs is not None:
        record["outputSchema"] = outputs
    if hints := _HINTS.get(place.method):
        record["annotations"] = dict(hints)
    if tag := _first_tag(operation):
        record["category"] = tag
    return record


def _description(summary: str, description: str, item: JsonObject, title: str) -> str:
    """Summary and description, the first once; the title alone would say nothing about an operation."""
    description = description or _text(item, "description")
    if summary and not description.lower().startswith(summary.lower().rstrip(".")):
        stop = "" if summary.endswith((".", "!", "?")) else "."
        description = f"{summary}{stop} {description}".strip() if description else summary
    return f"{description} ({title})" if description and title and title not in description else description


def _name(place: _Place, taken: set[str]) -> str:
    own = _text(place.value, "operationId") if isinstance(place.value, dict) else ""
    if own and own not in taken:
        return own
    return _NAME_PARTS.sub("_", f"{place.method} {place.path}").strip("_") or "operation"


def _first_tag(operation: JsonObject) -> str:
    tags = operation.get("tags")
    first = tags[0] if isinstance(tags, list) and tags else ""
    return first.strip() if isinstance(first, str) else ""


def _text(record: JsonObject, key: str) -> str:
    value = record.get(key)
    return value.strip() if isinstance(value, str) else ""


def _kind(value: JsonValue) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
