"""Settings in, the whole catalog out: every source read, every record kept or rejected, and the counts add up."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from tdscaling_assets.catalog.domains import assign_domains
from tdscaling_assets.catalog.files import read_tool_file
from tdscaling_assets.catalog.mcp import McpServer, list_server_tools, read_mcp_config
from tdscaling_assets.catalog.normalise import Normaliser, Origin
from tdscaling_assets.catalog.sources import BuiltinSource, McpSource, Source, read_sources
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.sandbox.protocol import ExecResult
from tdscaling_assets.schema import CODE_TOOL, Record, RejectedTool, Tool, digest
from tdscaling_assets.services.server import build_server
from tdscaling_assets.services.spec import ServiceSpec, load_services
from tdscaling_assets.settings import Settings

_SERVERS_AT_ONCE = 8
_BUILTIN_TIMEOUT = 30.0  # seconds; in memory, so only a defect takes that long


class Catalog(Record):
    """`entries` counts what the sources held; it equals the tools kept plus those rejected."""

    entries: int
    tools: tuple[Tool, ...]
    rejected: tuple[RejectedTool, ...]


class Listing(Record):
    """What one server or file gave: raw records, or the reason why it gave none."""

    origin: Origin
    records: tuple[JsonValue, ...] = ()
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
        if listing.failure:
            entries += 1
            normaliser.reject(None, listing.origin, listing.failure)
    tools = sorted([*assign_domains(normaliser.tools), code_tool()], key=lambda tool: tool.tool_id)
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
    path = source.file
    origin = Origin(
        source=f"file:{path.name}", server=_stem(path), executor="simulated", domain=source.domain, read_server=True
    )
    return [Listing(origin=origin, records=tuple(read_tool_file(path)))]


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
    turnstile = asyncio.Semaphore(_SERVERS_AT_ONCE)

    async def visit(server: McpServer) -> Listing:
        origin = Origin(
            source=f"mcp_config:{source.mcp_config.name}",
            server=server.name,
            executor="simulated",
            domain=source.domain,
        )
        async with turnstile:
            try:
                records = await list_server_tools(server, source.timeout)
            except ConfigError as error:
                return Listing(origin=origin, failure=str(error))
        return Listing(origin=origin, records=tuple(records), failure="" if records else "the server lists no tools")

    return list(await asyncio.gather(*map(visit, read_mcp_config(source.mcp_config))))


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or path.name
