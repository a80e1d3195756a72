"""An MCP server in, its raw tool list out, over the real protocol with the official SDK.

A server may hang, crash or print rubbish; whatever it does ends, within its time limit, in a list or in one
ConfigError sentence. Its stderr is captured: the last line goes into that sentence, nothing onto our terminal.
Tools are taken as sent, before the SDK judges them, so one malformed tool does not hide its neighbours.
"""

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, TextIO

import anyio
import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse
from pydantic import JsonValue, ValidationError

from tdscaling_assets.catalog.mcp_config import McpServer
from tdscaling_assets.catalog.secrets import Secrets
from tdscaling_assets.errors import ConfigError

if TYPE_CHECKING:
    from mcp.client._transport import ReadStream, TransportStreams

_PAGES = 1000  # a paginator that never ends must not fill the memory
_LOGS = ("httpx2", "mcp.client.streamable_http", "mcp.client.stdio")  # they log addresses and what servers print


async def list_server_tools(server: McpServer | Server[Any], timeout: float) -> list[JsonValue]:
    """The raw tools of one server, as it sent them, all pages; `timeout` in seconds covers start, hand-shake and list.

    Raises ConfigError, in one sentence, when the server does anything else. Its processes are gone on return, for which
    the SDK may take some 6 s beyond the time-out. What the configuration keeps secret is masked in both.
    """
    name = server.name
    secrets = server.secrets() if isinstance(server, McpServer) else Secrets()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr, _muted_sdk(secrets):
        try:
            with anyio.fail_after(timeout):
                if isinstance(server, McpServer):
                    listed = await _list_over_wire(server, timeout, stderr)
                    return [secrets.mask_record(tool) for tool in listed]
                return await _list_in_memory(server)
        except Exception as error:  # noqa: BLE001 - the boundary to the outside
            reason = secrets.mask_error(_failure(name, timeout, error, stderr))
            raise ConfigError(reason) from None  # what it came from may hold secrets


async def _list_over_wire(server: McpServer, timeout: float, stderr: TextIO) -> list[JsonValue]:
    listed: list[JsonValue] = []
    async with Client(_overheard(_transport(server, timeout, stderr), listed)) as client:
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


@asynccontextmanager
async def _transport(server: McpServer, timeout: float, stderr: TextIO) -> "AsyncIterator[TransportStreams]":
    if server.command:
        parameters = StdioServerParameters(
            command=server.command,
            args=list(server.args),
            env=server.env,
            cwd=server.cwd,
            encoding_error_handler="replace",
        )
        async with stdio_client(parameters, errlog=stderr) as streams:
            yield streams
    else:
        async with (
            httpx2.AsyncClient(headers=server.headers, timeout=timeout) as http,
            streamable_http_client(server.url, http_client=http) as streams,
        ):
            yield streams


@asynccontextmanager
async def _overheard(
    transport: "AbstractAsyncContextManager[TransportStreams]", listed: list[JsonValue]
) -> "AsyncIterator[TransportStreams]":
    """The transport, with the tools of every `tools/list` answer moved into `listed` on their way in."""
    async with transport as (incoming, outgoing):
        yield _Listener(incoming, listed), outgoing


class _Listener:
    """A read stream that hands on every message after taking out the tools it carries."""

    def __init__(self, stream: "ReadStream[SessionMessage | Exception]", listed: list[JsonValue]) -> None:
        self._stream = stream
        self._listed = listed

    async def receive(self) -> SessionMessage | Exception:
        return self._take(await self._stream.receive())

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        return self._take(await self._stream.__anext__())

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(kind, value, trace)

    def _take(self, item: SessionMessage | Exception) -> SessionMessage | Exception:
        if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCResponse):
            tools = item.message.result.get("tools")
            if isinstance(tools, list):
                self._listed += tools
                item.message.result["tools"] = []
        return item


@contextmanager
def _muted_sdk(secrets: Secrets) -> Iterator[None]:
    """Keep the SDK's log of a server's rubbish off the terminal, and the secrets out of it everywhere."""
    log, silence = logging.getLogger("mcp"), logging.NullHandler()

    def mask(record: logging.LogRecord) -> bool:
        if record.exc_info:  # its traceback quotes what the server printed
            record.exc_info, record.exc_text = None, None
        record.msg, record.args = secrets.mask_error(record.getMessage()), ()
        return True

    log.addHandler(silence)
    for name in _LOGS:
        logging.getLogger(name).addFilter(mask)
    try:
        yield
    finally:
        log.removeHandler(silence)
        for name in _LOGS:
            logging.getLogger(name).removeFilter(mask)


def _failure(name: str, timeout: float, error: Exception, stderr: IO[str]) -> str:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        seen = f"gave no tool list within {timeout:g} s"
    elif isinstance(error, ValidationError):
        seen = f"broke the protocol ({error.error_count()} errors, first: {error.errors()[0]['msg']})"
    else:
        seen = f"failed ({' '.join(str(error).split()) or type(error).__name__})"
    last = _last_line(stderr)
    return f"MCP server {name!r} {seen}" + (f"; its last words: {last}" if last else "")


def _last_line(stderr: IO[str]) -> str:
    stderr.seek(0, os.SEEK_SET)
    lines = [line.strip() for line in stderr if line.strip()]
    return lines[-1][:300] if lines else ""
