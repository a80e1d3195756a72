"""`tds/teacher`: the scripted teacher through litellm, without a network."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.llm.provider import register_teacher
from tdscaling_assets.llm.roles import Models, open_models
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.prompts import with_guidance
from tdscaling_assets.settings import Settings

Ask = Callable[..., ChatRequest]

SYSTEM = {
    "role": "system",
    "content": with_guidance(
        "You help.", {"role": "assistant", "do": "call", "calls": [{"tool": "look", "arguments": {"city": "Oslo"}}]}
    ),
}


def opened(home: Path, backoff: float = 0.5, **changes: float) -> ChatModel:
    """The assistant of `tds/teacher`."""
    return Models(Settings(home=home, model="tds/teacher", **changes), backoff=backoff)["assistant"]


def words(reply: ChatReply) -> tuple[object, ...]:
    return reply.content, reply.tool_calls, reply.usage.prompt_tokens, reply.usage.completion_tokens


@pytest.mark.parametrize("compliance", [1.0, 0.3])
def test_it_says_what_the_teacher_says_at_the_compliance_of_its_settings(
    compliance: float, tmp_path: Path, ask: Ask
) -> None:
    client = opened(tmp_path, compliance=compliance)
    opened(tmp_path, compliance=0.9)
    requests = [ask(messages=(SYSTEM,), seed=seed) for seed in range(10)]

    async def all_of(model: ChatModel) -> list[ChatReply]:
        return [await model.complete(request) for request in requests]

    through = asyncio.run(all_of(client))
    direct = asyncio.run(all_of(ScriptedTeacher(compliance)))
    assert [words(reply) for reply in through] == [words(reply) for reply in direct]


def test_it_is_free_and_says_so(tmp_path: Path, ask: Ask) -> None:
    reply = asyncio.run(opened(tmp_path).complete(ask(messages=(SYSTEM,))))
    assert reply.usage.usd == 0.0
    assert reply.usage.model == "tds/teacher"
    assert reply.usage.calls == 1


def test_a_request_it_cannot_read_is_bad_and_not_tried_again(tmp_path: Path, ask: Ask) -> None:
    broken = {"role": "system", "content": with_guidance("", {"role": "user"})}
    client = opened(tmp_path, backoff=100.0)
    with pytest.raises(ModelError, match="cannot read") as caught:
        asyncio.run(client.complete(ask(messages=(broken,))))
    assert caught.value.kind == "bad_request"


def test_registering_again_changes_nothing() -> None:
    import litellm

    register_teacher()
    before = list(litellm.custom_provider_map)
    register_teacher()
    assert litellm.custom_provider_map == before
    assert [entry["provider"] for entry in before].count("tds") == 1


def test_every_role_has_its_model_and_a_judge_only_where_one_is_set(tmp_path: Path) -> None:
    models = open_models(Settings(home=tmp_path, model="teacher", model_user="tds/teacher"))
    assert sorted(models) == ["assistant", "environment", "planner", "user"]
    assert models["user"].name == "tds/teacher"
    assert models["assistant"] is models["planner"]
    judged = open_models(Settings(home=tmp_path, model_judge="openai/gpt-4o"))
    assert judged["judge"].name == "openai/gpt-4o"
