"""Business clusters in, the same with names and purposes that a model wrote out; where it wrote none that can be used,
the composed ones stay. A seam between the pure selection and a model: clusters never depend on one."""

import asyncio
from collections.abc import Mapping, Sequence

from tdscaling_assets.errors import ModelError
from tdscaling_assets.llm.protocol import ChatModel, ChatRequest
from tdscaling_assets.prompts import as_data, render
from tdscaling_assets.schema import BusinessCluster, JsonObject, Tool, parse_object
from tdscaling_assets.settings import Settings

NAME_LENGTH, PURPOSE_LENGTH = 80, 240  # most characters that are taken
DESCRIPTION_LENGTH = 200  # characters of a tool's description that are shown
TOKENS = 200


async def name_clusters(
    clusters: Sequence[BusinessCluster], tools: Mapping[str, Tool], model: ChatModel, settings: Settings
) -> list[BusinessCluster]:
    """Each cluster once, in order; no two get one name."""
    slots = asyncio.Semaphore(settings.concurrency)

    async def one(cluster: BusinessCluster) -> tuple[str, str] | None:
        async with slots:
            return await _ask(cluster, tools, model, settings)

    written = await asyncio.gather(*map(one, clusters))
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
        text = (await model.complete(request)).content or ""
    except ModelError:
        return None
    answer = parse_object(text[text.find("{") : text.rfind("}") + 1]) or {}
    name, purpose = answer.get("name"), answer.get("purpose")
    if not (isinstance(name, str) and isinstance(purpose, str)):
        return None
    name, purpose = " ".join(name.split()), " ".join(purpose.split())
    fits = 0 < len(name) <= NAME_LENGTH and 0 < len(purpose) <= PURPOSE_LENGTH
    return (name, purpose) if fits else None
