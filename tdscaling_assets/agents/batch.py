"""Many blueprints in, many conversations in flight, each handed over the moment it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tdscaling_assets.agents.conversation import Stage, converse
from tdscaling_assets.errors import BudgetReachedError
from tdscaling_assets.schema import Blueprint, Trajectory

OnDone = Callable[[Trajectory], Awaitable[None]]


async def run_batch(blueprints: Sequence[Blueprint], stage: Stage, on_done: OnDone) -> str:
    """Hold every conversation once, at most `settings.concurrency` at a time; why it stopped early, "" if it did not.

    `on_done` is awaited for each before the next one starts in its place, so what it stores survives a crash. Once
    the budget would not pay for another conversation no more start; those that it cuts off are not handed over.
    Raises what `on_done` raises and EndpointDownError, inside an ExceptionGroup.
    """
    run = _Run(iter(blueprints), stage, on_done)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(stage.settings.concurrency, len(blueprints))):
            group.create_task(run.work())
    return run.stopped


@dataclass
class _Run:
    queue: Iterator[Blueprint]
    stage: Stage
    on_done: OnDone
    stopped: str = ""
    ended: int = 0
    ended_usd: float = 0.0
    under_way: int = 0

    async def work(self) -> None:
        """One slot: conversation after conversation, while there are any and they can be paid for."""
        while not self.stopped and (blueprint := next(self.queue, None)) is not None:
            self.stopped = self._shortage()
            if self.stopped:
                return
            self.under_way += 1
            try:
                trajectory = await converse(blueprint, self.stage)
            except BudgetReachedError as error:
                self.stopped = str(error)
                return
            finally:
                self.under_way -= 1
            self.ended += 1
            self.ended_usd += trajectory.usage.usd or 0.0
            await self.on_done(trajectory)
            await asyncio.sleep(0)  # a model that never waits would keep an interrupt from being heard

    def _shortage(self) -> str:
        """Why one more beside those under way cannot be paid for, at what one has cost on average here."""
        budget = self.stage.budget
        if budget is None:
            return ""
        each = self.ended_usd / self.ended if self.ended else 0.0
        already = max(0.0, budget.spent - self.ended_usd)  # what those under way have cost, unless kept replies hide it
        return budget.shortage(each * (self.under_way + 1) - already)
