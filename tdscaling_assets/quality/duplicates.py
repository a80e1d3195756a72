"""Conversations in, near-copies out: word 5-gram Jaccard similarity among those with the same sequence of calls."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from tdscaling_assets.schema import Message, Trajectory
from tdscaling_assets.text import word_ngrams

NGRAM = 5


class SeenConversations:
    """What has been kept so far, blocked by call sequence."""

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._blocks: dict[tuple[str, ...], list[tuple[str, set[str]]]] = defaultdict(list)

    def find_copy(self, trajectory: Trajectory) -> str | None:
        """The id of a kept conversation that this one nearly repeats, or None."""
        grams = _grams(trajectory.messages)
        for trajectory_id, other in self._blocks[_calls(trajectory.messages)]:
            if trajectory_id != trajectory.trajectory_id and _jaccard(grams, other) >= self._similarity:
                return trajectory_id
        return None

    def add(self, trajectory_id: str, messages: Sequence[Message]) -> None:
        """Count a conversation as kept."""
        self._blocks[_calls(messages)].append((trajectory_id, _grams(messages)))

    def add_all(self, kept: Iterable[Trajectory]) -> None:
        """Count all of these as kept."""
        for trajectory in kept:
            self.add(trajectory.trajectory_id, trajectory.messages)


def _calls(messages: Sequence[Message]) -> tuple[str, ...]:
    return tuple(call.name for message in messages for call in message.tool_calls)


def _grams(messages: Sequence[Message]) -> set[str]:
    spoken = [message.content or "" for message in messages if message.role in ("user", "assistant")]
    written = [call.arguments for message in messages for call in message.tool_calls]
    return word_ngrams(" ".join([*spoken, *written]), NGRAM)


def _jaccard(first: set[str], second: set[str]) -> float:
    union = len(first | second)
    return len(first & second) / union if union else 1.0
