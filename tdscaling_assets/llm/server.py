"""The scripted teacher as an OpenAI-compatible endpoint, so that the litellm path is exercised over real HTTP: on good
nights and, where told to misbehave, on bad ones."""

import contextlib
import json
import resource
import socket
from typing import Any

import uvicorn
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, Router

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.llm.misbehaviour import Misbehaviour
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.llm.teacher_endpoint import COUNTS, Endpoint
from tdscaling_assets.llm.wire import chat_completion
from tdscaling_assets.schema import JsonObject

CONNECTIONS = 65_536
"""Connections at most, where the machine's limit of open files allows it."""
BACKLOG = 4096
IDLE_SECONDS = 600
"""Seconds for which an idle connection is kept: longer than clients do, so that none sends into a closing one."""


class _Body(BaseModel):
    """What is read of a request; the rest has no effect on the teacher."""

    messages: tuple[JsonObject, ...]
    tools: tuple[Any, ...] | None = None
    seed: int | None = None
    stream: bool | None = None
    model: str | None = None


def teacher_app(model: ChatModel, misbehaviour: Misbehaviour | None = None) -> Router:
    """`POST /v1/chat/completions` (no streaming), `GET /v1/models` and `GET /v1/stats`. What cannot be read gets a 400.

    A bare Router: the layers of a whole Starlette application cost time and hide the connection.
    """

    async def answer(content: bytes) -> tuple[int, bytes]:
        try:
            body = _Body.model_validate_json(content)
            if body.stream:
                raise ValueError("this endpoint does not stream: leave `stream` out")
            reply = await model.complete(_request(body))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"bad request: {type(error).__name__}: {error}"
            return 400, _encode({"error": {"message": message, "type": "invalid_request_error"}})
        return 200, _encode(chat_completion(reply, body.model or model.name))

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": model.name, "object": "model"}]})

    async def stats(_: Request) -> JSONResponse:
        return JSONResponse({name: endpoint.counts[name] for name in COUNTS})

    endpoint = Endpoint(answer, misbehaviour or Misbehaviour())
    return Router(
        [
            Route("/v1/chat/completions", endpoint, methods=["POST"]),
            Route("/v1/models", models),
            Route("/v1/stats", stats),
        ]
    )


class TeacherServer(uvicorn.Server):
    """A server that ends at once: whoever still waits for an answer is hung up on."""

    def __init__(self, app: Router) -> None:
        quiet = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            ws="none",
            lifespan="off",
            backlog=BACKLOG,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=1,
        )
        super().__init__(quiet)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close every connection, then the rest."""
        for connection in list(self.server_state.connections):
            connection.transport.close()
        await super().shutdown(sockets)


def serve_teacher(host: str, port: int, compliance: float, misbehaviour: Misbehaviour | None = None) -> None:
    """Print the address and serve until interrupted; ConfigError when it is not free."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {host} port {port} ({error.strerror}): choose another with --port"
        ) from error
    _allow_connections()
    print(
        f"http://{host}:{port}/v1  (use TDS_MODEL=openai/teacher TDS_MODEL_BASE_URL=... OPENAI_API_KEY=none)",
        flush=True,
    )
    server = TeacherServer(teacher_app(ScriptedTeacher(compliance), misbehaviour))
    with listener, contextlib.suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


def _request(body: _Body) -> ChatRequest:
    """The request as the teacher takes it; not validated again, which would cost as much as the reply."""
    return ChatRequest.model_construct(
        role="assistant", messages=body.messages, tools=body.tools or (), seed=body.seed or 0
    )


def _encode(value: JsonObject) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _allow_connections() -> None:
    """Raise this process's limit of open files, of which each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
