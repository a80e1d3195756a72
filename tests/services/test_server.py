"""A service through the official MCP client, in-process and over stdio."""

import json
import sys
from collections.abc import Awaitable, Callable

import anyio
import pytest
from mcp import Client, StdioServerParameters, stdio_client

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.services.server import build_server, serve_stdio
from tdscaling_assets.services.spec import load_services, service_tools
from tdscaling_assets.services.world import World

Session = Callable[[Client], Awaitable[None]]
PROGRAM = "from tdscaling_assets.services.server import serve_stdio; serve_stdio('shop', 7)"


def in_process(session: Session) -> None:
    async def run() -> None:
        async with Client(build_server(load_services()["shop"], 7)) as client:
            await session(client)

    anyio.run(run)


def over_stdio(session: Session) -> None:
    async def run() -> None:
        server = StdioServerParameters(command=sys.executable, args=["-c", PROGRAM])
        async with Client(stdio_client(server)) as client:
            await session(client)

    anyio.run(run)


def known_order(status: str) -> str:
    rows = World([load_services()["shop"]], 7).rows("shop", "order")
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


def test_an_unknown_service_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="there is no service 'bakery': choose one of airline, bank"):
        serve_stdio("bakery", 1)
