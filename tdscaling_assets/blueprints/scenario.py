"""Grounded blueprints in, the same with title, persona and goal out, written by the planner model."""

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel, Field

from tdscaling_assets.errors import BudgetReachedError, ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.llm.structured import ask_record
from tdscaling_assets.prompts import render, with_guidance
from tdscaling_assets.schema import Blueprint, JsonObject, RejectedBlueprint
from tdscaling_assets.settings import Settings


class Scenario(BaseModel):
    """What the planner writes; more fields than these are left out."""

    title: str = Field(min_length=1)
    persona: str = Field(min_length=1)
    goal: str = Field(min_length=1)


async def write_scenarios(
    blueprints: Sequence[Blueprint], planner: ChatModel, settings: Settings
) -> tuple[list[Blueprint], list[RejectedBlueprint]]:
    """Each blueprint once, in order: with its scenario, or rejected because the planner wrote none that can be read.

    Those that the budget did not reach are without: title, persona and goal are empty.
    """
    slots = asyncio.Semaphore(settings.concurrency)

    async def one(blueprint: Blueprint) -> Blueprint | RejectedBlueprint:
        async with slots:
            return await _write(blueprint, planner, settings)

    async with asyncio.TaskGroup() as group:  # one that must stop ends the others too
        tasks = [group.create_task(one(blueprint)) for blueprint in blueprints]
    results = [task.result() for task in tasks]
    written = [result for result in results if isinstance(result, Blueprint)]
    return written, [result for result in results if isinstance(result, RejectedBlueprint)]


async def _write(blueprint: Blueprint, planner: ChatModel, settings: Settings) -> Blueprint | RejectedBlueprint:
    hint: JsonObject = {
        "role": "planner",
        "domain": blueprint.domain,
        "intents": [*(turn.intent for turn in blueprint.turns if turn.kind in ("request", "pivot"))],
        "facts": [*sorted(blueprint.facts)],
    }
    messages: tuple[JsonObject, ...] = (
        {"role": "system", "content": with_guidance(render("planner"), hint)},
        {"role": "user", "content": "Write the scenario."},
    )
    request = ChatRequest(
        role="planner",
        messages=messages,
        temperature=settings.model_temperature,
        max_tokens=settings.model_max_tokens,
        seed=blueprint.seed % 2**31,
    )
    try:
        written = await ask_record(planner, request, Scenario, settings.model_repairs)
    except ModelError as error:
        return RejectedBlueprint.of(blueprint, "no_scenario", str(error))
    except BudgetReachedError:
        return blueprint.model_copy(update={"title": "", "persona": "", "goal": ""})  # a child has its parent's
    return blueprint.model_copy(update=written.model_dump())
