"""Services through MCP clients: the official one in-process, over stdio and over HTTP, and TypeScript's over stdio."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.services.server import build_server, choose_services
from tdscaling_assets.services.spec import load_services, service_tools
from tdscaling_assets.services.world import World

Session = Callable[[Client], Awaitable[None]]
SERVE = [sys.executable, "-c", "from tdscaling_assets.cli import main; main()", "services", "serve"]
SEED = 7
TYPESCRIPT_SDK = "@modelcontextprotocol/sdk@1.32.2"


def in_process(session: Session) -> None:
    async def run() -> None:
        async with Client(build_server(choose_services("shop"), SEED)) as client:
            await session(client)

    anyio.run(run)


def over_stdio(session: Session, name: str = "shop") -> None:
    async def run() -> None:
        command, *args = [*SERVE, name, "--seed", str(SEED)]
        async with Client(stdio_client(StdioServerParameters(command=command, args=args))) as client:
            await session(client)

    anyio.run(run)


def known_order(status: str) -> str:
    rows = World(choose_services("shop"), SEED).rows("shop", "order")
    return str(next(row["order_id"] for row in rows if row["status"] == status))


both_ways = pytest.mark.parametrize("connect", [in_process, over_stdio])


@both_ways
def test_tools_are_listed_as_defined(connect: Callable[[Session], None]) -> None:
    async def session(client: Client) -> None:
        listed = [
            tool.model_dump(by_alias=True, exclude_none=True, mode="json") for tool in (await client.list_tools()).tools
        ]
        assert listed == service_tools(load_services()["shop"])

    connect(session)


@both_ways
def test_a_call_answers_with_structure_and_text(connect: Callable[[Session], None]) -> None:
    async def session(client: Client) -> None:
        order_id = known_order("paid")
        result = await client.call_tool("get_order", {"order_id": order_id})
        assert not result.is_error
        assert result.structured_content["order"]["order_id"] == order_id
        assert json.loads(result.content[0].text) == result.structured_content

    connect(session)


@both_ways
def test_a_refusal_is_an_error_result(connect: Callable[[Session], None]) -> None:
    async def session(client: Client) -> None:
        arguments = {"order_id": known_order("shipped"), "reason": "changed_mind"}
        result = await client.call_tool("cancel_order", arguments)
        assert result.is_error
        assert json.loads(result.content[0].text)["error"]["code"] == "order_already_shipped"

    connect(session)


def test_a_server_remembers_what_was_done() -> None:
    async def session(client: Client) -> None:
        order_id = known_order("paid")
        await client.call_tool("cancel_order", {"order_id": order_id, "reason": "changed_mind"})
        result = await client.call_tool("get_order", {"order_id": order_id})
        assert result.structured_content["order"]["status"] == "cancelled"

    in_process(session)


def test_an_unknown_tool_is_an_error_result() -> None:
    async def session(client: Client) -> None:
        result = await client.call_tool("sell_company", {})
        assert result.is_error
        assert "there is no tool 'sell_company'" in result.content[0].text

    in_process(session)


def test_an_unknown_service_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there is no service 'bakery': choose one of agriculture, airline, "):
        choose_services("bakery")


@pytest.fixture(scope="module")
def all_over_http() -> Iterator[str]:
    """The URL of all services on a port of this machine."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*SERVE, "all", "--http", str(port), "--seed", str(SEED)], stderr=subprocess.PIPE)
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert server.poll() is None, server.stderr and server.stderr.read().decode()
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.terminate()
        server.wait(10)
        if server.stderr:
            server.stderr.close()


def test_all_services_are_one_world_over_http(all_over_http: str) -> None:
    async def session() -> None:
        async with Client(all_over_http) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            wanted = {f"{name}__{tool}" for name, spec in load_services().items() for tool in spec.operations}
            assert listed == wanted
            order_id = known_order("paid")
            order = (await client.call_tool("shop__get_order", {"order_id": order_id})).structured_content["order"]
            arguments = {"order_id": order_id, "reason": "changed_mind"}
            await client.call_tool("shop__cancel_order", arguments)
            paid = await client.call_tool("payments__get_payment", {"payment_id": order["payment_id"]})
            assert paid.structured_content["payment"]["status"] == "refunded"

    anyio.run(session)


def test_sql_runs_in_the_sandbox_over_http(all_over_http: str) -> None:
    async def session() -> None:
        async with Client(all_over_http) as client:
            result = await client.call_tool("database__run_query", {"sql": "SELECT 6 * 7 AS answer"})
            assert result.structured_content["rows"] == [[42]]

    anyio.run(session)


def unavailable(reason: str) -> NoReturn:
    """Skip, or fail where CI promises npm."""
    if os.environ.get("CI_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Calls to a server on stdio through the official TypeScript SDK; skipped where npm cannot install it."""
    if not (shutil.which("npm") and shutil.which("node")):
        unavailable("needs Node.js and npm for a client of the TypeScript SDK")
    home = tmp_path_factory.mktemp("typescript")
    shutil.copy(Path(__file__).with_name("typescript_client.mjs"), home)
    quiet = ["--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    installed = subprocess.run(
        ["npm", "install", *quiet, "--prefix", str(home), TYPESCRIPT_SDK], capture_output=True, text=True
    )
    if installed.returncode:
        unavailable(f"npm cannot install {TYPESCRIPT_SDK}: {installed.stderr[-300:]}")

    def talk(name: str, *calls: tuple[str, dict[str, object]]) -> Any:
        command = ["node", "typescript_client.mjs", json.dumps(calls), *SERVE, name, "--seed", str(SEED)]
        return json.loads(subprocess.run(command, cwd=home, capture_output=True, text=True, check=True).stdout)

    return talk


@pytest.mark.node
def test_the_typescript_sdk_lists_the_same_tools(typescript: Callable[..., Any]) -> None:
    listed = typescript("payments")["tools"]
    assert listed == service_tools(load_services()["payments"])


@pytest.mark.node
def test_the_typescript_sdk_s_checks_of_structured_output_pass(typescript: Callable[..., Any]) -> None:
    order_id = known_order("paid")
    calls = [("get_order", {"order_id": order_id}), ("cancel_order", {"order_id": order_id, "reason": "changed_mind"})]
    found, cancelled, again = typescript("shop", *calls, calls[1])["results"]
    assert found["structuredContent"]["order"]["order_id"] == order_id
    assert cancelled["structuredContent"]["order"]["status"] == "cancelled"
    assert again["isError"]
    assert json.loads(again["content"][0]["text"])["error"]["code"] == "order_already_cancelled"
