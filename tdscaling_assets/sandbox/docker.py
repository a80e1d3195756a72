"""Python programs in, results out, each in its own Docker container that is gone when the call returns.

The container has no network, a read-only root, size-limited /work and /tmp, no capabilities, no new privileges, user
`nobody`, the engine's seccomp profile, and limits on memory, processes and CPU. A hard lifetime inside ends it
even if this process dies, and the engine then removes it. A cancelled call does not wait: its container goes at its
limits. Not covered: flaws of the kernel or the engine; names and contents of the image can be read.
"""

import asyncio
import base64
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

import requests
from docker import DockerClient
from docker import from_env as connect
from docker.errors import APIError, DockerException, ImageNotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.types import LogConfig

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.program import (
    ENVIRONMENT,
    NOBODY,
    PROGRAM,
    WORKSPACE,
    Capture,
    Limits,
    outcome,
    oversized,
    program_bytes,
    program_command,
    shell_line,
    with_lifetime,
)
from tdscaling_assets.sandbox.protocol import ExecResult

LABEL = "tdscaling.sandbox"
_CHUNK = 100_000
_ENGINE_SECONDS = 60


class DockerSandbox:
    """A connection to the engine. Raises SandboxError when the engine does not answer or has no such image."""

    def __init__(self, image: str, limits: Limits) -> None:
        self._limits = limits
        with engine_errors(image):
            self._client = connect_engine(_ENGINE_SECONDS)
            self._image = self._client.images.get(image)

    @property
    def name(self) -> str:
        """The backend and the image's short id."""
        return f"docker {self._image.short_id.removeprefix('sha256:')}"

    async def run_python(self, code: str) -> ExecResult:
        """Run a Python program with no network and no host files."""
        program = program_bytes(code)
        if refused := oversized(program):
            return refused
        return await asyncio.to_thread(self._run, program)

    async def close(self) -> None:
        """Close the connection to the engine."""
        self._client.close()

    def _run(self, program: bytes) -> ExecResult:
        limits = self._limits
        stdout, stderr = Capture(limits.output_bytes), Capture(limits.output_bytes)
        with (
            engine_errors(str(self._image)),
            self._container(program) as container,
            self._ask(container, "wait", condition="removed") as ended,
            self._ask(container, "attach", stdout="1", stderr="1", stream="1") as output,
        ):
            container.start()
            with _Killer(container, limits.seconds) as killer:
                for is_stderr, chunk in _frames(output):
                    (stderr if is_stderr else stdout).feed(chunk)
                    if stdout.flooded or stderr.flooded:
                        killer.kill_now()
                status = int(ended.json()["StatusCode"])
        return outcome(status, stdout, stderr, killed=killer.flooded, timed_out=killer.timed_out)

    @contextmanager
    def _container(self, program: bytes) -> Iterator[Container]:
        """A created container, surely removed at the end."""
        container = _create(self._client, self._image, program, self._limits)
        try:
            yield container
        finally:
            with suppress(APIError):
                container.remove(force=True)

    @contextmanager
    def _ask(self, container: Container, question: str, **params: str) -> Iterator[requests.Response]:
        """An answer that comes while the container runs; asked before its start, as it may be gone soon after."""
        api = self._client.api
        url = f"{api.base_url}/v{api.api_version}/containers/{container.id}/{question}"
        seconds = self._limits.lifetime_seconds + _ENGINE_SECONDS
        with api.post(url, params=params, stream=True, timeout=seconds) as response:
            response.raise_for_status()
            yield response


def connect_engine(timeout_seconds: int) -> DockerClient:
    """A client of the engine the environment names; each request may take that long."""
    return connect(timeout=timeout_seconds)


def command(program: bytes, limits: Limits) -> list[str]:
    """The container's command, with the program as base64 arguments because nothing can be copied into a tmpfs."""
    text = base64.b64encode(program).decode()
    chunks = [text[start : start + _CHUNK] for start in range(0, len(text), _CHUNK)]
    script = f'printf %s "$@" | base64 -d > {PROGRAM} && exec {shell_line(program_command(limits))} < /dev/null'
    variables = [f"{name}={value}" for name, value in ENVIRONMENT.items()]
    return with_lifetime(limits, ["env", "-i", *variables, "sh", "-c", script, "sh", *chunks])


@contextmanager
def engine_errors(image: str) -> Iterator[None]:
    """The boundary to the engine: its failures become SandboxError."""
    try:
        yield
    except ImageNotFound as error:
        raise SandboxError(f"there is no Docker image {image}: build it with `tds sandbox build`") from error
    except (DockerException, requests.RequestException) as error:
        raise SandboxError(f"the Docker engine failed ({error}): start it, or set TDS_SANDBOX=bubblewrap") from error


def _create(client: DockerClient, image: Image, program: bytes, limits: Limits) -> Container:
    """A container that has been denied everything it does not need."""
    workspace = f"size={limits.workspace_mb}m,uid={NOBODY},gid={NOBODY},mode=700,exec"
    return client.containers.create(
        image,
        command(program, limits),
        network_mode="none",
        read_only=True,
        tmpfs={WORKSPACE: workspace, "/tmp": workspace},
        shm_size=f"{limits.shared_memory_mb}m",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        user=f"{NOBODY}:{NOBODY}",
        mem_limit=f"{limits.memory_mb}m",
        memswap_limit=f"{limits.memory_mb}m",
        pids_limit=limits.processes,
        nano_cpus=1_000_000_000,
        working_dir=WORKSPACE,
        hostname="sandbox",
        labels={LABEL: "true"},
        auto_remove=True,
        log_config=LogConfig(type="none"),
    )


def _frames(output: requests.Response) -> Iterator[tuple[bool, bytes]]:
    """The chunks of an attached container's output, and whether they are stderr's (Engine API, "Stream format")."""
    while len(header := output.raw.read(8)) == 8:
        stream, size = struct.unpack(">BxxxL", header)
        yield stream == 2, output.raw.read(size)


class _Killer:
    """Kills a container when its time is over or when told to, from another thread: the engine does not report an
    end before all output is read."""

    def __init__(self, container: Container, seconds: float) -> None:
        self.timed_out = False
        self.flooded = False
        self._container = container
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self._timer.join()

    def kill_now(self) -> None:
        """Kill once, without waiting for it."""
        if not self.flooded:
            self.flooded = True
            threading.Thread(target=self._kill, daemon=True).start()

    def _expire(self) -> None:
        self.timed_out = not self.flooded
        self._kill()

    def _kill(self) -> None:
        with suppress(APIError):
            self._container.kill()
