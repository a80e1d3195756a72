"""An MCP server on stdin and stdout that behaves as its tools are called: slow, dying, failing, echoing its secrets."""

import json
import os
import sys
import threading
import time
from pathlib import Path

LOCK = threading.Lock()
PLAIN = {"type": "object"}
TOOLS = [
    {"name": "get_pid", "description": "The process.", "inputSchema": PLAIN},
    {"name": "get_slow", "description": "Waits.", "inputSchema": PLAIN, "annotations": {"readOnlyHint": True}},
    {"name": "get_dying", "description": "Ends the server once.", "inputSchema": PLAIN},
    {"name": "set_dying", "description": "Ends the server once.", "inputSchema": PLAIN},
    {"name": "get_failure", "description": "Fails.", "inputSchema": PLAIN},
    {"name": "get_refusal", "description": "Is refused.", "inputSchema": PLAIN},
    {"name": "get_secrets", "description": "Tells secrets.", "inputSchema": PLAIN},
    {"name": "get_content", "description": "Returns what it is told.", "inputSchema": PLAIN},
    {"name": "list_calls", "description": "What was called.", "inputSchema": PLAIN},
    {"name": "delete_all", "description": "Deletes.", "inputSchema": PLAIN, "annotations": {"destructiveHint": True}},
    {"name": "get_once", "description": "Uses up.", "inputSchema": PLAIN, "annotations": {"destructiveHint": True}},
    {"name": "mark_done", "description": "Marks.", "inputSchema": PLAIN, "annotations": {"destructiveHint": False}},
    {"name": "purge", "description": "Purges.", "inputSchema": PLAIN},
]


def say(message: dict) -> None:
    with LOCK:
        print(json.dumps(message), flush=True)


def text(content: object, error: bool = False) -> dict:
    shown = content if isinstance(content, str) else json.dumps(content)
    return {"content": [{"type": "text", "text": shown}], "isError": error}


def call(name: str, arguments: dict) -> dict:
    log = Path("calls.txt")
    with log.open("a") as file:
        file.write(f"{name}\n")
    if name == "get_slow":
        time.sleep(arguments["seconds"])
    if name.endswith("_dying"):
        times = log.read_text().split().count(name)
        if times <= arguments["times"]:
            print(f"out of memory with {os.environ.get('API_KEY')}", file=sys.stderr, flush=True)
            os._exit(3)
    if name == "get_failure":
        return text(arguments["text"], error=True)
    if name == "get_secrets":
        return text(f"{os.environ['API_KEY']} and {os.environ['PLACE']}", error=arguments.get("error", False))
    if name == "get_content":
        return arguments["result"]
    if name == "list_calls":
        return text(log.read_text().split())
    return text({"pid": os.getpid()})


def answer(request: dict) -> None:
    reply: dict = {"jsonrpc": "2.0", "id": request["id"]}
    method, params = request["method"], request.get("params") or {}
    if method == "initialize":
        server = {"name": "test", "version": "1"}
        reply["result"] = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": server}
    elif method == "tools/list":
        reply["result"] = {"tools": TOOLS}
    elif method == "tools/call" and params["name"] == "get_refusal":
        reply["error"] = {"code": -32602, "message": f"no such argument, says {os.environ.get('API_KEY')}"}
    elif method == "tools/call":
        reply["result"] = call(params["name"], params.get("arguments") or {})
    else:
        reply["error"] = {"code": -32601, "message": "method not found"}
    say(reply)


if __name__ == "__main__":
    with Path("starts.txt").open("a") as starts:
        starts.write("start\n")
    for line in sys.stdin:
        if "id" in (asked := json.loads(line)):
            threading.Thread(target=answer, args=(asked,), daemon=True).start()
