"""Any litellm model as a `ChatModel`: failures classified, retryable ones backed off with jitter, usage kept.

litellm is imported when a client is built, because the import takes seconds and would otherwise fetch a price list.
"""

import asyncio
import os
import random
import re
import time
import warnings
from types import ModuleType
from typing import Any

from pydantic import JsonValue

from tdscaling_assets.errors import ConfigError, ModelError, ModelFailure
from tdscaling_assets.llm import provider
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.schema import ToolCall, Usage
from tdscaling_assets.settings import Settings

BACKOFF_SECONDS = 0.5
BACKOFF_CEILING = 30.0
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)


class LitellmModel:
    """A `ChatModel` over `litellm.acompletion`. `model` is a litellm model string, e.g. `openai/gpt-4.1`."""

    def __init__(self, model: str, settings: Settings, backoff: float = BACKOFF_SECONDS) -> None:
        """`backoff` is in seconds. Raises ConfigError for a name that litellm does not know."""
        self.name = model
        self._settings = settings
        self._backoff = backoff
        self._litellm = _load_litellm()
        self._check_name()

    async def complete(self, request: ChatRequest) -> ChatReply:
        """One reply; raises ModelError when the last attempt failed or the failure is not retryable."""
        jitter = random.Random(request.seed)
        for attempt in range(1, self._settings.model_attempts + 1):
            try:
                return await self._ask(request)
            except ModelError as error:
                if not error.retryable or attempt == self._settings.model_attempts:
                    raise
                await asyncio.sleep(min(BACKOFF_CEILING, self._backoff * 2**attempt) * jitter.uniform(0.5, 1.0))
        raise AssertionError("unreachable: the loop returns or raises")

    async def _ask(self, request: ChatRequest) -> ChatReply:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.model_timeout):
                response = await self._litellm.acompletion(**self._parameters(request))
        except TimeoutError as error:
            raise ModelError("timeout", f"no answer within {self._settings.model_timeout:g} s") from error
        except tuple(self._litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
            raise ModelError(classify(error), _first_line(error)) from error
        return self._reply(response, time.monotonic() - started)

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            "model": self.name,
            "messages": [dict(message) for message in request.messages],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "seed": request.seed,
            "drop_params": True,
            "num_retries": 0,
            "max_retries": 0,
        }
        if request.tools:
            parameters["tools"] = [dict(tool) for tool in request.tools]
        if self._settings.model_base_url:
            parameters["base_url"] = self._settings.model_base_url
        if self.name == provider.TEACHER_MODEL:
            parameters["compliance"] = self._settings.compliance
        return parameters

    def _reply(self, response: Any, seconds: float) -> ChatReply:
        if not response.choices:
            raise ModelError("malformed", "the reply holds no choice")
        message = response.choices[0].message
        calls = tuple(
            ToolCall(id=call.id, name=call.function.name or "", arguments=call.function.arguments or "{}")
            for call in message.tool_calls or ()
        )
        counted = getattr(response, "usage", None)
        usage = Usage(
            prompt_tokens=getattr(counted, "prompt_tokens", 0) or 0,
            completion_tokens=getattr(counted, "completion_tokens", 0) or 0,
            usd=self._price(response),
            model=self.name,
            calls=1,
            seconds=seconds,
        )
        reasoning = getattr(message, "reasoning_content", None)
        return ChatReply(content=message.content or None, reasoning=reasoning, tool_calls=calls, usage=usage)

    def _price(self, response: Any) -> float | None:
        """USD of a call, or None when litellm's price list does not know the model."""
        known: JsonValue = self._litellm.model_cost.get(self.name) or self._litellm.model_cost.get(_bare(self.name))
        try:
            return float(self._litellm.completion_cost(response, model=self.name)) if known else None
        except self._litellm.exceptions.ModelNotMappedError:  # another provider's price goes by the same bare name
            return None

    def _check_name(self) -> None:
        complaint = (
            f"TDS_MODEL is {self.name!r}, which litellm does not know: use `teacher` or `provider/model`, "
            "for instance openai/gpt-4.1 or hosted_vllm/my-model"
        )
        try:
            _, owner, _, _ = self._litellm.get_llm_provider(self.name)
        except self._litellm.exceptions.BadRequestError as error:
            raise ConfigError(complaint) from error
        if owner == provider.PROVIDER and self.name != provider.TEACHER_MODEL:
            raise ConfigError(complaint)


def classify(error: Exception) -> ModelFailure:
    """The kind of a litellm exception, by its class name, most specific first; of an APIError by its status."""
    kinds: dict[str, ModelFailure] = {
        "RateLimitError": "throttled",
        "Timeout": "timeout",
        "ContextWindowExceededError": "context_length",
        "ContentPolicyViolationError": "content_filter",
        "InternalServerError": "server",
        "ServiceUnavailableError": "server",
        "BadGatewayError": "server",
        "APIConnectionError": "server",
        "JSONSchemaValidationError": "malformed",
        "APIResponseValidationError": "malformed",
    }
    if type(error).__name__ == "APIError":
        return "server" if (getattr(error, "status_code", None) or 0) >= 500 else "bad_request"
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((kinds[name] for name in names if name in kinds), "bad_request")


def _bare(model: str) -> str:
    return model.split("/", 1)[-1]


def _first_line(error: Exception) -> str:
    """What the error says, in one line, without the credentials that some endpoints repeat in it."""
    line = str(error).strip().partition("\n")[0] or type(error).__name__
    secrets = [value for name, value in os.environ.items() if _SECRET_NAME.search(name) and len(value) >= 6]
    for secret in sorted(secrets, key=len, reverse=True):
        line = line.replace(secret, "***")
    return line[:500]


def _load_litellm() -> ModuleType:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    import litellm

    warnings.filterwarnings("ignore", r"Item '\w+' on TypedDict class .* `ReadOnly` qualifier", UserWarning)  # its own
    litellm.suppress_debug_info = True
    litellm.telemetry = False
    provider.register_teacher()
    module: ModuleType = litellm
    return module
