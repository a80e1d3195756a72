"""An attempt without a client library, in a module that the processes which make calls can import."""

import asyncio

from endpoint import MODEL

from tdscaling_assets.llm.protocol import Answer, Attempt, ChatReply, ChatRequest
from tdscaling_assets.schema import Role, ToolCall, Usage
from tdscaling_assets.settings import Settings

LATENCY = 0.1  # seconds


class Sleeper:
    """Sleeps, then answers as a model might."""

    async def attempt(self, _: ChatRequest) -> Answer:
        """One call of a tool."""
        await asyncio.sleep(LATENCY)
        call = ToolCall(id="call_1", name="update_order", arguments='{"order_id": "A-1"}')
        usage = Usage(prompt_tokens=900, completion_tokens=30, usd=0.001, model=MODEL, calls=1, seconds=LATENCY)
        return Answer(reply=ChatReply(tool_calls=(call,), usage=usage))


def open_sleeper(_: Settings, __: Role) -> Attempt:
    """As each process opens it."""
    return Sleeper()
