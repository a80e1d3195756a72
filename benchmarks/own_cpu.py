"""CPU of our own around a model call, in all processes: python benchmarks/own_cpu.py [--calls N]

The call itself is left out: in each process that makes calls, an attempt sleeps and gives an answer of its own. What
remains is limits, circuit, tries, the way to the process and back, and, in the second figure, the kept reply. Building
the requests is measured apart and taken off.
"""

import argparse
import asyncio
import gc
import statistics
import tempfile
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from _contestants import ROLE, ROUNDS_TO_WARM_UP, Call, drive
from _cpu import cpu_seconds
from _sleeper import LATENCY, open_sleeper
from endpoint import MODEL

from tdscaling_assets.defs.system import open_replies
from tdscaling_assets.llm import roles
from tdscaling_assets.llm.protocol import ChatRequest, ReplyStore
from tdscaling_assets.settings import Settings

IN_FLIGHT = 64
REPEATS = 5
_numbers = count()


def main() -> None:
    """Medians without and with kept replies."""
    arguments = argparse.ArgumentParser(description="CPU of our own per model call")
    arguments.add_argument("--calls", type=int, default=3000)
    calls = arguments.parse_args().calls
    built = asyncio.run(measure(build, calls))
    with tempfile.TemporaryDirectory() as folder, patch.object(roles, "open_attempt", open_sleeper):
        address = "http://127.0.0.1:9"
        settings = Settings(home=Path(folder), model=f"openai/{MODEL}", model_base_url=address, concurrency=IN_FLIGHT)
        (settings.home / "cache").mkdir()
        show("nothing kept", [asyncio.run(through_ours(settings, None, calls)) - built for _ in range(REPEATS)])
        with open_replies(settings, "r01-b01") as replies:
            show("replies kept", [asyncio.run(through_ours(settings, replies, calls)) - built for _ in range(REPEATS)])


def show(name: str, spent: list[float]) -> None:
    """A line of figures."""
    print(f"{name}: {statistics.median(spent):.2f} ms CPU per call ({min(spent):.2f} to {max(spent):.2f})", flush=True)


async def through_ours(settings: Settings, replies: ReplyStore | None, calls: int) -> float:
    """Milliseconds of CPU per call of ours, its request included."""

    async def call(body: dict[str, Any]) -> bool:
        await models[ROLE].complete(request(body))
        return True

    async with roles.open_models(settings, replies) as models:
        return await measure(call, calls)


async def build(body: dict[str, Any]) -> bool:
    """A call that does nothing."""
    request(body)
    await asyncio.sleep(LATENCY)
    return True


def request(body: dict[str, Any]) -> ChatRequest:
    """The body as our client is asked, never twice the same."""
    messages, tools = tuple(body["messages"]), tuple(body["tools"])
    return ChatRequest(role=ROLE, messages=messages, tools=tools, seed=next(_numbers))


async def measure(call: Call, calls: int) -> float:
    """Milliseconds of CPU per call."""
    await drive(call, IN_FLIGHT, ROUNDS_TO_WARM_UP * IN_FLIGHT)
    gc.collect()  # what was imported is looked through now, not at the cost of some call
    started = cpu_seconds()
    await drive(call, IN_FLIGHT, calls)
    return (cpu_seconds() - started) / calls * 1000


if __name__ == "__main__":
    main()
