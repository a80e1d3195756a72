"""What both backends share: limits, the environment of a program, and an answer from inside → ExecResult."""

import base64
import codecs
import json
import math
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from tdscaling_assets.sandbox.protocol import ExecResult
from tdscaling_assets.schema import Record
from tdscaling_assets.settings import Settings

WORKSPACE = "/work"
FOLDERS = (WORKSPACE, "/tmp", "/dev/shm")
"""All that a program can write to, each in memory."""
NOBODY = 65534
MAX_PROGRAM_BYTES = 1_048_576
GRACE_SECONDS = 3
KILLED = 128 + 9
CPU_EXHAUSTED = 128 + 24

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": WORKSPACE,
    "PWD": WORKSPACE,
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_PROGRAM = "/tmp/main.py"
PYTHON = ("sh", "-c", f"cat > {_PROGRAM} && PYTHONPATH={WORKSPACE} exec python3 -s -u {_PROGRAM} < /dev/null")
"""Runs the program on its standard input, outside the workspace so that it is none of its files."""


_MOST_BOXES = 64
"""Unless the settings say more; an idle one holds some 20 MB."""


class Limits(Record):
    """What one program may use. `memory_mb` also bounds all its processes together; `output_bytes` holds for
    stdout and for stderr, each; `workspace_mb` and `files` for /work and for /tmp, each. At most `boxes`
    sandboxes exist at a time, each ends by itself after `lifetime_seconds`; in at most `at_once` something runs."""

    seconds: float
    memory_mb: int
    processes: int
    output_bytes: int
    open_files: int = 256
    file_mb: int = 32
    files: int = 8192
    workspace_mb: int = 64
    shared_memory_mb: int = 16
    at_once: int = 4
    boxes: int = 8
    lifetime_seconds: float = 3600

    def size_mb(self, folder: str) -> int:
        """How much a writable folder holds."""
        return self.shared_memory_mb if folder == "/dev/shm" else self.workspace_mb


def limits_from(settings: Settings) -> Limits:
    """The limits that the settings ask for."""
    return Limits(
        seconds=settings.sandbox_seconds,
        memory_mb=settings.sandbox_memory_mb,
        processes=settings.sandbox_processes,
        output_bytes=settings.sandbox_output_bytes,
        at_once=settings.sandbox_at_once,
        boxes=max(2, settings.sandbox_boxes or min(_MOST_BOXES, settings.concurrency + 1)),
        lifetime_seconds=max(3600.0, 2 * settings.conversation_timeout),
    )


def first_process(limits: Limits, variables: Mapping[str, str], *, alone: bool) -> list[str]:
    """The command of a sandbox's first process, `inside.py`, which sets the kernel's limits for each program.

    `variables` are further ones of the environment. The kernel counts the processes of a user, so that limit is set
    only where the sandbox is alone with its user.
    """
    cpu = math.ceil(limits.seconds)
    kernel = {
        "RLIMIT_AS": (limits.memory_mb << 20,) * 2,
        "RLIMIT_CPU": (cpu, cpu + 1),
        "RLIMIT_FSIZE": (limits.file_mb << 20,) * 2,
        "RLIMIT_NOFILE": (limits.open_files,) * 2,
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_MSGQUEUE": (0, 0),
        "RLIMIT_MEMLOCK": (65_536, 65_536),
    }
    if alone:
        kernel["RLIMIT_NPROC"] = (limits.processes,) * 2
    config = {
        "workspace": WORKSPACE,
        "folders": FOLDERS,
        "files": limits.files,
        "seconds": limits.seconds,
        "lifetime": limits.lifetime_seconds,
        "output_bytes": limits.output_bytes,
        "environment": {**ENVIRONMENT, **variables},
        "limits": kernel,
    }
    source = files("tdscaling_assets.sandbox").joinpath("inside.py").read_text(encoding="utf-8")
    return ["python3", "-I", "-S", "-B", "-c", source, json.dumps(config)]


def program_bytes(code: str) -> bytes:
    """The program as bytes; what UTF-8 cannot hold becomes a question mark."""
    return code.encode("utf-8", errors="replace")


def oversized(program: bytes) -> ExecResult | None:
    """The result of a program or input too large to take, else None."""
    if len(program) <= MAX_PROGRAM_BYTES:
        return None
    return ExecResult(exit_code=None, stdout="", stderr=f"program is larger than {MAX_PROGRAM_BYTES} bytes\n")


def outcome(answer: dict[str, Any]) -> ExecResult:
    """The result that an answer from inside tells (see `inside.py`)."""
    status, why = answer["status"], answer["why"]
    timed_out = why == "time" or (not why and status == CPU_EXHAUSTED)
    return ExecResult(
        exit_code=None if timed_out or why or status == KILLED else status,
        stdout=kept_text(base64.b64decode(answer["out"]), cut=answer["cut"][0]),
        stderr=kept_text(base64.b64decode(answer["err"]), cut=answer["cut"][1]),
        timed_out=timed_out,
        truncated=any(answer["cut"]),
        created=tuple(answer["created"]),
        seconds=answer["seconds"],
    )


def lost(timed_out: bool) -> ExecResult:
    """The result of a program that took its whole sandbox with it."""
    text = "the sandbox was killed at a limit, and its files are gone\n"
    return ExecResult(exit_code=None, stdout="", stderr=text, timed_out=timed_out)


def kept_text(kept: bytes, cut: bool) -> str:
    """Kept bytes of a stream as text; invalid UTF-8 is replaced, a character cut in two at the limit is dropped."""
    return codecs.getincrementaldecoder("utf-8")(errors="replace").decode(kept, final=not cut)
