"""A way to start boxes in, boxes out: at most so many at a time, used again only when proven empty.

A box serves one workspace after another. In between it is emptied and the kernel's own counts must say that it is
as empty as at its start; a box in which a program met a limit, or that is not empty, or old, is ended instead.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.box import Box

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
    """Boxes, and so many threads to talk to them. Who borrows a box must hold a place."""

    def __init__(self, start: Callable[[], Box], threads: int) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="sandbox")
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
