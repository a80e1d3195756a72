"""Calls of live tools over the real protocol: one session per server, and every misbehaviour ends in a result or a
sentence."""

import asyncio
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from remote.conftest import tool

from tdscaling_assets.errors import ToolError
from tdscaling_assets.remote import session
from tdscaling_assets.remote.config import McpServer, RefusedServer
from tdscaling_assets.remote.live import LiveServers
from tdscaling_assets.remote.results import RemoteResult
from tdscaling_assets.services.server import build_server
from tdscaling_assets.services.spec import load_services

SCRIPTS = Path(sys.executable).parent
TalkTo = Callable[..., Any]


def starts(server: McpServer) -> int:
    return len((server.cwd / "starts.txt").read_text().split())


def is_running(pid: int) -> bool:
    for _ in range(40):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True


def test_a_time_server_nobody_here_wrote_answers(talk: TalkTo) -> None:
    async def talking(live: LiveServers) -> RemoteResult:
        arguments = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
        return await live.call(tool("convert_time", "time"), arguments)

    result = talk(talking, McpServer(name="time", command=str(SCRIPTS / "mcp-server-time")))
    assert result.ok and result.value["target"]["datetime"].endswith("T21:00:00+09:00")


def test_an_error_of_a_foreign_server_is_an_error_that_can_be_read(talk: TalkTo) -> None:
    async def talking(live: LiveServers) -> RemoteResult:
        return await live.call(tool("get_current_time", "time"), {"timezone": "Mars/Olympus"})

    result = talk(talking, McpServer(name="time", command=str(SCRIPTS / "mcp-server-time")))
    assert not result.ok and "Mars/Olympus" in str(result.value)


def test_all_calls_share_one_session_which_ends_with_the_batch(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> list[RemoteResult]:
        return await asyncio.gather(*(live.call(tool("get_pid"), {}) for _ in range(20)))

    results = talk(talking, server)
    (pid,) = {result.value["pid"] for result in results}
    assert starts(server) == 1
    assert not is_running(pid)


def test_nothing_starts_before_the_first_call(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> None:
        await asyncio.sleep(0.2)

    talk(talking, server)
    assert not (server.cwd / "starts.txt").exists()


def test_a_slow_call_ends_at_its_time_and_holds_up_no_other(talk: TalkTo, server: McpServer) -> None:
    order: list[str] = []

    async def note(live: LiveServers, name: str, seconds: float) -> None:
        try:
            await live.call(tool("get_slow"), {"seconds": seconds})
        except ToolError as error:
            assert str(error) == "MCP server 'test' did not answer get_slow within 2 s"
            name += " late"
        order.append(name)

    async def talking(live: LiveServers) -> None:
        await asyncio.gather(note(live, "first", 8), note(live, "second", 0.5), note(live, "third", 0))
        await note(live, "fourth", 0)

    talk(talking, server.model_copy(update={"timeout": 2}))
    assert order == ["third", "second", "first late", "fourth"]
    assert starts(server) == 1


def test_a_call_takes_the_setting_where_the_server_has_no_time_of_its_own(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> None:
        with pytest.raises(ToolError, match=r"within 1\.5 s"):
            await live.call(tool("get_slow"), {"seconds": 8})

    talk(talking, server.model_copy(update={"timeout": None}), mcp_call_seconds=1.5)


def test_a_look_up_that_broke_off_is_asked_again_of_a_new_session(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> RemoteResult:
        return await live.call(tool("get_dying"), {"times": 2})

    assert talk(talking, server).ok
    assert starts(server) == 3


def test_a_change_that_broke_off_is_not_made_twice(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> Any:
        with pytest.raises(ToolError) as failure:
            await live.call(tool("set_dying"), {"times": 1})
        assert (server.cwd / "calls.txt").read_text().split() == ["set_dying"]
        assert str(failure.value).endswith("in set_dying; its last words: out of memory with ***")
        return (await live.call(tool("list_calls"), {})).value

    assert talk(talking, server) == ["set_dying", "list_calls"]
    assert starts(server) == 2


def test_tries_are_bounded(talk: TalkTo, server: McpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BACKOFF_SECONDS", 0.01)

    async def talking(live: LiveServers) -> None:
        with pytest.raises(ToolError, match="Connection closed"):
            await live.call(tool("get_dying"), {"times": 99})

    talk(talking, server)
    assert starts(server) == session.TRIES


def test_a_server_that_never_opens_is_left_alone_after_some_tries(
    talk: TalkTo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "BACKOFF_SECONDS", 0.01)
    code = "import sys; open('starts.txt', 'a').write('start '); sys.exit('no licence')"
    dead = McpServer(name="test", command=sys.executable, args=("-c", code), cwd=tmp_path, timeout=20)

    async def talking(live: LiveServers) -> None:
        for _ in range(4):
            with pytest.raises(ToolError, match=r"MCP server 'test' failed .*; its last words: no licence"):
                await live.call(tool("get_pid"), {})

    talk(talking, dead)
    assert starts(dead) == session.TRIES


def test_a_server_that_hangs_at_its_start_ends_at_the_time_of_the_call(talk: TalkTo, tmp_path: Path) -> None:
    hanging = McpServer(name="test", command="sleep", args=("60",), cwd=tmp_path, timeout=1)

    async def talking(live: LiveServers) -> None:
        with pytest.raises(ToolError, match="did not"):
            await live.call(tool("get_pid"), {})

    talk(talking, hanging)


def test_a_server_that_is_still_starting_is_stopped_at_the_end(talk: TalkTo, tmp_path: Path) -> None:
    code = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(300)"
    hanging = McpServer(name="test", command=sys.executable, args=("-c", code), cwd=tmp_path, timeout=300)

    async def talking(live: LiveServers) -> None:
        call = asyncio.create_task(live.call(tool("get_pid"), {}))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.wait({call})

    talk(talking, hanging)  # hangs where it fails
    assert not is_running(int((tmp_path / "pid").read_text()))


def test_an_url_that_nobody_serves_is_one_sentence(talk: TalkTo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "BACKOFF_SECONDS", 0.01)

    async def talking(live: LiveServers) -> None:
        with pytest.raises(ToolError, match="MCP server 'web' failed"):
            await live.call(tool("get_pid", "web"), {})

    talk(talking, McpServer(name="web", url="http://127.0.0.1:9/mcp"))


def test_a_server_over_http_answers_also_after_it_was_started_anew(talk: TalkTo) -> None:
    spec = load_services()["airline"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    async def look_up(live: LiveServers) -> RemoteResult:
        listener = socket.create_server(("127.0.0.1", port))
        app = build_server([spec], 7).streamable_http_app(host="127.0.0.1")
        http = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        result = await live.call(tool("get_flight", "web"), {"flight_id": "FLT-1"})
        http.should_exit = True
        await serving
        listener.close()
        return result

    async def talking(live: LiveServers) -> list[RemoteResult]:
        return [await look_up(live), await look_up(live)]

    first, second = talk(talking, McpServer(name="web", url=f"http://127.0.0.1:{port}/mcp", timeout=20))
    assert first == second
    assert first.value["error"]["code"] == "flight_not_found"


def test_a_refused_or_unknown_server_is_a_sentence(talk: TalkTo) -> None:
    async def talking(live: LiveServers) -> None:
        with pytest.raises(ToolError, match="needs the environment variable KEY"):
            await live.call(tool("get_pid"), {})
        with pytest.raises(ToolError, match="has no MCP server 'other'"):
            await live.call(tool("get_pid", "other"), {})

    talk(talking, RefusedServer(name="test", reason="server 'test' needs the environment variable KEY"))


def test_what_a_tool_reports_as_an_error_is_a_result_that_is_not_ok(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> list[RemoteResult]:
        calls = [("get_failure", {"text": "no such order"}), ("get_refusal", {})]
        return [await live.call(tool(name), arguments) for name, arguments in calls]

    failed, refused = talk(talking, server)
    assert failed == RemoteResult(ok=False, value={"error": {"code": "tool_error", "message": "no such order"}})
    assert refused == RemoteResult(
        ok=False, value={"error": {"code": "mcp_32602", "message": "no such argument, says ***"}}
    )


def test_secrets_reach_no_result_no_failure_and_no_log(
    talk: TalkTo, server: McpServer, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def talking(live: LiveServers) -> str:
        shown = [(await live.call(tool("get_secrets"), {"error": error})).model_dump_json() for error in (False, True)]
        for name in ("get_dying", "set_dying"):
            with pytest.raises(ToolError) as failure:
                await live.call(tool(name), {"times": 9})
            shown.append(str(failure.value))
        return "".join(shown)

    with caplog.at_level(logging.DEBUG):
        shown = talk(talking, server)
    assert "*** and " in shown and "its last words: out of memory with ***" in shown
    shown += caplog.text + "".join(capfd.readouterr())
    assert not [secret for secret in ("sk-77777", "pa55word") if secret in shown]


def test_a_result_of_another_shape_than_the_protocol_has_is_a_sentence(talk: TalkTo, server: McpServer) -> None:
    async def talking(live: LiveServers) -> None:
        with pytest.raises(ToolError, match="broke the protocol"):
            await live.call(tool("get_content"), {"result": {"content": "no list"}})

    talk(talking, server)
