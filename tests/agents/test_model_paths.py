"""However the teacher is reached, in process, through litellm or over HTTP, it holds the same conversations."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from endpoints import serving

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.llm.misbehaviour import Misbehaviour
from tdscaling_assets.llm.roles import Models, open_models
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import Blueprint, Trajectory, Usage
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.replies import Replies

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]

COMPLIANCE = 0.8


@pytest.fixture(scope="module")
def direct(blueprints: list[Blueprint], stage: Stage, hold: Hold) -> list[Trajectory]:
    """The conversations of a teacher that sometimes errs, held in process."""
    return hold(blueprints, replace(stage, models=dict.fromkeys(stage.models, ScriptedTeacher(COMPLIANCE))))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The endpoint of the same teacher."""
    with serving(ScriptedTeacher(COMPLIANCE)) as address:
        yield address


def through(stage: Stage, home: Path, replies: Replies | None = None, **models: object) -> Stage:
    """The stage with the models that the settings open."""
    settings = Settings(home=home, compliance=COMPLIANCE, **models)
    return replace(stage, models=open_models(settings, replies))


def without_usage(trajectories: list[Trajectory]) -> list[str]:
    return [item.model_dump_json(exclude={"usage"}) for item in trajectories]


def calls(trajectory: Trajectory) -> list[tuple[str, object]]:
    """Names and arguments of all calls in order."""
    return [(call.name, json.loads(call.arguments)) for item in trajectory.messages for call in item.tool_calls]


def tokens(usage: Usage) -> tuple[int, int, int]:
    return usage.calls, usage.prompt_tokens, usage.completion_tokens


def test_a_batch_over_http_is_the_batch_in_process(
    blueprints: list[Blueprint],
    stage: Stage,
    hold: Hold,
    direct: list[Trajectory],
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    held = hold(blueprints, through(stage, tmp_path, model="openai/teacher", model_base_url=url))
    assert without_usage(held) == without_usage(direct)
    assert [tokens(item.usage) for item in held] == [tokens(item.usage) for item in direct]
    assert {item.outcome for item in held} == {"completed", "failed"}
    assert {item.usage.usd for item in held} == {None}
    assert {item.usage.model for item in held} == {"openai/teacher"}


def test_a_batch_that_is_repeated_asks_the_endpoint_nothing(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    with Replies(tmp_path, "r01-b01", 30) as replies:
        first = hold(blueprints[:3], through(stage, tmp_path, replies, model="openai/teacher", model_base_url=url))
        spoken = Counter((role, cost.calls) for (role, _), cost in replies.costs().items())
    assert sum(calls for _, calls in spoken) == sum(item.usage.calls for item in first)
    nowhere = "http://127.0.0.1:1/v1"
    with Replies(tmp_path, "r01-b01", 30) as replies:
        again = hold(blueprints[:3], through(stage, tmp_path, replies, model="openai/teacher", model_base_url=url))
        assert sum(cost.calls for cost in replies.costs().values()) == sum(calls for _, calls in spoken)
    assert again == first
    with Replies(tmp_path, "r01-b01", 30) as replies:
        other = through(stage, tmp_path, replies, model="openai/teacher", model_base_url=nowhere, model_attempts=1)
        assert [item.outcome for item in hold(blueprints[:3], other)] == ["failed"] * 3


def test_a_batch_of_the_litellm_provider_is_the_batch_in_process(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, direct: list[Trajectory], tmp_path: Path
) -> None:
    held = hold(blueprints, through(stage, tmp_path, model="tds/teacher"))
    assert without_usage(held) == without_usage(direct)
    assert {item.usage.usd for item in held} == {0.0}
    assert {item.usage.model for item in held} == {"tds/teacher"}


def test_a_batch_on_a_bad_night_is_the_undisturbed_batch(
    blueprints: list[Blueprint],
    stage: Stage,
    hold: Hold,
    direct: list[Trajectory],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    night = Misbehaviour(error_rate=0.1, malformed=0.1, hang=0.005, throttle=6000, jitter=0.01)
    with serving(ScriptedTeacher(COMPLIANCE), night) as address:
        settings = Settings(
            home=tmp_path, model="openai/teacher", model_base_url=address, model_attempts=20, model_timeout=2.0
        )
        held = hold(blueprints, replace(stage, models=Models(settings, backoff=0.0001)))
        with urlopen(f"{address}/stats") as answer:
            counted = json.load(answer)
    assert without_usage(held) == without_usage(direct)
    assert counted["good"] == sum(item.usage.calls for item in held)
    assert counted["empty_message"] and counted["dropped"]


def test_a_batch_can_be_held_in_plain_text_over_http(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    native = hold(blueprints, replace(stage, models=dict.fromkeys(stage.models, ScriptedTeacher(1.0))))
    with serving(ScriptedTeacher(1.0)) as address:
        models = through(stage, tmp_path, model="openai/teacher", model_base_url=address, model_tools="text").models
        held = hold(blueprints, replace(stage, models=models))
    assert [item.outcome for item in held] == [item.outcome for item in native]
    assert [calls(item) for item in held] == [calls(item) for item in native]
    for item in held:
        ids = [call.id for message in item.messages for call in message.tool_calls]
        assert len(set(ids)) == len(ids)
