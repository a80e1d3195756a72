"""A reply in, OpenAI's chat completion object out: what the HTTP server and the litellm provider answer."""

import time

from tdscaling_assets.llm.protocol import ChatReply
from tdscaling_assets.schema import JsonObject, digest


def chat_completion(reply: ChatReply, model: str) -> JsonObject:
    """The completion as JSON, under the name that the caller asked for; its id is a digest of the reply."""
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
