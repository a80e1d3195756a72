"""Mode targets: rare modes and reachable new ones, as probabilities, as a function of the counts and the seed."""

import math
import random

import pytest

from tdscaling_assets.evolution.plan import label_weights
from tdscaling_assets.evolution.targets import LONGEST, TARGETS_PER_BLUEPRINT, is_possible, mode_targets
from tdscaling_assets.schema import LABELS

SIZE, TARGETS = 120, round(120 * TARGETS_PER_BLUEPRINT)
KEPT = {
    "retrieve>answer": 500,
    "retrieve>act>answer": 300,
    "clarify>retrieve>answer": 40,
    "act>verify>answer": 9,
    "act>answer>decline": 1,
}


def targets(
    kept: dict[str, int] = KEPT, seed: int = 1, labels: dict[str, float] | None = None, decay: float = 0.0
) -> dict[str, float]:
    return mode_targets(kept, labels or label_weights({}), decay, SIZE, random.Random(seed))


def test_rare_modes_weigh_more_than_frequent_ones_and_new_ones_most() -> None:
    drawn = targets()
    new = [mode for mode in drawn if mode not in KEPT]
    assert new and set(KEPT) - set(drawn) == {"retrieve>answer"}, (
        "more than half of all: one more would lower the entropy"
    )
    as_long = [drawn[mode] for mode in new if mode.count(">") == 2]
    assert as_long and min(as_long) > drawn["act>answer>decline"] > drawn["retrieve>act>answer"] > 0
    assert sum(drawn.values()) == pytest.approx(1.0)


def test_new_modes_are_one_label_away_and_follow_steps_that_were_seen() -> None:
    steps = {pair for mode in KEPT for pair in zip(["", *mode.split(">")], [*mode.split(">"), ""], strict=True)}
    for mode in set(targets()) - set(KEPT):
        labels = mode.split(">")
        assert any(
            [*labels[:cut], *labels[cut + 1 :]] == seen.split(">") for seen in KEPT for cut in range(len(labels))
        )
        assert set(zip(["", *labels], [*labels, ""], strict=True)) <= steps
    assert "clarify>retrieve>act>answer" in targets()
    assert "retrieve>decline>answer" not in targets()


def test_half_of_many_targets_are_new_and_none_is_too_long() -> None:
    rng = random.Random(3)
    kept = {">".join([*rng.sample(LABELS, rng.randint(1, 9))]): rng.randint(1, 50) for _ in range(400)}
    drawn = targets(kept)
    assert len(drawn) == TARGETS
    assert sum(mode not in kept for mode in drawn) == TARGETS // 2
    assert all(len(mode.split(">")) <= LONGEST for mode in drawn)


def test_new_modes_with_a_label_in_deficit_come_first() -> None:
    rng = random.Random(5)
    kept = {">".join(rng.sample(LABELS, 4)): 3 for _ in range(300)}
    share = []
    for labels in (dict.fromkeys(LABELS, 0.1), {**dict.fromkeys(LABELS, 0.01), "verify": 0.91}):
        new = [mode for seed in range(5) for mode in targets(kept, seed, labels) if mode not in kept]
        share.append(sum("verify" in mode for mode in new) / len(new))
    assert share[1] > 1.3 * share[0]


def test_of_modes_as_rare_those_likelier_to_be_kept_come_first() -> None:
    rng = random.Random(5)
    kept = {">".join(rng.sample(LABELS, rng.randint(2, 8))): 1 for _ in range(400)}
    lengths = []
    for decay in (0.0, 0.5):
        drawn = targets(kept, decay=decay)
        lengths.append(sum(share * len(mode.split(">")) for mode, share in drawn.items()))
        one, two = (next(mode for mode in drawn if mode in kept and len(mode.split(">")) == size) for size in (2, 4))
        assert drawn[two] / drawn[one] == pytest.approx(math.exp(-2 * decay) / 2)
    assert lengths[1] < lengths[0] - 1


def test_the_seed_decides() -> None:
    rng = random.Random(5)
    kept = {">".join(rng.sample(LABELS, 4)): 3 for _ in range(300)}
    assert targets(kept, 1) == targets(kept, 1) != targets(kept, 2)


def test_nothing_kept_gives_no_target() -> None:
    assert targets({}) == {} == targets({"act>answer": 0})


@pytest.mark.parametrize(
    ("mode", "possible"),
    [
        ("retrieve>act>verify>answer", True),
        ("clarify>act>answer", True),
        ("answer", True),
        ("", False),
        ("retrieve>act", False),
        ("verify>answer", False),
        ("recover>answer", False),
        ("act>act>answer", False),
        ("act>dance>answer", False),
    ],
)
def test_modes_that_a_conversation_can_have(mode: str, possible: bool) -> None:
    assert is_possible(mode.split(">")) is possible
