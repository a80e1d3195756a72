"""Settings in, a sandbox that works on this machine out, proven by running code."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.bubblewrap import BubblewrapSandbox
from tdscaling_assets.sandbox.docker import DockerSandbox, connect_engine, engine_errors
from tdscaling_assets.sandbox.namespaces import bwrap_candidates
from tdscaling_assets.sandbox.program import Limits, limits_from
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.settings import Settings

Result = TypeVar("Result")

_PING_SECONDS = 1
_PROBE = "print(sum(range(4)))"


def open_sandbox(settings: Settings) -> Sandbox:
    """The backend the settings name; with `auto`, Docker where its engine and image are at hand, else bubblewrap.

    May be called with or without a running event loop; takes some 50 ms for bubblewrap, some 500 ms for Docker.
    Raises SandboxError when none works.
    """
    limits = limits_from(settings)
    if settings.sandbox == "docker":
        return _open_docker(settings.sandbox_image, limits)
    if settings.sandbox == "bubblewrap":
        return _open_bubblewrap(limits)
    return _open_any([lambda: _open_docker(settings.sandbox_image, limits), lambda: _open_bubblewrap(limits)])


@contextmanager
def program_runner(settings: Settings) -> Iterator[Callable[[str], str]]:
    """A function that runs a program and gives what it printed, or why it printed nothing.

    The sandbox is opened at the first program; equal programs run once. Raises SandboxError when none works.
    """
    opened: list[Sandbox] = []
    printed: dict[str, str] = {}

    def run(code: str) -> str:
        if not opened:
            opened.append(open_sandbox(settings))
        if code not in printed:
            printed[code] = _await(opened[0].run_python(code)).last_words()
        return printed[code]

    try:
        yield run
    finally:
        for sandbox in opened:
            _await(sandbox.close())


def probe_sandboxes(settings: Settings) -> list[tuple[str, bool, str]]:
    """For each backend: its name, whether it runs code here, and its version or why not."""
    limits = limits_from(settings)
    return [
        ("docker", *_try(lambda: _open_docker(settings.sandbox_image, limits))),
        ("bubblewrap", *_try(lambda: _open_bubblewrap(limits))),
    ]


def _open_docker(image: str, limits: Limits) -> Sandbox:
    with engine_errors(image):
        engine = connect_engine(_PING_SECONDS)
        try:
            engine.ping()
        finally:
            engine.close()
    return _proven(DockerSandbox(image, limits))


def _open_bubblewrap(limits: Limits) -> Sandbox:
    candidates = bwrap_candidates()
    if not candidates:
        return _proven(BubblewrapSandbox(limits))
    return _open_any([partial(_prove_bubblewrap, limits, path) for path in candidates])


def _prove_bubblewrap(limits: Limits, path: str) -> Sandbox:
    return _proven(BubblewrapSandbox(limits, path))


def _open_any(ways: Sequence[Callable[[], Sandbox]]) -> Sandbox:
    """The first that opens; when none does, every reason in one sentence."""
    reasons: list[str] = []
    for way in ways:
        try:
            return way()
        except SandboxError as error:
            reasons.append(str(error))
    raise SandboxError("; ".join(reasons))


def _proven(sandbox: Sandbox) -> Sandbox:
    """The sandbox itself, after it has run a program."""
    result = _await(sandbox.run_python(_PROBE))
    if (result.exit_code, result.stdout) != (0, "6\n"):
        _await(sandbox.close())
        said = result.stderr.strip().splitlines()
        raise SandboxError(f"{sandbox.name} cannot run Python: {said[-1] if said else 'it said nothing'}")
    return sandbox


def _try(way: Callable[[], Sandbox]) -> tuple[bool, str]:
    try:
        sandbox = way()
    except SandboxError as error:
        return False, str(error)
    _await(sandbox.close())
    return True, sandbox.name


def _await(waiting: Coroutine[None, None, Result]) -> Result:
    """What a coroutine gives, from a loop and thread of its own, because the caller may be inside a running loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, waiting).result()
