"""A sandbox for the tests of several folders."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.sandbox.select import open_sandbox
from tdscaling_assets.settings import Settings


@contextmanager
def sandbox_or_skip(settings: Settings) -> Iterator[Sandbox]:
    """The one that the settings name; skipped where it cannot work, failed where CI promises it."""
    try:
        opened = open_sandbox(settings)
    except SandboxError as error:
        if os.environ.get("CI_SERVICES") == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
    try:
        yield opened
    finally:
        asyncio.run(opened.close())
