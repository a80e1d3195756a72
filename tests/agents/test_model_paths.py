"""However the teacher is reached, in process, through litellm or over HTTP, it holds the same conversations."""

import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.llm.client import LitellmModel
from tdscaling_assets.llm.misbehaviour import Misbehaviour
from tdscaling_assets.llm.protocol import ChatModel, ChatReply, ChatRequest
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.llm.server import TeacherServer, teacher_app
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.llm.text_tools import ask_in_text, read_calls, split_reasoning
from tdscaling_assets.schema import Blueprint, Trajectory, Usage
from tdscaling_assets.settings import Settings

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]

COMPLIANCE = 0.8


@pytest.fixture(scope="module")
def direct(blueprints: list[Blueprint], stage: Stage, hold: Hold) -> list[Trajectory]:
    """The conversations of a teacher that sometimes errs, held in process."""
    return hold(blueprints, replace(stage, models=dict.fromkeys(stage.models, ScriptedTeacher(COMPLIANCE))))


@contextmanager
def serving(compliance: float, misbehaviour: Misbehaviour | None = None) -> Iterator[str]:
    """The endpoint of a teacher."""
    app = teacher_app(ScriptedTeacher(compliance), misbehaviour)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = TeacherServer(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The endpoint of the same teacher."""
    with serving(COMPLIANCE) as address:
        yield address


class InText:
    """A `ChatModel` that speaks with the inner one as with a model that knows no tool calling."""

    def __init__(self, inner: ChatModel) -> None:
        self.inner = inner
        self.name = inner.name

    async def complete(self, request: ChatRequest) -> ChatReply:
        """The inner model's reply, its calls read from the text."""
        asked = ask_in_text(request)
        reply = await self.inner.complete(asked)
        assert not reply.tool_calls
        return read_calls(split_reasoning(reply), asked)


def through(stage: Stage, home: Path, **models: object) -> Stage:
    """The stage with the models that the settings open."""
    settings = Settings(home=home, compliance=COMPLIANCE, **models)
    return replace(stage, models=open_models(settings))


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
    first = hold(blueprints[:3], through(stage, tmp_path, model="openai/teacher", model_base_url=url))
    files = sorted(path for path in (tmp_path / "cache").rglob("*.json"))
    assert len(files) == sum(item.usage.calls for item in first)
    again = hold(blueprints[:3], through(stage, tmp_path, model="openai/teacher", model_base_url=url))
    assert again == first
    assert sorted(path for path in (tmp_path / "cache").rglob("*.json")) == files


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
    with serving(COMPLIANCE, Misbehaviour(error_rate=0.3, jitter=0.01)) as address:
        settings = Settings(home=tmp_path, model_base_url=address, model_attempts=20)
        patient = LitellmModel("openai/teacher", settings, backoff=0.0001)
        held = hold(blueprints, replace(stage, models=dict.fromkeys(stage.models, patient)))
        with urlopen(f"{address}/stats") as answer:
            counted = json.load(answer)
    assert without_usage(held) == without_usage(direct)
    assert counted["good"] == sum(item.usage.calls for item in held)
    assert counted["error_529"] and counted["dropped"]


def test_a_batch_can_be_held_in_plain_text_over_http(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    native = hold(blueprints, replace(stage, models=dict.fromkeys(stage.models, ScriptedTeacher(1.0))))
    with serving(1.0) as address:
        client = LitellmModel("openai/teacher", Settings(home=tmp_path, model_base_url=address))
        held = hold(blueprints, replace(stage, models=dict.fromkeys(stage.models, InText(client))))
    assert [item.outcome for item in held] == [item.outcome for item in native]
    assert [calls(item) for item in held] == [calls(item) for item in native]
    for item in held:
        ids = [call.id for message in item.messages for call in message.tool_calls]
        assert len(set(ids)) == len(ids)
