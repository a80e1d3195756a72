"""What a batch will take is known from its blueprints: the calls exactly, the tokens by size."""

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.agents.forecast import forecast
from tdscaling_assets.schema import Blueprint, Trajectory


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


def test_a_judge_hears_every_conversation_once(blueprints: list[Blueprint], stage: Stage) -> None:
    assert forecast(blueprints, stage.tools, judged=True)["judge"].calls == len(blueprints)
    assert "judge" not in forecast(blueprints, stage.tools, judged=False)
