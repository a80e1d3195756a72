"""Calls of live tools in, their results out: one lasting session per server, shared by the conversations of a batch."""

import asyncio
from collections.abc import Mapping

from mcp import MCPError

from tdscaling_assets.errors import ToolError
from tdscaling_assets.measures import only_reads
from tdscaling_assets.remote.config import McpServer, RefusedServer
from tdscaling_assets.remote.results import RemoteResult, read_error, read_result
from tdscaling_assets.remote.session import ServerSession
from tdscaling_assets.schema import JsonObject, Tool
from tdscaling_assets.settings import Settings

ServerKey = tuple[str, str]
"""`source` and `server` of a Tool."""


class LiveServers:
    """The servers behind tools whose executor is `mcp`. Nothing is started before the first call; `close` ends all."""

    def __init__(self, servers: Mapping[ServerKey, McpServer | RefusedServer], settings: Settings) -> None:
        self._servers = servers
        self._settings = settings
        self._sessions: dict[ServerKey, ServerSession] = {}

    async def call(self, tool: Tool, arguments: JsonObject) -> RemoteResult:
        """What the tool's server answered, its own errors included, without secrets.

        Raises ToolError, in one sentence without secrets, when it gave no answer within its time.
        """
        server = self._servers.get((tool.source, tool.server))
        if server is None:
            raise ToolError(f"{tool.source} has no MCP server {tool.server!r}: run `tds catalog` again")
        if isinstance(server, RefusedServer):
            raise ToolError(server.reason)
        session = self._session((tool.source, tool.server), server)
        secrets, longest = server.secrets(), self._settings.mcp_text_characters
        try:
            result = await session.call(tool.name, arguments, repeatable=only_reads(tool))
        except MCPError as refusal:
            return read_error(f"mcp_{abs(refusal.code)}", refusal.message, secrets, longest)
        return read_result(result, secrets, longest)

    async def close(self) -> None:
        """End every session and its process."""
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    def _session(self, key: ServerKey, server: McpServer) -> ServerSession:
        if key not in self._sessions:
            limit = server.timeout or self._settings.mcp_call_seconds
            self._sessions[key] = ServerSession(server, limit)
        return self._sessions[key]
