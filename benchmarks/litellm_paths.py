"""CPU of one `litellm.acompletion` by the way it is told to go: python benchmarks/litellm_paths.py [--calls N]

Every way uses public parameters, flags, names and environment variables of litellm alone, and runs in a process of its
own against benchmarks/endpoint.py, with little latency and 64 calls in flight, so that the process is always busy.
The figure is the CPU time of that process per call, building the request included (0.02 ms): the least of REPEATS.
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

from endpoint import MODEL, conversation, serving

from tdscaling_assets.llm.library import count_no_costs

LATENCY = 0.02  # seconds
IN_FLIGHT = 64
REPEATS = 5
Call = Callable[[dict[str, object]], Awaitable[object]]
WAYS = {
    "openai/ as it comes": {"default"},
    "openai/, litellm.disable_aiohttp_transport": {"httpx"},
    "openai/, one AsyncOpenAI as client=": {"client"},
    "openai/, one AsyncOpenAI over aiohttp as client=": {"client", "aiohttp"},
    "openai/, one aiohttp session as shared_session=": {"session"},
    "openai/, no-log=True": {"no-log"},
    "openai/, tools in extra_body=": {"extra_body"},
    "openai/, collector frozen": {"frozen"},
    "openai/, base handler": {"base"},
    "openai/, base handler, price registered": {"base", "price"},
    "openai/, base handler, collector frozen": {"base", "frozen"},
    "openai/, base handler, price registered, frozen": {"base", "price", "frozen"},
    "openai/, base handler, no price asked for, frozen": {"base", "unpriced", "frozen"},
    "the same on uvloop": {"base", "unpriced", "frozen", "uvloop"},
    "hosted_vllm/, price registered, frozen": {"hosted_vllm", "price", "frozen"},
    "aiohttp_openai/, price registered, frozen": {"aiohttp_openai", "price", "frozen"},
    "no litellm: openai SDK": {"sdk", "client"},
    "no litellm: openai SDK over aiohttp": {"sdk", "client", "aiohttp"},
}


def main() -> None:
    """One line per way."""
    arguments = argparse.ArgumentParser(description="CPU of one litellm call, by path")
    arguments.add_argument("--calls", type=int, default=400, help="calls per repeat")
    calls = arguments.parse_args().calls
    with serving(LATENCY) as url:
        for name, traits in WAYS.items():
            print(f"{name:<52} {_measure(url, traits, calls)}", flush=True)


def _measure(url: str, traits: set[str], calls: int) -> str:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(url, traits, calls, sender))
    process.start()
    sender.close()
    try:
        return str(receiver.recv())
    except EOFError:
        return "cannot run: see above"
    finally:
        process.join()


def _run(url: str, traits: set[str], calls: int, sender: Connection) -> None:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("OPENAI_API_KEY", "none")
    if "base" in traits:
        os.environ["EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER"] = "True"
    if "uvloop" in traits:
        import uvloop

        uvloop.install()
    sender.send(asyncio.run(_time(url, traits, calls)))
    os._exit(0)  # some paths complain at length about sessions that nobody closed


async def _time(url: str, traits: set[str], calls: int) -> str:
    call = _open(url, traits)
    await _drive(call, 2 * IN_FLIGHT)
    if "frozen" in traits:
        gc.collect()
        gc.freeze()
    spent = []
    for _ in range(REPEATS):
        started = time.process_time()
        await _drive(call, calls)
        spent.append((time.process_time() - started) / calls * 1000)
    return f"{min(spent):6.2f} ms CPU per call"


async def _drive(call: Call, calls: int) -> None:
    numbers = iter(range(calls))

    async def one_after_another() -> None:
        for number in numbers:
            await call(conversation(number))

    await asyncio.gather(*(one_after_another() for _ in range(IN_FLIGHT)))


def _open(url: str, traits: set[str]) -> Call:
    import litellm
    import openai

    litellm.suppress_debug_info = True
    litellm.disable_aiohttp_transport = "httpx" in traits
    provider = next((one for one in ("hosted_vllm", "aiohttp_openai") if one in traits), "openai")
    given: dict[str, Any] = {"base_url": url, "num_retries": 0, "max_retries": 0, "drop_params": True, "seed": 1}
    if provider == "aiohttp_openai":
        given["base_url"] = f"{url}/chat/completions"
    if provider != "openai":
        given["api_key"] = "none"
    if "no-log" in traits:
        given["no-log"] = True
    if "client" in traits:
        http = openai.DefaultAioHttpClient() if "aiohttp" in traits else None
        given["client"] = openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, http_client=http)
    if "session" in traits:
        import aiohttp

        given["shared_session"] = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    if "unpriced" in traits:
        count_no_costs()
    if "price" in traits:
        price = {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}
        litellm.register_model({f"{provider}/{MODEL}": {"litellm_provider": provider, "mode": "chat", **price}})

    async def through_litellm(body: dict[str, object]) -> object:
        if "extra_body" in traits:
            body = {**body, "extra_body": {"tools": body["tools"]}}
            del body["tools"]
        return await litellm.acompletion(**{**body, "model": f"{provider}/{MODEL}"}, **given)

    async def through_sdk(body: dict[str, Any]) -> object:
        return await given["client"].chat.completions.create(seed=1, **body)

    return through_sdk if "sdk" in traits else through_litellm


if __name__ == "__main__":
    main()
