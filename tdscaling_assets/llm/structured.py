"""A question in, the JSON value of the answer out; a reply that cannot be used is sent back with what is wrong."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.prompts import render
from tdscaling_assets.schema import JsonObject, Usage, parse_json

SHOWN = 200
"""Characters of a useless reply that are told."""

Shape = TypeVar("Shape", bound=BaseModel)


async def ask_record(model: ChatModel, request: ChatRequest, shape: type[Shape], repairs: int) -> Shape:
    """The record that the model wrote as JSON. Raises ModelError, malformed, when it wrote none that fits."""
    request = request.model_copy(update={"reply_schema": shape.model_json_schema()})
    return shape.model_validate(await ask_json(model, request, lambda value: _misfit(value, shape), repairs))


async def ask_json(
    model: ChatModel,
    request: ChatRequest,
    complaint: Callable[[JsonValue], str],
    repairs: int,
    spend: Callable[[Usage], None] = lambda usage: None,
) -> JsonValue:
    """The JSON value that the model wrote, maybe in prose or fences, once `complaint` of it is empty.

    The model may mend it `repairs` times; then ModelError, malformed, with the last complaint. `spend` hears of every
    reply's cost.
    """
    for repair in range(repairs + 1):
        reply = await model.complete(request)
        spend(reply.usage)
        text = reply.content or ""
        value = json_part(text)
        problem = "it holds no JSON object or array" if value is None else complaint(value)
        if not problem:
            return value
        if repair < repairs:
            request = _sent_back(request, text, problem)
    raise ModelError("malformed", f"the {request.role} wrote {text[:SHOWN]!r}: {problem}")


def json_part(text: str) -> JsonValue:
    """The JSON object or array from the first bracket to the last, None where there is none."""
    start = min((at for at in (text.find("{"), text.find("[")) if at >= 0), default=-1)
    end = max(text.rfind("}"), text.rfind("]"))
    return parse_json(text[start : end + 1]) if start >= 0 else None


def _misfit(value: JsonValue, shape: type[BaseModel]) -> str:
    try:
        shape.model_validate(value, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc'])) or 'the value'}: {first['msg']}"
    return ""


def _sent_back(request: ChatRequest, text: str, problem: str) -> ChatRequest:
    turns: tuple[JsonObject, ...] = (
        {"role": "assistant", "content": text},
        {"role": "user", "content": render("repair", problem=problem)},
    )
    return request.model_copy(update={"messages": request.messages + turns})
