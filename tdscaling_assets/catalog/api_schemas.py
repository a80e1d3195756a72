"""The schemas of an OpenAPI 3.0 or 3.1 document in, self-contained JSON Schema 2020-12 out, for one side of a call.

`referencing` (the resolver under `jsonschema`) finds what a `$ref` names. Small schemas are written where they are
used; large ones and those that contain themselves stay in `$defs`. All sizes here are our own.
"""

from collections import deque
from collections.abc import Iterator
from typing import cast
from urllib.parse import quote

import networkx as nx
from pydantic import JsonValue
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable

from tdscaling_assets.catalog.api_keywords import Side, equals, merge, references, translate
from tdscaling_assets.schema import JsonObject, canonical_json

INLINE_LIMIT = 2_000  # characters of a schema that is copied to where it is used
SCHEMA_LIMIT = 16_000  # characters of a whole schema; beyond it definitions, the most distant first, lose their fields
_ROOM_FOR_STUBS = 200  # characters


class UnusableOperationError(ValueError):
    """Why one operation is not a tool."""


class ApiDocument:
    """An OpenAPI document whose local references can be followed."""

    def __init__(self, document: JsonObject) -> None:
        self.content = document
        self._resolver = Registry().with_resource("", Resource.opaque(document)).resolver()

    def lookup(self, reference: str) -> JsonValue:
        """What a reference names. Raises UnusableOperationError for another document and for nothing."""
        if not reference.startswith("#"):
            raise UnusableOperationError(f"refers to {reference!r}, in another document: bundle them into one")
        try:
            return cast(JsonValue, self._resolver.lookup(reference).contents)
        except Unresolvable as error:
            raise UnusableOperationError(f"refers to {reference!r}, which is not in the document") from error

    def follow(self, value: JsonValue) -> JsonValue:
        """The value itself, or what its chain of references ends in."""
        seen: set[str] = set()
        while isinstance(value, dict) and isinstance(reference := value.get("$ref"), str):
            if reference in seen:
                raise UnusableOperationError(f"refers to {reference!r}, which refers back to itself")
            seen.add(reference)
            value = self.lookup(reference)
        return value


class SchemaBook:
    """Every schema of a document that is referred to, translated once for one side."""

    def __init__(self, document: ApiDocument, side: Side) -> None:
        self._document = document
        self._side: Side = side
        self._names: dict[str, str] = {}  # reference → name in $defs
        self._references: dict[str, str] = {}  # and back
        self._definitions: dict[str, JsonValue] = {}
        self._faults: dict[str, str] = {}
        self._cyclic: set[str] = set()
        self._sizes: dict[str, int] = {}
        self._copies: dict[str, JsonValue] = {}
        self._written_once: dict[tuple[str, bool], tuple[JsonValue, int, list[str]]] = {}
        self._discover([self._refer_name(f"#/components/schemas/{_escaped(name)}") for name in _components(document)])

    def translate(self, schema: JsonValue) -> JsonValue:
        """The schema in 2020-12, its references turned to `#/$defs/…` of this book."""
        translated = translate(schema, self._side, self._refer, self._document.follow)
        self._discover([name for name in references(translated) if name not in self._definitions])
        return translated

    def open(self, schema: JsonValue) -> JsonValue:
        """The translated schema, with what its outermost reference names in place of that."""
        for _ in range(len(self._names) + 1):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            schema = merge(self._definition(_name(schema)), schema)
        return schema

    def close(self, schema: JsonObject) -> JsonObject:
        """The translated schema with the definitions it needs: at most about SCHEMA_LIMIT characters of them."""
        root = self._copy(schema)
        if inline := _size(root) <= SCHEMA_LIMIT // 2:
            schema = cast(JsonObject, root)
        size = _size(schema)
        definitions: JsonObject = {}
        waiting = deque(references(schema))
        while waiting:
            name = waiting.popleft()
            if name in definitions:
                continue
            definition, characters, others = self._written(name, inline)
            if size + characters > SCHEMA_LIMIT:
                definition, characters, others = _written(_stub(definition))
            definitions[name] = definition
            size += characters
            waiting.extend(others)
        return schema | {"$defs": dict(sorted(definitions.items()))} if definitions else schema

    # ── what is known of each definition ──

    def _refer(self, reference: str) -> str:
        """`#/$defs/<name>` for a reference. Raises UnusableOperationError when it leads nowhere."""
        if reference not in self._names:
            self._document.follow({"$ref": reference})
        return f"#/$defs/{self._refer_name(reference)}"

    def _refer_name(self, reference: str) -> str:
        """The last part of the reference, numbered where that is taken."""
        if reference not in self._names:
            plain = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "_" for c in reference.split("/")[-1])
            name = next(name for name in _numbered(plain or "schema") if name not in self._references)
            self._names[reference], self._references[name] = name, reference
        return self._names[reference]

    def _discover(self, names: list[str]) -> None:
        """Translate these definitions and all they lead to; then find out again which contain themselves.

        One that *is* itself (`A: {allOf: [A]}`) would keep a validator busy for ever, so it is a fault.
        """
        waiting = deque(names)
        if not waiting:
            return
        while waiting:
            name = waiting.popleft()
            if name not in self._definitions:
                self._definitions[name] = self._translated(name)
                waiting.extend(references(self._definitions[name]))
        self._cyclic = _on_circles({name: set(references(schema)) for name, schema in self._definitions.items()})
        for name in _on_circles({name: set(equals(self._definitions[name])) for name in self._cyclic}):
            self._faults[name] = f"refers to {self._references[name]!r}, which is defined by itself"

    def _translated(self, name: str) -> JsonValue:
        try:
            found = self._document.lookup(self._references[name])
            return translate(found, self._side, self._refer, self._document.follow)
        except UnusableOperationError as error:
            self._faults[name] = str(error)
            return {}

    def _definition(self, name: str) -> JsonValue:
        if fault := self._faults.get(name):
            raise UnusableOperationError(fault)
        return self._definitions[name]

    # ── writing definitions where they are used ──

    def _written(self, name: str, inline: bool) -> tuple[JsonValue, int, list[str]]:
        """A definition, its characters and the definitions it uses; worked out once, since operations share them."""
        if (name, inline) not in self._written_once:
            whole = self._definition(name)
            self._written_once[name, inline] = _written(self._copy(whole) if inline else whole)
        return self._written_once[name, inline]

    def _copy(self, schema: JsonValue) -> JsonValue:
        if isinstance(schema, list):
            return [self._copy(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        copied = {key: self._copy(value) if isinstance(value, dict | list) else value for key, value in schema.items()}
        if not isinstance(schema.get("$ref"), str) or not self._is_copied(_name(schema)):
            return copied
        name = _name(schema)
        if name not in self._copies:
            self._copies[name] = self._copy(self._definition(name))
        return merge(self._copies[name], copied)

    def _is_copied(self, name: str) -> bool:
        return name not in self._cyclic and self._unfolded(name) <= INLINE_LIMIT

    def _unfolded(self, name: str) -> int:
        """Characters of a definition that does not contain itself, with what is copied into it."""
        if name not in self._sizes:
            definition = self._definition(name)
            inner = [self._unfolded(other) for other in references(definition) if other not in self._cyclic]
            self._sizes[name] = _size(definition) + sum(size for size in inner if size <= INLINE_LIMIT)
        return self._sizes[name]


def _components(document: ApiDocument) -> list[str]:
    components = document.content.get("components")
    schemas = components.get("schemas") if isinstance(components, dict) else None
    return list(schemas) if isinstance(schemas, dict) else []


def _escaped(name: str) -> str:
    """The name as a part of a JSON pointer in a URL fragment."""
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~")


def _on_circles(links: dict[str, set[str]]) -> set[str]:
    graph = nx.DiGraph([(name, other) for name, others in links.items() for other in others])
    circles = [circle for circle in nx.strongly_connected_components(graph) if len(circle) > 1]
    return {name for circle in circles for name in circle} | set(nx.nodes_with_selfloops(graph))


def _name(schema: JsonObject) -> str:
    return str(schema["$ref"]).removeprefix("#/$defs/")


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1


def _size(schema: JsonValue) -> int:
    return len(canonical_json(schema))


def _written(schema: JsonValue) -> tuple[JsonValue, int, list[str]]:
    return schema, _size(schema), list(references(schema))


def _stub(definition: JsonValue) -> JsonValue:
    """What is left of a definition that no longer fits: its type and its words."""
    if not isinstance(definition, dict):
        return definition
    kept = {key: definition[key] for key in ("type", "title") if key in definition}
    words = str(definition.get("description") or "")[:_ROOM_FOR_STUBS]
    return kept | {"description": f"{words} (fields left out: the schema is too large)".strip()}
