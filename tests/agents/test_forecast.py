"""What a batch will take is known from its blueprints: the calls exactly, the tokens by size."""

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.agents.forecast import ENOUGH_CALLS, expected_usd, forecast
from tdscaling_assets.schema import Blueprint, Trajectory, canonical_json, chat_messages
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.replies import RoleCost


def test_the_calls_of_an_obedient_assistant_are_foreseen(
    blueprints: list[Blueprint], stage: Stage, trajectories: list[Trajectory]
) -> None:
    for blueprint, trajectory in zip(blueprints, trajectories, strict=True):
        loads = forecast([blueprint], stage.tools, judged=False)
        assert loads["planner"].calls == 1
        assert sum(load.calls for role, load in loads.items() if role != "planner") == trajectory.usage.calls


def test_tokens_are_foreseen_within_a_factor_of_two_where_tools_are_not_counted(
    blueprints: list[Blueprint], stage: Stage, trajectories: list[Trajectory]
) -> None:
    loads = forecast(blueprints, stage.tools, judged=False)
    completion = sum(load.completion_tokens for role, load in loads.items() if role != "planner")
    spoken = sum(one.usage.completion_tokens for one in trajectories)
    assert 0.5 < completion / spoken < 2


def test_a_judge_is_priced_by_past_calls_else_by_what_it_will_hear(
    blueprints: list[Blueprint], stage: Stage, trajectories: list[Trajectory]
) -> None:
    settings = Settings(model_judge="openai/m", prices={"openai/m": (4.0, 0.0)})
    few, enough = (RoleCost(calls, 1.0, 1.0, 0.5, 0.0) for calls in (ENOUGH_CALLS - 1, ENOUGH_CALLS))
    load = forecast(blueprints, stage.tools, judged=True)["judge"]
    heard = sum(len(canonical_json(chat_messages(one.messages))) for one in trajectories)
    by_size = expected_usd("judge", load, settings, {("judge", "openai/m"): few})
    assert by_size is not None and heard < by_size * 1e6 < 2 * heard
    by_calls = expected_usd("judge", load, settings, {("judge", "openai/m"): enough})
    assert by_calls == 0.5 * len(blueprints)
    assert expected_usd("judge", load, settings.model_copy(update={"model_judge": "teacher"}), {}) == 0.0


def test_a_judge_hears_every_conversation_once(blueprints: list[Blueprint], stage: Stage) -> None:
    assert forecast(blueprints, stage.tools, judged=True)["judge"].calls == len(blueprints)
    assert "judge" not in forecast(blueprints, stage.tools, judged=False)
