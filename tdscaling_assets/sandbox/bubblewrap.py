"""Commands in, results out, in Linux namespaces made by bubblewrap: no daemon, no image.

Covered, with a test each: no network; no host files but the interpreter, a few packages and tools and the system's
shared libraries, all read-only; no host environment, processes or host paths; no /proc; user `nobody` without
capabilities, without new privileges and without further user namespaces; a seccomp profile; limits on wall clock, CPU
(of each process), memory (of a process by the kernel, of all together by a look every 50 ms), processes, open files,
file size, workspace, number of files (by a look every 50 ms) and output; nothing outlives the call but files of the
workspace, and nothing the workspace.

Not covered: flaws in the system calls that the profile allows; memory and files may pass their limit for the time
between two looks; CPU use of all processes together is bounded only by the wall clock; before Linux 5.14 the process
limit counts all sandboxes together; what lies under /usr/lib can be read; how full or busy the machine is can be
measured. What a program prints about itself (addresses, times, process ids) stays as printed.
"""

import json
import os
import platform
import select
import signal
import subprocess
from contextlib import suppress
from functools import partial
from pathlib import Path

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.box import Box
from tdscaling_assets.sandbox.namespaces import bwrap_candidates, bwrap_command, first_arguments
from tdscaling_assets.sandbox.program import Limits
from tdscaling_assets.sandbox.seccomp import filter_program
from tdscaling_assets.sandbox.session import PooledSandbox

_CHUNK = 1 << 20
_END_SECONDS = 10


class BubblewrapSandbox(PooledSandbox):
    """Raises SandboxError when bubblewrap or what it needs is missing or refused."""

    def __init__(self, limits: Limits, executable: str | None = None) -> None:
        chosen = executable or next(iter(bwrap_candidates()), None)
        if chosen is None:
            raise SandboxError("there is no bubblewrap on this machine: install the package `bubblewrap`")
        start = partial(_start, bwrap_command(chosen, limits), limits)
        super().__init__(f"{_version(chosen)}, python {platform.python_version()}", start, limits)


class _Pipes:
    """The way to a sandbox by the pipes of the bubblewrap process, which dies with the thread that started it.

    The first process inside takes all others with it when it ends, and bubblewrap ends after it.
    """

    def __init__(self, process: subprocess.Popen[bytes], reports: int) -> None:
        assert process.stdin and process.stdout
        self._process = process
        self._orders = process.stdin
        self._answers = process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        self._first: int | None = None
        self._first_pid = 0
        with os.fdopen(reports) as lines:
            if line := lines.readline():
                self._first_pid = json.loads(line)["child-pid"]
                with suppress(ProcessLookupError):
                    self._first = os.pidfd_open(self._first_pid)

    def send(self, data: bytes) -> None:
        self._orders.write(data)
        self._orders.flush()

    def receive(self, seconds: float) -> bytes:
        if not self._poll.poll(seconds * 1000):
            return b""
        chunk = os.read(self._answers, _CHUNK)
        if not chunk:
            raise EOFError
        return chunk

    def memory_bytes(self) -> int:
        return _private_bytes(self._first_pid)

    def complaint(self) -> str:
        self.sever()
        assert self._process.stderr
        return "" if self._process.stderr.closed else self._process.stderr.read().decode(errors="replace").strip()

    def sever(self) -> None:
        with suppress(ProcessLookupError, OSError):
            if self._first is None:
                self._process.kill()
            else:
                signal.pidfd_send_signal(self._first, signal.SIGKILL)

    def end(self) -> None:
        self.sever()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                stream.close() if stream else None
        if self._first is not None:
            os.close(self._first)
            self._first = None


def _start(command: list[str], limits: Limits) -> Box:
    profile = os.memfd_create("seccomp")
    read_fd, write_fd = os.pipe()
    try:
        os.write(profile, filter_program())
        os.lseek(profile, 0, os.SEEK_SET)
        process = subprocess.Popen(
            [*command, *first_arguments(profile, write_fd, limits)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=(profile, write_fd),
        )
    except BaseException:
        os.close(read_fd)
        raise
    finally:
        os.close(profile)
        os.close(write_fd)
    return Box(_Pipes(process, read_fd), limits)


def _private_bytes(pid: int) -> int:
    """Memory that a process and its descendants share with nobody; what ends meanwhile counts as nothing."""
    try:
        resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[1:3]
        children = [
            child for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()
        ]
    except (OSError, ValueError):
        return 0
    pages = int(resident) - int(shared)
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_private_bytes(int(child)) for child in children)


def _version(executable: str) -> str:
    try:
        return subprocess.run([executable, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SandboxError(f"{executable} does not run ({error}): install the package `bubblewrap`") from error
