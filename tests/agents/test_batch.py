"""A batch hands over each conversation as it ends, holds few at a time, and says how it goes."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tdscaling_assets.agents.batch import OnDone, run_batch
from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.agents.progress import Progress
from tdscaling_assets.agents.usage import add_usage
from tdscaling_assets.llm.budget import Budget
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import Blueprint, Failure, Trajectory, Usage
from tdscaling_assets.settings import Settings

MakeDouble = Callable[..., Any]


def keeping(done: list[Trajectory]) -> OnDone:
    """Hands over to the list."""

    async def keep(one: Trajectory) -> None:
        done.append(one)

    return keep


def test_every_blueprint_is_handed_over_once(blueprints: list[Blueprint], stage: Stage) -> None:
    done: list[Trajectory] = []
    asyncio.run(run_batch(blueprints, stage, keeping(done)))
    assert sorted(item.blueprint_id for item in done) == sorted(item.blueprint_id for item in blueprints)


def test_an_empty_batch_ends_at_once(stage: Stage) -> None:
    done: list[Trajectory] = []
    asyncio.run(run_batch([], stage, keeping(done)))
    assert done == []


@pytest.mark.parametrize("limit", [1, 3])
def test_no_more_conversations_are_in_flight_than_allowed(
    limit: int, blueprints: list[Blueprint], stage: Stage, double: MakeDouble
) -> None:
    teacher = ScriptedTeacher(1.0)
    speaking: set[int] = set()
    most = 0

    async def answer(request: ChatRequest) -> ChatReply:
        nonlocal most
        task = id(asyncio.current_task())
        speaking.add(task)
        most = max(most, len(speaking))
        await asyncio.sleep(0)
        reply = await teacher.complete(request)
        speaking.discard(task)
        return reply

    settings = stage.settings.model_copy(update={"concurrency": limit})
    busy = replace(stage, models=dict.fromkeys(stage.models, double(answer)), settings=settings)
    asyncio.run(run_batch(blueprints, busy, keeping([])))
    assert most == limit


def test_each_is_handed_over_before_the_next_begins(
    blueprints: list[Blueprint], stage: Stage, double: MakeDouble
) -> None:
    events: list[str] = []
    teacher = ScriptedTeacher(1.0)

    def answer(request: ChatRequest) -> Any:
        if not any(message["role"] == "assistant" for message in request.messages) and request.role == "user":
            events.append("speaks")
        return teacher.complete(request)

    async def keep(one: Trajectory) -> None:
        events.append("done")

    alone = stage.settings.model_copy(update={"concurrency": 1})
    asyncio.run(
        run_batch(
            blueprints[:3],
            replace(stage, models=dict.fromkeys(stage.models, double(answer)), settings=alone),
            keep,
        )
    )
    spoken = "".join("d" if event == "done" else "s" for event in events)
    assert [len(part) > 0 for part in spoken.split("d")] == [True, True, True, False]


def test_a_failure_to_store_stops_the_batch(blueprints: list[Blueprint], stage: Stage) -> None:
    stored: list[Trajectory] = []

    async def store(one: Trajectory) -> None:
        if len(stored) == 2:
            raise OSError("no space left")
        stored.append(one)

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(run_batch(blueprints, stage, store))
    assert caught.group_contains(OSError, match="no space left")
    assert len(stored) == 2


def priced(stage: Stage, double: MakeDouble, budget: float) -> Stage:
    """The stage with a teacher whose every call costs a dollar, and so much to spend."""
    teacher = ScriptedTeacher(1.0)
    purse = Budget(Settings(budget_batch=budget), None)

    async def answer(request: ChatRequest) -> ChatReply:
        purse.check()
        reply = await teacher.complete(request)
        usage = reply.usage.model_copy(update={"usd": 1.0})
        purse.add(usage)
        return reply.model_copy(update={"usage": usage})

    settings = stage.settings.model_copy(update={"concurrency": 2})
    return replace(stage, models=dict.fromkeys(stage.models, double(answer)), settings=settings, budget=purse)


def test_a_budget_ends_the_batch_cleanly_with_what_it_paid_for(
    blueprints: list[Blueprint], stage: Stage, double: MakeDouble, trajectories: list[Trajectory]
) -> None:
    done: list[Trajectory] = []
    stopped = asyncio.run(run_batch(blueprints, priced(stage, double, 60.0), keeping(done)))
    spent = sum(one.usage.usd or 0.0 for one in done)
    assert stopped.startswith("the batch's budget of $60 ")
    assert 0 < len(done) < len(blueprints)
    assert all(one.outcome == "completed" for one in done)
    assert spent <= 60.0
    dearest = max(one.usage.calls for one in trajectories)
    assert spent > 60.0 - 3 * dearest


def test_a_budget_keeps_back_what_the_judge_of_those_handed_over_will_cost(
    blueprints: list[Blueprint], stage: Stage, double: MakeDouble
) -> None:
    done: list[Trajectory] = []
    paid = priced(stage, double, 60.0)
    stopped = asyncio.run(run_batch(blueprints, paid, keeping(done), judge_usd=lambda one: 6.0))
    assert paid.budget is not None and len(done) > 1
    assert paid.budget.spent + 6.0 * len(done) <= 60.0 + 2.0  # two calls in flight when it is reached
    assert "kept for the judge" in stopped


def test_a_budget_that_suffices_stops_nothing(blueprints: list[Blueprint], stage: Stage, double: MakeDouble) -> None:
    done: list[Trajectory] = []
    assert asyncio.run(run_batch(blueprints, priced(stage, double, 1e6), keeping(done))) == ""
    assert len(done) == len(blueprints)


@pytest.fixture
def ended(trajectories: list[Trajectory]) -> Callable[..., Trajectory]:
    """A conversation that ended, with what it cost."""

    def make(kind: str = "", usd: float | None = 0.25, calls: int = 5, tokens: int = 300) -> Trajectory:
        usage = Usage(prompt_tokens=tokens, completion_tokens=tokens, usd=usd, model="m", calls=calls)
        failure = Failure(kind=kind, detail="") if kind else None
        return trajectories[0].model_copy(update={"usage": usage, "failure": failure})

    return make


def test_progress_tells_counts_failures_rates_cost_and_time_left(ended: Callable[..., Trajectory]) -> None:
    said: list[str] = []
    progress = Progress(10, 0, lambda: 0.0, said.append)
    for kind in ("", "timeout", "", "off_plan", "timeout"):
        progress.count(ended(kind))
    assert progress.line(5.0) == (
        "5/10 conversations, kept so far: 5 of 5, failed: 1 off_plan, 2 timeout, 5 calls/s, 600 tokens/s, cost $1.25, "
        "5 s left"
    )
    assert said == []


def test_progress_of_an_unknown_price_is_unknown(ended: Callable[..., Trajectory]) -> None:
    progress = Progress(2, 0, lambda: 0.0, lambda line: None)
    progress.count(ended(usd=1.0))
    progress.count(ended(usd=None))
    assert "cost unknown" in progress.line(1.0)


def test_progress_of_a_resumed_batch_counts_time_for_what_is_new(ended: Callable[..., Trajectory]) -> None:
    said: list[str] = []
    progress = Progress(10, 6, lambda: 0.0, said.append)
    assert said == ["6 of 10 conversations were finished before: resuming"]
    progress.count(ended())
    assert progress.line(4.0).startswith("7/10 conversations, kept so far: 1 of 1, failed: none")
    assert progress.line(4.0).endswith("12 s left")


def test_progress_speaks_at_most_every_two_seconds_and_at_the_end(ended: Callable[..., Trajectory]) -> None:
    clock = iter([0.0, 1.0, 2.5, 3.0, 3.5])
    said: list[str] = []
    progress = Progress(4, 0, lambda: next(clock), said.append)
    for _ in range(4):
        progress.count(ended())
    assert [line.split(" ")[0] for line in said] == ["2/4", "4/4"]


def test_costs_add_up_and_an_unknown_price_stays_unknown() -> None:
    known = Usage(prompt_tokens=1, completion_tokens=2, usd=0.5, model="a", calls=1, seconds=1.0)
    unknown = known.model_copy(update={"usd": None, "model": "b"})
    assert add_usage(Usage(), known) == add_usage(known, Usage()) == known
    assert add_usage(known, known).usd == 1.0
    assert add_usage(known, unknown).usd is add_usage(unknown, known).usd is None
    assert add_usage(add_usage(known, unknown), known) == Usage(
        prompt_tokens=3, completion_tokens=6, usd=None, model="mixed", calls=3, seconds=3.0
    )
