"""The first process of every sandbox, in both backends: orders on stdin, answers on stdout, one JSON object a line.

It runs inside, so it uses the standard library only, and is given to the interpreter as text. What it starts cannot
reach it: as first process of its namespace it gets no signal from them, its memory and descriptors are closed to
them (it is not dumpable), and the seccomp profile denies the calls that change another process. After each program
it kills whatever the program left running.

    {"run": [...], "input": base64}  → {"status", "out", "err", "cut", "why", "created", "seconds"}
    {"stop": why}                    while a program runs: kill it; its answer then gives that `why`
    {"wipe": true}                   → {"clean": bool}: the folders are as empty as they were at the start

It ends when stdin does, or when its lifetime is over, and everything in the sandbox ends with it.
"""

import base64
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress
from typing import Any

_CHUNK = 65_536
_LOOK_SECONDS = 0.05
_FLOOD = 64
"""Times the output limit after which a program is stopped."""
_MOST_LISTED = 10_000
_MOST_CREATED = 100
_SET_DUMPABLE = 4


class Inbox:
    """Orders, as they come in on stdin. The process ends with its stdin or its lifetime."""

    def __init__(self, lifetime: float) -> None:
        self._end = time.monotonic() + lifetime
        self._read = b""
        self._poll = select.poll()
        self._poll.register(0, select.POLLIN)

    def next(self) -> dict[str, Any]:
        """The next order, waited for."""
        while b"\n" not in self._read:
            self.look(self._poll.poll(max(0.0, self._end - time.monotonic()) * 1000))
        line, _, self._read = self._read.partition(b"\n")
        order: dict[str, Any] = json.loads(line)
        return order

    def look(self, ready: object) -> str | None:
        """Take in what is there; the reason, when it is an order to stop."""
        if time.monotonic() > self._end:
            os._exit(0)
        if ready:
            chunk = os.read(0, _CHUNK)
            if not chunk:
                os._exit(0)
            self._read += chunk
        if self._read.startswith(b'{"stop"') and b"\n" in self._read:
            return str(self.next()["stop"])
        return None


class Stream:
    """One output of a program: its first bytes up to the limit, and how many there were."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.kept = b""
        self.seen = 0
        self.descriptor, self.end = os.pipe()
        os.set_blocking(self.descriptor, False)

    def feed(self) -> bool:
        """Read what is there; whether there was anything."""
        try:
            chunk = os.read(self.descriptor, _CHUNK)
        except BlockingIOError:
            return False
        self.seen += len(chunk)
        self.kept += chunk[: self.limit - len(self.kept)]
        return bool(chunk)


class Keeper:
    """Runs programs one after another under the limits of `config`."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._inbox = Inbox(config["lifetime"])
        self._empty = self._usage()

    def serve(self) -> None:
        """Answer orders for ever; an order to stop that comes too late has no answer."""
        _say({"ready": True})
        while True:
            order = self._inbox.next()
            if "run" in order:
                _say(self._run(order["run"], base64.b64decode(order["input"])))
            elif "wipe" in order:
                _say({"clean": self._wipe()})

    def _run(self, command: list[str], given: bytes) -> dict[str, Any]:
        before = set(_files(self._config["workspace"]))
        out, err = Stream(self._config["output_bytes"]), Stream(self._config["output_bytes"])
        start = time.monotonic()
        pid = self._start(command, given, out, err)
        why = self._watch(pid, start + self._config["seconds"], (out, err))
        status = _end_all(pid)
        for stream in (out, err):
            while stream.feed():
                pass
            os.close(stream.descriptor)
        return {
            "status": status,
            "out": base64.b64encode(out.kept).decode(),
            "err": base64.b64encode(err.kept).decode(),
            "cut": [stream.seen > stream.limit for stream in (out, err)],
            "why": why,
            "created": sorted(set(_files(self._config["workspace"])) - before)[:_MOST_CREATED],
            "seconds": time.monotonic() - start,
        }

    def _start(self, command: list[str], given: bytes, out: Stream, err: Stream) -> int:
        source = os.memfd_create("input")
        os.write(source, given)
        os.lseek(source, 0, os.SEEK_SET)
        pid = os.fork()
        if pid == 0:
            try:
                self._become(command, (source, out.end, err.end))
            except OSError as error:
                os.write(2, f"{command[0]}: {error.strerror}\n".encode())
            finally:
                os._exit(127)
        for descriptor in (source, out.end, err.end):
            os.close(descriptor)
        return pid

    def _become(self, command: list[str], streams: tuple[int, int, int]) -> None:
        """In the child: its own session, streams, folder and limits; the first to go when memory runs out."""
        os.setsid()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # which Python ignores, and a child would inherit that
            signal.signal(number, signal.SIG_DFL)
        os.chdir(self._config["workspace"])
        _set_dumpable(True)
        with suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:  # noqa: PTH123
            score.write("1000")
        for name, wanted in self._config["limits"].items():
            _lower(getattr(resource, name), *wanted)
        os.execvpe(command[0], command, self._config["environment"])

    def _watch(self, pid: int, deadline: float, streams: tuple[Stream, Stream]) -> str:
        """Wait for the program's first process; why it must be killed, "" when it ended by itself."""
        poll = select.poll()
        ended = os.pidfd_open(pid)
        poll.register(ended, select.POLLIN)
        poll.register(0, select.POLLIN)
        reading = {stream.descriptor: stream for stream in streams}
        for descriptor in reading:
            poll.register(descriptor, select.POLLIN)
        try:
            while True:
                left = min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic()))
                ready = {descriptor for descriptor, _ in poll.poll(left * 1000)}
                for descriptor in ready & set(reading):
                    if not reading[descriptor].feed():
                        poll.unregister(descriptor)
                stop = self._inbox.look(0 in ready)
                if stop or ended in ready:
                    return stop or ""
                if any(stream.seen > stream.limit * _FLOOD for stream in streams):
                    return "output"
                if any(files > self._config["files"] for files, _ in self._usage()):
                    return "files"
                if time.monotonic() >= deadline:
                    return "time"
        finally:
            os.close(ended)

    def _usage(self) -> list[tuple[int, int]]:
        """Files and blocks in use, for each writable folder, as the kernel counts them."""
        found = [os.statvfs(folder) for folder in self._config["folders"]]
        return [(each.f_files - each.f_ffree, each.f_blocks - each.f_bfree) for each in found]

    def _wipe(self) -> bool:
        """Empty the folders. False when anything is left, which the kernel's own counts tell."""
        try:
            for folder in self._config["folders"]:
                _remove_within(folder)
        except (OSError, RecursionError):
            return False
        return self._usage() == self._empty


def _end_all(pid: int) -> int:
    """Kill every other process here and wait until none is left; how `pid` ended, 128 + n for signal n."""
    status = 0
    while True:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            ended, code = os.waitpid(-1, 0)
        except ChildProcessError:
            return status
        if ended == pid:
            number = os.waitstatus_to_exitcode(code)
            status = number if number >= 0 else 128 - number


def _files(folder: str) -> list[str]:
    """Paths of the files below the folder, at most some thousands; what cannot be read is left out."""
    found: list[str] = []
    folders = [folder]
    seen = 0
    while folders and seen < _MOST_LISTED:
        try:
            entries = list(os.scandir(folders.pop()))
        except OSError:
            continue
        seen += len(entries)
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                found.append(entry.path[len(folder) + 1 :].encode("utf-8", "replace").decode())
    return found


def _remove_within(folder: str) -> None:
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            _remove_within(entry.path)
            os.rmdir(entry.path)  # noqa: PTH106
        else:
            os.unlink(entry.path)  # noqa: PTH108


def _lower(kind: int, soft: int, hard: int) -> None:
    """Set a limit, or leave it at the machine's own where that is lower."""
    most = resource.getrlimit(kind)[1]
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))


def _set_dumpable(whether: bool) -> None:
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, int(whether), 0, 0, 0)


def _say(answer: dict[str, Any]) -> None:
    text = json.dumps(answer).encode() + b"\n"
    while text:
        text = text[os.write(1, text) :]


def main() -> None:
    """Serve under the configuration that is the first argument, as JSON."""
    if os.getpid() != 1:
        sys.exit("only the first process of a process namespace may kill all others")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    _set_dumpable(False)
    Keeper(json.loads(sys.argv[1])).serve()


if __name__ == "__main__":
    main()
