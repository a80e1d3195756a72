"""A server in, an open connection to it out: over stdio or streamable HTTP, overheard, and quiet on our terminal."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self, TextIO

import httpx2
from mcp import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from tdscaling_assets.remote.config import McpServer
from tdscaling_assets.secrets import Secrets

if TYPE_CHECKING:
    from mcp.client._transport import ReadStream, TransportStreams

Heard = SessionMessage | Exception | None
"""What came in: a message, what could not be read as one, or None at the end."""

_LOGS = (  # they log addresses, messages and what servers print
    "client",
    "httpx2",
    "mcp.client.client",
    "mcp.client.stdio",
    "mcp.client.streamable_http",
    "mcp.shared.jsonrpc_dispatcher",
)


@asynccontextmanager
async def open_transport(server: McpServer, timeout: float, stderr: TextIO) -> "AsyncIterator[TransportStreams]":
    """Streams to and from the server; what it prints on its stderr goes to `stderr`. `timeout` (seconds) is that of
    one HTTP exchange."""
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
async def overheard(
    transport: "AbstractAsyncContextManager[TransportStreams]", hear: Callable[[Heard], None]
) -> "AsyncIterator[TransportStreams]":
    """The transport, with `hear` called on everything that comes in, before it is handed on."""
    async with transport as (incoming, outgoing):
        yield _Overheard(incoming, hear), outgoing


@contextmanager
def muted_sdk(secrets: Secrets) -> Iterator[None]:
    """Keep the SDK's log of a server's rubbish off the terminal, and the secrets out of it everywhere."""
    roots, silence = [logging.getLogger(name) for name in ("client", "mcp")], logging.NullHandler()
    logs = [logging.getLogger(name) for name in _LOGS]

    def mask(record: logging.LogRecord) -> bool:
        if record.exc_info:  # its traceback quotes what the server printed
            record.exc_info, record.exc_text = None, None
        record.msg, record.args = secrets.mask_error(record.getMessage()), ()
        return True

    for log in roots:
        log.addHandler(silence)
    for log in logs:
        log.addFilter(mask)
    try:
        yield
    finally:
        for log in roots:
            log.removeHandler(silence)
        for log in logs:
            log.removeFilter(mask)


def what_went_wrong(error: Exception, late: str, stderr: IO[str] | None = None) -> str:
    """The failure as the rest of a sentence about the server, `late` for a time-out; not masked."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        seen = late
    elif isinstance(error, ValidationError):
        seen = f"broke the protocol ({error.error_count()} errors, first: {error.errors()[0]['msg']})"
    else:
        seen = f"failed ({' '.join(str(error).split()) or type(error).__name__})"
    return seen if stderr is None else f"{seen}{last_words(stderr)}"


def last_words(stderr: IO[str]) -> str:
    """The last line that the server printed, as the end of a sentence; "" when there is none. Not masked."""
    stderr.seek(0, os.SEEK_SET)
    line = next((line for line in reversed([line.strip() for line in stderr]) if line), "")
    return f"; its last words: {line[:300]}" if line else ""


class _Overheard:
    """A read stream that tells `hear` what it hands on."""

    def __init__(self, stream: "ReadStream[SessionMessage | Exception]", hear: Callable[[Heard], None]) -> None:
        self._stream = stream
        self._hear = hear

    async def receive(self) -> SessionMessage | Exception:
        item = await self._stream.receive()
        self._hear(item)
        return item

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            item = await self._stream.__anext__()
        except StopAsyncIteration:
            self._hear(None)
            raise
        self._hear(item)
        return item

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stream.__aexit__(kind, value, trace)
