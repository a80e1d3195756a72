"""Whole conversations with a code step of every kind: really run, kept when sound, the same on either backend."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest
from coded import coded_blueprints
from sandboxes import sandbox_or_skip

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.code_tasks import FAMILIES, KINDS
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.funnel import Funnel, FunnelResult
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.schema import CODE_TOOLS, Blueprint, Trajectory
from tdscaling_assets.settings import Settings

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]


@pytest.fixture(scope="module")
def coded(library: Library, settings: Settings) -> dict[str, Blueprint]:
    """A blueprint of every kind."""
    return coded_blueprints(library, KINDS, settings)


@pytest.fixture(scope="module")
def held(coded: dict[str, Blueprint], stage: Stage, hold: Hold) -> dict[str, Trajectory]:
    """The conversation of every kind, held by an obedient teacher."""
    return dict(zip(coded, hold([*coded.values()], stage), strict=True))


@pytest.fixture(scope="module")
def docker(settings: Settings) -> Iterator[Sandbox]:
    """The other backend; skipped where there is none, failed where CI promises it."""
    with sandbox_or_skip(settings.model_copy(update={"sandbox": "docker"})) as opened:
        yield opened


def filter_all(held: Sequence[Trajectory], blueprints: Sequence[Blueprint], stage: Stage) -> FunnelResult:
    cases = [Case(one, blueprint, stage.tools) for one, blueprint in zip(held, blueprints, strict=True)]
    return asyncio.run(Funnel({}, None, stage.settings).run(cases))


def observations(held: Trajectory) -> list[str | None]:
    """What the code tools answered."""
    return [message.content for message in held.messages if message.name in CODE_TOOLS]


def test_there_are_eight_families() -> None:
    assert [*FAMILIES] == [
        *("aggregate", "clean", "validate", "simulate"),
        *("parse_log", "write_function", "repair_test", "sql"),
    ]


def test_the_funnel_keeps_a_conversation_of_every_kind(
    coded: dict[str, Blueprint], held: dict[str, Trajectory], stage: Stage
) -> None:
    result = filter_all([*held.values()], [*coded.values()], stage)
    assert [verdict for verdict in result.verdicts if not verdict.keep] == []
    assert len(result.kept) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_the_mode_and_the_complexity_it_was_planned_for(
    kind: str, coded: dict[str, Blueprint], held: dict[str, Trajectory]
) -> None:
    assert held[kind].mode == coded[kind].target_mode
    assert held[kind].cac == coded[kind].target_cac
    assert "compute" in held[kind].mode


@pytest.mark.parametrize("kind", KINDS)
def test_the_calls_are_those_of_the_kind(kind: str, held: dict[str, Trajectory]) -> None:
    made = [call.name for message in held[kind].messages for call in message.tool_calls]
    assert [name for name in made if name in CODE_TOOLS] == [call.tool_id for call in KINDS[kind].calls]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wayward_teacher_gets_no_wrong_result_past_the_funnel(
    family: str, coded: dict[str, Blueprint], stage: Stage, hold: Hold
) -> None:
    wayward = replace(stage, models=dict.fromkeys(stage.models, type(stage.models["assistant"])(0.7)))
    blueprints = [
        one.model_copy(update={"seed": one.seed + n, "blueprint_id": f"{one.blueprint_id}{n}"})
        for kind in FAMILIES[family]
        for one in [coded[kind.name]]
        for n in range(8)
    ]
    results = hold(blueprints, wayward)
    kept = {one.blueprint_id for one in filter_all(results, blueprints, stage).kept}
    assert 0 < len(kept) < len(blueprints)
    for blueprint, one in zip(blueprints, results, strict=True):
        if one.blueprint_id in kept:
            expected = next(step.task.expected for step in blueprint.steps if step.task and step.task.expected)
            assert any(expected in (message.content or "") for message in one.messages if message.role == "assistant")


@pytest.mark.docker
def test_both_backends_give_the_same_observations(
    coded: dict[str, Blueprint], held: dict[str, Trajectory], stage: Stage, hold: Hold, docker: Sandbox
) -> None:
    others = hold([*coded.values()], replace(stage, sandbox=docker))
    for kind, other in zip(coded, others, strict=True):
        assert (kind, observations(other)) == (kind, observations(held[kind]))
