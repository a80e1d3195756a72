"""What both backends share: limits, the command and environment of a program, capped output → ExecResult.

Inside either sandbox the same command runs, so ordinary code gives the same result in both:
`timeout` (hard lifetime, first process of the namespace) → `prlimit` (kernel limits) → `python3 main.py` in /work.
"""

import codecs
import math
import shlex

from tdscaling_assets.sandbox.protocol import ExecResult
from tdscaling_assets.schema import Record
from tdscaling_assets.settings import Settings

WORKSPACE = "/work"
PROGRAM = "main.py"
NOBODY = 65534
MAX_PROGRAM_BYTES = 1_048_576
FLOOD_FACTOR = 64
GRACE_SECONDS = 2
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


class Limits(Record):
    """What one program may use. `memory_mb` also bounds all its processes together; `output_bytes` holds for
    stdout and for stderr, each; `workspace_mb` for /work and for /tmp, each."""

    seconds: float
    memory_mb: int
    processes: int
    output_bytes: int
    open_files: int = 256
    file_mb: int = 32
    workspace_mb: int = 64
    shared_memory_mb: int = 16

    @property
    def lifetime_seconds(self) -> int:
        """When a program dies even if whoever started it is gone."""
        return math.ceil(self.seconds) + GRACE_SECONDS


def limits_from(settings: Settings) -> Limits:
    """The limits that the settings ask for."""
    return Limits(
        seconds=settings.sandbox_seconds,
        memory_mb=settings.sandbox_memory_mb,
        processes=settings.sandbox_processes,
        output_bytes=settings.sandbox_output_bytes,
    )


def program_command(limits: Limits, *extra_limits: str) -> list[str]:
    """The command that runs `main.py` of the current folder; `extra_limits` are further flags of prlimit."""
    cpu = math.ceil(limits.seconds)
    return [
        "prlimit",
        f"--as={limits.memory_mb << 20}",
        f"--cpu={cpu}:{cpu + 1}",
        f"--fsize={limits.file_mb << 20}",
        f"--nofile={limits.open_files}",
        "--core=0",
        *extra_limits,
        "python3",
        "-s",
        "-u",
        PROGRAM,
    ]


def with_lifetime(limits: Limits, command: list[str]) -> list[str]:
    """The command under `timeout`, which as first process also takes all others with it when it ends."""
    return ["timeout", "-s", "KILL", str(limits.lifetime_seconds), *command]


def shell_line(command: list[str]) -> str:
    """The command as one line for `sh -c`."""
    return shlex.join(command)


def program_bytes(code: str) -> bytes:
    """The program as written to `main.py`; what UTF-8 cannot hold becomes a question mark."""
    return code.encode("utf-8", errors="replace")


def oversized(program: bytes) -> ExecResult | None:
    """The result of a program too large to run, else None."""
    if len(program) <= MAX_PROGRAM_BYTES:
        return None
    return ExecResult(exit_code=None, stdout="", stderr=f"program is larger than {MAX_PROGRAM_BYTES} bytes\n")


class Capture:
    """The first `limit` bytes of a stream. `flooded` says that so much came that the program should be stopped."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.seen = 0
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Keep what still fits of the chunk."""
        self.seen += len(chunk)
        self._kept += chunk[: max(0, self.limit - len(self._kept))]

    @property
    def truncated(self) -> bool:
        """Whether something was not kept."""
        return self.seen > self.limit

    @property
    def flooded(self) -> bool:
        """Whether far more came than is kept."""
        return self.seen > self.limit * FLOOD_FACTOR

    def text(self) -> str:
        """The kept bytes; invalid UTF-8 is replaced, a character cut in two at the limit is dropped."""
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        return decoder.decode(bytes(self._kept), final=not self.truncated)


def outcome(status: int, stdout: Capture, stderr: Capture, *, killed: bool, timed_out: bool) -> ExecResult:
    """The result of a program that ended with `status`, 128 + n for signal n."""
    timed_out = timed_out or status == CPU_EXHAUSTED
    at_limit = timed_out or killed or status == KILLED
    return ExecResult(
        exit_code=None if at_limit else status,
        stdout=stdout.text(),
        stderr=stderr.text(),
        timed_out=timed_out,
        truncated=stdout.truncated or stderr.truncated,
    )
