"""An MCP server in, its raw tool list out, over the real protocol with the official SDK.

A server may hang, crash or print rubbish; whatever it does ends, within its time limit, in a list or in one
ConfigError sentence. Its stderr is captured: the last line goes into that sentence, nothing onto our terminal.
Tools are taken as sent, before the SDK judges them, so one malformed tool does not hide its neighbours.
"""

import tempfile
from typing import Any, TextIO

import anyio
from mcp import Client
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse
from pydantic import JsonValue

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.remote.config import McpServer
from tdscaling_assets.remote.transport import Heard, muted_sdk, open_transport, overheard, what_went_wrong
from tdscaling_assets.secrets import Secrets

_PAGES = 1000  # a paginator that never ends must not fill the memory


async def list_server_tools(server: McpServer | Server[Any], timeout: float) -> list[JsonValue]:
    """The raw tools of one server, as it sent them, all pages; `timeout` in seconds covers start, hand-shake and list.

    Raises ConfigError, in one sentence, when the server does anything else. Its processes are gone on return, for which
    the SDK may take some 6 s beyond the time-out. What the configuration keeps secret is masked in both.
    """
    name = server.name
    secrets = server.secrets() if isinstance(server, McpServer) else Secrets()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr, muted_sdk(secrets):
        try:
            with anyio.fail_after(timeout):
                if isinstance(server, McpServer):
                    listed = await _list_over_wire(server, timeout, stderr)
                    return [secrets.mask_record(tool) for tool in listed]
                return await _list_in_memory(server)
        except Exception as error:  # noqa: BLE001 - the boundary to the outside
            seen = what_went_wrong(error, f"gave no tool list within {timeout:g} s", stderr)
            reason = secrets.mask_error(f"MCP server {name!r} {seen}")
            raise ConfigError(reason) from None  # what it came from may hold secrets


async def _list_over_wire(server: McpServer, timeout: float, stderr: TextIO) -> list[JsonValue]:
    listed: list[JsonValue] = []

    def take(heard: Heard) -> None:
        """Move the tools of a `tools/list` answer into `listed` on their way in."""
        if isinstance(heard, SessionMessage) and isinstance(heard.message, JSONRPCResponse):
            tools = heard.message.result.get("tools")
            if isinstance(tools, list):
                listed.extend(tools)
                heard.message.result["tools"] = []

    async with Client(overheard(open_transport(server, timeout, stderr), take)) as client:
        await _walk_pages(client)
    return listed


async def _list_in_memory(server: Server[Any]) -> list[JsonValue]:
    async with Client(server) as client:
        tools = await _walk_pages(client)
    return [tool.model_dump(mode="json", by_alias=True, exclude_unset=True) for tool in tools]


async def _walk_pages(client: Client) -> list[Any]:
    tools: list[Any] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return tools
