"""Model calls spread over processes, because one litellm call takes milliseconds of CPU: requests in, answers out.

The processes start with the first call, all at once, and each imports litellm for itself; nobody imports the parent's
main module. They get their environment from the parent and everything else through a socket, outlive an event loop,
end with the parent however it ends, and are replaced when they die.
"""

import asyncio
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import count

from pydantic import ValidationError

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.frames import Frame, Frames, Kind, encode
from tdscaling_assets.llm.protocol import Answer, Attempt, ChatRequest
from tdscaling_assets.schema import Role
from tdscaling_assets.settings import Settings

OpenAttempt = Callable[[Settings, Role], Attempt]
_READ_BYTES = 65_536
_SECONDS_TO_START, _SECONDS_TO_END = 60.0, 5.0
_FEWER_PAGE_FAULTS = {"MALLOC_TOP_PAD_": str(16 * 2**20)}
"""asyncio asks for 256 KiB per read of a socket, which glibc takes from the system anew each time unless told to keep
memory at hand."""


class WorkerPool:
    """An `Attempt` made by whichever of `processes` has least to do. Used by one event loop at a time."""

    def __init__(self, open_attempt: OpenAttempt, settings: Settings, processes: int) -> None:
        """`open_attempt` is a function of an importable module; each process calls it once per role."""
        self._start = partial(_Worker, open_attempt, settings)
        self._processes = processes
        self._seconds = settings.model_timeout + _SECONDS_TO_START
        self._workers: list[_Worker] = []

    async def attempt(self, request: ChatRequest) -> Answer:
        """The endpoint's answer. Raises ModelError; its kind is `server` when the process died under the call."""
        self._workers = [worker for worker in self._workers if worker.attach()]
        missing = self._processes - len(self._workers)
        self._workers += [self._start(request.role) for _ in range(missing)]
        try:
            async with asyncio.timeout(self._seconds):
                return await min(self._workers, key=lambda worker: worker.load).attempt(request)
        except TimeoutError as error:
            raise ModelError(
                "timeout", f"the process that made the call gave no sign for {self._seconds:g} s"
            ) from error

    async def close(self) -> None:
        """End the processes and fail the calls under way. A later call starts new ones."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.hang_up("the pool was closed")
        await asyncio.gather(*(asyncio.to_thread(worker.wait) for worker in workers))


class _Worker:
    """One process, our end of its socket, and the calls that it has not answered."""

    def __init__(self, open_attempt: OpenAttempt, settings: Settings, role: Role) -> None:
        setup = pickle.dumps((role, pickle.dumps((open_attempt, settings))))
        self._socket, theirs = socket.socketpair()
        self._socket.setblocking(False)
        with theirs:
            self._process = _start_process(theirs.fileno())
        self._numbers = count(1)
        self._calls: dict[int, asyncio.Future[Answer]] = {}
        self._frames = Frames()
        self._unsent = bytearray()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.attach()
        self._send(encode(Kind.SETUP, 0, setup))

    @property
    def load(self) -> int:
        """Calls under way."""
        return len(self._calls)

    def attach(self) -> bool:
        """Be read and written by the running event loop; whether there is a process to do so with."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop and self._socket.fileno() >= 0:
            self._detach()
            for number in self._calls:  # of an event loop that ended without waiting for them
                self._unsent += encode(Kind.CANCEL, number)
            self._calls.clear()
            self._loop = loop
            loop.add_reader(self._socket, self._receive)
            self._send(b"")  # what is unsent; without a process, even nothing cannot be sent
        return self._socket.fileno() >= 0

    async def attempt(self, request: ChatRequest) -> Answer:
        """The answer of the process; given up here, the call is given up there."""
        number = next(self._numbers)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._calls[number] = answer
        self._send(encode(Kind.CALL, number, request.wire))
        try:
            return await answer
        finally:
            if self._calls.pop(number, None) is not None:
                self._send(encode(Kind.CANCEL, number))

    def hang_up(self, reason: str) -> None:
        """Close the socket, which ends the process, and fail its calls."""
        if self._socket.fileno() < 0:
            return
        self._detach()
        self._socket.close()
        calls, self._calls = self._calls, {}
        for answer in calls.values():
            if not answer.done():
                answer.set_exception(ModelError("server", reason))

    def wait(self) -> None:
        """Wait until the process has ended, by force where it takes too long."""
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _lose(self) -> None:
        """The process is gone, or going: make sure of it, so that no other state is possible."""
        self.hang_up("the process that made the call died")
        self._process.kill()
        self._process.wait()

    def _detach(self) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        if not data:
            self._lose()
        for frame in self._frames.feed(data):
            self._finish(frame)

    def _finish(self, frame: Frame) -> None:
        """Hand an answer or a failure to who waits for it, if anybody still does."""
        waiting = self._calls.pop(frame.number, None)
        if waiting is None or waiting.done():
            return
        if frame.kind is Kind.ANSWER:
            try:
                waiting.set_result(Answer.model_validate_json(frame.body))
            except ValidationError as error:
                waiting.set_exception(ModelError("malformed", f"the answer cannot be read: {error}"))
        else:
            waiting.set_exception(pickle.loads(frame.body))

    def _send(self, data: bytes) -> None:
        """Send what the socket takes, and the rest when it takes more."""
        if self._socket.fileno() < 0:
            return
        waited = bool(self._unsent)
        self._unsent += data
        try:
            del self._unsent[: self._socket.send(self._unsent)]
        except BlockingIOError:
            pass
        except ConnectionError:
            self._lose()
            return
        assert self._loop is not None
        if self._unsent:
            self._loop.add_writer(self._socket, self._send, b"")
        elif waited:
            self._loop.remove_writer(self._socket)


def _start_process(descriptor: int) -> subprocess.Popen[bytes]:
    """The process, in a group of its own, so that Ctrl-C in the terminal is not for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "tdscaling_assets.llm.worker", str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={**_FEWER_PAGE_FAULTS, **os.environ, "PYTHONPATH": os.pathsep.join(path or os.curdir for path in sys.path)},
        pass_fds=(descriptor,),
        process_group=0,
    )
