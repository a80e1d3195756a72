"""An endpoint on a free port of this machine that answers as told."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from endpoints import serving

from tdscaling_assets.llm.misbehaviour import Misbehaviour
from tdscaling_assets.llm.protocol import ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher

COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7},
}


class Endpoint(ThreadingHTTPServer):
    """Answers each request with the next of `statuses`, and 200 when there are none left."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.completion: dict[str, object] = COMPLETION
        self.complaint = "something is wrong"
        self.headers: dict[str, str] = {}
        self.requests: list[dict[str, object]] = []
        self.hang: threading.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.server.requests.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if self.server.hang is not None:
            self.server.hang.wait(10)
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        said = self.server.complaint.replace("{authorization}", self.headers.get("Authorization", ""))
        body = self.server.completion if status == 200 else {"error": {"message": said, "type": "test"}}
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """An endpoint that answers as told; the key is one that a test can look for."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-xyz")
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        if server.hang is not None:
            server.hang.set()
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def misbehaving() -> Callable[..., AbstractContextManager[str]]:
    """Serves an obedient teacher that misbehaves as the keywords say."""
    return lambda **wishes: serving(ScriptedTeacher(1.0), Misbehaviour.model_validate(wishes))


@pytest.fixture(scope="session")
def ask() -> Callable[..., ChatRequest]:
    """Makes a request; keywords replace its fields."""

    def make(text: str = "Hello", **fields: object) -> ChatRequest:
        return ChatRequest.model_validate({"role": "user", "messages": ({"role": "user", "content": text},), **fields})

    return make
