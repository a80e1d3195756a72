"""YAML files in, checked services and their MCP tool definitions out."""

from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from tdscaling_assets.errors import SpecError
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.checks import check_service
from tdscaling_assets.services.grammar import OperationSpec, ServiceSpec
from tdscaling_assets.services.schemas import input_schema, output_schema

__all__ = ["ServiceSpec", "load_service", "load_services", "service_tools"]


def load_services() -> dict[str, ServiceSpec]:
    """All packaged services by name, in order of name."""
    return dict(_packaged())


def load_service(path: Path) -> ServiceSpec:
    """The service of one file; SpecError names the file, the place in it and the remedy."""
    return _parse(path.name, path.read_text(encoding="utf-8"))


def service_tools(spec: ServiceSpec) -> list[JsonObject]:
    """MCP tool definitions: name, title, description, inputSchema, outputSchema, annotations."""
    return [_tool(spec, name, operation) for name, operation in spec.operations.items()]


@lru_cache(maxsize=1)
def _packaged() -> tuple[tuple[str, ServiceSpec], ...]:
    found = (entry for entry in files("tdscaling_assets.services").joinpath("specs").iterdir())
    named = sorted((entry.name, entry) for entry in found if entry.name.endswith(".yaml"))
    specs = [_parse(name, entry.read_text(encoding="utf-8")) for name, entry in named]
    return tuple((spec.name, spec) for spec in specs)


def _parse(file: str, text: str) -> ServiceSpec:
    try:
        body = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise SpecError(f"{file}: not YAML ({error}); quote texts that hold `: `, `#` or braces") from error
    try:
        spec = ServiceSpec.model_validate(body)
    except ValidationError as error:
        raise SpecError(f"{file}: {_first_problem(error)}") from error
    if f"{spec.name}.yaml" != file:
        raise SpecError(f"{file}: the service is named {spec.name!r}; name the file {spec.name}.yaml")
    check_service(spec)
    return spec


def _first_problem(error: ValidationError) -> str:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    place = " ".join(path[:2]).replace("operations", "operation").replace("entities", "entity")
    rest = ".".join(path[2:])
    if first["type"] == "extra_forbidden":
        return f"{place}: {rest!r} is no key of this format; remove it, or quote the text if it holds a comma"
    problem = f"{first['msg'].lower()}, but it is {str(first['input'])[:80]!r}"
    return f"{place}: {rest + ': ' if rest else ''}{problem}; write it as docs/services.md shows"


def _tool(spec: ServiceSpec, name: str, operation: OperationSpec) -> JsonObject:
    return {
        "name": name,
        "title": operation.title,
        "description": operation.description.strip(),
        "inputSchema": input_schema(spec, operation),
        "outputSchema": output_schema(spec, operation),
        "annotations": {
            "readOnlyHint": operation.is_read_only,
            "destructiveHint": operation.destructive,
            "idempotentHint": operation.is_read_only or operation.idempotent,
            "openWorldHint": False,
        },
    }
