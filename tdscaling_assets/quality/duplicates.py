"""Conversations in, near-copies out: word 5-gram Jaccard similarity among those with the same sequence of calls.

Exact, and without comparing all with all: n-grams are ordered by a hash, and two sets whose similarity reaches the
bound share one of their first few, as many as the bound leaves room to differ in (prefix filtering: Chaudhuri, Ganti
and Kaushik, ICDE 2006).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from tdscaling_assets.schema import Message, Trajectory
from tdscaling_assets.text import word_ngrams

NGRAM = 5

Calls = tuple[str, ...]
Grams = npt.NDArray[np.int64]


class SeenConversations:
    """What has been counted so far, as hashes of its n-grams: about 2 KB per conversation."""

    def __init__(self, similarity: float) -> None:
        self._similarity = similarity
        self._seen: list[tuple[str, Grams]] = []
        self._places: dict[tuple[Calls, int], list[int]] = defaultdict(list)

    def find_copy(self, trajectory: Trajectory) -> str | None:
        """The id of the first counted conversation that this one nearly repeats, or None."""
        return next(iter(self.find_copies(trajectory)), None)

    def find_copies(self, trajectory: Trajectory) -> list[str]:
        """The ids of all of those, in the order in which they were counted."""
        calls, grams = _calls(trajectory.messages), _grams(trajectory.messages)
        places = {place for gram in self._first(grams) for place in self._places.get((calls, gram), ())}
        near = (self._seen[place] for place in sorted(places))
        return [
            trajectory_id
            for trajectory_id, other in near
            if trajectory_id != trajectory.trajectory_id and _jaccard(grams, other) >= self._similarity
        ]

    def add(self, trajectory: Trajectory) -> None:
        """Count a conversation."""
        calls, grams = _calls(trajectory.messages), _grams(trajectory.messages)
        for gram in self._first(grams):
            self._places[calls, gram].append(len(self._seen))
        self._seen.append((trajectory.trajectory_id, grams))

    def _first(self, grams: Grams) -> list[int]:
        """Of any set as similar as the bound, one of these is a member, and one of its own first ones."""
        shared = math.ceil(self._similarity * grams.size - 1e-9)
        first: list[int] = grams[: grams.size - shared + 1].tolist()
        return first


def find_earlier_copies(
    batch: Iterable[Trajectory], earlier: Iterable[Trajectory], similarity: float
) -> dict[str, str]:
    """Of each conversation of the batch that nearly repeats earlier ones: its id, and that of the first of them.

    However many earlier ones there are, only what is compared of the batch is held in memory.
    """
    seen = SeenConversations(similarity)
    for trajectory in batch:
        seen.add(trajectory)
    copies: dict[str, str] = {}
    for one in earlier:
        for trajectory_id in seen.find_copies(one):
            copies.setdefault(trajectory_id, one.trajectory_id)
    return copies


def _calls(messages: Sequence[Message]) -> Calls:
    return tuple(call.name for message in messages for call in message.tool_calls)


def _grams(messages: Sequence[Message]) -> Grams:
    """Hashes of the n-grams in ascending order, never none: what has no word has one n-gram, the empty one."""
    spoken = [message.content or "" for message in messages if message.role in ("user", "assistant")]
    written = [call.arguments for message in messages for call in message.tool_calls]
    grams = word_ngrams(" ".join([*spoken, *written]), NGRAM) or {""}
    return np.unique(np.fromiter(map(hash, grams), dtype=np.int64, count=len(grams)))


def _jaccard(first: Grams, second: Grams) -> float:
    shared = np.intersect1d(first, second, assume_unique=True).size
    return shared / (first.size + second.size - shared)
