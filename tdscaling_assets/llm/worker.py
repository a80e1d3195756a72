"""A process that makes model calls for its parent: `python -m tdscaling_assets.llm.worker FD`, started by workers.py.

FD is its end of a socket. It lives as long as the other end: closed, or gone with the parent, the process is over.
"""

import asyncio
import gc
import os
import pickle
import signal
import socket
import sys
import traceback

from pydantic_core import from_json

from tdscaling_assets.errors import ModelError, TdsError
from tdscaling_assets.llm.frames import Frame, Frames, Kind, encode
from tdscaling_assets.llm.pace import Pace
from tdscaling_assets.llm.protocol import Answer, Attempt, ChatRequest
from tdscaling_assets.schema import Role

_OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""Instead of 700, which a dozen calls leave: each collection looks through all calls in flight. Our own number."""


class Server(asyncio.Protocol):
    """Requests in, answers and failures out, each in its own time."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._frames = Frames()
        self._setup = b""
        self._opened: dict[Role, asyncio.Task[Attempt]] = {}
        self._calls: dict[int, asyncio.Task[Answer]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        for frame in self._frames.feed(data):
            self._handle(frame)

    def connection_lost(self, exc: Exception | None) -> None:
        os._exit(0)  # nobody waits for what is under way, and nothing here is worth closing

    def _handle(self, frame: Frame) -> None:
        if frame.kind is Kind.SETUP:
            role, self._setup = pickle.loads(frame.body)
            self._open(role)
        elif frame.kind is Kind.CALL:
            task = asyncio.create_task(self._attempt(frame.body))
            self._calls[frame.number] = task
            task.add_done_callback(lambda done: self._report(frame.number, done))
        elif frame.number in self._calls:
            self._calls[frame.number].cancel()

    async def _attempt(self, body: bytes) -> Answer:
        request = ChatRequest.model_construct(**from_json(body))  # checked when the parent made it
        attempt = await asyncio.shield(self._open(request.role))
        await self._pace.wait()
        return await attempt.attempt(request)

    def _open(self, role: Role) -> asyncio.Task[Attempt]:
        """The attempt of a role, opened once; what goes wrong is told to every call of the role."""
        if role not in self._opened:
            self._opened[role] = asyncio.create_task(self._make(role))
        return self._opened[role]

    async def _make(self, role: Role) -> Attempt:
        open_attempt, settings = pickle.loads(self._setup)
        attempt: Attempt = open_attempt(settings, role)
        gc.collect()
        gc.freeze()  # what was imported stays, so the collector need never look through it again
        gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
        return attempt

    def _report(self, number: int, task: asyncio.Task[Answer]) -> None:
        del self._calls[number]
        self._pace.ended()
        error = ModelError("server", "the call was cancelled") if task.cancelled() else task.exception()
        if error is None:
            frame = encode(Kind.ANSWER, number, task.result().model_dump_json().encode())
        else:
            frame = encode(Kind.FAILURE, number, pickle.dumps(_portable(error)))
        if not self._transport.is_closing():
            self._transport.write(frame)


def _portable(error: BaseException) -> Exception:
    """Our own failures as they are; a defect as its traceback in words, because not every exception can be pickled."""
    if isinstance(error, TdsError):
        return error
    return RuntimeError("".join(traceback.format_exception(error)))


async def serve(descriptor: int) -> None:
    """Serve the socket until its other end is closed."""
    connection = socket.socket(fileno=descriptor)
    await asyncio.get_running_loop().create_connection(Server, sock=connection)
    await asyncio.Event().wait()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to answer
    asyncio.run(serve(int(sys.argv[1])))
