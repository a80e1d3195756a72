"""Python programs in, results out, each in fresh Linux namespaces made by bubblewrap: no daemon, no image.

Covered, with a test each: no network; no host files but the interpreter and the system's shared libraries, all
read-only; no host environment, processes or host paths; user `nobody` without capabilities and without further
user namespaces; limits on wall clock, CPU, memory (of a process by the kernel, of all together by a look every
50 ms), processes, open files, file size, workspace and output; nothing outlives the call.

Not covered: there is no seccomp filter, so the kernel's system calls are the attack surface; the number of empty
files in the workspace is free; what lies under /usr/lib can be read. Only the standard library is there. What a
program prints about itself (addresses, times) stays as printed.
"""

import asyncio
import json
import os
import platform
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.namespaces import bwrap_candidates, bwrap_command, program_arguments
from tdscaling_assets.sandbox.program import Capture, Limits, outcome, oversized, program_bytes
from tdscaling_assets.sandbox.protocol import ExecResult

_WATCH_SECONDS = 0.05


class BubblewrapSandbox:
    """Keeps nothing between calls. Raises SandboxError when bubblewrap or what it needs is missing or refused."""

    def __init__(self, limits: Limits, executable: str | None = None) -> None:
        chosen = executable or next(iter(bwrap_candidates()), None)
        if chosen is None:
            raise SandboxError("there is no bubblewrap on this machine: install the package `bubblewrap`")
        self._limits = limits
        self._command = bwrap_command(chosen, limits)
        self._name = f"{_version(chosen)}, python {platform.python_version()}"

    @property
    def name(self) -> str:
        """Versions of bubblewrap and of the interpreter inside."""
        return self._name

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program with no network and no host files."""
        program = program_bytes(code)
        if refused := oversized(program):
            return refused
        return await self._run(program)

    async def close(self) -> None:
        """Nothing is kept."""

    async def _run(self, program: bytes) -> ExecResult:
        limits = self._limits
        stdout, stderr = Capture(limits.output_bytes), Capture(limits.output_bytes)
        run = await _start(self._command, program, limits)
        timed_out = False
        try:
            async with asyncio.timeout(limits.seconds):
                await run.finish(stdout, stderr, limits.memory_mb << 20)
        except TimeoutError:
            timed_out = True
        finally:
            await run.end()
        if run.status is None and not run.killed:
            raise SandboxError(f"bubblewrap did not start the program: {stderr.text().strip() or 'it said nothing'}")
        return outcome(run.status or 0, stdout, stderr, killed=run.killed, timed_out=timed_out)


class _Run:
    """One running sandbox. Its first process takes all others with it when it ends, and bubblewrap ends after it."""

    def __init__(self, process: asyncio.subprocess.Process, reports: asyncio.StreamReader) -> None:
        self.status: int | None = None
        self.killed = False
        self._process = process
        self._reports = reports
        self._first: int | None = None

    async def finish(self, stdout: Capture, stderr: Capture, memory_bytes: int) -> None:
        """Read everything until the end, and kill the program when it uses too much memory or writes too much."""
        await asyncio.gather(
            self._watch(memory_bytes),
            self._pump(self._process.stdout, stdout),
            self._pump(self._process.stderr, stderr),
        )

    async def end(self) -> None:
        """Kill whatever still runs and wait until nothing does."""
        if not self._reports.at_eof():
            self._kill()
        await asyncio.gather(_drain(self._process.stdout), _drain(self._process.stderr), _drain(self._reports))
        await self._process.wait()
        if self._first is not None:
            os.close(self._first)

    async def _watch(self, memory_bytes: int) -> None:
        """Follow bubblewrap's reports, one JSON object a line: the first process, and at the end its exit status."""
        watch: asyncio.Task[None] | None = None
        try:
            while line := await self._reports.readline():
                report = json.loads(line)
                self.status = report.get("exit-code", self.status)
                if "child-pid" in report:
                    self._first = _pidfd(report["child-pid"])
                    watch = asyncio.create_task(self._watch_memory(report["child-pid"], memory_bytes))
        finally:
            if watch:
                watch.cancel()

    async def _watch_memory(self, first: int, memory_bytes: int) -> None:
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if _private_bytes(first) > memory_bytes:
                self._kill()

    async def _pump(self, stream: asyncio.StreamReader | None, capture: Capture) -> None:
        assert stream is not None
        while chunk := await stream.read(65_536):
            capture.feed(chunk)
            if capture.flooded:
                self._kill()

    def _kill(self) -> None:
        self.killed = True
        with suppress(ProcessLookupError):
            if self._first is None:
                self._process.kill()
            else:
                signal.pidfd_send_signal(self._first, signal.SIGKILL)


async def _start(command: list[str], program: bytes, limits: Limits) -> _Run:
    program_fd = os.memfd_create("program")
    read_fd, write_fd = os.pipe()
    try:
        os.write(program_fd, program)
        os.lseek(program_fd, 0, os.SEEK_SET)
        process = await asyncio.create_subprocess_exec(
            *command,
            *program_arguments(program_fd, write_fd, limits),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(program_fd, write_fd),
        )
    except BaseException:
        os.close(read_fd)
        raise
    finally:
        os.close(program_fd)
        os.close(write_fd)
    return _Run(process, await _reader(read_fd))


async def _reader(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(descriptor, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


async def _drain(stream: asyncio.StreamReader | None) -> None:
    while stream is not None and await stream.read(65_536):
        pass


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None


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
