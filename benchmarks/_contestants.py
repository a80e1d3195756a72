"""Whom model_calls.py times: each sends chat completions to an endpoint, so many in flight, and counts the answers."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from _cpu import cpu_seconds
from endpoint import MODEL, conversation

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatRequest
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.schema import Role
from tdscaling_assets.settings import Settings

ROLE: Role = "assistant"
ROUNDS_TO_WARM_UP = 2
Call = Callable[[dict[str, Any]], Awaitable[bool]]


class Run(NamedTuple):
    """A measured run: wall-clock and CPU seconds, and how many calls were answered."""

    seconds: float
    cpu: float
    answered: int


def run_litellm(url: str, in_flight: int, calls: int) -> Run:
    """`litellm.acompletion` as it comes, under a semaphore."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("OPENAI_API_KEY", "none")
    import litellm

    litellm.suppress_debug_info = True

    async def call(body: dict[str, Any]) -> bool:
        try:
            await litellm.acompletion(**{**body, "model": f"openai/{MODEL}"}, base_url=url)
        except tuple(litellm.exceptions.LITELLM_EXCEPTION_TYPES):
            return False
        return True

    return asyncio.run(_time(call, in_flight, calls))


def run_ours(url: str, in_flight: int, calls: int) -> Run:
    """Our client: limits, circuit and tries in this process, the calls themselves in as many as there are cores."""
    settings = Settings(model=f"openai/{MODEL}", model_base_url=url, concurrency=in_flight)
    return asyncio.run(_run_ours(settings, in_flight, calls))


async def _run_ours(settings: Settings, in_flight: int, calls: int) -> Run:
    models = open_models(settings)
    model = models[ROLE]

    async def call(body: dict[str, Any]) -> bool:
        try:
            await model.complete(ChatRequest(role=ROLE, messages=tuple(body["messages"]), tools=tuple(body["tools"])))
        except ModelError:
            return False
        return True

    try:
        return await _time(call, in_flight, calls)
    finally:
        await models.close()


async def _time(call: Call, in_flight: int, calls: int) -> Run:
    await drive(call, in_flight, ROUNDS_TO_WARM_UP * in_flight)
    started, spent = time.perf_counter(), cpu_seconds()
    answered = await drive(call, in_flight, calls)
    return Run(time.perf_counter() - started, cpu_seconds() - spent, answered)


async def drive(call: Call, in_flight: int, calls: int) -> int:
    """How many of so many calls were answered, each with a conversation of its own."""
    places = asyncio.Semaphore(in_flight)

    async def one(number: int) -> bool:
        async with places:
            return await call(conversation(number))

    return sum(await asyncio.gather(*map(one, range(calls))))
