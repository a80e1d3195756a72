"""Model calls in processes of their own: answers and failures come back as they were, and no call is left waiting."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from llm.attempts import open_told, refuse_to_open
from pydantic import SecretStr

from tdscaling_assets.errors import ConfigError, ModelError
from tdscaling_assets.llm.protocol import Answer, ChatRequest
from tdscaling_assets.llm.workers import OpenAttempt, WorkerPool
from tdscaling_assets.settings import Settings

Ask = Callable[..., ChatRequest]


@asynccontextmanager
async def opened(processes: int = 1, open_attempt: OpenAttempt = open_told) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(open_attempt, Settings(model_key=SecretStr("sk-in-settings")), processes)
    try:
        yield pool
    finally:
        await pool.close()


def answers(ask: Ask, *orders: str, processes: int = 1, open_attempt: OpenAttempt = open_told) -> list[Answer]:
    """The answers to orders that are given at once."""

    async def run() -> list[Answer]:
        async with opened(processes, open_attempt) as pool:
            return await asyncio.gather(*(pool.attempt(ask(order)) for order in orders))

    return asyncio.run(run())


async def say(pool: WorkerPool, request: ChatRequest) -> str:
    return (await pool.attempt(request)).reply.content or ""


async def until(pool: WorkerPool, request: ChatRequest, expected: str) -> None:
    """Ask until the process says what is expected of it."""
    async with asyncio.timeout(30):
        while await say(pool, request) != expected:
            await asyncio.sleep(0.01)


def test_an_answer_comes_back_with_its_headers(ask: Ask) -> None:
    (answer,) = answers(ask, "say hello")
    assert (answer.reply.content, answer.headers) == ("hello", {"x-ratelimit-limit-requests": "9"})


def test_every_call_gets_its_own_answer(ask: Ask) -> None:
    said = [answer.reply.content for answer in answers(ask, *(f"say {n}" for n in range(500)), processes=2)]
    assert said == [str(n) for n in range(500)]


def test_a_request_larger_than_the_socket_takes_arrives(ask: Ask) -> None:
    text = "long " * 1_000_000
    assert answers(ask, f"say {text}")[0].reply.content == text


def test_half_of_a_surrogate_pair_does_not_stop_a_request(ask: Ask) -> None:
    assert answers(ask, "say a cut smile \ud83d, Zürich")[0].reply.content == "a cut smile ?, Zürich"


def test_a_classified_failure_comes_back_as_it_was(ask: Ask) -> None:
    with pytest.raises(ModelError) as caught:
        answers(ask, "throttled too many")
    assert (caught.value.kind, caught.value.detail, caught.value.headers) == (
        "throttled",
        "too many",
        {"retry-after": "7"},
    )


def test_a_wrong_setting_is_told_as_such(ask: Ask) -> None:
    with pytest.raises(ConfigError, match="no model for the user"):
        answers(ask, "say hello", open_attempt=refuse_to_open)


def test_a_defect_is_told_with_where_it_is(ask: Ask) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)attempts\.py.*ValueError: broken"):
        answers(ask, "defect broken")


def test_keys_reach_the_process_but_not_its_command_line(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-in-environment")

    async def run() -> tuple[str, str, bytes]:
        async with opened() as pool:
            process = await say(pool, ask("process"))
            command = Path(f"/proc/{process}/cmdline").read_bytes()
            return await say(pool, ask("key")), await say(pool, ask("variable OPENAI_API_KEY")), command

    key, variable, command = asyncio.run(run())
    assert (key, variable) == ("sk-in-settings", "sk-in-environment")
    assert b"sk-" not in command


def test_the_process_with_least_to_do_is_next(ask: Ask) -> None:
    async def run() -> set[str]:
        async with opened(processes=2) as pool:
            async with asyncio.TaskGroup() as group:
                hanging = group.create_task(pool.attempt(ask("hang")))
                await asyncio.sleep(0)
                said = {await say(pool, ask("hanging")) for _ in range(3)}
                hanging.cancel()
            return said

    assert asyncio.run(run()) == {"0"}


def test_a_process_that_dies_fails_its_calls_as_passing_and_is_replaced(ask: Ask) -> None:
    async def run() -> tuple[list[Answer | BaseException], str]:
        async with opened() as pool:
            orders = (ask("hang"), ask("hang"), ask("die"))
            failed = await asyncio.gather(*map(pool.attempt, orders), return_exceptions=True)
            return failed, await say(pool, ask("say again"))

    failed, said = asyncio.run(run())
    assert [isinstance(one, ModelError) and (one.kind, one.retryable) for one in failed] == [("server", True)] * 3
    assert said == "again"


def test_a_process_that_died_between_two_event_loops_is_replaced(ask: Ask) -> None:
    pool = WorkerPool(open_told, Settings(), 1)
    process = int(asyncio.run(say(pool, ask("process"))))
    os.kill(process, signal.SIGKILL)
    wait_until_gone(process)

    async def run() -> str:
        try:
            return await say(pool, ask("say again"))
        finally:
            await pool.close()

    assert asyncio.run(run()) == "again"


def test_processes_outlive_an_event_loop(ask: Ask) -> None:
    pool = WorkerPool(open_told, Settings(), 1)

    async def give_up() -> str:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(pool.attempt(ask("hang")), 0.01)
        return await say(pool, ask("process"))

    first = asyncio.run(give_up())
    second = asyncio.run(give_up())
    asyncio.run(pool.close())
    assert first == second


def test_calls_can_be_made_outside_the_main_thread(ask: Ask) -> None:
    with ThreadPoolExecutor(1) as executor:
        (answer,) = executor.submit(answers, ask, "say hello").result()
    assert answer.reply.content == "hello"


def test_a_call_given_up_is_given_up_in_the_process(ask: Ask) -> None:
    async def run() -> None:
        async with opened() as pool:
            call = asyncio.create_task(pool.attempt(ask("hang")))
            await until(pool, ask("hanging"), "1")
            call.cancel()
            await until(pool, ask("cancelled"), "1")

    asyncio.run(run())


def test_closing_fails_what_is_under_way_and_ends_the_processes(ask: Ask) -> None:
    async def run() -> tuple[BaseException, int]:
        async with opened() as pool:
            process = int(await say(pool, ask("process")))
            call = asyncio.create_task(pool.attempt(ask("hang")))
            await until(pool, ask("hanging"), "1")
            await pool.close()
            return (await asyncio.gather(call, return_exceptions=True))[0], process

    failure, process = asyncio.run(run())
    assert isinstance(failure, ModelError)
    assert not Path(f"/proc/{process}").exists()


PARENT = """
import asyncio, contextlib
from llm.attempts import open_told
from tdscaling_assets.llm.protocol import ChatRequest
from tdscaling_assets.llm.workers import WorkerPool
from tdscaling_assets.settings import Settings

print("main", flush=True)

async def run():
    pool = WorkerPool(open_told, Settings(), 1)
    ask = lambda text: ChatRequest(role="user", messages=({"role": "user", "content": text},))
    print((await pool.attempt(ask("process"))).reply.content, flush=True)
    await pool.attempt(ask("hang"))

with contextlib.suppress(KeyboardInterrupt):
    asyncio.run(run())
"""


@pytest.fixture
def parent(tmp_path: Path) -> subprocess.Popen[str]:
    """A program without a guard around its main part, that waits for a call in a group of processes of its own."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, script], env=environment, text=True, start_new_session=True, **pipes)


def read_process(parent: subprocess.Popen[str]) -> int:
    assert parent.stdout is not None
    assert parent.stdout.readline() == "main\n"
    return int(parent.stdout.readline())


def wait_until_gone(process: int, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while (status := Path(f"/proc/{process}/stat")).exists() and status.read_text().split()[2] != "Z":
        assert time.monotonic() < deadline, "the process goes on"
        time.sleep(0.01)


def test_processes_end_with_a_parent_that_is_killed(parent: subprocess.Popen[str]) -> None:
    process = read_process(parent)
    parent.kill()
    parent.communicate()
    wait_until_gone(process)


def test_an_interrupt_is_the_parents_to_answer(parent: subprocess.Popen[str]) -> None:
    process = read_process(parent)
    assert os.getpgid(process) != parent.pid
    os.kill(process, signal.SIGINT)
    os.killpg(parent.pid, signal.SIGINT)
    _, said = parent.communicate()
    wait_until_gone(process)
    assert said == ""
