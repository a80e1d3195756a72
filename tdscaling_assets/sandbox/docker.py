"""Commands in, results out, in Docker containers that are started once, spoken to over their standard streams, and
used again only when proven empty (`pool.py`).

Covered, with a test each: no network; a read-only root without host files; no host environment or processes; user
`nobody` without capabilities or new privileges; a seccomp profile; limits on wall clock, CPU, memory, processes, open
files, file size, workspace, number of files and output; nothing outlives the call but files of the workspace, and
nothing the workspace. A container ends when this process does, at the latest at its lifetime, which it keeps itself;
what is left all the same is removed when the next sandbox opens here.

Not covered: flaws of the engine and in the system calls that the profile allows; names and contents of the image can
be read, and so can figures under /proc and /sys/fs/cgroup that tell how full or busy the machine is. What a program
prints about itself (addresses, times, process ids) stays as printed.

Measured on two cores: a program in a running container takes some 20 ms this way, `docker exec` some 85 ms, a
container of its own some 320 ms.
"""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import requests
from docker import DockerClient
from docker import from_env as connect
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import LogConfig, Ulimit

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.box import Box
from tdscaling_assets.sandbox.owner import owner_is_gone, this_owner
from tdscaling_assets.sandbox.program import ENVIRONMENT, FOLDERS, NOBODY, WORKSPACE, Limits, first_process
from tdscaling_assets.sandbox.seccomp import engine_profile
from tdscaling_assets.sandbox.session import PooledSandbox

LABEL = "tdscaling.sandbox"
OWNER = "tdscaling.owner"
_CHUNK = 1 << 20
_ENGINE_SECONDS = 60
_END_SECONDS = 20
_HEADER = struct.Struct(">BxxxL")
_STDERR = 2


class DockerSandbox(PooledSandbox):
    """Raises SandboxError when the engine does not answer or has no such image."""

    def __init__(self, image: str, limits: Limits) -> None:
        with engine_errors(image):
            self._client = connect_engine(_ENGINE_SECONDS)
            identity = str(self._client.images.get(image).id)
            version = self._client.version()["Version"]
            remove_orphans(self._client)
        start = partial(_start, self._client, identity, limits)
        super().__init__(f"docker {version}, image {identity}", start, limits)

    async def close(self) -> None:
        """End every container, and the connection to the engine."""
        await super().close()
        self._client.close()


def connect_engine(timeout_seconds: int) -> DockerClient:
    """A client of the engine the environment names; each request may take that long."""
    return connect(timeout=timeout_seconds)


def remove_orphans(client: DockerClient) -> None:
    """Remove the containers whose process on this machine is gone."""
    for container in client.containers.list(all=True, filters={"label": LABEL}, ignore_removed=True):
        if owner_is_gone(container.labels.get(OWNER, "")):
            _remove(container)


@contextmanager
def engine_errors(image: str) -> Iterator[None]:
    """The boundary to the engine: its failures become SandboxError."""
    try:
        yield
    except ImageNotFound as error:
        raise SandboxError(f"there is no Docker image {image}: build it with `tds sandbox build`") from error
    except (DockerException, requests.RequestException) as error:
        raise SandboxError(f"the Docker engine failed ({error}): start it, or set TDS_SANDBOX=bubblewrap") from error


class _Attached:
    """The way to a container by its attached streams (Engine API, "Stream format"). When they close, it ends."""

    def __init__(self, client: DockerClient, container: Container) -> None:
        self._client = client
        self._container = container
        stream: Any = container.attach_socket(params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._stream = stream
        self._read = b""
        self._said = b""

    def send(self, data: bytes) -> None:
        self._socket.settimeout(_ENGINE_SECONDS)
        self._socket.sendall(data)

    def receive(self, seconds: float) -> bytes:
        self._socket.settimeout(max(seconds, 0.001))
        try:
            chunk = self._socket.recv(_CHUNK)
        except TimeoutError:
            return b""
        if not chunk:
            raise EOFError
        self._read += chunk
        return self._unpack()

    def memory_bytes(self) -> int:
        return 0

    def complaint(self) -> str:
        with engine_errors("of the sandbox"):
            self._client.ping()
        return self._said.decode(errors="replace").strip()

    def sever(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        self.sever()
        for stream in (self._stream, self._socket):
            stream.close()
        with engine_errors("of the sandbox"):
            _remove(self._container)

    def _unpack(self) -> bytes:
        """The payload of the frames that are complete."""
        payload = b""
        while len(self._read) >= _HEADER.size:
            stream, size = _HEADER.unpack_from(self._read)
            if len(self._read) < _HEADER.size + size:
                break
            part = self._read[_HEADER.size : _HEADER.size + size]
            self._read = self._read[_HEADER.size + size :]
            if stream == _STDERR:
                self._said += part
            else:
                payload += part
        return payload


def _start(client: DockerClient, image: str, limits: Limits) -> Box:
    with engine_errors(image):
        container = _create(client, image, limits)
        wire = _Attached(client, container)
        try:
            container.start()
        except BaseException:
            wire.end()
            raise
        return Box(wire, limits)


def _create(client: DockerClient, image: str, limits: Limits) -> Container:
    """A container that has been denied everything it does not need."""
    return client.containers.create(
        image,
        first_process(limits, {}, alone=False),
        environment=ENVIRONMENT,
        stdin_open=True,
        network_mode="none",
        ipc_mode="none",
        read_only=True,
        tmpfs={folder: _writable(limits, folder) for folder in FOLDERS},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true", f"seccomp={engine_profile()}"],
        user=f"{NOBODY}:{NOBODY}",
        mem_limit=f"{limits.memory_mb}m",
        memswap_limit=f"{limits.memory_mb}m",
        pids_limit=limits.processes,
        nano_cpus=1_000_000_000,
        ulimits=[Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="core", soft=0, hard=0)],
        working_dir=WORKSPACE,
        hostname="sandbox",
        labels={LABEL: "true", OWNER: this_owner()},
        auto_remove=True,
        log_config=LogConfig(type="none"),
    )


def _writable(limits: Limits, folder: str) -> str:
    owner = f"uid={NOBODY},gid={NOBODY},mode=700"
    return f"size={limits.size_mb(folder)}m,nr_inodes={2 * limits.files},{owner},nosuid,nodev,exec"


def _remove(container: Container) -> None:
    """Remove the container and wait until it is gone; it may be on its way already."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline:
        try:
            container.remove(force=True)
            container.reload()
        except NotFound:
            return
        except APIError:
            time.sleep(0.05)
