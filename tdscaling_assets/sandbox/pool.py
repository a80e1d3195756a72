"""A way to start boxes in, a Sandbox out: at most so many boxes at a time, used again only when proven empty.

A box serves one workspace after another. In between it is emptied and the kernel's own counts must say that it is
as empty as at its start; a box in which a program met a limit, or that is not empty, or old, is ended instead. Who
finds no free box waits, before the clock of its own limits starts. Boxes of long conversations never take the last
place, so that programs which end by themselves always find one.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.box import Box
from tdscaling_assets.sandbox.program import PYTHON, oversized, program_bytes
from tdscaling_assets.sandbox.protocol import ExecResult

Result = TypeVar("Result")

_CLOSED = "the sandbox is closed: open another"


class Places:
    """A semaphore for any number of threads and event loops, first come, first served."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: deque[Future[None]] = deque()
        self._lock = threading.Lock()

    async def take(self) -> None:
        """Wait for a place."""
        place: Future[None] = Future()
        with self._lock:
            if self._free:
                self._free -= 1
                return
            self._waiting.append(place)
        try:
            await asyncio.wrap_future(place)
        except asyncio.CancelledError:
            if not place.cancel():
                self.give()
            raise

    def give(self) -> None:
        """Give a place back."""
        with self._lock:
            while self._waiting:
                place = self._waiting.popleft()
                if place.set_running_or_notify_cancel():
                    place.set_result(None)
                    return
            self._free += 1


class Pool:
    """At most `most` boxes, and as many threads to talk to them. Who borrows a box must hold a place."""

    def __init__(self, start: Callable[[], Box], most: int) -> None:
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="sandbox")
        self._start = start
        self._lock = threading.Lock()
        self._idle: list[Box] = []
        self._boxes: set[Box] = set()
        self._closed = False

    def submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Do the work in a thread. Raises SandboxError after `close`."""
        with self._lock:
            if self._closed:
                raise SandboxError(_CLOSED)
            return self._threads.submit(work, *arguments)

    def borrow(self) -> Box:
        """An empty box. Raises SandboxError when none can be started."""
        while (box := self._pop()) is not None:
            if box.wipe():  # which also tells whether it still answers
                return box
            self._end(box)
        box = self._start()
        with self._lock:
            self._boxes.add(box)
            closed = self._closed
        if closed:
            self._end(box)
            raise SandboxError(_CLOSED)
        return box

    def give_back(self, box: Box) -> None:
        """Keep the box for the next, if it is proven empty."""
        clean = box.wipe()
        with self._lock:
            keep = clean and not self._closed
            if keep:
                self._idle.append(box)
        if not keep:
            self._end(box)

    def close(self) -> None:
        """End all boxes, those in use too, and wait until nothing of them is left."""
        with self._lock:
            self._closed = True
            boxes = [*self._boxes]
            self._idle.clear()
        for box in boxes:
            box.sever()
        for box in boxes:
            self._end(box)
        self._threads.shutdown()

    def _pop(self) -> Box | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _end(self, box: Box) -> None:
        box.end()
        with self._lock:
            self._boxes.discard(box)


class PooledSession:
    """A `Session` on a borrowed box. Calls of one session run one after another."""

    def __init__(self, pool: Pool, places: Sequence[Places], workspace_id: str) -> None:
        self._pool = pool
        self._places = places
        self._workspace_id = workspace_id
        self._box: Box | None = None
        self._holds = False
        self._closed = False

    async def run(self, command: Sequence[str], given: bytes = b"") -> ExecResult:
        """Run a command in the workspace, with `given` as its standard input. After a result that says that the files
        are gone, the workspace is empty."""
        if refused := oversized(given):
            return refused
        if self._closed:
            raise SandboxError(f"{self._workspace_id}: the session is closed: open another")
        if not self._holds:
            await self._take_places()
        running = self._pool.submit(self._run, command, given)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            if self._box is not None:
                self._box.sever()
            raise

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program in the workspace."""
        return await self.run(PYTHON, program_bytes(code))

    async def close(self) -> None:
        """Forget the workspace; a second time does nothing."""
        self._closed = True
        if not self._holds:
            return
        self._holds = False
        try:
            ending = self._pool.submit(self._give_back)
        except SandboxError:  # closed before, and all its boxes with it
            self._give_places()
            return
        ending.add_done_callback(lambda _: self._give_places())
        await asyncio.shield(asyncio.wrap_future(ending))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _run(self, command: Sequence[str], given: bytes) -> ExecResult:
        if self._box is None or self._box.gone:
            self._give_back()
            try:
                self._box = self._pool.borrow()
            except SandboxError as error:
                raise SandboxError(f"{self._workspace_id}: {error}") from error
        return self._box.run(command, given)

    def _give_back(self) -> None:
        if self._box is not None:
            self._pool.give_back(self._box)
            self._box = None

    async def _take_places(self) -> None:
        taken: list[Places] = []
        try:
            for places in self._places:
                await places.take()
                taken.append(places)
        except asyncio.CancelledError:
            for places in taken:
                places.give()
            raise
        self._holds = True

    def _give_places(self) -> None:
        for places in self._places:
            places.give()


class PooledSandbox:
    """A `Sandbox` over whatever `start` starts."""

    def __init__(self, name: str, start: Callable[[], Box], most: int) -> None:
        self._name = name
        self._pool = Pool(start, most)
        self._places = Places(most)
        self._long_places = Places(max(1, most - 1))

    @property
    def name(self) -> str:
        """Backend and versions."""
        return self._name

    def open(self, workspace_id: str) -> PooledSession:
        """A session with a fresh workspace; it takes up room only from its first call on."""
        return PooledSession(self._pool, (self._long_places, self._places), workspace_id)

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program in a workspace of its own."""
        async with PooledSession(self._pool, (self._places,), "a program") as session:
            return await session.run_python(code)

    async def close(self) -> None:
        """End every box."""
        await asyncio.to_thread(self._pool.close)
