"""Few at a time, roles in turn, slower when throttled, faster again when not, and no place is ever lost."""

import asyncio
from collections.abc import Sequence

from tdscaling_assets.llm.limiter import Limiter
from tdscaling_assets.schema import Role


async def enter_all(limiter: Limiter, roles: Sequence[Role], entered: list[Role]) -> list[asyncio.Task[None]]:
    async def one(role: Role) -> None:
        await limiter.enter(role, 10)
        entered.append(role)

    tasks = [asyncio.create_task(one(role)) for role in roles]
    await asyncio.sleep(0.01)
    return tasks


def test_no_more_than_allowed_are_in_flight() -> None:
    async def story() -> None:
        limiter, entered = Limiter(3, 0, 0), list[Role]()
        await enter_all(limiter, ["user"] * 5, entered)
        assert (len(entered), limiter.in_flight) == (3, 3)
        limiter.leave()
        await asyncio.sleep(0.01)
        assert (len(entered), limiter.in_flight) == (4, 3)
        for _ in range(4):
            limiter.leave()
        await asyncio.sleep(0.01)
        assert len(entered) == 5

    asyncio.run(story())


def test_roles_take_turns_though_one_asks_far_more() -> None:
    async def story() -> list[Role]:
        limiter, entered = Limiter(1, 0, 0), list[Role]()
        await enter_all(limiter, ["environment"] * 6 + ["user"] * 2 + ["judge"], entered)
        for _ in range(8):
            limiter.leave()
            await asyncio.sleep(0.001)
        return entered

    entered = asyncio.run(story())
    assert entered[:6] == ["environment", "environment", "user", "judge", "environment", "user"]


def test_one_who_is_cancelled_leaves_the_place_to_the_next() -> None:
    async def story() -> None:
        limiter, entered = Limiter(1, 0, 0), list[Role]()
        _, waiting, last = await enter_all(limiter, ["user", "user", "judge"], entered)
        waiting.cancel()
        limiter.leave()
        await asyncio.wait_for(last, 1)
        assert (entered, limiter.in_flight) == (["user", "judge"], 1)
        taken = asyncio.create_task(limiter.enter("user", 1))
        await asyncio.sleep(0.01)
        limiter.leave()  # its turn has come, but it is cancelled before it runs
        taken.cancel()
        await asyncio.sleep(0.01)
        assert limiter.in_flight == 0

    asyncio.run(story())


def test_throttling_lowers_what_is_allowed_and_answers_raise_it_again() -> None:
    limiter = Limiter(64, 0, 0)
    for number in range(64):
        limiter.throttled({}) if number % 4 == 0 else limiter.answered({}, 0)
    assert limiter.allowed < 64
    lowered = limiter.allowed
    for _ in range(2000):
        limiter.answered({}, 0)
    assert lowered < limiter.allowed == 64


def test_a_few_throttled_calls_are_no_reason_to_slow_down() -> None:
    limiter = Limiter(64, 0, 0)
    for number in range(6400):
        limiter.throttled({"retry-after": "1"}) if number % 20 == 0 else limiter.answered({}, 0)
    assert limiter.allowed == 64


def test_it_never_stops_altogether() -> None:
    limiter = Limiter(8, 0, 0)
    for _ in range(500):
        limiter.throttled({})
    assert limiter.allowed == 1


def test_three_throttled_in_a_row_hold_everybody_back_as_long_as_asked() -> None:
    async def story() -> tuple[int, int]:
        limiter, entered = Limiter(9, 0, 0), list[Role]()
        for _ in range(3):
            limiter.throttled({"retry-after": "0.2"})
        await enter_all(limiter, ["user"], entered)
        early = len(entered)
        await asyncio.sleep(0.3)
        return early, len(entered)

    assert asyncio.run(story()) == (0, 1)


def test_a_long_pause_is_told_and_never_longer_than_the_longest() -> None:
    async def story() -> str:
        limiter, entered = Limiter(9, 0, 0, longest=7.0), list[Role]()
        for _ in range(3):
            limiter.throttled({"retry-after": "86400"})
        await enter_all(limiter, ["user"], entered)
        return limiter.complaint()

    assert asyncio.run(story()) == "held back by a rate limit for 7 s"


def test_requests_and_tokens_per_minute_are_kept_to() -> None:
    async def story(limiter: Limiter) -> list[int]:
        entered, counts = list[Role](), list[int]()
        await enter_all(limiter, ["user"] * 60, entered)
        counts.append(len(entered))
        await asyncio.sleep(0.5)
        return [*counts, len(entered)]

    for limiter in (Limiter(99, 240, 0), Limiter(99, 0, 2400)):  # four calls a second, of 10 tokens each
        first, later = asyncio.run(story(limiter))
        assert 20 <= first <= 21  # five seconds' worth at once
        assert first < later < 40


def test_what_a_call_really_took_is_settled() -> None:
    async def story() -> int:
        limiter, entered = Limiter(99, 0, 60_000), list[Role]()
        await enter_all(limiter, ["user"], entered)
        limiter.answered({}, 100_000)
        await enter_all(limiter, ["user"], entered)
        return len(entered)

    assert asyncio.run(story()) == 1
