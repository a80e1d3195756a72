"""Grounded blueprints in, the same with title, persona and goal out, written by the planner model."""

import asyncio
from collections.abc import Sequence

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.prompts import render, with_guidance
from tdscaling_assets.schema import Blueprint, JsonObject, Record, RejectedBlueprint, parse_object
from tdscaling_assets.settings import Settings

ATTEMPTS = 2


class Scenario(Record):
    """What the planner writes."""

    title: str
    persona: str
    goal: str


async def write_scenarios(
    blueprints: Sequence[Blueprint], planner: ChatModel, settings: Settings
) -> tuple[list[Blueprint], list[RejectedBlueprint]]:
    """Each blueprint once, in order: with its scenario, or rejected because the planner wrote none that can be read."""
    slots = asyncio.Semaphore(settings.concurrency)

    async def one(blueprint: Blueprint) -> Blueprint | RejectedBlueprint:
        async with slots:
            return await _write(blueprint, planner, settings)

    results = await asyncio.gather(*(one(blueprint) for blueprint in blueprints))
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
    problem = ""
    for attempt in range(ATTEMPTS):
        request = ChatRequest(
            role="planner",
            messages=messages,
            temperature=settings.model_temperature,
            max_tokens=settings.model_max_tokens,
            seed=(blueprint.seed + attempt) % 2**31,
        )
        try:
            reply = await planner.complete(request)
        except ModelError as error:
            problem = str(error)
            break
        written = parse_object(_json_part(reply.content or ""))
        if written is not None and all(isinstance(written.get(name), str) for name in Scenario.model_fields):
            return blueprint.model_copy(update={name: written[name] for name in Scenario.model_fields})
        problem = f"the planner wrote {(reply.content or '')[:200]!r} instead of a JSON object"
    return RejectedBlueprint(
        blueprint_id=blueprint.blueprint_id,
        round=blueprint.round,
        batch=blueprint.batch,
        cluster_id=blueprint.cluster_id,
        reason="no_scenario",
        detail=problem,
    )


def _json_part(text: str) -> str:
    """From the first brace to the last: models like to wrap JSON in prose or fences."""
    return text[text.find("{") : text.rfind("}") + 1]
