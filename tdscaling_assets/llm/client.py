"""Any litellm model, one call at a time: a request in, an answer or a classified failure out.

litellm is imported when an attempt is opened, because the import takes seconds and would otherwise fetch a price list.
"""

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from tdscaling_assets.errors import ConfigError, ModelError, ModelFailure
from tdscaling_assets.llm import provider
from tdscaling_assets.llm.library import count_no_costs, load_litellm, unlogged
from tdscaling_assets.llm.prices import listed_price, price
from tdscaling_assets.llm.protocol import Answer, Attempt, ChatReply, ChatRequest
from tdscaling_assets.llm.text_tools import ask_in_text, is_asked_in_text, read_calls, split_reasoning
from tdscaling_assets.schema import JsonObject, Role, ToolCall, Usage
from tdscaling_assets.secrets import Secrets, find_secrets
from tdscaling_assets.settings import ModelOptions, Settings, environment

_SHORTEST_SECRET = 6
_ABOUT_LIMITS = ("ratelimit", "retry-after")
_ADDRESSES = ("OPENAI_BASE_URL", "OPENAI_API_BASE")  # where litellm looks when an openai model is given none
_PASSED_ON = "llm_provider-"  # litellm's prefix for headers of the provider


class LitellmAttempt:
    """An `Attempt` over `litellm.acompletion`. `options.model` is a litellm model string, e.g. `openai/gpt-4.1`."""

    def __init__(self, options: ModelOptions, settings: Settings) -> None:
        """Raises ConfigError for a name that litellm does not know."""
        self._options = options
        self._settings = settings
        self._litellm = load_litellm()
        self.provider, self.address = self._find_provider()
        self._fixed = self._fixed_parameters()
        self._calls_tools = self._can_call_tools()
        self._holds_to_schemas = bool(self._litellm.supports_response_schema(options.model))

    @property
    def is_priced(self) -> bool:
        """Whether calls of this model have a known price."""
        return price(self._options.model, 1, 1, self._settings) is not None

    def _can_call_tools(self) -> bool:
        if self._settings.model_tools != "auto":
            return self._settings.model_tools == "native"
        model = self._options.model
        if self.provider == provider.PROVIDER:
            return True
        if "tools" not in (self._litellm.get_supported_openai_params(model) or ()):
            return False
        is_listed = listed_price(model) is not None
        return not is_listed or bool(self._litellm.supports_function_calling(model))

    async def attempt(self, request: ChatRequest) -> Answer:
        """The endpoint's answer. Raises ModelError, its detail without credentials."""
        asked = request if self._calls_tools else ask_in_text(request)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._settings.model_timeout):
                with unlogged():
                    response = await self._litellm.acompletion(**self._parameters(asked))
        except TimeoutError as error:
            raise ModelError("timeout", f"no answer within {self._settings.model_timeout:g} s") from error
        except tuple(self._litellm.exceptions.LITELLM_EXCEPTION_TYPES) as error:
            raise ModelError(classify(error), self._first_line(error), _limit_headers(_headers_of(error))) from None
        return Answer(
            reply=self._reply(response, asked, time.monotonic() - started),
            headers=_limit_headers(response._hidden_params.get("additional_headers") or {}),
        )

    def _fixed_parameters(self) -> JsonObject:
        options = self._options
        fixed: JsonObject = {"model": options.model, "drop_params": True, "num_retries": 0, "max_retries": 0}
        if options.base_url:
            fixed["base_url"] = options.base_url
        if options.key.get_secret_value():
            fixed["api_key"] = options.key.get_secret_value()
        if options.model == provider.TEACHER_MODEL:
            fixed["compliance"] = self._settings.compliance
        return fixed

    def _parameters(self, request: ChatRequest) -> dict[str, Any]:
        parameters: dict[str, Any] = {
            **self._fixed,
            "messages": [dict(message) for message in request.messages],
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "seed": request.seed,
        }
        if request.tools:
            parameters["tools"] = [dict(tool) for tool in request.tools]
        if request.reply_schema is not None and self._holds_to_schemas:
            schema = {"name": "reply", "schema": request.reply_schema}
            parameters["response_format"] = {"type": "json_schema", "json_schema": schema}
        return parameters | self._options.parameters

    def _reply(self, response: Any, asked: ChatRequest, seconds: float) -> ChatReply:
        if not response.choices:
            raise ModelError("malformed", "the reply holds no choice")
        choice = response.choices[0]
        message = choice.message
        calls = tuple(
            ToolCall(
                id=call.id,
                name=_storable(call.function.name or ""),
                arguments=_storable(call.function.arguments or "{}"),
            )
            for call in message.tool_calls or ()
        )
        counted = getattr(response, "usage", None)
        usage = Usage(
            prompt_tokens=getattr(counted, "prompt_tokens", 0) or 0,
            completion_tokens=getattr(counted, "completion_tokens", 0) or 0,
            model=self._options.model,
            calls=1,
            seconds=seconds,
        )
        usage = usage.model_copy(update={"usd": self._price(response, usage)})
        reasoning = _storable(getattr(message, "reasoning_content", None) or "") or None
        content = _storable(message.content or "") or None
        reply = ChatReply(content=content, reasoning=reasoning, tool_calls=calls, usage=usage)
        reply = read_calls(split_reasoning(reply), asked) if is_asked_in_text(asked) else split_reasoning(reply)
        if not (reply.content or "").strip() and not reply.tool_calls:
            counted_tokens = (usage.prompt_tokens, usage.completion_tokens)
            raise ModelError(
                "malformed", f"the reply is empty (finish_reason {choice.finish_reason})", tokens=counted_tokens
            )
        return reply

    def _price(self, response: Any, usage: Usage) -> float | None:
        """USD of a call: by the settings' price, else as litellm counts it, with its discounts for cached tokens."""
        usd = price(self._options.model, usage.prompt_tokens, usage.completion_tokens, self._settings)
        if usd is None or self._options.model in self._settings.prices:
            return usd
        return float(sum(self._litellm.cost_per_token(model=self._options.model, usage_object=response.usage)))

    def _find_provider(self) -> tuple[str, str]:
        """Its name and the address of its endpoint, by settings or environment; an empty one is the provider's own."""
        name, given = self._options.model, self._options.base_url
        complaint = (
            f"TDS_MODEL is {name!r}, which litellm does not know: use `teacher` or `provider/model`, "
            "for instance openai/gpt-4.1 or hosted_vllm/my-model"
        )
        try:
            _, owner, _, known = self._litellm.get_llm_provider(name, api_base=given or None)
        except self._litellm.exceptions.BadRequestError as error:
            raise ConfigError(complaint) from error
        if owner == provider.PROVIDER and name != provider.TEACHER_MODEL:
            raise ConfigError(complaint)
        elsewhere = [environment().get(variable) for variable in _ADDRESSES if owner == "openai"]
        return str(owner), next((address for address in (given, known, *elsewhere) if address), "")

    def _first_line(self, error: Exception) -> str:
        """What the error says, in one line, without the credentials that some endpoints repeat in it."""
        line = str(error).strip().partition("\n")[0] or type(error).__name__
        return find_model_secrets(self._options, environment()).mask_error(line)[:500]


def find_model_secrets(options: ModelOptions, variables: Mapping[str, str]) -> Secrets:
    """What no text of the endpoint may show: the key, environment variables and parameters that are named like one,
    headers, and what the address holds; no word that is too common."""
    named = {"key": options.key.get_secret_value(), **variables}
    named |= {name: value for name, value in options.parameters.items() if isinstance(value, str)}
    headers = options.parameters.get("extra_headers")
    told = {name: str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    telling = {name: value.strip() for name, value in named.items() if len(value.strip()) >= _SHORTEST_SECRET}
    return Secrets(find_secrets(told, telling, (), options.base_url, {}).certain)


def open_attempt(settings: Settings, role: Role) -> Attempt:
    """The attempt of a role, as each process of a pool opens it."""
    attempt = LitellmAttempt(settings.model_options(role), settings)
    count_no_costs()
    return attempt


def classify(error: Exception) -> ModelFailure:
    """The kind of a litellm exception, by its class name, most specific first; of an APIError by its status."""
    kinds: dict[str, ModelFailure] = {
        "AuthenticationError": "refused",
        "PermissionDeniedError": "refused",
        "NotFoundError": "refused",
        "PaymentRequiredError": "refused",
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
        status = getattr(error, "status_code", None) or 0
        return "server" if status >= 500 else "malformed" if 200 <= status < 300 else "bad_request"
    names = [kind.__name__ for kind in type(error).__mro__]
    return next((kinds[name] for name in names if name in kinds), "bad_request")


def _storable(text: str) -> str:
    """The text without lone surrogates, halves of characters that JSON can hold and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _limit_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those about limits, in lower case."""
    named = {str(name).lower().removeprefix(_PASSED_ON): str(value) for name, value in headers.items()}
    return {name: value for name, value in named.items() if any(word in name for word in _ABOUT_LIMITS)}


def _headers_of(error: Exception) -> Mapping[str, str]:
    """The headers of the answer that a litellm exception came from, where it has them."""
    response = getattr(error, "response", None)
    return getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None) or {}
