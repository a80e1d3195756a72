"""Services as one MCP server of the official SDK: one world per server, errors as error results.

Standard output belongs to the protocol: nothing here prints.
"""

from collections.abc import Awaitable, Callable, Sequence

import anyio
import uvicorn
from mcp import types
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import JsonObject, canonical_json
from tdscaling_assets.services.spec import ServiceSpec, load_services, service_tools
from tdscaling_assets.services.world import CallResult, World

ServiceServer = Server[dict[str, object]]
AsyncRunner = Callable[[str], Awaitable[str]]
"""Runs a program in a sandbox and gives what it printed."""


def choose_services(name: str) -> list[ServiceSpec]:
    """The packaged service of that name, or `all`; ConfigError for an unknown one."""
    services = load_services()
    if name != "all" and name not in services:
        raise ConfigError(f"there is no service {name!r}: choose one of {', '.join(services)}, or all")
    return [services[name]] if name != "all" else [*services.values()]


def build_server(services: Sequence[ServiceSpec], seed: int, run: AsyncRunner | None = None) -> ServiceServer:
    """A server of the services' tools over a fresh world; use with `mcp.Client(server)` or any transport.

    Tools of several services are named `service__tool`. Without `run`, tools that run a program answer with an error.
    """
    world = World(services, seed)
    offered = {
        str(tool["name"]) if len(services) == 1 else f"{spec.name}__{tool['name']}": (spec, tool)
        for spec in services
        for tool in service_tools(spec)
    }
    tools = [types.Tool.model_validate({**tool, "name": name}) for name, (_, tool) in offered.items()]

    async def list_tools(
        context: ServerRequestContext[dict[str, object]], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(
        context: ServerRequestContext[dict[str, object]], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        if params.name in offered:
            spec, tool = offered[params.name]
            result = await _call(world, spec.name, str(tool["name"]), params.arguments or {}, run)
        else:
            result = world.call(services[0].name, params.name, {})  # which says that there is no such tool
        text = types.TextContent(type="text", text=canonical_json(result.value))
        structure = result.value if result.ok else None  # clients check it against the output schema
        return types.CallToolResult(content=[text], structured_content=structure, is_error=not result.ok)

    single = services[0] if len(services) == 1 else None
    return Server(
        single.name if single else "tdscaling",
        title=single.title if single else "An economy of business services",
        instructions=single.description
        if single
        else "Businesses that share one world; tools are named service__tool.",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_stdio(server: ServiceServer) -> None:
    """Serve on stdin and stdout until the client leaves."""

    async def run() -> None:
        async with stdio_server() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())

    anyio.run(run)


def serve_http(server: ServiceServer, host: str, port: int) -> None:
    """Serve streamable HTTP at `http://host:port/mcp` until interrupted."""
    uvicorn.run(server.streamable_http_app(host=host), host=host, port=port, log_level="warning")


async def _call(world: World, service: str, tool: str, arguments: JsonObject, run: AsyncRunner | None) -> CallResult:
    if run is None:
        return world.call(service, tool, arguments)
    answer = world.start(service, tool, arguments)
    return answer if isinstance(answer, CallResult) else world.finish(answer, await run(answer.code))
