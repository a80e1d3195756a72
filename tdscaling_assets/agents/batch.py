"""Many blueprints in, many conversations in flight, each handed over the moment it ends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from tdscaling_assets.agents.conversation import Stage, converse
from tdscaling_assets.errors import BudgetReachedError
from tdscaling_assets.schema import Blueprint, Trajectory

OnDone = Callable[[Trajectory], Awaitable[None]]
Price = Callable[[Blueprint], float]


def free(blueprint: Blueprint) -> float:
    """The price of a judge where there is none."""
    return 0.0


async def run_batch(blueprints: Sequence[Blueprint], stage: Stage, on_done: OnDone, judge_usd: Price = free) -> str:
    """Hold every conversation once, at most `settings.concurrency` at a time; why it stopped early, "" if it did not.

    `on_done` is awaited for each before the next one starts in its place, so what it stores survives a crash. Once
    the budget would not pay for another conversation no more start; those that it cuts off are not handed over. Of the
    budget, what judging each will cost (`judge_usd`) is kept back.
    Raises what `on_done` raises and EndpointDownError, inside an ExceptionGroup.
    """
    run = _Run(iter(blueprints), stage, on_done, judge_usd)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(stage.settings.concurrency, len(blueprints))):
            group.create_task(run.work())
    return run.stopped


@dataclass
class _Run:
    queue: Iterator[Blueprint]
    stage: Stage
    on_done: OnDone
    judge_usd: Price
    stopped: str = ""
    ended: int = 0
    ended_usd: float = 0.0
    judging_ended: float = 0.0
    judging_under_way: float = 0.0
    reserved: float = 0.0
    under_way: int = 0

    async def work(self) -> None:
        """One slot: conversation after conversation, while there are any and they can be paid for."""
        while not self.stopped and (blueprint := next(self.queue, None)) is not None:
            self.stopped = self._shortage()
            if self.stopped:
                return
            judging = self.judge_usd(blueprint)
            self.under_way += 1
            self.judging_under_way += judging
            self._reserve()
            try:
                trajectory = await converse(blueprint, self.stage)
            except BudgetReachedError as error:
                self.stopped = str(error)
                return
            finally:
                self.under_way -= 1
                self.judging_under_way -= judging
                self._reserve()
            self.ended += 1
            self.ended_usd += trajectory.usage.usd or 0.0
            if trajectory.failure is None:
                self.judging_ended += judging
            self._reserve()
            await self.on_done(trajectory)
            await asyncio.sleep(0)  # a model that never waits would keep an interrupt from being heard

    def _reserve(self) -> None:
        """Keep back what judging those held and under way will cost; nothing for the latter before one has ended, so
        that every run either ends a conversation or spends what is left."""
        wanted = self.judging_ended + (self.judging_under_way if self.ended else 0.0)
        if self.stage.budget is not None:
            self.stage.budget.reserve(wanted - self.reserved)
        self.reserved = wanted

    def _shortage(self) -> str:
        """Why one more beside those under way cannot be paid for, at what one has cost on average here."""
        budget = self.stage.budget
        if budget is None:
            return ""
        each = self.ended_usd / self.ended if self.ended else 0.0
        already = max(0.0, budget.spent - self.ended_usd)  # what those under way have cost, unless kept replies hide it
        judging = self.judging_ended / self.ended if self.ended else 0.0
        return budget.shortage(each * (self.under_way + 1) + judging - already)
