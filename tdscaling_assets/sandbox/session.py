"""A pool of boxes in, a Sandbox with its sessions out, for any number of event loops.

Who finds no free box, or too many programs running, waits, before the clock of its own limits starts. Boxes of
conversations never take the last place, so that programs which end by themselves always find one.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from tdscaling_assets.clock import off_the_clock
from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.box import Box
from tdscaling_assets.sandbox.pool import Places, Pool
from tdscaling_assets.sandbox.program import PYTHON, Limits, lost, oversized, program_bytes
from tdscaling_assets.sandbox.protocol import ExecResult

Result = TypeVar("Result")

_TIDYING = 2
"""Threads beyond those in which programs run: they empty what conversations left."""


class PooledSession:
    """A `Session` on a borrowed box. Calls of one session run one after another."""

    def __init__(self, pool: Pool, running: Places, places: Sequence[Places], workspace_id: str) -> None:
        self._pool = pool
        self._running = running
        self._places = places
        self._workspace_id = workspace_id
        self._box: Box | None = None
        self._lock = threading.Lock()
        self._holds = False
        self._closed = False

    async def run(self, command: Sequence[str], given: bytes = b"") -> ExecResult:
        """Run a command in the workspace, with `given` as its standard input. After a result that says that the files
        are gone, the workspace is empty."""
        if refused := oversized(given):
            return refused
        if self._closed:
            raise SandboxError(f"{self._workspace_id}: the session is closed: open another")
        with off_the_clock():
            if not self._holds:
                await self._take_places()
            await self._running.take()
        cancelled = threading.Event()
        running = self._submit(self._run, command, given, cancelled)
        try:
            return await asyncio.wrap_future(running)
        except asyncio.CancelledError:
            cancelled.set()
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

    def _submit(self, work: Callable[..., Result], *arguments: object) -> Future[Result]:
        """Do the work in a thread, which ends later than its cancelled caller, and then gives up its place."""
        try:
            ending = self._pool.submit(work, *arguments)
        except SandboxError:
            self._running.give()
            raise
        ending.add_done_callback(lambda _: self._running.give())
        return ending

    def _run(self, command: Sequence[str], given: bytes, cancelled: threading.Event) -> ExecResult:
        with self._lock:
            if self._box is None or self._box.gone:
                self._end_box()
                try:
                    self._box = self._pool.borrow()
                except SandboxError as error:
                    raise SandboxError(f"{self._workspace_id}: {error}") from error
            return lost(timed_out=False) if cancelled.is_set() else self._box.run(command, given)

    def _give_back(self) -> None:
        with self._lock:  # a cancelled call may not have ended yet
            self._end_box()

    def _end_box(self) -> None:
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

    def __init__(self, name: str, start: Callable[[], Box], limits: Limits) -> None:
        self._name = name
        self._pool = Pool(start, limits.at_once + _TIDYING)
        self._running = Places(limits.at_once)
        self._places = Places(limits.boxes)
        self._long_places = Places(max(1, limits.boxes - 1))

    @property
    def name(self) -> str:
        """Backend and versions."""
        return self._name

    def open(self, workspace_id: str) -> PooledSession:
        """A session with a fresh workspace; it takes up room only from its first call on."""
        return PooledSession(self._pool, self._running, (self._long_places, self._places), workspace_id)

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program in a workspace of its own."""
        async with PooledSession(self._pool, self._running, (self._places,), "a program") as session:
            return await session.run_python(code)

    async def close(self) -> None:
        """End every box."""
        await asyncio.to_thread(self._pool.close)
