"""The scripted teacher as an OpenAI-compatible endpoint, so that the litellm path is exercised over real HTTP."""

import time

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import JsonObject, digest


def teacher_app(model: ChatModel) -> Starlette:
    """`POST /v1/chat/completions` (no streaming) and `GET /v1/models`."""

    async def completions(http: Request) -> JSONResponse:
        body = await http.json()
        try:
            request = ChatRequest(
                role="assistant",
                messages=tuple(body["messages"]),
                tools=tuple(body.get("tools") or ()),
                seed=body.get("seed") or 0,
            )
        except (KeyError, TypeError, ValidationError) as error:
            return JSONResponse({"error": {"message": f"bad request: {error}", "type": "invalid_request_error"}}, 400)
        return JSONResponse(_completion(await model.complete(request), str(body.get("model", model.name))))

    async def models(_: Request) -> JSONResponse:
        return JSONResponse({"object": "list", "data": [{"id": model.name, "object": "model"}]})

    return Starlette(routes=[Route("/v1/chat/completions", completions, methods=["POST"]), Route("/v1/models", models)])


def serve_teacher(host: str, port: int, compliance: float) -> None:
    """Serve until interrupted."""
    uvicorn.run(teacher_app(ScriptedTeacher(compliance)), host=host, port=port, log_level="warning")


def _completion(reply: ChatReply, model: str) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": reply.content}
    if reply.tool_calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in reply.tool_calls
        ]
    return {
        "id": f"chatcmpl-{digest(reply.model_dump())}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if reply.tool_calls else "stop"}],
        "usage": {
            "prompt_tokens": reply.usage.prompt_tokens,
            "completion_tokens": reply.usage.completion_tokens,
            "total_tokens": reply.usage.prompt_tokens + reply.usage.completion_tokens,
        },
    }
