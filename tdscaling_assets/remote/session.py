"""One MCP server in, its calls answered out, over one session that lasts: opened at the first call, opened again when
it broke.

The SDK's session belongs to the task that enters it, so each has an owner task; calls run beside it, any number at a
time. A call ends within its time limit, whatever the server does.
"""

import asyncio
import math
import tempfile
from collections.abc import Coroutine
from typing import Any, TypeVar

import anyio
from mcp import Client, MCPError
from mcp.types import (
    CONNECTION_CLOSED,
    PARSE_ERROR,
    REQUEST_TIMEOUT,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
)
from pydantic import ValidationError

from tdscaling_assets.errors import ToolError
from tdscaling_assets.remote.config import McpServer
from tdscaling_assets.remote.transport import Heard, last_words, muted_sdk, open_transport, overheard, what_went_wrong
from tdscaling_assets.schema import JsonObject

Result = TypeVar("Result")

TRIES = 3
"""Tries of one call, and failures to open one after the other, before a server is left alone for a while."""
BACKOFF_SECONDS = 0.5
"""Before the second try; four times as long before each further one."""
REST_SECONDS = 60.0
"""How long a server is left alone; calls then fail at once."""

_NO_ANSWER = (CONNECTION_CLOSED, PARSE_ERROR, REQUEST_TIMEOUT)
_STAND_INS = ("Session terminated", "Server returned an error response", "Unexpected content type")
_CLOSING_SECONDS = 1.0  # what a server that broke off gets to say why


class ServerSession:
    """The calls of one server. `limit` (seconds) covers a call with all that opening needs."""

    def __init__(self, server: McpServer, limit: float) -> None:
        self._server = server
        self._limit = limit
        self._secrets = server.secrets()
        self._link: _Link | None = None
        self._failures = 0
        self._rest_until = -math.inf
        self._tasks: set[asyncio.Task[Any]] = set()

    async def call(self, tool: str, arguments: JsonObject, repeatable: bool) -> CallToolResult:
        """What the tool returned. A call that broke off is only sent again when it is `repeatable`.

        Raises MCPError with what the server refused, and ToolError in one sentence without secrets for anything else.
        """
        task: asyncio.Task[CallToolResult] = self._start(self._call(tool, arguments, repeatable))
        try:
            await asyncio.wait({task}, timeout=self._limit)
            if task.done():
                return task.result()
        finally:
            task.cancel()  # not waited for: a server that does not read would hold it
        raise ToolError(f"MCP server {self._server.name!r} did not answer {tool} within {self._limit:g} s")

    async def close(self) -> None:
        """End the session and its process, for which the SDK may take some 6 s."""
        if self._link is not None:
            self._link.end()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, so that asyncio does not log it

    async def _call(self, tool: str, arguments: JsonObject, repeatable: bool) -> CallToolResult:
        request = CallToolRequest(params=CallToolRequestParams(name=tool, arguments=arguments))
        for attempt in range(TRIES):
            await asyncio.sleep(BACKOFF_SECONDS * 4 ** (attempt - 1) if attempt else 0)
            link = await self._opened(attempt == TRIES - 1)
            if link is None:
                continue
            try:
                # Not `call_tool`: that lists the tools, all of them well formed, before it hands on a result.
                return await link.client.session.send_request(request, CallToolResult)
            except (MCPError, ValidationError) as error:
                if isinstance(error, MCPError) and not _is_unanswered(error):
                    raise
                failure = await self._broken(link, tool, error)
            if not repeatable or attempt == TRIES - 1:
                raise failure
        raise ToolError(f"MCP server {self._server.name!r} could not be opened for {tool}")

    async def _opened(self, last: bool) -> "_Link | None":
        """The open session; None when it could not be opened and may be tried again, else ToolError."""
        now = asyncio.get_running_loop().time()
        if self._link is None or (self._link.ended and now >= self._rest_until):
            self._link = _Link(self._server, self._limit)
            self._start(self._link.own())
        link = self._link
        await link.settled.wait()
        if not link.failure:
            self._failures = 0
            return link
        if not link.counted:
            link.counted = True
            self._failures += 1
            if self._failures >= TRIES:
                self._failures, self._rest_until = 0, asyncio.get_running_loop().time() + REST_SECONDS
        if last or asyncio.get_running_loop().time() < self._rest_until:
            raise ToolError(link.failure)
        return None

    async def _broken(self, link: "_Link", tool: str, error: Exception) -> ToolError:
        """The failure of a call; a session that is of no more use is ended."""
        if isinstance(error, MCPError) and (error.code == CONNECTION_CLOSED or error.message == _STAND_INS[0]):
            link.stop.set()
            with anyio.move_on_after(_CLOSING_SECONDS):
                await link.over.wait()
        seen = what_went_wrong(error, "")
        return ToolError(self._secrets.mask_error(f"MCP server {self._server.name!r} {seen} in {tool}{link.words}"))


class _Link:
    """One session, from opening to end. `settled` once it is open or `failure` says why not, `over` at its end."""

    def __init__(self, server: McpServer, limit: float) -> None:
        self._server = server
        self._limit = limit
        self.client: Client
        self.settled = asyncio.Event()
        self.stop = asyncio.Event()
        self.over = asyncio.Event()
        self.failure = ""
        self.words = ""
        self.counted = False
        self._opening = anyio.CancelScope()

    @property
    def ended(self) -> bool:
        """Whether no call can be sent any more."""
        return self.stop.is_set() or self.over.is_set()

    def end(self) -> None:
        """Leave the session, also one that is still being opened."""
        self.stop.set()
        if not self.settled.is_set():
            self._opening.cancel()

    async def own(self) -> None:
        """Enter the session, keep it until it is stopped or breaks, and leave it: all in this task."""
        secrets = self._server.secrets()
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as stderr, muted_sdk(secrets):
            seen = "was stopped"
            try:
                with self._opening:
                    self._opening.deadline = anyio.current_time() + self._limit
                    transport = open_transport(self._server, self._limit, stderr)
                    async with Client(overheard(transport, self._hear)) as self.client:
                        self._opening.deadline = math.inf
                        self.settled.set()
                        await self.stop.wait()
                if not self.stop.is_set():
                    seen = f"did not open within {self._limit:g} s"
            except Exception as error:  # noqa: BLE001 - the boundary to the outside
                seen = what_went_wrong(error, "did not open in time")
            finally:
                self.words = last_words(stderr)
                if not self.settled.is_set():
                    self.failure = secrets.mask_error(f"MCP server {self._server.name!r} {seen}{self.words}")
                self.settled.set()
                self.over.set()

    def _hear(self, heard: Heard) -> None:
        if heard is None:
            self.stop.set()


def _is_unanswered(error: MCPError) -> bool:
    """Whether the SDK made the error up, because no answer came."""
    return error.code in _NO_ANSWER or error.message.startswith(_STAND_INS)
