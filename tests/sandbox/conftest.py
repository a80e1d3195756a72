"""Both backends, opened for real; skipped with a reason where they cannot work, failed where CI promises them."""

import asyncio
import os
from collections.abc import Callable
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


def open_or_skip(open_backend: Open) -> Open:
    """The same opener, after it has worked once."""
    try:
        sandbox = open_backend(LIMITS)
        result = asyncio.run(sandbox.run_python("print('up')"))
    except SandboxError as error:
        unavailable(str(error))
    if result.stdout != "up\n":
        unavailable(f"{sandbox.name} runs nothing here: {result.stderr.strip()}")
    return open_backend


@pytest.fixture(scope="session")
def limits() -> Limits:
    """Limits that ordinary programs do not meet."""
    return LIMITS


@pytest.fixture(scope="session")
def hasty() -> Limits:
    """The same, but for one second only."""
    return LIMITS.model_copy(update={"seconds": 1.0})


@pytest.fixture(scope="session")
def bubblewrap() -> Open:
    """Opens bubblewrap."""
    return open_or_skip(BubblewrapSandbox)


@pytest.fixture(scope="session")
def docker() -> Open:
    """Opens Docker."""
    return open_or_skip(open_docker)


@pytest.fixture(scope="session", params=["bubblewrap", pytest.param("docker", marks=pytest.mark.docker)])
def backend(request: pytest.FixtureRequest) -> Open:
    """Opens either backend."""
    opener: Open = request.getfixturevalue(request.param)
    return opener


@pytest.fixture(scope="session")
def sandbox(backend: Open) -> Sandbox:
    """A sandbox of either backend, under `limits`."""
    return backend(LIMITS)
