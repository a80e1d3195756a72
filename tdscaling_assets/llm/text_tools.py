"""Tool calls for models that have none: a request with tools in, one that asks for calls in plain text out; and back.

The format is that of Hermes models, described in docs/models.md. Every value is one line of JSON in which no tag can be
opened or closed; tags that stand in other messages are broken, as in prompts.with_guidance.
"""

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.prompts import as_data, render
from tdscaling_assets.schema import JsonObject, ToolCall, decode_json, digest

_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_THINK, _THOUGHT = "<think>", "</think>"
_TAG = re.compile(r"<(?=\s*/?\s*tool_(?:call|response))", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LEADING_NAME = re.compile(r'\s*\{\s*"name"\s*:\s*("(?:[^"\\]|\\.)+")')


def ask_in_text(request: ChatRequest) -> ChatRequest:
    """The request without `tools` or anything that only tool calling has: the tools stand at the head of the system
    message, calls and their answers in the text. Messages of one role in a row become one."""
    messages = [_told(message) for message in request.messages]
    if request.tools:
        offered = render("tools", tools=[as_data(_essence(tool)) for tool in request.tools])
        messages.insert(0, {"role": "system", "content": offered})
    return request.model_copy(update={"messages": tuple(_joined(messages)), "tools": ()})


def is_asked_in_text(request: ChatRequest) -> bool:
    """Whether the request wants calls in text: `ask_in_text` made it, from one with tools."""
    system = (message.get("content") for message in request.messages if message.get("role") == "system")
    return not request.tools and any(_OPEN in str(content) for content in system)


def write_calls(content: str | None, calls: Sequence[ToolCall]) -> str:
    """The text and then the calls as the protocol has them. Arguments that are no JSON object go as a string."""
    return "\n".join([*([content] if content else []), *map(_element, calls)])


def read_calls(reply: ChatReply, request: ChatRequest | None = None) -> ChatReply:
    """The reply with the calls that its content holds taken out; the same reply where there are none.

    Ids are digests of the content and, so that the same words later in a conversation get other ids, of the request's
    messages.
    """
    content = reply.content or ""
    if reply.tool_calls or _OPEN not in content:
        return reply
    prose, found = _take_apart(content)
    stem = digest(content, request.messages) if request else digest(content)
    calls = tuple(
        ToolCall(id=f"call_{stem}_{index}", name=call.name, arguments=call.arguments)
        for index, call in enumerate(found)
    )
    return reply.model_copy(update={"content": prose.strip() or None, "tool_calls": calls}) if calls else reply


def split_reasoning(reply: ChatReply) -> ChatReply:
    """The reply with the thoughts at the start of its content moved to `reasoning`, unless it has some.

    The opening tag may be missing, because some chat templates give it to the model. Thoughts without an end leave no
    content.
    """
    content = reply.content or ""
    thoughts, closed, answer = content.partition(_THOUGHT)
    opened = thoughts.lstrip().startswith(_THINK)
    if reply.reasoning or not (opened or (closed and _THINK not in thoughts)):
        return reply
    thoughts = thoughts.lstrip().removeprefix(_THINK).strip()
    return reply.model_copy(update={"content": answer.strip() or None, "reasoning": thoughts or None})


class _Written(NamedTuple):
    """A call as it was written."""

    name: str
    arguments: str


def _essence(tool: JsonObject) -> JsonObject:
    function = tool["function"]
    if not isinstance(function, dict):
        raise ValueError(f"not a function definition: {tool!r}")
    return {name: function[name] for name in ("name", "description", "parameters") if name in function}


def _told(message: JsonObject) -> JsonObject:
    """A message of any role as one of system, user or assistant that holds text alone."""
    content = str(message.get("content") or "")
    if message["role"] == "tool":
        return {"role": "user", "content": f"<tool_response>{_answer(content)}</tool_response>"}
    calls = [_call(item) for item in _list(message.get("tool_calls"))]
    return {"role": message["role"], "content": write_calls(_TAG.sub("(", content), calls)}


def _joined(messages: Sequence[JsonObject]) -> list[JsonObject]:
    joined: list[JsonObject] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"]:
            parts = [str(one["content"]) for one in (joined[-1], message) if one["content"]]
            joined[-1] = {**message, "content": "\n\n".join(parts)}
        else:
            joined.append(message)
    return joined


def _answer(content: str) -> str:
    """A tool's answer, in which no tag can stand: JSON as it is, other text as a JSON string."""
    _, end = _decode(content, 0)
    return content.replace("<", "\\u003c") if end and not content[end:].strip() else as_data(content)


def _call(item: JsonValue) -> ToolCall:
    return ToolCall.model_validate({"id": "", "name": "", "arguments": "", **_object(_object(item).get("function"))})


def _element(call: ToolCall) -> str:
    arguments, end = _decode(call.arguments, 0)
    value = arguments if isinstance(arguments, dict) and not call.arguments[end:].strip() else call.arguments
    return f"{_OPEN}{_storable(as_data({'name': call.name, 'arguments': value}))}{_CLOSE}"


def _take_apart(text: str) -> tuple[str, list[_Written]]:
    """What is left without the calls, and the calls in order."""
    prose, calls, position = "", list[_Written](), 0
    while (start := text.find(_OPEN, position)) >= 0:
        inside = start + len(_OPEN)
        call, end = _read_element(text, inside)
        prose += text[position : inside if call is None else start]
        calls += [call] if call else []
        position = end
    return prose + text[position:], calls


def _read_element(text: str, start: int) -> tuple[_Written | None, int]:
    """The call whose tag opens before `start`, and where its element ends; None, and `start`, when it is none."""
    close, following = text.find(_CLOSE, start), text.find(_OPEN, start)
    value, end = _decode(text, start)
    if end and (call := _read_call(value)):
        close, following = text.find(_CLOSE, end), text.find(_OPEN, end)
        if close < 0 or 0 <= following < close:
            return call, end
        if not text[end:close].strip():
            return call, close + len(_CLOSE)
    elif end:
        return None, start
    closed = close >= 0 and not 0 <= following < close
    stop = close if closed else following if following >= 0 else len(text)
    malformed = _read_malformed(text[start:stop])
    return malformed, stop + len(_CLOSE) * closed if malformed else start


def _read_call(value: JsonValue) -> _Written | None:
    """The call that the JSON inside a tag describes."""
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str) or not name:
        return None
    arguments = value.get("arguments", {})
    return _Written(
        _storable(name),
        _storable(arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)),
    )


def _read_malformed(inside: str) -> _Written | None:
    """A call whose arguments are the whole text, when that begins with a name."""
    match = _LEADING_NAME.match(inside)
    name, _ = _decode(match[1], 0) if match else (None, 0)
    return _Written(_storable(name), inside.strip()) if isinstance(name, str) else None


def _decode(text: str, start: int) -> tuple[JsonValue, int]:
    """The JSON value that begins at `start`, after white space, and where it ends; 0 where there is none. Models break
    lines inside strings, most of all in code."""
    return decode_json(text, len(text) - len(text[start:].lstrip()), strict=False)


def _storable(text: str) -> str:
    """The text with lone surrogates, which JSON can hold and UTF-8 cannot, as JSON escapes them."""
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
