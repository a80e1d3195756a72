"""A circuit opens when nothing is answered, lets single calls probe, closes at an answer, and gives up in time."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from tdscaling_assets.errors import EndpointDownError, ModelError
from tdscaling_assets.llm.circuit import FAILURES, Circuit

Enter = Callable[..., bool]

DOWN = ModelError("server", "connection refused")


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def circuit(clock: Clock) -> Circuit:
    return Circuit("http://model", 60.0, clock)


@pytest.fixture
def opened(circuit: Circuit) -> Circuit:
    """A circuit that has just opened."""
    for _ in range(FAILURES):
        circuit.failed(DOWN, probe=False)
    return circuit


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all waits of a test."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture
def enter(loop: asyncio.Runner) -> Enter:
    """Whether a call may go as a probe; TimeoutError when it may not go soon."""

    def try_it(circuit: Circuit, seconds: float = 1.0) -> bool:
        return loop.run(asyncio.wait_for(circuit.enter(), seconds))

    return try_it


def test_it_lets_everything_through_while_calls_are_answered(circuit: Circuit, enter: Enter) -> None:
    for _ in range(3 * FAILURES):
        circuit.failed(DOWN, probe=False)
        circuit.answered()
    assert not circuit.is_open
    assert enter(circuit) is False


@pytest.mark.parametrize("kind", ["server", "timeout", "throttled", "malformed"])
def test_failures_in_a_row_open_it(kind: str, circuit: Circuit) -> None:
    for number in range(FAILURES):
        assert not circuit.is_open, number
        circuit.failed(ModelError(kind, "no"), probe=False)
    assert circuit.is_open
    assert circuit.complaint() == "waiting for http://model, down for 0 s: no"


@pytest.mark.parametrize("kind", ["content_filter", "context_length"])
def test_a_failure_that_is_an_answer_does_not_open_it(kind: str, circuit: Circuit) -> None:
    for _ in range(2 * FAILURES):
        circuit.failed(ModelError(kind, "no"), probe=False)
    assert not circuit.is_open


def test_open_it_lets_one_probe_through_after_a_while(opened: Circuit, clock: Clock, enter: Enter) -> None:
    with pytest.raises(TimeoutError):
        enter(opened, 0.05)
    clock.now += 1.1
    assert enter(opened) is True
    with pytest.raises(TimeoutError):
        enter(opened, 0.05)


def test_a_probe_that_is_given_up_lets_another_go(opened: Circuit, clock: Clock, enter: Enter) -> None:
    clock.now += 1.1
    assert enter(opened) is True
    opened.abandon_probe()
    assert enter(opened) is True


def test_a_failed_probe_waits_longer_than_the_one_before(opened: Circuit, clock: Clock, enter: Enter) -> None:
    clock.now += 1.1
    assert enter(opened) is True
    opened.failed(DOWN, probe=True)
    clock.now += 1.1
    with pytest.raises(TimeoutError):
        enter(opened, 0.05)
    clock.now += 0.5
    assert enter(opened) is True


def test_an_answer_closes_it_and_wakes_all_who_wait(opened: Circuit) -> None:
    async def story() -> list[bool]:
        waiting = [asyncio.create_task(opened.enter()) for _ in range(5)]
        await asyncio.sleep(0.01)
        opened.answered()
        return await asyncio.wait_for(asyncio.gather(*waiting), 1)

    assert asyncio.run(story()) == [False] * 5
    assert opened.complaint() == ""


def test_it_gives_up_when_patience_is_over(opened: Circuit, clock: Clock, enter: Enter) -> None:
    clock.now += 60.1
    with pytest.raises(EndpointDownError, match=r"http://model has answered nothing for 60 s \(connection refused\)"):
        enter(opened)


def test_an_endpoint_that_refuses_every_call_is_given_up_at_once(circuit: Circuit) -> None:
    refusal = ModelError("bad_request", "incorrect API key")

    def refuse() -> Iterator[None]:
        while True:
            yield circuit.failed(refusal, probe=False)

    refusals = refuse()
    for _ in range(FAILURES - 1):
        next(refusals)
    with pytest.raises(EndpointDownError, match=r"http://model refuses every call \(incorrect API key\): check model"):
        next(refusals)


def test_a_key_that_dies_later_opens_it_like_an_outage(circuit: Circuit) -> None:
    circuit.answered()
    for _ in range(FAILURES):
        circuit.failed(ModelError("refused", "no credit left"), probe=False)
    assert circuit.is_open


def test_a_wrong_key_is_given_up_at_once(circuit: Circuit) -> None:
    for _ in range(FAILURES - 1):
        circuit.failed(ModelError("refused", "wrong key"), probe=False)
    with pytest.raises(EndpointDownError, match="refuses every call"):
        circuit.failed(ModelError("refused", "wrong key"), probe=False)


def test_bad_requests_after_an_answer_are_the_calls_own(circuit: Circuit) -> None:
    circuit.answered()
    for _ in range(3 * FAILURES):
        circuit.failed(ModelError("bad_request", "no such tool"), probe=False)
    assert not circuit.is_open
