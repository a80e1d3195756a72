"""Near copies are found exactly: the same as when every conversation is compared with every other."""

import random

import pytest

from tdscaling_assets.quality.duplicates import NGRAM, SeenConversations, find_earlier_copies
from tdscaling_assets.schema import Message, ToolCall, Trajectory
from tdscaling_assets.text import word_ngrams

WORDS = [f"word{number}" for number in range(12)]


def conversation(number: int, text: str, calls: tuple[str, ...] = ("get",)) -> Trajectory:
    made = tuple(ToolCall(id=f"c{place}", name=name, arguments="{}") for place, name in enumerate(calls))
    return Trajectory(
        trajectory_id=f"t{number}",
        round="r01",
        batch="r01-b01",
        blueprint_id=f"b{number}",
        cluster_id="c",
        domain="d",
        tools=calls,
        messages=(Message(role="user", content=text), Message(role="assistant", tool_calls=made)),
        labels=("retrieve",),
        mode=("retrieve",),
        cac=1.0,
        outcome="completed",
        seed=1,
    )


def mutations(count: int, seed: int) -> list[Trajectory]:
    """Conversations of 0 to 60 words, most of them an earlier one with a few words changed."""
    rng = random.Random(seed)
    texts: list[list[str]] = [[]]
    for _ in range(count - 1):
        words = list(rng.choice(texts))
        if rng.random() < 0.2:
            words = rng.choices(WORDS, k=rng.randrange(60))
        for _ in range(rng.randrange(3)):
            words.insert(rng.randrange(len(words) + 1), rng.choice(WORDS))
        texts.append(words)
    sequences = (("get",), ("get", "put"), ())
    return [conversation(number, " ".join(words), rng.choice(sequences)) for number, words in enumerate(texts)]


def similarity(one: Trajectory, other: Trajectory) -> float:
    first, second = (
        word_ngrams(f"{item.messages[0].content}{' {}' * len(item.tools)}", NGRAM) for item in (one, other)
    )
    return len(first & second) / len(first | second) if first | second else 1.0


def is_copy(one: Trajectory, other: Trajectory, bound: float) -> bool:
    return one.tools == other.tools and one != other and similarity(one, other) >= bound


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bound", [0.05, 0.5, 0.8, 0.97, 1.0])
def test_copies_are_those_that_comparing_all_finds(bound: float, seed: int) -> None:
    earlier = mutations(120, seed)
    seen = SeenConversations(bound)
    found = 0
    for number, one in enumerate(earlier):
        expected = [other.trajectory_id for other in earlier[:number] if is_copy(one, other, bound)]
        assert seen.find_copies(one) == expected
        assert seen.find_copy(one) == (expected[0] if expected else None)
        seen.add(one)
        found += bool(expected)
    assert found > 5


@pytest.mark.parametrize("bound", [0.5, 0.97])
def test_an_earlier_copy_is_the_first_in_the_order_of_the_earlier_ones(bound: float) -> None:
    every = mutations(160, 7)
    earlier, batch = every[:80], every[80:]
    expected = {
        one.trajectory_id: next(other.trajectory_id for other in earlier if is_copy(one, other, bound))
        for one in batch
        if any(is_copy(one, other, bound) for other in earlier)
    }
    assert find_earlier_copies(iter(batch), iter(earlier), bound) == expected
    assert expected
