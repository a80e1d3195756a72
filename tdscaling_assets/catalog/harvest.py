"""Settings in, the whole catalog out: every source read, every record kept or rejected, and the counts add up."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from tdscaling_assets.catalog.files import read_api_document, read_tool_file
from tdscaling_assets.catalog.mcp import list_server_tools
from tdscaling_assets.catalog.mcp_config import McpServer, RefusedServer, read_mcp_config
from tdscaling_assets.catalog.normalise import Normaliser, Origin
from tdscaling_assets.catalog.openapi import Operation, list_operations, server_name
from tdscaling_assets.catalog.sources import BuiltinSource, FileSource, McpSource, OpenapiSource, Source, read_sources
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.sandbox.protocol import ExecResult
from tdscaling_assets.schema import CODE_TOOL, JsonObject, Record, RejectedTool, Tool, digest
from tdscaling_assets.services.server import build_server
from tdscaling_assets.services.spec import ServiceSpec, load_services
from tdscaling_assets.settings import Settings, environment

_BUILTIN_TIMEOUT = 30.0  # seconds; in memory, so only a defect takes that long


class Catalog(Record):
    """`entries` counts what the sources held; it equals the tools kept plus those rejected."""

    entries: int
    tools: tuple[Tool, ...]
    rejected: tuple[RejectedTool, ...]


class Listing(Record):
    """What one server or file gave: raw records, those it refused itself, or the reason why it gave none."""

    origin: Origin
    records: tuple[JsonValue, ...] = ()
    refused: tuple[Operation, ...] = ()
    failure: str = ""


def build_catalog(settings: Settings) -> Catalog:
    """`harvest`, for callers without an event loop."""
    return asyncio.run(harvest(settings))


async def harvest(settings: Settings) -> Catalog:
    """All tools of all sources, sorted by id, and the code tool. Raises ConfigError for a wrong sources file.

    A server that fails is one rejected entry; the rest goes on.
    """
    sources = read_sources(settings.sources)
    listings = [listing for source in sources for listing in await _list_source(source, settings)]
    normaliser = Normaliser()
    entries = 0
    for listing in listings:
        for record in listing.records:
            entries += 1
            normaliser.add(record, listing.origin)
        for operation in listing.refused:
            entries += 1
            normaliser.reject(operation.record, listing.origin, operation.reason)
        if listing.failure:
            entries += 1
            normaliser.reject(None, listing.origin, listing.failure)
    tools = sorted([*normaliser.tools, code_tool()], key=lambda tool: tool.tool_id)
    return Catalog(entries=entries + 1, tools=tuple(tools), rejected=tuple(normaliser.rejected))


def code_tool() -> Tool:
    """The sandboxed code tool, which belongs to every catalog."""
    description = "Run a Python 3 program in a sandbox without network and return what it printed."
    inputs = {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "The program. Print what you want to see."}},
        "required": ["code"],
        "additionalProperties": False,
    }
    outputs = ExecResult.model_json_schema()
    return Tool.model_validate(
        {
            "tool_id": CODE_TOOL,
            "server": "sandbox",
            "name": CODE_TOOL,
            "title": "Run Python",
            "description": description,
            "input_schema": inputs,
            "output_schema": outputs,
            "read_only": True,
            "destructive": False,
            "domain": "computing",
            "source": "sandbox",
            "executor": "sandbox",
            "content_hash": digest(CODE_TOOL, description, inputs, outputs, {"readOnlyHint": True}),
        }
    )


async def _list_source(source: Source, settings: Settings) -> Sequence[Listing]:
    if isinstance(source, BuiltinSource):
        return await _list_builtin(source, settings.seed)
    if isinstance(source, McpSource):
        return await _list_mcp(source)
    if isinstance(source, OpenapiSource):
        return [_list_api(read_api_document(source.openapi), source.openapi, source.domain)]
    return [_list_file(source)]


def _list_file(source: FileSource) -> Listing:
    path = source.file
    content = read_tool_file(path)
    if isinstance(content, dict):
        return _list_api(content, path, source.domain)
    origin = Origin(
        source=f"file:{path.name}", server=_stem(path), executor="simulated", domain=source.domain, read_server=True
    )
    return Listing(origin=origin, records=tuple(content))


def _list_api(document: JsonObject, path: Path, domain: str | None) -> Listing:
    operations = list_operations(document)
    return Listing(
        origin=Origin(
            source=f"openapi:{path.name}",
            server=server_name(document, _stem(path)),
            executor="simulated",
            domain=domain,
        ),
        records=tuple(operation.record for operation in operations if not operation.reason),
        refused=tuple(operation for operation in operations if operation.reason),
        failure="" if operations else "the document describes no operations",
    )


async def _list_builtin(source: BuiltinSource, seed: int) -> list[Listing]:
    services = load_services()
    wanted = sorted(services) if source.builtin == "all" else source.builtin
    unknown = [name for name in wanted if name not in services]
    if unknown:
        raise ConfigError(f"there is no built-in service {unknown[0]!r}: choose from {', '.join(sorted(services))}")
    return [await _list_service(services[name], seed, source.domain) for name in wanted]


async def _list_service(service: ServiceSpec, seed: int, domain: str | None) -> Listing:
    origin = Origin(source="builtin", server=service.name, executor="builtin", domain=domain or service.domain)
    records = await list_server_tools(build_server([service], seed), _BUILTIN_TIMEOUT)
    return Listing(origin=origin, records=tuple(records))


async def _list_mcp(source: McpSource) -> list[Listing]:
    """All servers of a configuration, in at most their time-out × ⌈servers ÷ at_once⌉ and once the time to stop one."""
    turnstile = asyncio.Semaphore(source.at_once)

    async def visit(server: McpServer | RefusedServer) -> Listing:
        origin = Origin(
            source=f"mcp_config:{source.mcp_config.name}",
            server=server.name,
            executor="simulated",
            domain=source.domain,
        )
        if isinstance(server, RefusedServer):
            return Listing(origin=origin, failure=server.reason)
        limit = server.timeout or source.timeout
        async with turnstile:
            listing = asyncio.create_task(list_server_tools(server, limit))
            await asyncio.wait([listing], timeout=limit)  # the next server starts while this one is being stopped
        try:
            records = await listing
        except ConfigError as error:
            return Listing(origin=origin, failure=str(error))
        return Listing(origin=origin, records=tuple(records), failure="" if records else "the server lists no tools")

    return list(await asyncio.gather(*map(visit, read_mcp_config(source.mcp_config, environment()))))


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or path.name
