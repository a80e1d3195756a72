"""Calls of a process start as far apart as the CPU time that one takes."""

import asyncio
from collections.abc import Iterator

from tdscaling_assets.llm.pace import Pace


def pace_after(spent: list[float], calls: int) -> Pace:
    """The pace when CPU clocks have read these seconds and so many calls are over."""
    readings: Iterator[float] = iter(spent)
    last = spent[0]

    def clock() -> float:
        nonlocal last
        last = next(readings, last)
        return last

    pace = Pace(clock)
    for _ in range(calls):
        pace.ended()
    return pace


def test_the_pace_is_the_cpu_time_of_one_call() -> None:
    assert pace_after([1.0, 1.16], 32).seconds == (1.16 - 1.0) / 32


def test_too_few_calls_say_nothing() -> None:
    assert pace_after([1.0, 9.0], 31).seconds == Pace().seconds


def test_an_import_between_calls_does_not_stop_them() -> None:
    assert pace_after([0.0, 100.0], 32).seconds == 0.010


def test_calls_of_a_burst_start_one_after_the_other_in_order() -> None:
    async def start() -> tuple[list[int], float]:
        pace, started, loop = Pace(), [], asyncio.get_running_loop()

        async def call(number: int) -> None:
            await pace.wait()
            started.append(number)

        began = loop.time()
        await asyncio.gather(*map(call, range(6)))
        return started, (loop.time() - began) / pace.seconds

    started, paces = asyncio.run(start())
    assert started == [0, 1, 2, 3, 4, 5]
    assert paces >= 4.9


def test_a_call_alone_does_not_wait() -> None:
    async def starts_at_once() -> bool:
        turn = asyncio.ensure_future(Pace().wait())
        await asyncio.sleep(0)
        return turn.done()

    assert asyncio.run(starts_at_once())
