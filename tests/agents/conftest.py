"""The real built-in services, blueprints of every operator on them, the scripted teacher, and a double."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import pytest
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
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.roles import Models
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.sandbox.protocol import Sandbox
from tdscaling_assets.schema import OPERATORS, Blueprint, Role, Trajectory, Usage
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import Settings

SPEAKERS: tuple[Role, ...] = ("planner", "user", "assistant", "environment")

Hold = Callable[[Sequence[Blueprint], Stage], list[Trajectory]]
Answer = Callable[[ChatRequest], ChatReply | Awaitable[ChatReply]]


class Double:
    """A `ChatModel` that answers as told, and remembers what it was asked; the answer may raise."""

    name = "double"

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.asked: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        reply = self._answer(request)
        return await reply if isinstance(reply, Awaitable) else reply


def saying(text: str | None) -> ChatReply:
    """A reply of this text that cost something."""
    usage = Usage(prompt_tokens=10, completion_tokens=1, usd=0.5, model="double", calls=1)
    return ChatReply(content=text, usage=usage)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own, the fast sandbox, and a teacher that follows every hint."""
    home = tmp_path_factory.mktemp("home")
    sources = home / "sources.yaml"
    sources.write_text("sources:\n  - builtin: all\n", encoding="utf-8")
    return Settings(home=home, sources=sources, batch_size=2, sandbox="bubblewrap", compliance=1.0, concurrency=4)


@pytest.fixture(scope="session")
def library(settings: Settings) -> Library:
    """Catalog, graph and clusters of the built-in services."""
    tools = asyncio.run(harvest(settings)).tools
    edges = build_graph(tools)
    return Library(tools, edges, select_clusters(tools, edges, settings.clusters), load_services())


@pytest.fixture(scope="session")
def blueprints(library: Library, settings: Settings) -> list[Blueprint]:
    """Two of every operator, all of one batch."""
    baseline = plan_round("r01", PlanHistory(), library.clusters, settings)
    drawn: list[Blueprint] = []
    for operator in OPERATORS:
        plan = baseline.model_copy(update={"operator_weights": {operator: 1.0}, "cac_target": 1000.0})
        evolved: list[Blueprint] = []
        for seed in range(30):
            if len(evolved) < 2:
                made = plan_batch(plan, "r01-b01", library, (), settings.model_copy(update={"seed": seed})).blueprints
                evolved += [one for one in made if operator in one.lineage.operators and one not in drawn]
        drawn += evolved[:2]
    written, untold = asyncio.run(write_scenarios(drawn, ScriptedTeacher(1.0), settings))
    assert not untold
    return written


@pytest.fixture(scope="session")
def sandbox(settings: Settings) -> Iterator[Sandbox]:
    """Bubblewrap; skipped where it cannot work, failed where CI promises it."""
    with sandbox_or_skip(settings) as opened:
        yield opened


@pytest.fixture(scope="session")
def stage(library: Library, settings: Settings, sandbox: Sandbox) -> Stage:
    """An obedient teacher in every role."""
    return Stage(
        models=dict.fromkeys(SPEAKERS, ScriptedTeacher(1.0)),
        tools=library.tools,
        services=library.services,
        sandbox=sandbox,
        settings=settings,
    )


@pytest.fixture(scope="session")
def hold() -> Hold:
    """Holds a batch; its trajectories in the order of the blueprints."""

    def hold_all(blueprints: Sequence[Blueprint], stage: Stage) -> list[Trajectory]:
        ended: dict[str, Trajectory] = {}

        async def keep(one: Trajectory) -> None:
            ended[one.blueprint_id] = one

        async def hold_and_close() -> None:
            await run_batch(blueprints, stage, keep)
            if isinstance(stage.models, Models):
                await stage.models.close()

        asyncio.run(hold_and_close())
        return [ended[blueprint.blueprint_id] for blueprint in blueprints]

    return hold_all


@pytest.fixture(scope="session")
def trajectories(blueprints: list[Blueprint], stage: Stage, hold: Hold) -> list[Trajectory]:
    """Every blueprint held by the obedient teacher."""
    return hold(blueprints, stage)


@pytest.fixture(scope="session")
def double() -> type[Double]:
    """Makes a model that answers as told."""
    return Double


@pytest.fixture(scope="session")
def say() -> Callable[[str | None], ChatReply]:
    """Makes a reply of a text."""
    return saying
