"""A few real conversations on the built-in services, each with its blueprint and tools, all of them sound."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from coded import coded_blueprints
from sandboxes import sandbox_or_skip

from tdscaling_assets.agents.batch import run_batch
from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.blueprints.batch import plan_batch
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.scenario import write_scenarios
from tdscaling_assets.catalog.harvest import harvest
from tdscaling_assets.clusters import select_clusters
from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.evolution.plan import plan_round
from tdscaling_assets.graph import build_graph
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.quality.case import Case
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.schema import Blueprint, Message, Operator, Role, Trajectory
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import Settings

SPEAKERS: tuple[Role, ...] = ("planner", "user", "assistant", "environment")
NEEDED: tuple[Operator, ...] = ("guard", "compute", "verify", "withhold", "pivot", "refuse")

CODED = ("total", "tally", "log_levels", "write_initials", "repair_initials", "sql_distinct")

Change = Callable[[Message], Message]


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own, the fast sandbox, no judge."""
    home = tmp_path_factory.mktemp("home")
    sources = home / "sources.yaml"
    sources.write_text("sources:\n  - builtin: all\n", encoding="utf-8")
    return Settings(home=home, sources=sources, batch_size=2, sandbox="bubblewrap", concurrency=4)


@pytest.fixture(scope="session")
def library(settings: Settings) -> Library:
    """Catalog, graph and clusters of the built-in services."""
    tools = asyncio.run(harvest(settings)).tools
    edges = build_graph(tools)
    return Library(tools, edges, select_clusters(tools, edges, settings.clusters), load_services())


@pytest.fixture(scope="session")
def coded(settings: Settings, library: Library) -> dict[str, Case]:
    """One conversation per kind of code step that the rules tell apart."""
    with sandbox_or_skip(settings) as sandbox:
        return asyncio.run(_hold(coded_blueprints(library, CODED, settings), library, settings, sandbox))


@pytest.fixture(scope="session")
def sound(settings: Settings, library: Library) -> dict[Operator, Case]:
    """One conversation per operator that the rules care about, held by an obedient teacher."""
    baseline = plan_round("r01", PlanHistory(), library.clusters, settings)
    drawn: dict[Operator, Blueprint] = {}
    for operator in NEEDED:
        plan = baseline.model_copy(update={"operator_weights": {operator: 1.0}, "cac_target": 1000.0})
        for seed in range(30):
            made = plan_batch(plan, "r01-b01", library, (), settings.model_copy(update={"seed": seed})).blueprints
            for one in made:
                if operator in one.lineage.operators:
                    drawn.setdefault(operator, one)
            if operator in drawn:
                break
    with sandbox_or_skip(settings) as sandbox:
        return asyncio.run(_hold(drawn, library, settings, sandbox))


async def _hold(drawn: dict[Any, Blueprint], library: Library, settings: Settings, sandbox: Sandbox) -> dict[Any, Case]:
    teacher = ScriptedTeacher(1.0)
    written, _ = await write_scenarios(list(drawn.values()), teacher, settings)
    stage = Stage(dict.fromkeys(SPEAKERS, teacher), library.tools, library.services, sandbox, settings)
    ended: dict[str, Trajectory] = {}

    async def keep(one: Trajectory) -> None:
        ended[one.blueprint_id] = one

    await run_batch(written, stage, keep)
    return {
        operator: Case(ended[blueprint.blueprint_id], blueprint, library.tools)
        for operator, blueprint in zip(drawn, written, strict=True)
    }


@pytest.fixture(scope="session")
def mutate() -> Callable[..., Case]:
    """Makes a case whose trajectory differs in what is given; `messages` may be a function of the old ones."""

    def change(case: Case, **changes: object) -> Case:
        messages = changes.get("messages")
        if callable(messages):
            changes["messages"] = tuple(messages(case.trajectory.messages))
        return replace(case, trajectory=case.trajectory.model_copy(update=changes))

    return change


@pytest.fixture(scope="session")
def rewrite() -> Callable[..., list[Message]]:
    """Messages with the arguments of their n-th call changed by a function of the arguments."""

    def change(messages: tuple[Message, ...], place: int, how: Callable[[dict], dict | str]) -> list[Message]:
        changed: list[Message] = []
        count = 0
        for message in messages:
            calls = []
            for call in message.tool_calls:
                if count == place:
                    new = how(json.loads(call.arguments))
                    call = call.model_copy(update={"arguments": new if isinstance(new, str) else json.dumps(new)})
                calls.append(call)
                count += 1
            changed.append(message.model_copy(update={"tool_calls": tuple(calls)}))
        return changed

    return change
