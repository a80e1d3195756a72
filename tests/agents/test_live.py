"""Whole conversations over live servers: real answers, failures that are rows, and nothing run that may not be."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tdscaling_assets.agents.batch import run_batch
from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.agents.conversation import converse as converse_once
from tdscaling_assets.catalog.execute import live_servers
from tdscaling_assets.catalog.harvest import build_catalog
from tdscaling_assets.catalog.sources import read_sources
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.quality.funnel import Funnel
from tdscaling_assets.quality.rules import Case
from tdscaling_assets.remote.live import LiveServers
from tdscaling_assets.schema import Binding, Blueprint, JsonObject, Step, Trajectory, Turn
from tdscaling_assets.settings import Settings

SCRIPT = Path(__file__).parents[1] / "remote" / "server.py"
SERVERS = {
    "time": {"command": str(Path(sys.executable).parent / "mcp-server-time")},
    "own": {"command": sys.executable, "args": [str(SCRIPT)], "env": {"API_KEY": "sk-77777"}, "timeout": 5},
}
Converse = Callable[[Sequence[Blueprint]], list[Trajectory]]


def plan(number: int, tool_id: str, facts: JsonObject, about: str = "", **step: Any) -> Blueprint:
    """One request for one call with these arguments."""
    arguments = {name: Binding(kind="user", fact=name) for name in facts}
    call = Step(step_id="s1", tool_id=tool_id, arguments=arguments, **step)
    reported = (f"s1.{about}",) if about else ()
    turn = Turn(kind="request", intent="do it", reveals=tuple(facts), groups=(("s1",),), about=reported)
    return Blueprint(
        blueprint_id=f"b{number}",
        round="r01",
        batch="r01-b01",
        cluster_id="c",
        domain="d",
        title="t",
        persona="Somebody.",
        goal="Wants it.",
        tool_ids=(tool_id,),
        services=(),
        world_seed=1,
        facts=facts,
        steps=(call,),
        turns=(turn,),
        seed=number,
    )


def convert(number: int) -> Blueprint:
    facts: JsonObject = {"source_timezone": "UTC", "time": f"{number:02d}:30", "target_timezone": "Asia/Tokyo"}
    return plan(number, "time__convert_time", facts, "target.datetime")


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """The two servers' tools as harvested, and an obedient teacher in every role."""
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": SERVERS}))
    own = ["get_pid", "get_slow", "set_dying", "get_failure"]
    source = {"mcp_config": "mcp.json", "execute": {"time": True, "own": own}}
    (tmp_path / "sources.yaml").write_text(json.dumps([source]))
    settings = Settings(home=tmp_path, sources=tmp_path / "sources.yaml", concurrency=8)
    return Stage(
        models=dict.fromkeys(("planner", "user", "assistant", "environment"), ScriptedTeacher(1.0)),
        tools={tool.tool_id: tool for tool in build_catalog(settings).tools},
        services={},
        sandbox=None,
        settings=settings,
    )


@pytest.fixture
def converse(stage: Stage) -> Converse:
    """Holds a batch over servers that are open for it alone."""

    def hold(blueprints: Sequence[Blueprint]) -> list[Trajectory]:
        ended: dict[str, Trajectory] = {}

        async def keep(one: Trajectory) -> None:
            ended[one.blueprint_id] = one

        async def whole() -> None:
            live = LiveServers(live_servers(read_sources(stage.settings.sources), {}), stage.settings)
            try:
                await run_batch(blueprints, replace(stage, live=live), keep)
            finally:
                await live.close()

        asyncio.run(whole())
        return [ended[blueprint.blueprint_id] for blueprint in blueprints]

    return hold


def answers(held: Trajectory) -> list[Any]:
    return [json.loads(message.content or "") for message in held.messages if message.role == "tool"]


def test_conversations_are_held_over_a_live_server_and_kept(converse: Converse, stage: Stage) -> None:
    blueprints = [convert(number) for number in range(10)]
    held = converse(blueprints)
    assert [one.failure for one in held] == [None] * 10
    for number, one in enumerate(held):
        (answer,) = answers(one)
        assert answer["target"]["datetime"].endswith(f"T{number + 9:02d}:30:00+09:00")
        assert answer["target"]["datetime"] in (one.messages[-1].content or "")
    assert not any(message.simulated for one in held for message in one.messages)
    cases = [Case(one, blueprint, stage.tools) for one, blueprint in zip(held, blueprints, strict=True)]
    assert asyncio.run(Funnel({}, None, stage.settings).run(cases)).kept == tuple(held)


def test_a_server_that_breaks_fails_its_conversation_alone_and_without_secrets(converse: Converse) -> None:
    held = converse([plan(1, "own__set_dying", {"times": 1}), convert(2), plan(3, "own__get_slow", {"seconds": 30})])
    assert [one.outcome for one in held] == ["failed", "completed", "failed"]
    kinds = {one.failure.kind for one in held if one.failure}
    assert kinds == {"tool"}
    assert "set_dying" in str(held[0].failure) and "within 5 s" in str(held[2].failure)
    assert "sk-77777" not in "".join(one.model_dump_json() for one in held)


def test_a_live_tool_without_open_servers_is_a_failure_not_a_made_up_result(stage: Stage) -> None:
    held = asyncio.run(converse_once(convert(1), stage))
    assert held.failure is not None and held.failure.kind == "tool"
    assert not any(message.role == "tool" for message in held.messages)


def test_what_may_not_run_is_simulated(converse: Converse, stage: Stage) -> None:
    (held,) = converse([plan(1, "own__delete_all", {"name": "x"})])
    assert held.outcome == "completed"
    assert [message.simulated for message in held.messages if message.role == "tool"] == [True]
    assert not (stage.settings.home / "calls.txt").exists()


def test_an_error_of_a_live_tool_is_read_by_the_assistant(converse: Converse) -> None:
    (held,) = converse([plan(1, "own__get_failure", {"text": "no such order"})])
    assert answers(held)[0] == {"error": {"code": "tool_error", "message": "no such order"}}
    assert not any(message.simulated for message in held.messages)
    assert held.labels[:2] == ("retrieve", "recover")


def test_a_planned_fault_is_not_passed_off_as_the_answer_of_a_server(converse: Converse, stage: Stage) -> None:
    (held,) = converse([plan(1, "own__get_pid", {}, fault="busy: try again")])
    assert held.outcome == "completed"
    assert [message.simulated for message in held.messages if message.role == "tool"] == [True, False]
    assert (stage.settings.home / "calls.txt").read_text().split() == ["get_pid"]
