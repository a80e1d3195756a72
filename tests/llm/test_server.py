"""The teacher over HTTP: OpenAI's format, the same words as in process, and a 400 for what cannot be read."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tdscaling_assets.llm.protocol import ChatRequest
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.prompts import with_guidance
from tdscaling_assets.settings import Settings

Ask = Callable[..., ChatRequest]

SYSTEM = {
    "role": "system",
    "content": with_guidance(
        "You help.",
        {"role": "assistant", "do": "call", "calls": [{"tool": "look_up", "arguments": {"city": "Zürich"}}]},
    ),
}


def post(url: str, body: bytes) -> tuple[int, dict[str, object]]:
    """Status and JSON of a chat completion."""
    request = urllib.request.Request(f"{url}/chat/completions", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_a_completion_has_openais_format(teacher_url: str) -> None:
    status, body = post(teacher_url, json.dumps({"model": "x", "messages": [SYSTEM], "seed": 3}).encode())
    assert status == 200
    assert (body["object"], body["model"]) == ("chat.completion", "x")
    (choice,) = body["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"] == {"name": "look_up", "arguments": '{"city": "Zürich"}'}
    usage = body["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[]",
        b"{}",
        b'{"messages": 5}',
        b'{"messages": ["hi"]}',
        b'{"messages": [], "seed": "x"}',
        b'{"messages": [{"role": "system"}]}',
        b'{"messages": [], "stream": true}',
        json.dumps({"messages": [{"role": "system", "content": with_guidance("", {"role": "user"})}]}).encode(),
    ],
)
def test_what_cannot_be_read_is_a_bad_request(body: bytes, teacher_url: str) -> None:
    status, answer = post(teacher_url, body)
    assert status == 400
    assert answer["error"]["message"].startswith("bad request: ")


def test_it_lists_its_model(teacher_url: str) -> None:
    with urllib.request.urlopen(f"{teacher_url}/models", timeout=5) as response:
        assert [model["id"] for model in json.load(response)["data"]] == ["teacher"]


def test_it_says_over_http_what_it_says_in_process(
    teacher_url: str, tmp_path: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    client = open_models(Settings(home=tmp_path, model="openai/teacher", model_base_url=teacher_url))["assistant"]
    history = (
        SYSTEM,
        {"role": "user", "content": "Grüße"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c0", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c0", "content": '{"error": "no"}'},
    )

    async def both(seed: int) -> tuple[object, object]:
        request = ask(messages=history, seed=seed)
        near, far = await ScriptedTeacher(1.0).complete(request), await client.complete(request)
        assert (far.usage.prompt_tokens, far.usage.completion_tokens) == (
            near.usage.prompt_tokens,
            near.usage.completion_tokens,
        )
        return (near.content, near.tool_calls), (far.content, far.tool_calls)

    async def all_pairs() -> list[tuple[object, object]]:
        return [await both(seed) for seed in range(8)]

    pairs = asyncio.run(all_pairs())
    assert [near for near, _ in pairs] == [far for _, far in pairs]
