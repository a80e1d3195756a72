"""A conversation's time limit runs while it speaks, not while it waits its turn."""

import asyncio

import pytest

from tdscaling_assets.clock import off_the_clock, time_limit


def test_time_within_the_limit_counts() -> None:
    async def story() -> None:
        async with time_limit(0.05):
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        asyncio.run(story())


def test_time_off_the_clock_does_not_count_also_nested() -> None:
    async def story() -> str:
        async with time_limit(0.1):
            with off_the_clock(), off_the_clock():
                await asyncio.sleep(0.2)
            await asyncio.sleep(0.01)
            return "ended"

    assert asyncio.run(story()) == "ended"


def test_what_was_left_before_is_left_after() -> None:
    async def story() -> None:
        async with time_limit(0.1):
            with off_the_clock():
                await asyncio.sleep(0.2)
            await asyncio.sleep(1)

    with pytest.raises(TimeoutError):
        asyncio.run(story())


def test_each_conversation_has_its_own_clock() -> None:
    async def waits() -> str:
        async with time_limit(0.1):
            with off_the_clock():
                await asyncio.sleep(0.2)
            return "ended"

    async def speaks() -> str:
        try:
            async with time_limit(0.1):
                await asyncio.sleep(1)
        except TimeoutError:
            return "stopped"
        return "ended"

    async def story() -> list[str]:
        return await asyncio.gather(waits(), speaks())

    assert asyncio.run(story()) == ["ended", "stopped"]


def test_without_a_limit_it_changes_nothing() -> None:
    async def story() -> str:
        with off_the_clock():
            return "ended"

    assert asyncio.run(story()) == "ended"
