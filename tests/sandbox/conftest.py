"""Both backends, opened for real; skipped with a reason where they cannot work, failed where CI promises them."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.bubblewrap import BubblewrapSandbox
from tdscaling_assets.sandbox.docker import DockerSandbox
from tdscaling_assets.sandbox.program import Limits
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.settings import Settings

LIMITS = Limits(seconds=8, memory_mb=256, processes=16, output_bytes=4096, open_files=64, file_mb=4, workspace_mb=8)

Open = Callable[[Limits], Sandbox]


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where CI promises the service."""
    if os.environ.get("CI_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def open_docker(limits: Limits) -> Sandbox:
    """The sandbox on the default image."""
    return DockerSandbox(Settings().sandbox_image, limits)


@contextmanager
def opener(open_backend: Open) -> Iterator[Open]:
    """The backend, once it has worked; closes at the end all that was opened."""
    opened: list[Sandbox] = []

    def open_and_note(limits: Limits) -> Sandbox:
        opened.append(open_backend(limits))
        return opened[-1]

    try:
        result = asyncio.run(open_and_note(LIMITS).run_python("print('up')"))
    except SandboxError as error:
        unavailable(str(error))
    if result.stdout != "up\n":
        unavailable(f"{opened[0].name} runs nothing here: {result.stderr.strip()}")
    yield open_and_note
    for sandbox in opened:
        asyncio.run(sandbox.close())


@pytest.fixture(scope="session")
def limits() -> Limits:
    """Limits that ordinary programs do not meet."""
    return LIMITS


@pytest.fixture(scope="session")
def hasty() -> Limits:
    """The same, but for one second only."""
    return LIMITS.model_copy(update={"seconds": 1.0})


@pytest.fixture(scope="session")
def bubblewrap() -> Iterator[Open]:
    """Opens bubblewrap."""
    with opener(BubblewrapSandbox) as open_backend:
        yield open_backend


@pytest.fixture(scope="session")
def docker() -> Iterator[Open]:
    """Opens Docker."""
    with opener(open_docker) as open_backend:
        yield open_backend


@pytest.fixture(scope="session", params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> Open:
    """Opens either backend."""
    open_backend: Open = request.getfixturevalue(request.param)
    return open_backend


@pytest.fixture(scope="session")
def sandbox(backend: Open) -> Sandbox:
    """A sandbox of either backend, under `limits`."""
    return backend(LIMITS)
