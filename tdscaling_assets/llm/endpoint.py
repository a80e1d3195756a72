"""One endpoint and all who call it: its circuit, its limits, and the outcome of every call."""

import asyncio

from tdscaling_assets.clock import off_the_clock
from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.circuit import Circuit
from tdscaling_assets.llm.limiter import Limiter
from tdscaling_assets.llm.protocol import Answer, Attempt, ChatRequest
from tdscaling_assets.settings import Settings


class Endpoint:
    """What all models behind one base URL (or one provider) share; `name` tells it to a person."""

    def __init__(self, name: str, settings: Settings) -> None:
        self.circuit = Circuit(name, settings.model_patience)
        self.limiter = Limiter(
            settings.concurrency, settings.model_rpm, settings.model_tpm, longest=settings.model_patience
        )

    def complaint(self) -> str:
        """What a person should know of it, empty when calls go through."""
        held = self.limiter.complaint()
        return self.circuit.complaint() or (held and f"{self.circuit.name}: {held}")

    async def call(self, attempt: Attempt, request: ChatRequest, tokens: float) -> Answer:
        """The answer to one try, made when it is its turn; `tokens` is what it will take by estimate.

        Raises ModelError when the try fails, EndpointDownError when the endpoint has been down for too long.
        """
        with off_the_clock():
            probe = await self._enter(request, tokens)
        told = False
        try:
            answer = await attempt.attempt(request)
            told = True
            self._answered(answer, tokens)
        except ModelError as error:
            told = True
            self._failed(error, probe)
            raise
        finally:
            self.limiter.leave()
            if probe and not told:
                self.circuit.abandon_probe()
        return answer

    async def _enter(self, request: ChatRequest, tokens: float) -> bool:
        """Wait for circuit and limits; whether the call goes as a probe."""
        while True:
            probe = await self.circuit.enter()
            try:
                await self.limiter.enter(request.role, tokens)
            except asyncio.CancelledError:
                if probe:
                    self.circuit.abandon_probe()
                raise
            if probe or not self.circuit.is_open:
                return probe
            self.limiter.leave()

    def _answered(self, answer: Answer, tokens: float) -> None:
        usage = answer.reply.usage
        self.circuit.answered()
        self.limiter.answered(answer.headers, usage.prompt_tokens + usage.completion_tokens - tokens)

    def _failed(self, error: ModelError, probe: bool) -> None:
        if error.kind == "throttled":
            self.limiter.throttled(error.headers)
        self.circuit.failed(error, probe)
