"""A conversation's time limit, which does not run while it waits its turn: for an endpoint that is down, for a rate
limit, or between two tries."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

_running: ContextVar[asyncio.Timeout | None] = ContextVar("running", default=None)


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """TimeoutError after so many seconds within; time `off_the_clock` does not count."""
    async with asyncio.timeout(seconds) as timeout:
        token = _running.set(timeout)
        try:
            yield
        finally:
            _running.reset(token)


@contextmanager
def off_the_clock() -> Iterator[None]:
    """Stop the time limit of the conversation that this runs in, if there is one; it may be nested."""
    timeout = _running.get()
    ends = timeout.when() if timeout is not None else None
    if timeout is None or ends is None:
        yield
        return
    loop = asyncio.get_running_loop()
    left = ends - loop.time()
    timeout.reschedule(None)
    try:
        yield
    finally:
        if not timeout.expired():
            timeout.reschedule(loop.time() + left)
