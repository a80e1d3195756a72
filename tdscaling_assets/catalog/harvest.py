"""Settings and the last harvest in, the whole catalog out: every record kept or rejected, and the counts add up.

Read → normalise, reusing what did not change → link duplicates → mark what is gone. An unchanged file is not parsed.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import JsonValue

from tdscaling_assets.catalog.domains import assign_domains
from tdscaling_assets.catalog.duplicates import link_copies
from tdscaling_assets.catalog.execute import check_servers, choose_executors, missing_tools
from tdscaling_assets.catalog.files import read_api_document, read_mcp_config, read_tool_file
from tdscaling_assets.catalog.ledger import EMPTY, Ledger
from tdscaling_assets.catalog.mcp import list_server_tools
from tdscaling_assets.catalog.normalise import RULES, Origin
from tdscaling_assets.catalog.openapi import Operation, list_operations, server_name
from tdscaling_assets.catalog.sources import (
    BuiltinSource,
    FileSource,
    McpSource,
    OpenapiSource,
    Source,
    label_sources,
    read_sources,
)
from tdscaling_assets.catalog.state import State, VersionKey
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.remote.config import McpServer, RefusedServer
from tdscaling_assets.sandbox.protocol import observation_schema
from tdscaling_assets.sandbox.tools import TOOLS, CodeTool
from tdscaling_assets.schema import (
    CODE_SERVER,
    CODE_TOOL,
    JsonObject,
    Record,
    RejectedTool,
    Tool,
    ToolSource,
    ToolVersion,
    digest,
)
from tdscaling_assets.services.server import build_server
from tdscaling_assets.services.spec import ServiceSpec, load_services
from tdscaling_assets.settings import Settings, environment

_BUILTIN_TIMEOUT = 30.0  # seconds; in memory, so only a defect takes that long


class Catalog(Record):
    """`entries` counts what the sources held; it equals the present tools plus the rejected records.

    `tools` are sorted by id and hold those that are gone, too. `versions` are to be written, `ended` are stored
    versions that are no longer current; `fresh` are the ids of tools that were read anew.
    """

    entries: int
    tools: tuple[Tool, ...]
    rejected: tuple[RejectedTool, ...]
    sources: tuple[ToolSource, ...] = ()
    versions: tuple[ToolVersion, ...] = ()
    ended: tuple[VersionKey, ...] = ()
    fresh: frozenset[str] = frozenset()


class Listing(Record):
    """What one server or file gave: raw records, those it refused itself, or the reason why it gave none.

    `content_hash` names the content of a file, "" for a server. `unread` when it is as it was or did not answer: its
    tools stay.
    """

    origin: Origin
    records: tuple[JsonValue, ...] = ()
    refused: tuple[Operation, ...] = ()
    failure: str = ""
    content_hash: str = ""
    unread: bool = False


def build_catalog(settings: Settings, state: State = EMPTY, seen_at: str = "") -> Catalog:
    """`harvest`, for callers without an event loop."""
    built: list[Catalog] = []

    async def build() -> None:  # not as a result: asyncio.run prints that into a message, thousands of tools long
        built.append(await harvest(settings, state, seen_at))

    asyncio.run(build())
    return built[0]


async def harvest(settings: Settings, state: State = EMPTY, seen_at: str = "") -> Catalog:
    """All tools of all sources and the code tools, given what the last harvest left; `seen_at` is now, in ISO 8601.

    A server that fails is one rejected entry, its last known tools stay, and the rest goes on. Raises ConfigError for
    a wrong sources file.
    """
    sources = read_sources(settings.sources)
    listings = [
        listing
        for source, label in zip(sources, label_sources(sources), strict=True)
        for listing in await _list_source(source, label, settings, state)
    ]
    ledger = Ledger(state)
    read = tuple(_take(ledger, listing, state) for listing in listings)
    own = code_tools()
    for tool in own:
        ledger.add_own(tool)
    ledger.settle()
    tools = choose_executors(sorted(ledger.tools.values(), key=lambda tool: tool.tool_id), sources)
    if tools != [*state.tools.values()]:
        tools = link_copies(assign_domains(tools))
    ledger.tools = {tool.tool_id: tool for tool in tools}
    return Catalog(
        entries=sum(source.entries for source in read) + len(own),
        tools=tuple(tools),
        rejected=tuple(ledger.rejected),
        sources=read,
        versions=ledger.versions(seen_at),
        ended=ledger.ended(),
        fresh=ledger.fresh,
    )


def _take(ledger: Ledger, listing: Listing, state: State) -> ToolSource:
    """Enter the listing in the ledger; what to remember of its source."""
    origin, entries = listing.origin, len(listing.records) + len(listing.refused)
    old = state.sources.get((origin.source, origin.server))
    if listing.unread:
        kept = state.owned(origin.source, None if origin.read_server else origin.server)
        ledger.keep(kept)
        entries = len(kept)
        if old is not None and not listing.failure:
            ledger.rejected += [one for one in state.rejected if one.source == origin.source]
            entries = old.entries
    for record in listing.records:
        ledger.add(record, origin)
    for operation in listing.refused:
        ledger.reject(operation.record, origin, operation.reason)
    if listing.failure:
        ledger.reject(None, origin, listing.failure)
        entries += 1
    return ToolSource(
        source=origin.source,
        server=origin.server,
        content_hash=listing.content_hash,
        entries=entries,
        failure=listing.failure,
    )


def code_tools() -> list[Tool]:
    """The tools that run in the sandbox, which belong to every catalog."""
    return [_code_tool(tool) for tool in TOOLS]


def _code_tool(tool: CodeTool) -> Tool:
    tool_id = tool.name if tool.name == CODE_TOOL else f"{CODE_SERVER}__{tool.name}"
    inputs, outputs = tool.input_schema(), observation_schema()
    return Tool(
        tool_id=tool_id,
        server=CODE_SERVER,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=inputs,
        output_schema=outputs,
        read_only=tool.read_only,
        destructive=False,
        domain="computing",
        source="sandbox",
        executor="sandbox",
        content_hash=digest(tool_id, tool.description, inputs, outputs, {"readOnlyHint": tool.read_only}),
    )


async def _list_source(source: Source, label: str, settings: Settings, state: State) -> Sequence[Listing]:
    if isinstance(source, BuiltinSource):
        return await _list_builtin(source, label, settings.seed)
    if isinstance(source, McpSource):
        return await _list_mcp(source, label)
    path = source.openapi if isinstance(source, OpenapiSource) else source.file
    content = _file_hash(path, label, source.domain)
    old = next((known for known in state.sources.values() if known.source == label), None)
    if old is not None and old.content_hash == content:
        origin = Origin(source=label, server=old.server, executor="simulated", domain=source.domain)
        whole = origin.model_copy(update={"read_server": old.server == _stem(path)})
        return [Listing(origin=whole, content_hash=content, unread=True)]
    if isinstance(source, OpenapiSource):
        listing = _list_api(read_api_document(path), path, label, source.domain)
    else:
        listing = _list_file(source, label)
    return [listing.model_copy(update={"content_hash": content})]


def _list_file(source: FileSource, label: str) -> Listing:
    path = source.file
    content = read_tool_file(path)
    if isinstance(content, dict):
        return _list_api(content, path, label, source.domain)
    origin = Origin(source=label, server=_stem(path), executor="simulated", domain=source.domain, read_server=True)
    return Listing(origin=origin, records=tuple(content))


def _list_api(document: JsonObject, path: Path, label: str, domain: str | None) -> Listing:
    operations = list_operations(document)
    return Listing(
        origin=Origin(source=label, server=server_name(document, _stem(path)), executor="simulated", domain=domain),
        records=tuple(operation.record for operation in operations if not operation.reason),
        refused=tuple(operation for operation in operations if operation.reason),
        failure="" if operations else "the document describes no operations",
    )


def _file_hash(path: Path, label: str, domain: str | None) -> str:
    """Names the file's content, where it was found, and the rules that read it."""
    with path.open("rb") as file:
        return digest(RULES, label, str(path), domain, hashlib.file_digest(file, "sha256").hexdigest())


async def _list_builtin(source: BuiltinSource, label: str, seed: int) -> list[Listing]:
    services = load_services()
    wanted = sorted(services) if source.builtin == "all" else source.builtin
    unknown = [name for name in wanted if name not in services]
    if unknown:
        raise ConfigError(f"there is no built-in service {unknown[0]!r}: choose from {', '.join(sorted(services))}")
    return [await _list_service(services[name], label, seed, source.domain) for name in wanted]


async def _list_service(service: ServiceSpec, label: str, seed: int, domain: str | None) -> Listing:
    origin = Origin(source=label, server=service.name, executor="builtin", domain=domain or service.domain)
    records = await list_server_tools(build_server([service], seed), _BUILTIN_TIMEOUT)
    return Listing(origin=origin, records=tuple(records))


async def _list_mcp(source: McpSource, label: str) -> list[Listing]:
    """All servers of a configuration, in at most their time-out × ⌈servers ÷ at_once⌉ and once the time to stop one."""
    turnstile = asyncio.Semaphore(source.at_once)
    servers = read_mcp_config(source.mcp_config, environment())
    check_servers(source, [server.name for server in servers])

    async def visit(server: McpServer | RefusedServer) -> Listing:
        origin = Origin(source=label, server=server.name, executor="simulated", domain=source.domain)
        if isinstance(server, RefusedServer):
            return Listing(origin=origin, failure=server.reason, unread=True)
        limit = server.timeout or source.timeout
        async with turnstile:
            listing = asyncio.create_task(list_server_tools(server, limit))
            await asyncio.wait([listing], timeout=limit)  # the next server starts while this one is being stopped
        try:
            records = await listing
        except ConfigError as error:
            return Listing(origin=origin, failure=str(error), unread=True)
        failure = "" if records else "the server lists no tools"
        missing = _missing(source, server.name, records)
        return Listing(origin=origin, records=tuple(records), refused=missing, failure=failure)

    return list(await asyncio.gather(*map(visit, servers)))


def _missing(source: McpSource, server: str, records: Sequence[JsonValue]) -> tuple[Operation, ...]:
    """Tools that `execute` names and the server does not list, each as a record that is refused."""
    names = [str(record.get("name")).strip() for record in records if isinstance(record, dict)]
    reason = f"not there to execute: the server {server!r} has no such tool, correct `execute`"
    return tuple(
        Operation(record={"name": name}, reason=reason) for name in missing_tools(source.execute.get(server, ()), names)
    )


def _stem(path: Path) -> str:
    return path.name.split(".")[0] or path.name
