"""Settings in, a working sandbox or a sentence out."""

import asyncio
from collections.abc import Callable

import pytest

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.bubblewrap import BubblewrapSandbox
from tdscaling_assets.sandbox.docker import LABEL, connect_engine
from tdscaling_assets.sandbox.namespaces import bwrap_candidates
from tdscaling_assets.sandbox.program import Limits
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox
from tdscaling_assets.sandbox.select import open_sandbox, probe_sandboxes
from tdscaling_assets.settings import Settings

NO_ENGINE = "tcp://127.0.0.1:1"

Open = Callable[[Limits], Sandbox]


def run(sandbox: Sandbox, code: str) -> ExecResult:
    return asyncio.run(sandbox.run_python(code))


def containers() -> set[str]:
    """Ids of the containers of all sandboxes."""
    engine = connect_engine(5)
    try:
        return {each.id or "" for each in engine.containers.list(all=True, filters={"label": LABEL})}
    finally:
        engine.close()


def test_auto_falls_back_to_bubblewrap(bubblewrap: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    sandbox = open_sandbox(Settings(sandbox="auto"))
    asyncio.run(sandbox.close())
    assert sandbox.name.startswith("bubblewrap")


def test_docker_without_an_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    with pytest.raises(SandboxError, match=r"start it, or set TDS_SANDBOX=bubblewrap"):
        open_sandbox(Settings(sandbox="docker"))


@pytest.mark.docker
def test_auto_prefers_docker(docker: Open) -> None:
    sandbox = open_sandbox(Settings(sandbox="auto"))
    asyncio.run(sandbox.close())
    assert sandbox.name.startswith("docker")


@pytest.mark.docker
def test_the_name_holds_the_images_digest(docker: Open, limits: Limits) -> None:
    engine = connect_engine(5)
    try:
        assert str(engine.images.get(Settings().sandbox_image).id) in docker(limits).name
    finally:
        engine.close()


@pytest.mark.docker
def test_a_missing_image_says_how_to_build_it(docker: Open) -> None:
    with pytest.raises(SandboxError, match=r"no Docker image no-such-image: build it with `tds sandbox build`"):
        open_sandbox(Settings(sandbox="docker", sandbox_image="no-such-image"))


def test_opens_inside_a_running_loop(bubblewrap: Open) -> None:
    async def use() -> str:
        sandbox = open_sandbox(Settings(sandbox="bubblewrap"))
        result = await sandbox.run_python("print('in a loop')")
        await sandbox.close()
        return result.stdout

    assert asyncio.run(use()) == "in a loop\n"


def test_the_probe_names_both_backends_with_a_reason(bubblewrap: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", NO_ENGINE)
    (docker, docker_works, why), (bwrap, bwrap_works, version) = probe_sandboxes(Settings())
    assert (docker, docker_works, bwrap, bwrap_works) == ("docker", False, "bubblewrap", True)
    assert "engine" in why
    assert "python 3" in version


def test_every_bubblewrap_of_the_machine_works(bubblewrap: Open, limits: Limits) -> None:
    for path in bwrap_candidates():
        sandbox = BubblewrapSandbox(limits, path)
        assert run(sandbox, "print(1)").stdout == "1\n"
        asyncio.run(sandbox.close())


def test_a_bubblewrap_that_fails_is_an_error_not_a_result(bubblewrap: Open, limits: Limits) -> None:
    impossible = limits.model_copy(update={"workspace_mb": 1 << 50})
    with pytest.raises(SandboxError, match="sandbox did not start"):
        run(bubblewrap(impossible), "print(1)")


def test_a_bubblewrap_that_is_not_there_is_an_error(limits: Limits) -> None:
    with pytest.raises(SandboxError, match="install the package"):
        BubblewrapSandbox(limits, "/nonexistent/bwrap")


def test_a_cancelled_call_leaves_nothing_running(bubblewrap: Open, limits: Limits) -> None:
    async def cancel() -> float:
        loop = asyncio.get_running_loop()
        call = asyncio.create_task(bubblewrap(limits).run_python("import time\ntime.sleep(60)"))
        await asyncio.sleep(0.3)
        started = loop.time()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        return loop.time() - started

    assert asyncio.run(cancel()) < limits.seconds / 2


@pytest.mark.docker
def test_a_sandbox_closed_after_a_killed_program_leaves_no_container(docker: Open, hasty: Limits) -> None:
    before = containers()
    sandbox = docker(hasty)
    assert run(sandbox, "while True:\n    pass").timed_out
    asyncio.run(sandbox.close())
    assert containers() <= before


@pytest.mark.docker
def test_the_image_brings_what_programs_import_most(docker: Open, limits: Limits) -> None:
    code = "import numpy, pandas, pytest\nprint(pandas.DataFrame({'n': numpy.arange(4)})['n'].sum())"
    roomy = limits.model_copy(update={"memory_mb": 512})
    assert run(docker(roomy), code).stdout == "6\n"
