"""Any endpoint behind one protocol: failures have a kind, passing ones are tried again, costs are known or unknown."""

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tdscaling_assets.errors import ConfigError, ModelError
from tdscaling_assets.llm.client import LitellmAttempt, classify, find_model_secrets
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.roles import Models, open_models
from tdscaling_assets.secrets import without_login
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.replies import Replies

Ask = Callable[..., ChatRequest]

BACKOFF = 0.001
KINDS = {
    "AuthenticationError": "refused",
    "BadRequestError": "bad_request",
    "NotFoundError": "refused",
    "OpenAIError": "bad_request",
    "PaymentRequiredError": "refused",
    "PermissionDeniedError": "refused",
    "RejectedRequestError": "bad_request",
    "UnprocessableEntityError": "bad_request",
    "UnsupportedParamsError": "bad_request",
    "ContextWindowExceededError": "context_length",
    "ContentPolicyViolationError": "content_filter",
    "Timeout": "timeout",
    "RateLimitError": "throttled",
    "APIConnectionError": "server",
    "BadGatewayError": "server",
    "InternalServerError": "server",
    "ServiceUnavailableError": "server",
    "APIResponseValidationError": "malformed",
    "JSONSchemaValidationError": "malformed",
}


def settings_of(url: str, home: Path, **changes: Any) -> Settings:
    return Settings(home=home, model_base_url=url, model_processes=1, **changes)


def complete(url: str, home: Path, request: ChatRequest, model: str = "openai/m", **changes: Any) -> ChatReply:
    """One reply through litellm."""
    models = Models(settings_of(url, home, model=model, **changes), backoff=BACKOFF)
    return asyncio.run(models["user"].complete(request))


def failure(url: str, home: Path, request: ChatRequest, **changes: Any) -> ModelError:
    """How the call failed."""
    with pytest.raises(ModelError) as caught:
        complete(url, home, request, **changes)
    return caught.value


@pytest.mark.parametrize("name", KINDS)
def test_every_litellm_exception_has_its_kind(name: str) -> None:
    from litellm import exceptions

    kind = getattr(exceptions, name)
    assert classify(kind.__new__(kind)) == KINDS[name]


def test_no_litellm_exception_is_forgotten() -> None:
    from litellm.exceptions import LITELLM_EXCEPTION_TYPES

    assert {kind.__name__ for kind in LITELLM_EXCEPTION_TYPES} == {*KINDS, "APIError"}


@pytest.mark.parametrize(("status", "kind"), [(403, "bad_request"), (520, "server"), (529, "server")])
def test_a_general_api_error_is_judged_by_its_status(status: int, kind: str) -> None:
    from litellm.exceptions import APIError

    assert classify(APIError(status, "no", "openai", "m")) == kind


def test_a_reply_carries_text_and_tokens(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    reply = complete(endpoint.url, tmp_path, ask())
    assert reply.content == "hello"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.calls) == (3, 4, 1)
    assert reply.usage.model == "openai/m"
    assert reply.usage.seconds > 0


def test_a_request_carries_its_parameters(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    tool = {"type": "function", "function": {"name": "look", "description": "", "parameters": {"type": "object"}}}
    complete(endpoint.url, tmp_path, ask(tools=(tool,), temperature=0.25, max_tokens=99, seed=17))
    (sent,) = endpoint.requests
    assert sent["messages"] == [{"role": "user", "content": "Hello"}]
    assert sent["tools"] == [tool]
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["seed"]) == ("m", 0.25, 99, 17)


def test_tool_calls_are_kept_even_when_malformed(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    call = {"id": "c9", "type": "function", "function": {"name": "look", "arguments": '{"city": "Os'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "I think."}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    endpoint.completion = {**endpoint.completion, "choices": [choice]}
    reply = complete(endpoint.url, tmp_path, ask())
    assert reply.content is None
    assert reply.reasoning == "I think."
    assert [(call.id, call.name, call.arguments) for call in reply.tool_calls] == [("c9", "look", '{"city": "Os')]


def test_a_reply_without_a_choice_is_malformed(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.completion = {**endpoint.completion, "choices": []}
    assert failure(endpoint.url, tmp_path, ask()).kind == "malformed"


@pytest.mark.parametrize("statuses", [[500, 429], [503, 502], [529, 504]])
def test_a_passing_failure_is_tried_again(statuses: list[int], endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses = list(statuses)
    assert complete(endpoint.url, tmp_path, ask()).content == "hello"
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize("status", [400, 422])
def test_a_bad_request_is_not_tried_again(status: int, endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses = [status]
    assert failure(endpoint.url, tmp_path, ask()).kind == "bad_request"
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(("status", "kind"), [(429, "throttled"), (500, "server"), (504, "timeout")])
def test_tries_end_after_model_attempts(status: int, kind: str, endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses = [status] * 9
    assert failure(endpoint.url, tmp_path, ask(), model_attempts=3).kind == kind
    assert len(endpoint.requests) == 3


def test_a_full_context_and_a_content_filter_have_their_kinds(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses, endpoint.complaint = [400], "This model's maximum context length is 10 tokens."
    assert failure(endpoint.url, tmp_path, ask()).kind == "context_length"
    endpoint.statuses, endpoint.complaint = [400], "invalid_request_error: content_policy_violation"
    assert failure(endpoint.url, tmp_path, ask()).kind == "content_filter"


def test_an_endpoint_that_hangs_is_a_timeout(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.hang = threading.Event()
    error = failure(endpoint.url, tmp_path, ask(), model_timeout=0.3, model_attempts=1)
    assert (error.kind, error.detail) == ("timeout", "no answer within 0.3 s")


def test_a_dead_endpoint_is_a_server_failure_soon(tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    started = time.monotonic()
    assert failure(f"http://127.0.0.1:{port}/v1", tmp_path, ask()).kind == "server"
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("name", ["nonsense", "nobody/nothing", "tds/student", ""])
def test_an_unknown_model_name_is_a_config_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TDS_MODEL is .*: use `teacher` or `provider/model`"):
        open_models(Settings(home=tmp_path, model=name))


def test_the_price_of_a_listed_model_is_known(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    usd = complete(endpoint.url, tmp_path, ask(), model="openai/gpt-4o").usage.usd
    assert usd is not None and usd > 0


@pytest.mark.parametrize("model", ["openai/teacher", "hosted_vllm/gpt-4o"])
def test_the_price_of_an_unlisted_model_is_unknown_not_zero(
    model: str, endpoint: Any, tmp_path: Path, ask: Ask
) -> None:
    reply = complete(endpoint.url, tmp_path, ask(), model=model)
    assert reply.usage.usd is None
    assert reply.usage.prompt_tokens == 3


@pytest.mark.parametrize("status", [400, 401, 429])
def test_a_key_that_an_endpoint_repeats_is_in_no_error(status: int, endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses, endpoint.complaint = [status], "Incorrect API key provided: {authorization}"
    error = failure(endpoint.url, tmp_path, ask(), model_attempts=1)
    assert "Incorrect API key provided" in error.detail
    assert "sk-secret-xyz" not in str(error)


def test_a_key_is_in_no_file_of_the_home(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    assert os.environ["OPENAI_API_KEY"] == "sk-secret-xyz"
    with Replies(tmp_path, "", 30) as replies:
        models = open_models(settings_of(endpoint.url, tmp_path, model="openai/m"), replies)
        asyncio.run(models["user"].complete(ask()))
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if b"sk-secret-xyz" in path.read_bytes()] == []


def test_a_key_of_the_settings_is_sent_and_shown_nowhere(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses, endpoint.complaint = [401], "Incorrect API key provided: {authorization}"
    settings = settings_of(endpoint.url, tmp_path, model="openai/m", model_key="own-key-123456", model_attempts=1)
    with pytest.raises(ModelError) as caught:
        asyncio.run(Models(settings)["user"].complete(ask()))
    assert "Bearer ***" in caught.value.detail
    assert "own-key-123456" not in repr(settings) + settings.model_dump_json() + str(settings.model_options("user"))


def test_each_role_has_its_own_model_endpoint_key_and_parameters(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    settings = Settings(
        home=tmp_path,
        model="openai/m",
        model_processes=1,
        model_base_url="http://127.0.0.1:1/v1",
        model_parameters={"top_p": 0.5, "stop": "END"},
        model_judge="openai/judge",
        model_judge_base_url=endpoint.url,
        model_judge_parameters={"top_p": 0.9},
    )
    asyncio.run(Models(settings)["judge"].complete(ask()))
    (sent,) = endpoint.requests
    assert (sent["model"], sent["top_p"], sent["stop"]) == ("judge", 0.9, "END")
    assert settings.model_options("user").base_url == "http://127.0.0.1:1/v1"
    assert Settings(model_base_url="x", model_user_base_url="provider").model_options("user").base_url == ""


def test_a_price_of_the_settings_comes_before_litellms_list(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    prices = {"openai/gpt-4o": (1.0, 2.0), "openai/m": (1_000_000.0, 0.0)}
    assert complete(endpoint.url, tmp_path, ask(), model="openai/gpt-4o", prices=prices).usage.usd == 11e-6
    assert complete(endpoint.url, tmp_path, ask(), prices=prices).usage.usd == 3.0


def test_a_budget_needs_a_price(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the price of openai/m is not known: set TDS_PRICES"):
        open_models(Settings(home=tmp_path, model="openai/m", budget_batch=1.0))


def test_an_empty_reply_is_asked_for_again(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    message = {"role": "assistant", "content": " "}
    empty = {**endpoint.completion, "choices": [{"index": 0, "message": message, "finish_reason": "length"}]}
    endpoint.completion = empty
    error = failure(endpoint.url, tmp_path, ask(), model_attempts=3)
    assert (error.kind, error.detail) == ("malformed", "the reply is empty (finish_reason length)")
    assert len(endpoint.requests) == 3


def test_limits_that_the_endpoint_tells_are_passed_on(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.headers = {"x-ratelimit-remaining-requests": "7", "X-Other": "1"}
    attempt = LitellmAttempt(settings_of(endpoint.url, tmp_path, model="openai/m").model_options("user"), Settings())
    answer = asyncio.run(attempt.attempt(ask()))
    assert answer.headers == {"x-ratelimit-remaining-requests": "7"}
    endpoint.statuses, endpoint.headers = [429], {"Retry-After": "9"}
    with pytest.raises(ModelError) as caught:
        asyncio.run(attempt.attempt(ask()))
    assert caught.value.headers == {"retry-after": "9"}


def test_halves_of_characters_are_replaced_because_nothing_can_store_them(
    endpoint: Any, tmp_path: Path, ask: Ask
) -> None:
    message = {"role": "assistant", "content": "cut \ud83d", "reasoning_content": "\udc00"}
    endpoint.completion = {
        **endpoint.completion,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    reply = complete(endpoint.url, tmp_path, ask())
    assert (reply.content, reply.reasoning) == ("cut ?", "?")


def test_a_useless_reply_is_paid_for_too(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    message = {"role": "assistant", "content": ""}
    choice = {"index": 0, "message": message, "finish_reason": "length"}
    endpoint.completion = {**endpoint.completion, "choices": [choice]}
    prices = {"openai/m": (1_000_000.0, 0.0)}
    settings = settings_of(endpoint.url, tmp_path, model="openai/m", prices=prices, model_attempts=2)
    with Replies(tmp_path, "r01-b01", 30) as replies:
        with pytest.raises(ModelError):
            asyncio.run(Models(settings, replies, BACKOFF)["user"].complete(ask()))
        assert replies.spent_on_batch() == 6.0


def test_a_key_with_white_space_around_it_is_sent_and_hidden_without(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses, endpoint.complaint = [400], "No: {authorization}"
    settings = settings_of(endpoint.url, tmp_path, model="openai/m", model_key=" own-key-123456\n")
    with pytest.raises(ModelError, match=r"No: Bearer \*\*\*") as caught:
        asyncio.run(Models(settings)["user"].complete(ask()))
    assert "own-key" not in caught.value.detail


def test_secrets_in_parameters_and_addresses_are_hidden_too() -> None:
    options = Settings(
        model="openai/m",
        model_base_url="https://user:hunter22@host/v1",
        model_parameters={"extra_headers": {"X-Pass": "open-sesame"}, "top_p": 0.5},
    ).model_options("user")
    assert find_model_secrets(options, {}).mask_error("hunter22 open-sesame 0.5") == "*** *** 0.5"
    assert without_login(options.base_url) == "https://host/v1"


def test_retry_after_is_honoured(endpoint: Any, tmp_path: Path, ask: Ask) -> None:
    endpoint.statuses, endpoint.headers = [429], {"Retry-After": "0.4"}
    started = time.monotonic()
    assert complete(endpoint.url, tmp_path, ask()).content == "hello"
    assert time.monotonic() - started >= 0.4


@pytest.mark.parametrize(
    ("variable", "model", "address"),
    [
        ("OPENAI_BASE_URL", "openai/m", "http://elsewhere/v1"),
        ("OPENAI_API_BASE", "openai/m", "http://elsewhere/v1"),
        ("HOSTED_VLLM_API_BASE", "hosted_vllm/m", "http://elsewhere/v1"),
        ("OPENAI_BASE_URL", "anthropic/claude-sonnet-4-5", ""),
    ],
)
def test_an_address_from_the_environment_is_known(
    variable: str, model: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "http://elsewhere/v1")
    settings = settings_of("", tmp_path, model=model)
    assert LitellmAttempt(settings.model_options("user"), settings).address == address
    assert (
        LitellmAttempt(settings_of("http://own/v1", tmp_path, model=model).model_options("user"), settings).address
        == "http://own/v1"
    )


def test_replies_of_one_address_are_not_those_of_another(
    endpoint: Any, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for address in (endpoint.url, endpoint.url, endpoint.url.replace("127.0.0.1", "localhost")):
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        with Replies(tmp_path, "", 30) as replies:
            asyncio.run(_complete_once(open_models(settings_of("", tmp_path, model="openai/m"), replies), ask()))
    assert len(endpoint.requests) == 2


async def _complete_once(models: Models, request: ChatRequest) -> ChatReply:
    async with models:
        return await models["user"].complete(request)
