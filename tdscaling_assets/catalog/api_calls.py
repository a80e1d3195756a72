"""One OpenAPI operation in, the schemas of a call out: its arguments, and what it gives back.

Parameters and body become one flat object where they can; the rules are in docs/sources.md and are our own.
"""

from collections.abc import Iterator

from pydantic import JsonValue

from tdscaling_assets.catalog.api_schemas import ApiDocument, SchemaBook, UnusableOperationError
from tdscaling_assets.schema import JsonObject

_PLACES = ("path", "query", "header", "cookie")
_RESERVED = {"accept", "content-type", "authorization"}  # headers that the standard takes out of `parameters`
_FLAT = {
    "type", "properties", "required", "allOf", "additionalProperties", "title", "description", "examples", "default",
    "deprecated",
}  # fmt: skip
_DEPTH = 16  # levels of allOf
_COMPOSED = ("allOf", "oneOf", "anyOf")
_ANY_TYPE = ("*/*", "application/*")

Fields = tuple[JsonObject, list[str]]  # schemas by name, and the names that are required


class CallSchemas:
    """What all operations of one document share: its schemas, once as arguments and once as results."""

    def __init__(self, document: ApiDocument) -> None:
        self._document = document
        self._arguments = SchemaBook(document, "input")
        self._results = SchemaBook(document, "output")

    def inputs(self, operation: JsonObject, item: JsonObject) -> JsonObject:
        """The schema of the arguments, an object. Raises UnusableOperationError."""
        properties, required = self._parameters(operation, item)
        body, needed = self._body(operation, properties)
        schema: JsonObject = {"type": "object", "properties": properties | body}
        if required or needed:
            schema["required"] = [*required, *needed]
        return self._arguments.close(schema)

    def outputs(self, operation: JsonObject) -> JsonObject | None:
        """The schema of the first JSON answer that means success, as an object; None without one."""
        raw = self._success(operation)
        if raw is None:
            return None
        schema = self._results.translate(raw)
        opened = self._results.open(schema)
        if opened is True or opened == {}:
            return None
        if isinstance(opened, dict) and self._is_object(opened):
            kind: JsonObject = {"type": "object"}
            return self._results.close(kind | opened)
        return self._results.close({"type": "object", "properties": {"result": schema}, "required": ["result"]})

    # ── arguments ──

    def _parameters(self, operation: JsonObject, item: JsonObject) -> Fields:
        found: dict[tuple[str, str], JsonObject] = {}
        for owner in (item, operation):
            for parameter in self._listed(owner):
                name, place = parameter.get("name"), parameter.get("in")
                if not isinstance(name, str) or place not in _PLACES:
                    raise UnusableOperationError(f"has the parameter {name!r} in {place!r}: legal is {_PLACES}")
                if place != "header" or name.lower() not in _RESERVED:
                    found[name, str(place)] = parameter
        properties: JsonObject = {}
        required: list[str] = []
        for (name, place), parameter in found.items():
            free = name if name not in properties else f"{name}_{place}"
            properties[free] = self._parameter(parameter)
            if place == "path" or parameter.get("required") is True:
                required.append(free)
        return properties, required

    def _listed(self, owner: JsonObject) -> Iterator[JsonObject]:
        listed = owner.get("parameters") or []
        if not isinstance(listed, list):
            raise UnusableOperationError("its parameters are not a list")
        for entry in listed:
            parameter = self._document.follow(entry)
            if not isinstance(parameter, dict):
                raise UnusableOperationError("one of its parameters is not an object")
            yield parameter

    def _parameter(self, parameter: JsonObject) -> JsonValue:
        raw = parameter.get("schema")
        if raw is None:
            raw = next((media.get("schema") for _, media in self._media(parameter)), None)
        schema = self._arguments.translate({} if raw is None else raw)
        if not isinstance(schema, dict):
            return schema
        words: JsonObject = {}
        if isinstance(text := parameter.get("description"), str) and text.strip():
            words["description"] = text.strip()
        if "example" in parameter and "examples" not in schema:
            words["examples"] = [parameter["example"]]
        if parameter.get("deprecated") is True:
            words["deprecated"] = True
        return schema | words

    def _body(self, operation: JsonObject, parameters: JsonObject) -> Fields:
        body = self._document.follow(operation.get("requestBody"))
        if body is None:
            return {}, []
        if not isinstance(body, dict):
            raise UnusableOperationError("its request body is not an object")
        needed = body.get("required") is True
        chosen = self._chosen_body(body, needed)
        if chosen is None:
            return {}, []
        schema = self._arguments.translate(chosen)
        flat = self._flat(schema)
        if flat and not set(flat[0]) & set(parameters):
            return flat[0], flat[1] if needed else []
        name = "body" if "body" not in parameters else "request_body"
        text = body.get("description")
        if isinstance(schema, dict) and isinstance(text, str) and "description" not in schema:
            schema = schema | {"description": text}
        return {name: schema}, [name] if needed else []

    def _chosen_body(self, body: JsonObject, needed: bool) -> JsonValue:
        """The schema of the body as JSON, else as a form, else as text; None for an optional body of other kinds."""
        media = list(self._media(body))
        for wanted in (_is_json, _is_form, _is_text):
            for kind, content in media:
                if wanted(kind):
                    schema = content.get("schema")
                    return {} if schema is None else schema
        if needed and media:
            kinds = ", ".join(kind for kind, _ in media)
            raise UnusableOperationError(f"needs a body of {kinds}, which the arguments of a tool cannot hold")
        return None

    def _flat(self, schema: JsonValue, depth: int = 0) -> Fields | None:
        """The fields of a body that is nothing but an object of named fields, also through `allOf`; else None."""
        schema = self._arguments.open(schema)
        if not isinstance(schema, dict) or set(schema) - _FLAT or depth > _DEPTH:
            return None
        own, needed, branches = schema.get("properties") or {}, schema.get("required") or [], schema.get("allOf") or []
        if schema.get("type", "object") != "object" or schema.get("additionalProperties") not in (
            None,
            True,
            False,
            {},
        ):
            return None
        if not isinstance(own, dict) or not isinstance(needed, list) or not isinstance(branches, list):
            return None
        fields, required = dict(own), [str(name) for name in needed]
        for branch in branches:
            flat = self._flat(branch, depth + 1)
            if flat is None or any(fields.get(name, value) != value for name, value in flat[0].items()):
                return None
            fields |= flat[0]
            required += flat[1]
        return (fields, list(dict.fromkeys(required))) if fields or depth else None

    # ── results ──

    def _success(self, operation: JsonObject) -> JsonValue:
        """The schema of the first JSON answer: by status 200 to 299, then 2XX; `default` only when there is none."""
        responses = operation.get("responses")
        if not isinstance(responses, dict):
            return None
        codes = sorted(code for code in responses if len(code) == 3 and code.startswith("2"))
        for code in codes or ["default"]:
            response = self._document.follow(responses.get(code))
            for kind, media in self._media(response) if isinstance(response, dict) else ():
                if _is_json(kind) and media.get("schema") is not None:
                    return media["schema"]
        return None

    def _is_object(self, schema: JsonValue, depth: int = 0) -> bool:
        schema = self._results.open(schema)
        if not isinstance(schema, dict) or depth > _DEPTH:
            return False
        if "type" in schema:
            return schema["type"] == "object"
        parts = {word: [self._is_object(part, depth + 1) for part in _list(schema.get(word))] for word in _COMPOSED}
        whole = any(parts["allOf"]) or any(parts[word] and all(parts[word]) for word in ("oneOf", "anyOf"))
        return "properties" in schema or whole

    def _media(self, owner: JsonObject) -> Iterator[tuple[str, JsonObject]]:
        """(media type in lower case without its parameters, its object) of everything under `content`."""
        content = owner.get("content")
        for kind, media in content.items() if isinstance(content, dict) else ():
            found = self._document.follow(media)
            if isinstance(found, dict):
                yield kind.split(";")[0].strip().lower(), found


def _is_json(kind: str) -> bool:
    return kind in ("application/json", "text/json", *_ANY_TYPE) or kind.endswith("+json")


def _is_form(kind: str) -> bool:
    return kind in ("application/x-www-form-urlencoded", "multipart/form-data")


def _is_text(kind: str) -> bool:
    return kind.startswith("text/") and kind not in ("text/xml", "text/html")


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
