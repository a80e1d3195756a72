"""Replies already paid for: one JSON file per request, keyed on endpoint, model, messages, tools, parameters, seed."""

import os
from pathlib import Path

from pydantic import ValidationError

from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.schema import digest


class CachedModel:
    """A `ChatModel` that asks the inner one only for what the folder does not hold. A damaged file counts as absent."""

    def __init__(self, inner: ChatModel, folder: Path, endpoint: str = "") -> None:
        self.inner = inner
        self.folder = folder
        self.endpoint = endpoint
        self.name = inner.name

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The stored reply, else the inner model's, which is stored before it is returned."""
        key = digest(self.endpoint, self.name, request.model_dump())
        path = self.folder / key[:2] / f"{key}.json"
        stored = _load(path)
        if stored is not None:
            return stored
        reply = await self.inner.complete(request)
        _store(path, reply)
        return reply


def _load(path: Path) -> ChatReply | None:
    try:
        return ChatReply.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _store(path: Path, reply: ChatReply) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    scratch.write_text(reply.model_dump_json(), encoding="utf-8")
    scratch.replace(path)
