"""Times the teacher's endpoint, in a process of its own over loopback HTTP: python benchmarks/teacher.py

The request is that of an assistant in the middle of a conversation, with ten tools. Requests per second, the server's
CPU per request (from /proc, so on Linux alone) and the slowest one in a hundred answers, with few and with many
keep-alive connections.
"""

import asyncio
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from _timing import builtin_settings
from conversations import wait_for

from tdscaling_assets.catalog.harvest import build_catalog
from tdscaling_assets.llm.server import serve_teacher
from tdscaling_assets.prompts import render, with_guidance
from tdscaling_assets.schema import JsonObject, function_schema

CONNECTIONS = (1, 16, 256, 2000)
REQUESTS = 6000
REPEATS = 3
TOOLS = 10


class Load(NamedTuple):
    """Requests per second of wall clock, CPU microseconds of the server per request, and the 99th percentile of
    the time to an answer in milliseconds."""

    rate: float
    cpu_microseconds: float
    slow_milliseconds: float


@dataclass(frozen=True)
class Server:
    """A teacher in a process of its own."""

    port: int
    process_id: int

    def cpu_seconds(self) -> float:
        """User and system CPU that the process has used."""
        fields = Path(f"/proc/{self.process_id}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """One line per number of connections."""
    with tempfile.TemporaryDirectory() as folder:
        body = json.dumps(request_body(Path(folder))).encode()
    with serve_over_http() as server:
        for connections in CONNECTIONS:
            load(server, body, connections, REQUESTS // 10)
            measured = [load(server, body, connections, REQUESTS) for _ in range(REPEATS)]
            rate, cpu, slow = map(statistics.median, zip(*measured, strict=True))
            print(
                f"{connections:>5} connections  {rate:7.0f} requests/s  {cpu:5.0f} µs CPU per request  "
                f"{slow:7.1f} ms at the 99th percentile  ({len(body):,} bytes asked)"
            )


def request_body(home: Path) -> JsonObject:
    """What the assistant's client sends after two tool calls."""
    tools = build_catalog(builtin_settings(home)).tools[:TOOLS]
    hint: JsonObject = {"role": "assistant", "do": "answer", "report": {"order id": "ORD-17", "total": 12.5}}
    system = render("assistant", domain="commerce", now="2025-05-20T09:00:00Z")
    messages: list[JsonObject] = [
        {"role": "system", "content": with_guidance(system, hint)},
        {"role": "user", "content": "Hello! Could you find my order and pay it? My email is ada@example.com."},
    ]
    for number in range(2):
        function: JsonObject = {"name": tools[number].tool_id, "arguments": '{"email": "ada@example.com"}'}
        calls: list[JsonObject] = [{"id": f"call_{number}", "type": "function", "function": function}]
        rows = json.dumps([{"order_id": f"ORD-{row}", "total": row * 1.5, "status": "paid"} for row in range(12)])
        messages.append({"role": "assistant", "content": None, "tool_calls": [*calls]})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": rows})
    offered: list[JsonObject] = [function_schema(tool) for tool in tools]
    return {"model": "teacher", "messages": [*messages], "tools": [*offered], "seed": 7, "temperature": 0.7}


def load(server: Server, body: bytes, connections: int, requests: int) -> Load:
    """What `requests` requests cost over so many keep-alive connections, each busy all the time."""
    before, started = server.cpu_seconds(), time.perf_counter()
    times = asyncio.run(ask_all(server.port, body, connections, requests))
    wall, cpu = time.perf_counter() - started, server.cpu_seconds() - before
    return Load(len(times) / wall, cpu / len(times) * 1e6, statistics.quantiles(times, n=100)[-1] * 1e3)


async def ask_all(port: int, body: bytes, connections: int, requests: int) -> list[float]:
    """Seconds to each answer, connections opened beforehand; SystemExit at the first that is not a 200."""
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    message, left = head.encode() + body, iter(range(requests))
    times: list[float] = []
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(connections)]

    async def keep_asking(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in left:
            started = time.perf_counter()
            writer.write(message)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            if not answer.startswith(b"http/1.1 200"):
                raise SystemExit(f"the teacher answered {answer.decode()!r}")
            await reader.readexactly(int(answer.split(b"content-length: ")[1].split(b"\r\n")[0]))
            times.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(keep_asking(*connection) for connection in opened))
    return times


@contextmanager
def serve_over_http() -> Iterator[Server]:
    """An obedient teacher's process."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(target=serve_teacher, args=("127.0.0.1", port, 1.0))
    process.start()
    try:
        wait_for(port)
        yield Server(port, process.pid or 0)
    finally:
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
