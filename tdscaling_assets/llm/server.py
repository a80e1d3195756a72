"""The scripted teacher as an OpenAI-compatible endpoint, so that the litellm path is exercised over real HTTP."""

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.llm.wire import chat_completion


def teacher_app(model: ChatModel) -> Starlette:
    """`POST /v1/chat/completions` (no streaming) and `GET /v1/models`. A request that cannot be read gets a 400."""

    async def completions(http: Request) -> JSONResponse:
        try:
            body = await http.json()
            if body.get("stream"):
                raise ValueError("this endpoint does not stream: leave `stream` out")
            request = ChatRequest(
                role="assistant",
                messages=tuple(body["messages"]),
                tools=tuple(body.get("tools") or ()),
                seed=body.get("seed") or 0,
            )
            reply = await model.complete(request)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"bad request: {type(error).__name__}: {error}"
            return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, 400)
        return JSONResponse(chat_completion(reply, str(body.get("model", model.name))))

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": model.name, "object": "model"}]})

    return Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"]), Route("/v1/models", models)])


def serve_teacher(host: str, port: int, compliance: float) -> None:
    """Serve until interrupted."""
    uvicorn.run(teacher_app(ScriptedTeacher(compliance)), host=host, port=port, log_level="warning")
