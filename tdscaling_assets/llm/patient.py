"""A `ChatModel` that loses nothing and pays for nothing twice: kept replies, budget, limits, tries with back-off."""

import asyncio
import hashlib
import random
import uuid

from pydantic import ValidationError

from tdscaling_assets.clock import off_the_clock
from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.budget import Budget
from tdscaling_assets.llm.endpoint import Endpoint
from tdscaling_assets.llm.prices import price
from tdscaling_assets.llm.protocol import CHARACTERS_PER_TOKEN, Attempt, ChatReply, ChatRequest, ReplyStore
from tdscaling_assets.llm.rates import retry_after
from tdscaling_assets.schema import Role, Usage, canonical_json
from tdscaling_assets.settings import ModelOptions, Settings

BACKOFF_SECONDS = 0.5
BACKOFF_CEILING = 30.0


class PatientModel:
    """The model of `options`, called through `attempt`. Without a store, nothing is kept."""

    def __init__(
        self,
        options: ModelOptions,
        settings: Settings,
        attempt: Attempt,
        endpoint: Endpoint,
        budget: Budget,
        store: ReplyStore | None,
        backoff: float = BACKOFF_SECONDS,
    ) -> None:
        """`backoff` is in seconds."""
        self.name = options.model
        self._identity = canonical_json([options.model_dump(mode="json"), settings.model_tools]).encode()
        self._settings = settings
        self._attempt = attempt
        self._endpoint = endpoint
        self._budget = budget
        self._store = store
        self._backoff = backoff

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The kept reply, else a new one, which is kept before it is returned.

        Raises ModelError when the last try failed or the failure will not pass, EndpointDownError and
        BudgetReachedError when no call can be made any more.
        """
        asked = request.wire
        key = hashlib.sha256(b"%b\n%b" % (self._identity, asked)).hexdigest()[:32]
        kept = self._kept(key)
        if kept is not None:
            return kept
        reply = await self._ask(request, len(asked) / CHARACTERS_PER_TOKEN)
        self._budget.add(reply.usage)
        if self._store is not None:
            self._store.put(key, request.role, reply.model_dump_json(), reply.usage)
        return reply

    async def _ask(self, request: ChatRequest, tokens: float) -> ChatReply:
        """Tries until one is answered; those that failed while the endpoint was down do not count."""
        tries = 0
        while True:
            self._budget.check()
            try:
                return (await self._endpoint.call(self._attempt, request, tokens)).reply
            except ModelError as error:
                self._book(error, request.role)
                tries += not self._endpoint.circuit.is_open
                if not error.retryable or tries >= self._settings.model_attempts:
                    raise
                jitter = random.Random(f"{request.seed} {tries}")
                asked = min(retry_after(error.headers) or 0.0, self._settings.model_patience)
                grown = min(BACKOFF_CEILING, self._backoff * 2**tries)
                with off_the_clock():
                    await asyncio.sleep(max(asked, grown * jitter.uniform(0.5, 1.0)) + asked * jitter.uniform(0, 0.1))

    def _book(self, error: ModelError, role: Role) -> None:
        """A useless reply is paid for like any other."""
        prompt, completion = error.tokens
        if not prompt + completion:
            return
        usd = price(self.name, prompt, completion, self._settings)
        usage = Usage(prompt_tokens=prompt, completion_tokens=completion, usd=usd, model=self.name, calls=1)
        self._budget.add(usage)
        if self._store is not None:
            self._store.put(f"useless {uuid.uuid4()}", role, "", usage)

    def _kept(self, key: str) -> ChatReply | None:
        text = self._store.get(key) if self._store is not None else None
        try:
            return ChatReply.model_validate_json(text) if text is not None else None
        except ValidationError:  # kept by another version: asked again
            return None
