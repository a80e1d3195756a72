"""Whom model_calls.py times: each sends chat completions to an endpoint, so many in flight, and counts the answers."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from _cpu import cpu_seconds
from endpoint import MODEL, conversation

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.budget import Budget
from tdscaling_assets.llm.client import LitellmAttempt
from tdscaling_assets.llm.endpoint import Endpoint
from tdscaling_assets.llm.patient import PatientModel
from tdscaling_assets.llm.protocol import Attempt, ChatRequest
from tdscaling_assets.llm.workers import WorkerPool
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
    pool = WorkerPool(open_attempt, settings, min(os.cpu_count() or 1, -(-in_flight // 32)))
    endpoint, budget = Endpoint("benchmark", settings), Budget(settings, None)
    model = PatientModel(settings.model_options(ROLE), settings, pool, endpoint, budget, None)

    async def call(body: dict[str, Any]) -> bool:
        try:
            await model.complete(ChatRequest(role=ROLE, messages=tuple(body["messages"]), tools=tuple(body["tools"])))
        except ModelError:
            return False
        return True

    try:
        return await _time(call, in_flight, calls)
    finally:
        await pool.close()


def open_attempt(settings: Settings, role: Role) -> Attempt:
    """What each process opens."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    os.environ.setdefault("EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER", "True")
    return LitellmAttempt(settings.model_options(role), settings)


async def _time(call: Call, in_flight: int, calls: int) -> Run:
    await _drive(call, in_flight, ROUNDS_TO_WARM_UP * in_flight)
    started, spent = time.perf_counter(), cpu_seconds()
    answered = await _drive(call, in_flight, calls)
    return Run(time.perf_counter() - started, cpu_seconds() - spent, answered)


async def _drive(call: Call, in_flight: int, calls: int) -> int:
    places = asyncio.Semaphore(in_flight)

    async def one(number: int) -> bool:
        async with places:
            return await call(conversation(number))

    return sum(await asyncio.gather(*map(one, range(calls))))
