"""Tools are listed over the real protocol; a server that misbehaves ends in one sentence and leaves no process."""

import asyncio
import logging
import os
import sys
import threading
import time
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tdscaling_assets.catalog.mcp import list_server_tools
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.remote.config import McpServer

SCRIPTS = Path(sys.executable).parent
ANSWERING = """
import json, sys
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    answers = {
        "initialize": {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}},
                       "serverInfo": {"name": "inline", "version": "1"}},
        "tools/list": LISTING,
    }
    reply = {"jsonrpc": "2.0", "id": request["id"]}
    if request["method"] in answers:
        reply["result"] = answers[request["method"]]
    else:
        reply["error"] = {"code": -32601, "message": "method not found"}
    print(json.dumps(reply), flush=True)
"""


def inline(code: str, folder: Path) -> McpServer:
    return McpServer(name="inline", command=sys.executable, args=("-c", code), cwd=folder)


def listing(value: object) -> str:
    return ANSWERING.replace("LISTING", repr(value))


def names(server: McpServer) -> list[str]:
    return [tool["name"] for tool in asyncio.run(list_server_tools(server, 30)) if isinstance(tool, dict)]


def test_a_time_server_nobody_here_wrote_is_listed() -> None:
    assert names(McpServer(name="time", command=str(SCRIPTS / "mcp-server-time"))) == [
        "get_current_time",
        "convert_time",
    ]


def test_a_git_server_nobody_here_wrote_is_listed() -> None:
    assert "git_status" in names(McpServer(name="git", command=str(SCRIPTS / "mcp-server-git")))


def test_a_malformed_tool_does_not_hide_its_neighbours(tmp_path: Path) -> None:
    tools = [{"name": "good", "inputSchema": {"type": "object"}}, {"name": "bad", "inputSchema": "nonsense"}]
    assert asyncio.run(list_server_tools(inline(listing({"tools": tools}), tmp_path), 30)) == tools


def test_all_pages_are_read(tmp_path: Path) -> None:
    page = '{"tools": [{"name": "a", "inputSchema": {"type": "object"}}], **({} if CURSOR else {"nextCursor": "2"})}'
    code = ANSWERING.replace("LISTING", page.replace("CURSOR", '(request.get("params") or {}).get("cursor")'))
    assert names(inline(code, tmp_path)) == ["a", "a"]


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import sys; sys.exit('no token given')", "its last words: no token given"),
        ("raise RuntimeError('boom')", "its last words: RuntimeError: boom"),
        ("print('hello')", "MCP server 'inline'"),
        (listing({"tools": "none"}), "broke the protocol"),
        (listing({"tools": [], "nextCursor": 7}), "broke the protocol"),
    ],
)
def test_a_broken_server_is_one_sentence(
    tmp_path: Path, code: str, sentence: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError) as failure:
        asyncio.run(list_server_tools(inline(code, tmp_path), 30))
    assert sentence in str(failure.value)
    assert "\n" not in str(failure.value)
    assert capfd.readouterr() == ("", "")


def test_a_command_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MCP server 'x' failed"):
        asyncio.run(list_server_tools(McpServer(name="x", command="/no/such/command", cwd=tmp_path), 30))


def test_an_url_that_nobody_serves_is_one_sentence() -> None:
    with pytest.raises(ConfigError, match="MCP server 'x' failed"):
        asyncio.run(list_server_tools(McpServer(name="x", url="http://127.0.0.1:9/mcp"), 30))


def test_a_hanging_server_is_stopped_with_its_children(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('pids', 'w').write(f'{os.getpid()} {child.pid}')\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(ConfigError, match=r"gave no tool list within 1\.5 s"):
        asyncio.run(list_server_tools(inline(code, tmp_path), 1.5))
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert not [pid for pid in pids if is_running(pid)]


def is_running(pid: int) -> bool:
    for _ in range(20):  # the orphan's new parent may need a moment to bury it
        try:
            os.kill(pid, 0)
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return False
        if state == "Z":
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("ending", ["sys.exit(words)", "print(words)", "raise RuntimeError(words)"])
def test_what_a_dying_server_echoes_of_its_secrets_is_masked(
    tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = 'f\'{os.environ["API_KEY"]} {os.environ["PLACE"]} {sys.argv[2]} {sys.argv[3]} is wrong\''
    server = inline(f"import os, sys; words = {words}; print(words, file=sys.stderr); {ending}", tmp_path).model_copy(
        update={
            "env": {"API_KEY": "sk-1", "PLACE": "postgres://u:pw@db"},
            "args": ("-c", f"import os, sys; words = {words}; {ending}", "--token=t0k3n", "--pin-key", "p1n"),
        }
    )
    with caplog.at_level(logging.DEBUG), pytest.raises(ConfigError) as failure:
        asyncio.run(list_server_tools(server, 30))
    shown = "".join(traceback.format_exception(failure.value)) + repr(server) + caplog.text
    assert not [secret for secret in ("sk-1", "u:pw@db", "t0k3n") if secret in shown]


def test_the_secrets_of_a_server_do_not_come_back_in_its_tools(tmp_path: Path) -> None:
    tool = '{"name": "ask", "description": os.environ["API_KEY"] + " in " + os.environ["PLACE"]}'
    code = "import os\n" + ANSWERING.replace("LISTING", '{"tools": [' + tool + "]}")
    server = inline(code, tmp_path).model_copy(update={"env": {"API_KEY": "sk-12345", "PLACE": "production"}})
    assert asyncio.run(list_server_tools(server, 30)) == [{"name": "ask", "description": "*** in production"}]


def test_headers_reach_the_server_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["Authorization"])
            body = f"who is {self.headers['Authorization']}?".encode()
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Refusing) as http, caplog.at_level(logging.DEBUG):
        threading.Thread(target=http.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{http.server_port}/mcp?api_key=k-77777"
        server = McpServer(name="web", url=url, headers={"Authorization": "Bearer tok-123456"})
        with pytest.raises(ConfigError, match="MCP server 'web' failed") as failure:
            asyncio.run(list_server_tools(server, 30))
        http.shutdown()
    shown = "".join(traceback.format_exception(failure.value)) + repr(server) + caplog.text
    assert "Bearer tok-123456" in seen
    assert not [secret for secret in ("tok-123456", "k-77777") if secret in shown]
