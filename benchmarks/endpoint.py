"""An OpenAI-compatible endpoint of fixed latency, and its ceiling: python benchmarks/endpoint.py [--serve PORT]

It answers `POST /v1/chat/completions` after LATENCY seconds with a completion of some 300 characters, over connections
kept alive, with no limit of its own. Given rates, it answers that share of requests with HTTP 500 or 429 at once.
Raw asyncio protocols on both sides, so that what is measured between them is the client under test. Without `--serve`
the script starts the endpoint in a process of its own and prints what a bare client of sockets gets out of it.
"""

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import NamedTuple

LATENCY = 0.5  # seconds
MODEL = "bench"
CONTENT = (
    "I found the order: it was placed on 3 March, holds two items and is still being packed, so its delivery address "
    "can be changed without a fee. I have put in 14 Harbour Street as the new address and kept the delivery window of "
    "Friday morning. You will receive a confirmation by mail; is there anything else that I can do?"
)
_LENGTH = re.compile(rb"content-length:\s*(\d+)", re.IGNORECASE)


class Faults(NamedTuple):
    """Shares of requests, 0 to 1, that are answered with HTTP 500 and with 429."""

    server: float = 0.0
    throttled: float = 0.0


NO_FAULTS = Faults()


class Endpoint(asyncio.Protocol):
    """One connection: whole requests in, each answered in its own time."""

    def __init__(self, latency: float, faults: Faults, random_source: random.Random) -> None:
        self._latency, self._faults, self._random = latency, faults, random_source
        self._pending = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._loop = asyncio.get_running_loop()

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while (end := self._pending.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._pending, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._pending) < whole:
                return
            del self._pending[:whole]
            self._answer()

    def _answer(self) -> None:
        drawn = self._random.random()
        if drawn < self._faults.server:
            self._transport.write(SERVER_ERROR)
        elif drawn < self._faults.server + self._faults.throttled:
            self._transport.write(THROTTLED)
        else:
            self._loop.call_later(self._latency, self._transport.write, COMPLETION)


def _response(status: str, body: object, *headers: str) -> bytes:
    content = json.dumps(body).encode()
    head = (f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(content)}", *headers)
    return "\r\n".join((*head, "", "")).encode() + content


COMPLETION = _response(
    "200 OK",
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": CONTENT}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1034, "completion_tokens": 67, "total_tokens": 1101},
    },
    "x-ratelimit-limit-requests: 100000",
    "x-ratelimit-remaining-requests: 99999",
)
SERVER_ERROR = _response("500 Internal Server Error", {"error": {"message": "injected", "type": "server_error"}})
THROTTLED = _response(
    "429 Too Many Requests", {"error": {"message": "injected", "type": "rate_limit_error"}}, "Retry-After: 1"
)


async def serve(port: int, latency: float, faults: Faults, ready: Connection | None = None) -> None:
    """Serve until cancelled; the port in use is sent through `ready`."""
    source = random.Random(7)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Endpoint(latency, faults, source), "127.0.0.1", port, backlog=4096)
    if ready is not None:
        ready.send(server.sockets[0].getsockname()[1])
    await server.serve_forever()


def _serve_process(latency: float, faults: Faults, ready: Connection) -> None:
    asyncio.run(serve(0, latency, faults, ready))


@contextmanager
def serving(latency: float = LATENCY, faults: Faults = NO_FAULTS) -> Iterator[str]:
    """The base URL of an endpoint in a process of its own."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_serve_process, args=(latency, faults, sender), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}/v1"
    finally:
        process.terminate()
        process.join()


def conversation(number: int) -> dict[str, object]:
    """The body of a request as an assistant in the middle of a conversation sends it: some 4 kB with six tools."""
    subjects = ("order", "payment", "shipment", "refund", "invoice", "customer")
    tools = [
        {
            "type": "function",
            "function": {
                "name": f"update_{subject}",
                "description": f"Update one {subject} by its id and return the {subject} as it is afterwards.",
                "parameters": {
                    "type": "object",
                    "properties": {
                        f"{subject}_id": {"type": "string", "description": f"Which {subject}, for instance A-1042."},
                        "note": {"type": "string", "description": "What staff should know about the change."},
                        "notify": {"type": "boolean", "description": "Whether the customer gets a mail."},
                    },
                    "required": [f"{subject}_id"],
                },
            },
        }
        for subject in subjects
    ]
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "update_order", "arguments": json.dumps({"order_id": f"A-{number}", "notify": True})},
    }
    messages = [
        {"role": "system", "content": "You are the assistant of a shop. Use the tools; ask before you destroy. " * 6},
        {"role": "user", "content": f"Hello, I want to change the address of order A-{number}. " + CONTENT},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": json.dumps({"status": "packed", "items": 2})},
    ]
    return {"model": MODEL, "messages": messages, "tools": tools, "temperature": 0.7, "max_tokens": 2048}


async def _call_bare(port: int, numbers: Iterator[int]) -> int:
    """Requests over one connection until the numbers end; how many were answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answered = 0
    for number in numbers:
        body = json.dumps(conversation(number)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        length = _LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
        assert length is not None
        await reader.readexactly(int(length[1]))
        answered += 1
    writer.close()
    return answered


async def call_bare(url: str, calls: int, in_flight: int) -> float:
    """Calls per second of sockets alone, one connection for each call in flight."""
    port, numbers = int(url.split(":")[2].split("/")[0]), iter(range(calls))
    started = time.perf_counter()
    answered = await asyncio.gather(*(_call_bare(port, numbers) for _ in range(in_flight)))
    return sum(answered) / (time.perf_counter() - started)


def main() -> None:
    """Serve, or print the ceiling: calls per second at two concurrencies, and without latency."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("--serve", type=int, metavar="PORT")
    arguments.add_argument("--latency", type=float, default=LATENCY)
    arguments.add_argument("--error-rate", type=float, default=0.0)
    arguments.add_argument("--throttle-rate", type=float, default=0.0)
    arguments.add_argument("--calls", type=int, default=5000)
    given = arguments.parse_args()
    faults = Faults(given.error_rate, given.throttle_rate)
    if given.serve is not None:
        asyncio.run(serve(given.serve, given.latency, faults))
        return
    for latency, in_flight in ((given.latency, 64), (given.latency, 256), (0.0, 64)):
        with serving(latency, faults) as url:
            rate = asyncio.run(call_bare(url, given.calls, in_flight))
        ideal = f"{rate * latency / in_flight:6.1%} of ideal" if latency else "no latency: the endpoint's ceiling"
        print(f"sockets  {in_flight:>4} in flight  {rate:8.1f} calls/s  {ideal}")


if __name__ == "__main__":
    main()
