"""What isolation costs per call of a code tool: python benchmarks/sandbox.py [CONVERSATIONS] [IN_FLIGHT]

First, a trivial program one call after another, by turns: in a bare process, in each sandbox (a call of a
conversation, and a program in a workspace of its own, both from warm sandboxes), and by `docker run`. Overhead is what
a call takes beyond the bare process. Then conversations of five calls, many in flight: their time, failures, the most
containers at any time, and what is left of processes and containers afterwards.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from _timing import builtin_settings

from tdscaling_assets.errors import SandboxError
from tdscaling_assets.sandbox.docker import LABEL, connect_engine
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.sandbox.select import open_sandbox
from tdscaling_assets.sandbox.tools import use_tool
from tdscaling_assets.settings import Settings

PROGRAM = "print(sum(range(100)))"
RUNS = 40
BACKENDS = ("bubblewrap", "docker")
CALLS = (
    ("write_file", {"path": "rows.txt", "content": "1\n2\n3\n"}),
    ("run_python", {"code": "print(sum(int(line) for line in open('rows.txt')))"}),
    ("run_shell", {"command": "wc -l < rows.txt"}),
    ("list_files", {}),
    ("read_file", {"path": "rows.txt"}),
)
Way = Callable[[], Awaitable[object]]


def main(conversations: int = 200, in_flight: int = 16) -> None:
    """Calls one by one, then conversations in flight, for each backend that works here."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {name: builtin_settings(Path(folder), sandbox=name) for name in BACKENDS}
        asyncio.run(measure(settings, conversations, in_flight))


async def measure(settings: dict[str, Settings], conversations: int, in_flight: int) -> None:
    """Both parts over the same opened sandboxes."""
    opened: dict[str, Sandbox] = {}
    for name, own in settings.items():
        try:
            opened[name] = await asyncio.to_thread(open_sandbox, own)
        except SandboxError as error:
            print(f"{name} does not work here: {error}")
    try:
        await compare_calls(opened)
    finally:
        for sandbox in opened.values():
            await sandbox.close()
    for name in opened:
        await hold(name, settings[name], conversations, in_flight)


async def compare_calls(opened: dict[str, Sandbox]) -> None:
    """One line per way to run the program."""
    sessions = {name: sandbox.open("benchmark") for name, sandbox in opened.items()}
    ways: dict[str, Way] = {"bare process": lambda: asyncio.to_thread(run_bare)}
    for name in opened:
        ways[f"{name}, in a conversation"] = lambda name=name: sessions[name].run_python(PROGRAM)  # type: ignore[misc]
        ways[f"{name}, on its own"] = lambda name=name: opened[name].run_python(PROGRAM)  # type: ignore[misc]
    if "docker" in opened:
        ways["docker run"] = lambda: asyncio.to_thread(run_docker)
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for run in range(RUNS + 1):
        for way, work in ways.items():
            start = time.perf_counter()
            await work()
            if run:  # the first of each warms up
                taken[way].append((time.perf_counter() - start) * 1000)
    for session in sessions.values():
        await session.close()
    bare = statistics.median(taken["bare process"])
    for way, times in taken.items():
        median, high = statistics.median(times), statistics.quantiles(times, n=20)[-1]
        print(f"{way:<28} median {median:6.1f} ms   p95 {high:6.1f} ms   overhead {median - bare:6.1f} ms")


async def hold(name: str, settings: Settings, conversations: int, in_flight: int) -> None:
    """Conversations of five calls in a sandbox opened for them, and what is left of it."""
    before = remains()
    sandbox = await asyncio.to_thread(open_sandbox, settings)
    room = asyncio.Semaphore(in_flight)
    waits: list[float] = []
    failures = most = 0
    over = asyncio.Event()

    async def converse(number: int) -> None:
        nonlocal failures
        async with room, sandbox.open(f"conversation {number}") as session:
            for tool, arguments in CALLS:
                start = time.perf_counter()
                result = await use_tool(session, tool, arguments)
                waits.append((time.perf_counter() - start) * 1000)
                failures += result.exit_code != 0

    async def count() -> None:
        nonlocal most
        while not over.is_set():
            most = max(most, len(await asyncio.to_thread(remains) - before))
            await asyncio.sleep(0.1)

    counting = asyncio.create_task(count())
    start = time.perf_counter()
    await asyncio.gather(*map(converse, range(conversations)))
    seconds = time.perf_counter() - start
    over.set()
    await counting
    await sandbox.close()
    print(
        f"{name}: {conversations} conversations × {len(CALLS)} calls at {in_flight} in flight: {seconds:.1f} s, "
        f"{len(waits) / seconds:.0f} calls/s, failures {failures}, most sandboxes {most} of "
        f"{settings.sandbox_at_once}, left {len(remains() - before)}"
    )


def remains() -> set[str]:
    """All sandboxes of this machine: first processes by process id, and containers by id."""
    found = {
        folder.name
        for folder in Path("/proc").glob("[0-9]*")
        if b"The first process of every sandbox" in read(folder / "cmdline") and inside_namespace(folder)
    }
    try:
        engine = connect_engine(20)
    except Exception:  # noqa: BLE001, without an engine there are no containers
        return found
    try:
        stopped = engine.containers.list(all=True, filters={"label": LABEL, "status": "exited"}, ignore_removed=True)
        return found | {container.id or "" for container in stopped}
    finally:
        engine.close()


def inside_namespace(folder: Path) -> bool:
    """Whether the process is the first of a namespace of its own."""
    lines = [line.split() for line in read(folder / "status").decode().splitlines() if line.startswith("NSpid")]
    return bool(lines) and len(lines[0]) > 2 and lines[0][-1] == "1"


def read(path: Path) -> bytes:
    """The file; nothing when its process is gone."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def run_bare() -> None:
    """The program in a process of the Python that this environment was made from, as bare as it starts."""
    python = Path(sys.base_prefix) / "bin" / "python3"
    subprocess.run([python, "-I", "-S", "-u", "-c", PROGRAM], capture_output=True, check=True)


def run_docker() -> None:
    """The program in a container of its own, as the command line would."""
    command = [
        "docker",
        "run",
        "--rm",
        "--network=none",
        Settings().sandbox_image,
        "python3",
        "-s",
        "-u",
        "-c",
        PROGRAM,
    ]
    subprocess.run(command, capture_output=True, check=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
