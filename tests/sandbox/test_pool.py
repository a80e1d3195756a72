"""Sandboxes in use and after: at most so many, used again only when empty, gone when their owner is."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.docker import LABEL, OWNER, connect_engine
from tdscaling_assets.sandbox.owner import owner_is_gone, this_owner
from tdscaling_assets.sandbox.program import Limits
from tdscaling_assets.sandbox.protocol import ExecResult, Sandbox
from tdscaling_assets.settings import Settings

Open = Callable[[Limits], Sandbox]

ROOT = Path(__file__).parents[2]
HOLDER = """
import asyncio, sys
from tdscaling_assets.sandbox.{backend} import {name}
from tdscaling_assets.sandbox.program import Limits
limits = Limits(seconds=60, memory_mb=256, processes=16, output_bytes=4096)
sandbox = {name}({image}limits)
async def hold():
    async with sandbox.open("held") as session:
        print((await session.run(("echo", "ready"))).stdout, end="", flush=True)
        await session.run(("sleep", "60"))
asyncio.run(hold())
"""


@pytest.fixture
def narrow(backend: Open, limits: Limits) -> Iterator[Sandbox]:
    """A sandbox of two places, closed at the end."""
    sandbox = backend(limits.model_copy(update={"boxes": 2}))
    yield sandbox
    asyncio.run(sandbox.close())


def test_calls_at_once_are_bounded_and_all_are_answered(narrow: Sandbox) -> None:
    before = sandboxes()

    async def work() -> tuple[list[ExecResult], int]:
        most = 0

        async def count() -> None:
            nonlocal most
            while True:
                most = max(most, len(await asyncio.to_thread(sandboxes) - before))
                await asyncio.sleep(0.02)

        counting = asyncio.create_task(count())
        results = await asyncio.gather(*(narrow.run_python(f"print({n})") for n in range(30)))
        counting.cancel()
        return results, most

    results, most = asyncio.run(work())
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(30)]
    assert most <= 2


def test_conversations_in_flight_wait_for_a_place(narrow: Sandbox) -> None:
    async def converse(number: int) -> list[str]:
        async with narrow.open(f"conversation {number}") as session:
            for call in range(3):
                await session.run(("sh", "-c", f"echo {number}.{call} >> log"))
            return (await session.run(("cat", "log"))).stdout.split()

    async def all_of_them() -> list[list[str]]:
        return await asyncio.gather(*map(converse, range(8)))

    assert asyncio.run(all_of_them()) == [[f"{n}.{call}" for call in range(3)] for n in range(8)]


def test_waiting_does_not_count_against_the_limit(backend: Open, hasty: Limits) -> None:
    async def three(sandbox: Sandbox) -> list[ExecResult]:
        code = "import time\ntime.sleep(0.7)\nprint('slept')"
        return await asyncio.gather(*(sandbox.run_python(code) for _ in range(3)))

    sandbox = backend(hasty.model_copy(update={"boxes": 2}))
    assert [result.stdout for result in asyncio.run(three(sandbox))] == ["slept\n"] * 3


def test_a_program_finds_a_place_while_conversations_hold_theirs(narrow: Sandbox) -> None:
    async def both() -> str:
        async with narrow.open("long") as session:
            await session.run(("true",))
            waiting = asyncio.create_task(narrow.open("waits").run(("true",)))
            result = await narrow.run_python("print('found')")
            waiting.cancel()
            return result.stdout

    assert asyncio.run(asyncio.wait_for(both(), 20)) == "found\n"


def test_a_sandbox_is_used_again(narrow: Sandbox) -> None:
    before = sandboxes()
    asyncio.run(narrow.run_python("open('/work/x', 'w')"))
    first = sandboxes() - before
    asyncio.run(narrow.run_python("print(1)"))
    assert len(first) == 1
    assert sandboxes() - before == first


def test_a_sandbox_in_which_a_program_met_a_limit_is_not_used_again(backend: Open, hasty: Limits) -> None:
    sandbox = backend(hasty)
    before = sandboxes()
    asyncio.run(sandbox.run_python("while True:\n    pass"))
    assert sandboxes() <= before


def test_a_sandbox_that_cannot_be_emptied_is_not_used_again(narrow: Sandbox) -> None:
    before = sandboxes()
    asyncio.run(narrow.run_python("import os\nos.mkdir('/work/d')\nopen('/work/d/x', 'w')\nos.chmod('/work/d', 0)"))
    assert sandboxes() <= before
    assert asyncio.run(narrow.run_python("import os\nprint(os.listdir('/work'))")).stdout == "[]\n"


def test_a_sandbox_that_died_while_idle_is_replaced(narrow: Sandbox) -> None:
    before = sandboxes()
    asyncio.run(narrow.run_python("print(1)"))
    for name in sandboxes() - before:
        end(name)
    assert asyncio.run(narrow.run_python("print(2)")).stdout == "2\n"


def test_a_conversation_whose_sandbox_died_is_told_and_goes_on_with_an_empty_workspace(narrow: Sandbox) -> None:
    before = sandboxes()

    async def conversation() -> tuple[ExecResult, ExecResult]:
        async with narrow.open("unlucky") as session:
            await session.run(("touch", "x"))
            for name in sandboxes() - before:
                end(name)
            return await session.run(("ls",)), await session.run(("ls",))

    told, after = asyncio.run(conversation())
    assert (told.exit_code, "files are gone" in told.stderr) == (None, True)
    assert (after.exit_code, after.stdout) == (0, "")


def test_a_sandbox_ends_at_its_lifetime(backend: Open, limits: Limits) -> None:
    before = sandboxes()
    sandbox = backend(limits.model_copy(update={"lifetime_seconds": 2.0}))
    asyncio.run(sandbox.run_python("print(1)"))
    assert len(sandboxes() - before) == 1
    assert settled(lambda: sandboxes() <= before)


def test_a_closed_session_and_a_closed_sandbox_refuse(backend: Open, limits: Limits) -> None:
    sandbox = backend(limits)

    async def closed() -> None:
        session = sandbox.open("closed")
        await session.close()
        with pytest.raises(SandboxError, match="closed: the session is closed"):
            await session.run(("true",))
        await sandbox.close()
        with pytest.raises(SandboxError, match="the sandbox is closed"):
            await sandbox.run_python("print(1)")

    asyncio.run(closed())


@pytest.mark.parametrize("seconds", [0, 0.02, 1])
def test_a_cancelled_call_gives_its_place_back(narrow: Sandbox, seconds: float) -> None:
    before = sandboxes()

    async def cancel_all() -> str:
        calls = [asyncio.create_task(narrow.run_python("import time\ntime.sleep(60)")) for _ in range(4)]
        await asyncio.sleep(seconds)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return (await narrow.run_python("print('next')")).stdout

    assert asyncio.run(asyncio.wait_for(cancel_all(), 30)) == "next\n"
    assert len(sandboxes() - before) <= 2
    asyncio.run(narrow.close())
    assert sandboxes() <= before


def test_nothing_is_left_when_the_owner_is_killed(backend: Open, request: pytest.FixtureRequest) -> None:
    before = sandboxes()
    docker = "docker" in request.node.name
    text = HOLDER.format(
        backend="docker" if docker else "bubblewrap",
        name="DockerSandbox" if docker else "BubblewrapSandbox",
        image=f"{Settings().sandbox_image!r}, " if docker else "",
    )
    holder = subprocess.Popen([sys.executable, "-c", text], cwd=ROOT, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"ready\n"
    assert len(sandboxes() - before) == 1
    holder.kill()
    holder.communicate()
    assert settled(lambda: sandboxes() <= before)


@pytest.mark.docker
def test_containers_of_a_process_that_is_gone_are_removed_at_the_next_opening(docker: Open, limits: Limits) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    owner = this_owner().split(":")
    dead = ":".join((owner[0], str(gone.pid), "1"))
    engine = connect_engine(20)
    try:
        made = {
            name: engine.containers.run(
                Settings().sandbox_image, ["sleep", "60"], detach=True, labels={LABEL: "true", OWNER: name}
            )
            for name in (dead, this_owner())
        }
        docker(limits)
        left = {each.id for each in engine.containers.list(all=True, filters={"label": LABEL})}
        assert made[dead].id not in left
        assert made[this_owner()].id in left
        made[this_owner()].remove(force=True)
    finally:
        engine.close()


def test_the_owner_of_another_machine_or_boot_is_not_taken_for_gone() -> None:
    assert not owner_is_gone("elsewhere/pid[1]:4194304:1")
    assert not owner_is_gone(this_owner())
    machine, _, started = this_owner().split(":")
    assert owner_is_gone(f"{machine}:{os.getpid()}:{int(started) + 1}")


def sandboxes() -> set[str]:
    """All sandboxes on this machine: process ids of those of bubblewrap, ids of containers."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "status").read_text()
            command = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        inner = next((line.split()[1:] for line in status.splitlines() if line.startswith("NSpid")), [])
        if len(inner) > 1 and inner[-1] == "1" and b"The first process of every sandbox" in command:
            found.add(folder.name)
    return found


def end(name: str) -> None:
    """Kill a sandbox from outside, and wait until it is gone."""
    os.kill(int(name), signal.SIGKILL)
    assert settled(lambda: name not in sandboxes())


def settled(condition: Callable[[], bool]) -> bool:
    """Whether it holds soon."""
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return False
