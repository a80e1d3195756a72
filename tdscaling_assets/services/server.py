"""Services as one MCP server of the official SDK: one world per server, errors as error results.

Standard output belongs to the protocol: nothing here prints to it.
"""

import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from difflib import get_close_matches

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
            close = get_close_matches(params.name, offered, 3, 0.3)
            told = f"there is no tool {params.name!r}; close are {', '.join(close) or 'none'}"
            result = CallResult(ok=False, value={"error": {"code": "unknown_tool", "message": told}})
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
    """Serve streamable HTTP at `http://host:port/mcp` until interrupted; ConfigError when the address is not free."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port} ({error.strerror}): choose another with --http"
        ) from error
    print(f"http://{host}:{port}/mcp", file=sys.stderr)
    with listener:
        config = uvicorn.Config(server.streamable_http_app(host=host), log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


async def _call(world: World, service: str, tool: str, arguments: JsonObject, run: AsyncRunner | None) -> CallResult:
    if run is None:
        return world.call(service, tool, arguments)
    answer = world.start(service, tool, arguments)
    return answer if isinstance(answer, CallResult) else world.finish(answer, await run(answer.code))
