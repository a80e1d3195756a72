"""What goes wrong in a conversation is a row that names who was at fault; the other conversations go on."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.errors import EndpointDownError, ModelError, SandboxError, StorageError
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.sandbox.protocol import ExecResult, Session
from tdscaling_assets.schema import CODE_TOOLS, Blueprint, Role, ToolCall, Trajectory

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]
MakeDouble = Callable[..., Any]
Say = Callable[[str | None], ChatReply]


def cast(stage: Stage, role: Role, model: Any, **settings: object) -> Stage:
    """The stage with another model in one role, and other settings."""
    return replace(
        stage, models={**stage.models, role: model}, settings=stage.settings.model_copy(update=dict(settings))
    )


def only(trajectories: list[Trajectory]) -> Trajectory:
    (one,) = trajectories
    return one


def using_code(blueprints: Sequence[Blueprint]) -> Blueprint:
    return next(item for item in blueprints if any(step.task for step in item.steps))


@pytest.mark.parametrize("role", ["user", "assistant"])
@pytest.mark.parametrize("kind", ["server", "bad_request", "content_filter"])
def test_a_failed_model_call_is_the_fault_of_its_role(
    role: Role, kind: Any, blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble
) -> None:
    def fail(request: ChatRequest) -> ChatReply:
        raise ModelError(kind, "the endpoint said no")

    held = only(hold(blueprints[:1], cast(stage, role, double(fail))))
    assert held.outcome == "failed"
    assert held.failure is not None
    assert (held.failure.kind, held.failure.detail) == (f"{role}_{kind}", "the endpoint said no")


@pytest.mark.parametrize("role", ["user", "assistant"])
def test_an_empty_reply_is_malformed(
    role: Role, blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble, say: Say
) -> None:
    held = only(hold(blueprints[:1], cast(stage, role, double(lambda request: say("")))))
    assert held.failure is not None
    assert held.failure.kind == f"{role}_malformed"
    assert all(message.content or message.tool_calls for message in held.messages)


def test_a_hanging_conversation_ends_at_its_time_and_the_others_complete(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble
) -> None:
    teacher = ScriptedTeacher(1.0)
    quick = [one for one in blueprints if not any(step.task for step in one.steps)][:6]
    stuck = quick[1]

    async def answer(request: ChatRequest) -> ChatReply:
        if request.seed == (stuck.seed + 1) % 2**31:
            await asyncio.Event().wait()
        return await teacher.complete(request)

    held = hold(quick, cast(stage, "user", double(answer), conversation_timeout=1.0, concurrency=2))
    failures = {item.blueprint_id: item.failure for item in held if item.failure}
    assert list(failures) == [stuck.blueprint_id]
    failure = failures[stuck.blueprint_id]
    assert failure is not None
    assert (failure.kind, failure.detail) == ("timeout", "no end within 1 s")


def test_an_assistant_that_never_ends_its_turn_is_stopped(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble
) -> None:
    def call_again(request: ChatRequest) -> ChatReply:
        call = ToolCall(id=f"c{len(request.messages)}", name="nothing_like_it", arguments="{}")
        return ChatReply(tool_calls=(call,))

    held = only(hold(blueprints[:1], cast(stage, "assistant", double(call_again), max_steps=5)))
    assert held.failure is not None
    assert held.failure.kind == "off_plan"
    assert "5 times" in held.failure.detail
    assert sum(message.role == "assistant" for message in held.messages) == 5


def test_an_assistant_that_skips_its_calls_is_off_plan(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble, say: Say
) -> None:
    held = only(hold(blueprints[:1], cast(stage, "assistant", double(lambda request: say("All done.")))))
    assert held.failure is not None
    assert held.failure.kind == "off_plan"
    first = next(step_id for turn in blueprints[0].turns for group in turn.groups for step_id in group)
    assert blueprints[0].step(first).tool_id in held.failure.detail


def test_a_missing_sandbox_is_a_failure_not_a_made_up_result(
    blueprints: list[Blueprint], stage: Stage, hold: Hold
) -> None:
    held = only(hold([using_code(blueprints)], replace(stage, sandbox=None)))
    assert held.failure is not None
    assert held.failure.kind == "sandbox"
    assert held.failure.detail.partition(" ")[0] in CODE_TOOLS
    assert not any(message.simulated for message in held.messages)


def test_a_sandbox_that_breaks_is_a_failure(blueprints: list[Blueprint], stage: Stage, hold: Hold) -> None:
    class Broken:
        name = "broken"

        async def run_python(self, code: str) -> ExecResult:
            raise SandboxError("the engine is gone: start it again")

        def open(self, workspace_id: str) -> Session:
            raise SandboxError("the engine is gone: start it again")

        async def close(self) -> None: ...

    held = only(hold([using_code(blueprints)], replace(stage, sandbox=Broken())))
    assert held.failure is not None
    assert (held.failure.kind, held.failure.detail) == ("sandbox", "the engine is gone: start it again")


def test_a_bug_is_a_row_that_says_where_and_the_others_complete(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble
) -> None:
    teacher = ScriptedTeacher(1.0)
    unlucky = blueprints[1]

    def answer(request: ChatRequest) -> Any:
        if request.seed == (unlucky.seed + 1) % 2**31:
            raise KeyError("lost")
        return teacher.complete(request)

    held = hold(blueprints[:3], cast(stage, "user", double(answer)))
    assert [item.outcome for item in held] == ["completed", "failed", "completed"]
    failure = held[1].failure
    assert failure is not None
    assert failure.kind == "bug"
    assert failure.detail.startswith("KeyError: 'lost' (test_failures.py:")


@pytest.mark.parametrize("error", [EndpointDownError("gone"), StorageError("full")])
def test_what_is_no_conversations_fault_ends_the_batch(
    error: Exception, blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble
) -> None:
    def answer(request: ChatRequest) -> ChatReply:
        raise error

    with pytest.raises(ExceptionGroup) as caught:
        hold(blueprints[:3], cast(stage, "user", double(answer)))
    assert caught.group_contains(type(error), match=str(error))


def test_a_failed_conversation_keeps_what_was_said_and_spent(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble, say: Say
) -> None:
    held = only(hold(blueprints[:1], cast(stage, "assistant", double(lambda request: say(None)))))
    assert [message.role for message in held.messages] == ["system", "user"]
    assert held.usage.calls == 2
    assert held.usage.usd == 0.5
    assert held.usage.model == "mixed"


def test_a_conversation_that_cannot_be_measured_is_a_row_and_keeps_what_was_said(
    blueprints: list[Blueprint], stage: Stage, hold: Hold
) -> None:
    held = only(hold(blueprints[:1], replace(stage, settings=stage.settings.model_copy(update={"cac": None}))))
    assert held.failure is not None
    assert held.failure.kind == "bug"
    assert "measures.py:" in held.failure.detail
    assert len(held.messages) > 2
    assert (held.labels, held.mode, held.cac, held.unused_calls) == ((), (), 0.0, None)
    assert held.outcome == "failed"


@pytest.mark.parametrize(
    "arguments", ["[" * 8000, f'{{"n": {"7" * 5000}}}', '{"n": 1e999}', '{"n": ' + "[" * 300 + "]" * 300 + "}"]
)
def test_arguments_that_cannot_be_read_are_refused_as_no_json(
    arguments: str, blueprints: list[Blueprint], stage: Stage, hold: Hold, double: MakeDouble
) -> None:
    teacher = ScriptedTeacher(1.0)
    first = blueprints[0]
    call = ToolCall(id="odd", name=first.tool_ids[0], arguments=arguments)

    async def answer(request: ChatRequest) -> ChatReply:
        odd = request.seed == (first.seed + 2) % 2**31
        return ChatReply(tool_calls=(call,)) if odd else await teacher.complete(request)

    held = only(hold(blueprints[:1], cast(stage, "assistant", double(answer))))
    (told,) = [message.content for message in held.messages if message.tool_call_id == "odd"]
    assert told is not None and "the arguments are not a JSON object" in told
    assert held.failure is None
