"""One running sandbox, of whichever backend: orders to its first process in, results out.

Everything here blocks; `pool.py` keeps it in threads. Limits are kept three times over: by the kernel for each
process, by the first process inside, and from here, where the whole sandbox is ended if its first process does not
answer in time.
"""

import base64
import json
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.program import GRACE_SECONDS, Limits, lost, outcome
from tdscaling_assets.sandbox.protocol import ExecResult

_LOOK_SECONDS = 0.05
_START_SECONDS = 60


class Wire(Protocol):
    """The way to a sandbox's first process."""

    def send(self, data: bytes) -> None:
        """Raises OSError when nobody is there."""
        ...

    def receive(self, seconds: float) -> bytes:
        """What comes within so many seconds, b"" for nothing. Raises OSError or EOFError when nobody is there."""
        ...

    def memory_bytes(self) -> int:
        """What all processes use together; 0 where the kernel limits that."""
        ...

    def complaint(self) -> str:
        """What the backend said when it went away; raises SandboxError when the backend as such is broken."""
        ...

    def sever(self) -> None:
        """Make the sandbox end, from any thread, without waiting for it."""
        ...

    def end(self) -> None:
        """End the sandbox and wait until nothing of it is left."""
        ...


class Box:
    """A started sandbox. Raises SandboxError when it does not start."""

    def __init__(self, wire: Wire, limits: Limits) -> None:
        self.gone = False
        self.spoiled = False
        self._wire = wire
        self._limits = limits
        self._read = b""
        self._lock = threading.Lock()
        self._started = time.monotonic()
        try:
            self._answer(_START_SECONDS)
        except (OSError, EOFError) as error:
            said = wire.complaint()
            wire.end()
            raise SandboxError(f"the sandbox did not start: {said or 'it said nothing'}") from error

    @property
    def fresh(self) -> bool:
        """Whether it may be used again: whole, never at a limit, and with most of its lifetime before it."""
        return (
            not self.gone and not self.spoiled and time.monotonic() - self._started < self._limits.lifetime_seconds / 3
        )

    def run(self, command: Sequence[str], given: bytes) -> ExecResult:
        """Run a command to its end or its limit."""
        with self._lock:
            if self.gone:
                return lost(timed_out=False)
            order = {"run": list(command), "input": base64.b64encode(given).decode()}
            try:
                result = outcome(self._ask(order, self._limits.seconds + GRACE_SECONDS))
            except (OSError, EOFError) as error:
                self.end()
                self._wire.complaint()
                return lost(timed_out=isinstance(error, TimeoutError))
            self.spoiled |= result.exit_code is None
            return result

    def wipe(self) -> bool:
        """Empty it; whether it is as it was at the start."""
        with self._lock:
            try:
                return self.fresh and bool(self._ask({"wipe": True}, GRACE_SECONDS)["clean"])
            except (OSError, EOFError):
                return False

    def sever(self) -> None:
        """Make it end, without waiting."""
        self.gone = True
        self._wire.sever()

    def end(self) -> None:
        """End it, and wait until nothing of it is left."""
        self.gone = True
        self._wire.end()

    def _ask(self, order: Mapping[str, object], seconds: float) -> dict[str, Any]:
        self._wire.send(json.dumps(order).encode() + b"\n")
        return self._answer(seconds)

    def _answer(self, seconds: float) -> dict[str, Any]:
        """The next answer; watches the memory until it comes. Raises TimeoutError, OSError or EOFError for none."""
        deadline = time.monotonic() + seconds
        stopped = False
        while b"\n" not in self._read:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._read += self._wire.receive(min(left, _LOOK_SECONDS))
            if not stopped and self._wire.memory_bytes() > self._limits.memory_mb << 20:
                stopped = True
                self._wire.send(b'{"stop": "memory"}\n')
        line, _, self._read = self._read.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
