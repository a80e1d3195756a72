"""A service as an MCP server of the official SDK: one world per server, errors as error results.

Standard output belongs to the protocol: nothing here prints.
"""

import anyio
from mcp import types
from mcp.server import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import canonical_json
from tdscaling_assets.services.spec import ServiceSpec, load_services, service_tools
from tdscaling_assets.services.world import World


def build_server(spec: ServiceSpec, seed: int) -> Server[dict[str, object]]:
    """A server of the service's tools over a fresh world; use with `mcp.Client(server)` or any transport."""
    world = World([spec], seed)
    tools = [types.Tool.model_validate(tool) for tool in service_tools(spec)]

    async def list_tools(
        context: ServerRequestContext[dict[str, object]], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(
        context: ServerRequestContext[dict[str, object]], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        result = world.call(spec.name, params.name, params.arguments or {})
        text = types.TextContent(type="text", text=canonical_json(result.value))
        return types.CallToolResult(content=[text], structured_content=result.value, is_error=not result.ok)

    return Server(
        spec.name,
        title=spec.title,
        instructions=spec.description,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def serve_stdio(name: str, seed: int) -> None:
    """Serve one packaged service on stdin and stdout until the client leaves; ConfigError for an unknown name."""
    services = load_services()
    if name not in services:
        raise ConfigError(f"there is no service {name!r}: choose one of {', '.join(services)}")
    server = build_server(services[name], seed)

    async def run() -> None:
        async with stdio_server() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())

    anyio.run(run)
