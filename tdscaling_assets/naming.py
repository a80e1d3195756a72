"""Business clusters in, the same with names and purposes that a model wrote out; where it wrote none that can be used,
the composed ones stay. A seam between the pure selection and a model: clusters never depend on one."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from tdscaling_assets.errors import BudgetReachedError, ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.llm.structured import ask_record
from tdscaling_assets.prompts import as_data, render
from tdscaling_assets.schema import BusinessCluster, JsonObject, Tool
from tdscaling_assets.settings import Settings

NAME_LENGTH, PURPOSE_LENGTH = 80, 240  # most characters that are taken
DESCRIPTION_LENGTH = 200  # characters of a tool's description that are shown
TOKENS = 200


def _fold(value: object) -> object:
    return " ".join(value.split()) if isinstance(value, str) else value


class Words(BaseModel):
    """What the model writes; white space is folded."""

    name: Annotated[str, BeforeValidator(_fold), Field(min_length=1, max_length=NAME_LENGTH)]
    purpose: Annotated[str, BeforeValidator(_fold), Field(min_length=1, max_length=PURPOSE_LENGTH)]


async def name_clusters(
    clusters: Sequence[BusinessCluster], tools: Mapping[str, Tool], model: ChatModel, settings: Settings
) -> list[BusinessCluster]:
    """Each cluster once, in order; no two get one name."""
    slots = asyncio.Semaphore(settings.concurrency)

    async def one(cluster: BusinessCluster) -> tuple[str, str] | None:
        async with slots:
            return await _ask(cluster, tools, model, settings)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(cluster)) for cluster in clusters]
    written = [task.result() for task in tasks]
    taken = {cluster.name for cluster in clusters}
    named: list[BusinessCluster] = []
    for cluster, words in zip(clusters, written, strict=True):
        if words is not None and words[0] not in taken:
            taken.add(words[0])
            cluster = cluster.model_copy(update={"name": words[0], "purpose": words[1]})
        named.append(cluster)
    return named


async def _ask(
    cluster: BusinessCluster, tools: Mapping[str, Tool], model: ChatModel, settings: Settings
) -> tuple[str, str] | None:
    shown: list[JsonObject] = [
        {"server": tool.server, "name": tool.name, "description": tool.description[:DESCRIPTION_LENGTH]}
        for tool in (tools[tool_id] for tool_id in cluster.tool_ids)
    ]
    request = ChatRequest(
        role="planner",
        messages=(
            {"role": "system", "content": render("cluster")},
            {"role": "user", "content": as_data([*shown])},
        ),
        temperature=0.0,
        max_tokens=TOKENS,
        seed=settings.seed % 2**31,
    )
    try:
        answer = await ask_record(model, request, Words, settings.model_repairs)
    except (ModelError, BudgetReachedError):
        return None
    return answer.name, answer.purpose
