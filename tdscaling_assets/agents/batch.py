"""Many blueprints in, many conversations in flight, each handed over the moment it ends."""

import asyncio
from collections.abc import Callable, Sequence

from tdscaling_assets.agents.conversation import Stage, converse
from tdscaling_assets.schema import Blueprint, Trajectory

OnDone = Callable[[Trajectory], None]


async def run_batch(blueprints: Sequence[Blueprint], stage: Stage, on_done: OnDone) -> None:
    """Hold every conversation once, at most `settings.concurrency` at a time.

    `on_done` is called for each before the next one starts in its place, so what it stores survives a crash.
    """
    queue = iter(blueprints)

    async def worker() -> None:
        for blueprint in queue:
            on_done(await converse(blueprint, stage))
            await asyncio.sleep(0)  # a model that never waits would keep an interrupt from being heard

    async with asyncio.TaskGroup() as group:
        for _ in range(min(stage.settings.concurrency, len(blueprints))):
            group.create_task(worker())
