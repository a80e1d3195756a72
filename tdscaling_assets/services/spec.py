"""YAML files in, checked services and their MCP tool definitions out."""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from pathlib import Path

import yaml
from pydantic import ValidationError

from tdscaling_assets.errors import SpecError
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.services.checks import check_service
from tdscaling_assets.services.effects import is_destructive
from tdscaling_assets.services.grammar import GRAMMAR_KEYS, OperationSpec, ServiceSpec
from tdscaling_assets.services.schemas import input_schema, output_schema

__all__ = ["ServiceSpec", "load_service", "load_services", "runs_program", "service_tools"]


def load_services() -> dict[str, ServiceSpec]:
    """All packaged services by name, in order of name."""
    return dict(_packaged())


def load_service(path: Path) -> ServiceSpec:
    """The service of one file, with packaged partners; SpecError names the file, the place in it and the remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path} cannot be read as a service ({error}): give the path of a YAML file") from error
    spec = _parse(path.name, text)
    return _join({**{name: other for name, other in _packaged() if name != spec.name}, spec.name: spec})[spec.name]


def service_tools(spec: ServiceSpec) -> list[JsonObject]:
    """MCP tool definitions: name, title, description, inputSchema, outputSchema, annotations."""
    return [_tool(spec, name, operation) for name, operation in spec.operations.items()]


def runs_program(spec: ServiceSpec, tool: str) -> bool:
    """Whether the tool needs a sandbox."""
    return spec.operations[tool].program is not None


@lru_cache(maxsize=1)
def _packaged() -> tuple[tuple[str, ServiceSpec], ...]:
    found = (entry for entry in files("tdscaling_assets.services").joinpath("specs").iterdir())
    named = sorted((entry.name, entry) for entry in found if entry.name.endswith(".yaml"))
    specs = [_parse(name, entry.read_text(encoding="utf-8")) for name, entry in named]
    return tuple(_join({spec.name: spec for spec in specs}).items())


def _join(specs: Mapping[str, ServiceSpec]) -> dict[str, ServiceSpec]:
    """The services, checked, each with those it uses; SpecError for a partner that is not there or a circle."""
    wanted = {name: list(spec.uses) for name, spec in specs.items()}
    for name, partners in wanted.items():
        if missing := next((partner for partner in partners if partner not in specs), None):
            raise SpecError(f"{name}.yaml: it uses {missing!r}, which is no service; use one of {', '.join(specs)}")
    try:
        order = list(TopologicalSorter(wanted).static_order())
    except CycleError as error:
        circle = " → ".join(error.args[1])
        raise SpecError(f"{error.args[1][0]}.yaml: {circle} use each other in a circle; let one of them go") from error
    joined: dict[str, ServiceSpec] = {}
    for name in order:
        joined[name] = specs[name].with_partners(joined)
        check_service(joined[name])
    return {name: joined[name] for name in specs}


def _parse(file: str, text: str) -> ServiceSpec:
    try:
        body = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        problem = " ".join(str(error).replace('in "<unicode string>", ', "").split())
        raise SpecError(f"{file}: not YAML ({problem}); quote texts that hold `: `, `#` or braces") from error
    if not isinstance(body, dict):
        raise SpecError(f"{file}: it holds no mapping; write `name:`, `title:` and so on as docs/services.md shows")
    try:
        spec = ServiceSpec.model_validate(body)
    except ValidationError as error:
        raise SpecError(f"{file}: {_first_problem(error)}") from error
    if f"{spec.name}.yaml" != file:
        raise SpecError(f"{file}: the service is named {spec.name!r}; name the file {spec.name}.yaml")
    return spec


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML in which no key of a mapping is written twice, and every key is text."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[str, object]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                raise yaml.MarkedYAMLError(
                    None, None, f"{key.value!r} is read as true or false; quote it", key.start_mark
                )
            if str(key.value) in seen:
                raise yaml.MarkedYAMLError(None, None, f"{key.value!r} stands twice in one mapping", key.start_mark)
            seen.add(str(key.value))
        mapping: dict[str, object] = super().construct_mapping(node, deep)
        return mapping


def _first_problem(error: ValidationError) -> str:
    problems = error.errors()
    first = next((problem for problem in problems if problem["type"] == "extra_forbidden"), problems[0])
    path = [str(part) for part in first["loc"]]
    place = " ".join(path[:2]).replace("operations", "operation").replace("entities", "entity")
    rest = ".".join(path[2:])
    if first["type"] == "extra_forbidden":
        close = get_close_matches(path[-1], GRAMMAR_KEYS, 1)
        remedy = f"did you mean {close[0]!r}?" if close else "remove it, or quote the text if it holds a comma"
        return f"{place + ': ' if rest else ''}{rest or place!r} is no key of this format; {remedy}"
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
            "destructiveHint": is_destructive(spec, operation),
            "idempotentHint": operation.is_read_only or operation.idempotent,
            "openWorldHint": False,
        },
    }
