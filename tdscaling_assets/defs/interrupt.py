"""Ctrl-C or SIGTERM in an asset that waits on the outside: its tasks are cancelled and clean up, then the run ends.

Left alone, the interrupt would break out of the event loop under the feet of the conversations, and sandboxes and
connections would stay open.
"""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import ParamSpec, TypeVar

import dagster as dg

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def interruptible(function: Callable[Parameters, Awaitable[Result]]) -> Callable[Parameters, Awaitable[Result]]:
    """The asynchronous function, ended by Ctrl-C or SIGTERM with DagsterExecutionInterruptedError, by a failed task
    with its failure alone."""

    @wraps(function)
    async def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with _ended_cleanly():
            return await function(*args, **kwargs)

    return run


@contextmanager
def _ended_cleanly() -> Iterator[None]:
    interrupts: list[int] = []
    try:
        with _cancel_on_interrupt(interrupts):
            yield
    except asyncio.CancelledError:
        if not interrupts:
            raise
    except BaseExceptionGroup as group:
        raise _first_failure(group) from None
    if interrupts:
        raise dg.DagsterExecutionInterruptedError


@contextmanager
def _cancel_on_interrupt(interrupts: list[int]) -> Iterator[None]:
    """Cancel the current task on SIGINT or SIGTERM, and note it; only the main thread gets signals."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    if task is None or threading.current_thread() is not threading.main_thread():
        yield
        return

    def cancel(number: int, _: FrameType | None) -> None:
        interrupts.append(number)
        loop.call_soon_threadsafe(task.cancel)

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _first_failure(group: BaseExceptionGroup[BaseException]) -> BaseException:
    failure: BaseException = group
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
