"""Times the reading of sources: python benchmarks/sources.py

Files: the real MCP tools of ../shared/data/mcp_catalog, where they are present, and a generated OpenAPI document of
1,000 operations as JSON and as YAML; medians of CPU time. Servers: 50 that answer over stdio, then 200 that hang, die
or babble, against the bound time-out × ⌈servers ÷ at once⌉; wall-clock time, once, because starting them is the work.
"""

import json
import math
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import yaml
from _timing import median_seconds

from tdscaling_assets.catalog.harvest import Catalog, build_catalog
from tdscaling_assets.catalog.openapi import list_operations
from tdscaling_assets.schema import JsonObject
from tdscaling_assets.settings import Settings

REAL = Path(__file__).parents[2] / "shared" / "data" / "mcp_catalog"
REPEATS = 3
RESOURCES = 200  # of five operations each
AT_ONCE = 8
TIMEOUT = 5  # seconds
SERVER = """
from mcp.server.mcpserver import MCPServer
server = MCPServer("shop")
for number in range(5):
    server.add_tool(lambda order_id: order_id, name=f"tool_{number}", description=f"Do {number} for an order.")
server.run()
"""


def main() -> None:
    """Files, then servers."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        time_real(home)
        time_api(home)
        time_answering(home)
        time_misbehaving(home)


def time_real(home: Path) -> None:
    """The whole way from the real files to a catalog."""
    files = sorted(REAL.glob("*.jsonl.gz"))
    if not files:
        print(f"no figures of real tools: {REAL} is not there")
        return
    entries = "".join(f"- file: {file.resolve()}\n" for file in files)
    report("real files", home, entries)


def time_api(home: Path) -> None:
    """The generated document as JSON and YAML, and the reading of its operations alone."""
    document = generate_api(RESOURCES)
    (home / "api.json").write_text(json.dumps(document), encoding="utf-8")
    (home / "api.yaml").write_text(yaml.dump(document, Dumper=yaml.CSafeDumper), encoding="utf-8")
    seconds = median_seconds(partial(list_operations, document), REPEATS, time.process_time)
    print(f"{'OpenAPI, operations alone':<28} {5 * RESOURCES:>6} entries {seconds:8.2f} s CPU")
    for name in ("api.json", "api.yaml"):
        report(f"OpenAPI, {name}", home, f"- openapi: {name}\n")


def report(label: str, home: Path, entries: str) -> None:
    """One line: what came of the sources and the median CPU seconds."""
    built = harvest(home, entries)
    seconds = median_seconds(partial(harvest, home, entries), REPEATS, time.process_time)
    counts = f"{built.entries:>6} entries {len(built.tools):>6} tools"
    print(f"{label:<28} {counts} {len(built.rejected):>5} rejected {seconds:8.2f} s CPU")


def time_answering(home: Path) -> None:
    """Servers of the official SDK, each a Python process."""
    servers = {f"shop_{i}": {"command": sys.executable, "args": ["-c", SERVER]} for i in range(50)}
    seconds, built = visit(home, servers, 60)
    kept = f"{len(built.tools) - 1} tools kept, {len(built.rejected)} rejected"
    print(f"50 stdio servers that answer: {kept}, {seconds:.1f} s")


def time_misbehaving(home: Path) -> None:
    """Servers that hang, die or babble."""
    servers: dict[str, object] = {}
    for i in range(40):
        servers[f"hangs_{i}"] = {"command": "sleep", "args": ["600"]}
    for i in range(80):
        servers[f"dies_{i}"] = {"command": "false"}
        servers[f"babbles_{i}"] = {"command": "echo", "args": ["hello"]}
    seconds, built = visit(home, servers, TIMEOUT)
    bound = TIMEOUT * math.ceil(len(servers) / AT_ONCE)
    print(f"200 stdio servers that do not: {len(built.rejected)} rejected, {seconds:.1f} s; the bound is {bound} s")


def visit(home: Path, servers: dict[str, object], timeout: int) -> tuple[float, Catalog]:
    """Wall-clock seconds and the catalog of these servers."""
    (home / "mcp.json").write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    start = time.perf_counter()
    built = harvest(home, f"- mcp_config: mcp.json\n  timeout: {timeout}\n  at_once: {AT_ONCE}\n")
    return time.perf_counter() - start, built


def harvest(home: Path, entries: str) -> Catalog:
    """The catalog of these entries of a sources file."""
    path = home / "sources.yaml"
    path.write_text(entries, encoding="utf-8")
    return build_catalog(Settings(home=home, sources=path))


def generate_api(resources: int) -> JsonObject:
    """A document with five operations per resource, each resource linked to the one before and to the first."""
    paths: JsonObject = {}
    schemas: JsonObject = {}
    for number in range(resources):
        name = f"Thing{number}"
        link: JsonObject = {"$ref": f"#/components/schemas/{name}"}
        schemas[name] = _schema(number)
        answer: JsonObject = {"200": {"description": "ok", "content": {"application/json": {"schema": link}}}}
        many: JsonObject = {"200": {"content": {"application/json": {"schema": {"type": "array", "items": link}}}}}
        body: JsonObject = {"required": True, "content": {"application/json": {"schema": link}}}
        key: JsonObject = {"name": f"thing{number}_id", "in": "path", "required": True, "schema": {"type": "string"}}
        tags: JsonObject = {"tags": [f"group {number % 20}"]}
        paths[f"/things{number}"] = {
            "get": tags | {"operationId": f"list{name}", "summary": f"List things {number}", "responses": many},
            "post": tags
            | {"operationId": f"create{name}", "summary": "Create", "requestBody": body, "responses": answer},
        }
        paths[f"/things{number}/{{thing{number}_id}}"] = {
            "parameters": [key],
            "get": tags | {"operationId": f"get{name}", "summary": f"Get thing {number}", "responses": answer},
            "put": tags
            | {"operationId": f"update{name}", "summary": "Update", "requestBody": body, "responses": answer},
            "delete": tags | {"operationId": f"delete{name}", "summary": f"Delete thing {number}", "responses": {}},
        }
    return {
        "openapi": "3.0.3",
        "info": {"title": "Things", "version": "1"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _schema(number: int) -> JsonObject:
    fields: JsonObject = {f"field_{i}": {"type": "string", "nullable": i % 2 == 0, "example": "x"} for i in range(10)}
    fields["id"] = {"type": "string", "readOnly": True}
    fields["previous"] = {"$ref": f"#/components/schemas/Thing{max(0, number - 1)}"}
    fields["first"] = {"$ref": "#/components/schemas/Thing0"}
    return {"type": "object", "required": ["id", "field_0"], "properties": fields}


if __name__ == "__main__":
    main()
