"""An obedient teacher holds every conversation as planned; a wayward one is caught; nothing depends on luck."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tdscaling_assets.agents.conversation import Stage, open_conversation
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.measures import unused_calls
from tdscaling_assets.prompts import LEAK_MARKERS
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.funnel import Funnel, FunnelResult
from tdscaling_assets.schema import OPERATORS, PROMISED_LABEL, Blueprint, Trajectory

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]
MakeDouble = Callable[..., Any]


def filter_all(trajectories: Sequence[Trajectory], blueprints: Sequence[Blueprint], stage: Stage) -> FunnelResult:
    """The funnel's verdicts on conversations, which are in the order of their blueprints."""
    cases = [Case(*pair, stage.tools) for pair in zip(trajectories, blueprints, strict=True)]
    return asyncio.run(Funnel({}, None, stage.settings).run(cases))


def obeying(stage: Stage, compliance: float) -> Stage:
    """The stage with a teacher of this compliance in every role."""
    return replace(stage, models=dict.fromkeys(stage.models, ScriptedTeacher(compliance)))


def without_seconds(trajectory: Trajectory) -> str:
    return trajectory.model_dump_json(exclude={"usage": {"seconds"}})


def test_every_obedient_conversation_completes(trajectories: list[Trajectory]) -> None:
    assert [item.failure for item in trajectories] == [None] * 20
    assert {item.outcome for item in trajectories} == {"completed"}


def test_every_world_ends_in_the_state_of_the_dry_run(
    trajectories: list[Trajectory], blueprints: list[Blueprint]
) -> None:
    expected = [item.expected_digest for item in blueprints]
    assert None not in expected
    assert [item.final_digest for item in trajectories] == expected


def test_every_conversation_takes_the_mode_it_was_planned_for(
    trajectories: list[Trajectory], blueprints: list[Blueprint]
) -> None:
    assert [item.mode for item in trajectories] == [item.target_mode for item in blueprints]


def test_every_conversation_is_as_complex_as_it_was_planned(
    trajectories: list[Trajectory], blueprints: list[Blueprint]
) -> None:
    assert [item.cac for item in trajectories] == [item.target_cac for item in blueprints]


def test_a_conversation_counts_the_look_ups_that_its_answer_leaves_out(
    trajectories: list[Trajectory], blueprints: list[Blueprint], stage: Stage, hold: Hold
) -> None:
    silent = [
        one.model_copy(update={"turns": tuple(turn.model_copy(update={"about": ()}) for turn in one.turns)})
        for one in blueprints
        if {turn.reply for turn in one.turns} == {"answer"}
    ]
    held = hold(silent, stage)
    assert {one.unused_calls for one in trajectories} == {0}
    assert max(one.unused_calls or 0 for one in held) > 0
    for one in held:
        read_only = {name: stage.tools[name].read_only for name in one.tools}
        assert one.unused_calls == unused_calls(one.messages, read_only)


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_label_that_an_operator_promises_is_heard(operator: str, trajectories: list[Trajectory]) -> None:
    evolved = [item for item in trajectories if operator in item.lineage.operators]
    assert len(evolved) >= 2
    assert all(PROMISED_LABEL[operator] in item.labels for item in evolved)


def test_the_funnel_keeps_every_obedient_conversation(
    trajectories: list[Trajectory], blueprints: list[Blueprint], stage: Stage
) -> None:
    result = filter_all(trajectories, blueprints, stage)
    assert [verdict for verdict in result.verdicts if not verdict.keep] == []
    assert list(result.kept) == trajectories


def test_a_wayward_teacher_is_caught_with_one_reason_each(
    blueprints: list[Blueprint], stage: Stage, hold: Hold
) -> None:
    held = hold(blueprints, obeying(stage, 0.5))
    result = filter_all(held, blueprints, stage)
    rejections = [verdict for verdict in result.verdicts if not verdict.keep]
    rejected = [verdict.trajectory_id for verdict in rejections]
    assert len(rejected) == len(set(rejected)) > 5
    assert all(verdict.reason for verdict in rejections)
    assert sorted([*rejected, *(item.trajectory_id for item in result.kept)]) == sorted(
        item.trajectory_id for item in held
    )


def test_the_same_seed_gives_the_same_conversation(
    blueprints: list[Blueprint], stage: Stage, hold: Hold, trajectories: list[Trajectory]
) -> None:
    alone = replace(stage, settings=stage.settings.model_copy(update={"concurrency": 1}))
    again = hold(blueprints, alone)
    assert [without_seconds(item) for item in again] == [without_seconds(item) for item in trajectories]


def test_another_seed_gives_another_conversation(blueprints: list[Blueprint], stage: Stage, hold: Hold) -> None:
    one = blueprints[0]
    first, second = hold([one, one.model_copy(update={"blueprint_id": "bp_other", "seed": one.seed + 50})], stage)
    assert first.messages[1:] != second.messages[1:]


def test_no_stored_message_holds_guidance(trajectories: list[Trajectory]) -> None:
    texts = [
        text.lower()
        for item in trajectories
        for message in item.messages
        for text in (message.content or "", *(call.arguments for call in message.tool_calls))
    ]
    assert [text for text in texts if any(marker in text for marker in LEAK_MARKERS)] == []


def test_guidance_is_sent_but_not_stored(
    blueprints: list[Blueprint], stage: Stage, double: MakeDouble, hold: Hold
) -> None:
    teacher = double(ScriptedTeacher(1.0).complete)
    (held,) = hold(blueprints[:1], replace(stage, models=dict.fromkeys(stage.models, teacher)))
    sent = [str(request.messages[0]["content"]) for request in teacher.asked if request.role == "assistant"]
    stored = held.messages[0].content or ""
    assert all(text.startswith(stored) and "<guidance>" in text for text in sent)
    assert not any(marker in stored.lower() for marker in LEAK_MARKERS)


def test_an_offered_conversation_starts_in_a_world_of_its_own(blueprints: list[Blueprint], stage: Stage) -> None:
    one = next(item for item in blueprints if "pivot" in item.lineage.operators)
    first, second = open_conversation(one, stage), open_conversation(one, stage)
    assert first.world.digest() == second.world.digest()
    for call in one.expected_calls:
        tool = stage.tools[call.tool_id]
        if tool.executor == "builtin" and isinstance(call.arguments, dict):
            first.world.call(tool.server, tool.name, call.arguments)
    assert first.world.digest() == one.expected_digest != second.world.digest()


def test_a_trajectory_names_the_prompts_and_the_sandbox_it_was_made_with(
    trajectories: list[Trajectory], stage: Stage
) -> None:
    assert stage.sandbox is not None
    assert all(item.versions["sandbox"] == stage.sandbox.name for item in trajectories)
    assert all(len(item.versions["prompt_assistant"]) == 12 for item in trajectories)
    offered = [
        (item.versions.get(f"tool:{name}"), stage.tools[name].content_hash)
        for item in trajectories
        for name in item.tools
    ]
    assert offered and all(stored == wanted for stored, wanted in offered)


def test_usage_sums_the_calls_of_every_role(trajectories: list[Trajectory]) -> None:
    for item in trajectories:
        speaking = [message for message in item.messages if message.role in ("user", "assistant")]
        assert item.usage.calls == len(speaking)
        assert item.usage.model == "teacher"
        assert item.usage.usd == 0.0
        assert item.usage.prompt_tokens > 0
