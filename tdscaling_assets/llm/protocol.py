"""The seams of a model call: a request of OpenAI messages in, one assistant message out.

`ChatModel` is what roles speak through; it waits, retries and remembers. `Attempt` is one call of an endpoint, and
`ReplyStore` keeps what was paid for.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Protocol, Self

from pydantic import Field, SkipValidation
from pydantic_core import PydanticSerializationError, to_json

from tdscaling_assets.schema import JsonObject, Record, Role, ToolCall, Usage

CHARACTERS_PER_TOKEN = 4
"""By which tokens are estimated before they are counted. Our own number."""

Wire = Annotated[JsonObject, SkipValidation]
"""JSON in OpenAI's wire format, written by our own code."""


class ChatRequest(Record):
    """`messages` and `tools` are in OpenAI's wire format. Equal requests, `seed` included, are the same sample.

    `reply_schema` asks for one JSON value of that JSON Schema, where the model can be held to it.
    """

    role: Role
    messages: tuple[Wire, ...]
    tools: tuple[Wire, ...] = ()
    temperature: float = 0.7
    max_tokens: int = 2048
    seed: int = 0
    reply_schema: JsonObject | None = None

    @cached_property
    def wire(self) -> bytes:
        """The whole request as JSON; the same for equal requests. Every field is JSON already, so none is looked up in
        the schema."""
        try:
            return to_json(vars(self))
        except PydanticSerializationError:  # half of a surrogate pair, which UTF-8 cannot hold
            return json.dumps(vars(self), ensure_ascii=False).encode(errors="replace")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As pydantic's, which would take the other request's `wire` along."""
        copy = super().model_copy(update=update, deep=deep)
        vars(copy).pop("wire", None)
        return copy


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


class Answer(Record):
    """A reply, and what the endpoint's headers said of its limits (names in lower case)."""

    reply: ChatReply
    headers: dict[str, str] = Field(default_factory=dict)


class Attempt(Protocol):
    """One call of an endpoint, tried once. Raises ModelError, classified, when it fails."""

    async def attempt(self, request: ChatRequest) -> Answer:
        """The endpoint's answer."""
        ...


class ReplyStore(Protocol):
    """Replies that were paid for, as text, and what they cost."""

    def get(self, key: str) -> str | None:
        """The reply kept under that key."""
        ...

    def put(self, key: str, role: Role, reply: str, usage: Usage) -> None:
        """Keep a reply, with what it cost."""
        ...

    def spent_on_batch(self) -> float:
        """USD that the replies of this batch cost."""
        ...

    def spent_this_night(self) -> float:
        """USD that all replies since the last noon in UTC cost."""
        ...
