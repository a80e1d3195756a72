"""The one seam through which every role speaks: a request of OpenAI messages in, one assistant message out."""

from typing import Protocol

from tdscaling_assets.schema import JsonObject, Record, Role, ToolCall, Usage


class ChatRequest(Record):
    """`messages` and `tools` are in OpenAI's wire format. Equal requests, `seed` included, are the same sample."""

    role: Role
    messages: tuple[JsonObject, ...]
    tools: tuple[JsonObject, ...] = ()
    temperature: float = 0.7
    max_tokens: int = 2048
    seed: int = 0


class ChatReply(Record):
    """One assistant message and what it cost."""

    content: str | None = None
    reasoning: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    usage: Usage = Usage()


class ChatModel(Protocol):
    """Anything that answers a chat. Raises ModelError, classified, when it cannot."""

    @property
    def name(self) -> str:
        """The model string, for usage rows."""
        ...

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One reply to the request."""
        ...
