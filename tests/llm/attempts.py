"""Attempts that worker processes open in tests: what a request says is what they do."""

import asyncio
import os
import signal

from tdscaling_assets.errors import ConfigError, ModelError
from tdscaling_assets.llm.protocol import Answer, Attempt, ChatReply, ChatRequest
from tdscaling_assets.schema import Role
from tdscaling_assets.settings import Settings


class ToldAttempt:
    """Does what the first message says; knows how many calls were cancelled under it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._hanging = self._cancelled = 0

    async def attempt(self, request: ChatRequest) -> Answer:
        """The answer to the first message, after whatever it asks for."""
        order, _, rest = str(request.messages[0]["content"]).partition(" ")
        if order == "hang":
            await self._hang()
        if order == "throttled":
            raise ModelError("throttled", rest, {"retry-after": "7"})
        if order == "defect":
            raise ValueError(rest)
        if order == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        said = {
            "process": str(os.getpid()),
            "hanging": str(self._hanging),
            "cancelled": str(self._cancelled),
            "variable": os.environ.get(rest, ""),
            "key": self._settings.model_key.get_secret_value(),
        }
        return Answer(reply=ChatReply(content=said.get(order, rest)), headers={"x-ratelimit-limit-requests": "9"})

    async def _hang(self) -> None:
        self._hanging += 1
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self._cancelled += 1
            raise


def open_told(settings: Settings, role: Role) -> Attempt:
    """An attempt that does as it is told."""
    return ToldAttempt(settings)


def refuse_to_open(settings: Settings, role: Role) -> Attempt:
    """What a client does whose settings are wrong."""
    raise ConfigError(f"no model for the {role}")
