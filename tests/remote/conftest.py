"""Live servers to call: one of our own that misbehaves on demand, and those that nobody here wrote."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import pytest

from tdscaling_assets.remote.config import McpServer, RefusedServer
from tdscaling_assets.remote.live import LiveServers
from tdscaling_assets.schema import Tool
from tdscaling_assets.settings import Settings

SCRIPT = Path(__file__).with_name("server.py")
Talk = Callable[[LiveServers], Coroutine[Any, Any, Any]]


def tool(name: str, server: str = "test") -> Tool:
    """A live tool of that server."""
    return Tool(
        tool_id=f"{server}__{name}",
        server=server,
        name=name,
        description="",
        input_schema={"type": "object"},
        domain="d",
        source="mcp_config:mcp.json",
        executor="mcp",
        content_hash="0",
    )


@pytest.fixture
def server(tmp_path: Path) -> McpServer:
    """The server that misbehaves, started in the temporary folder."""
    env = {"API_KEY": "sk-77777", "PLACE": "postgres://u:pa55word@db"}
    return McpServer(name="test", command=sys.executable, args=(str(SCRIPT),), cwd=tmp_path, env=env, timeout=10)


@pytest.fixture
def talk() -> Callable[..., Any]:
    """Opens servers, lets a conversation be had with them, and closes them."""

    def run(talking: Talk, *servers: McpServer | RefusedServer, **settings: Any) -> Any:
        known: Mapping[Any, Any] = {("mcp_config:mcp.json", one.name): one for one in servers}

        async def whole() -> Any:
            live = LiveServers(known, Settings(**settings))
            try:
                return await talking(live)
            finally:
                await live.close()

        return asyncio.run(whole())

    return run
