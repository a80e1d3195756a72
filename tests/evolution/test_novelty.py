"""Novelty: the greedy order against brute force, what it prefers, and that a stale gain never hides a better one."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import polars as pl
import pytest

from tdscaling_assets.evolution.novelty import Candidate, choose_novel, keeping_decay
from tdscaling_assets.schema import RoundPlan

PLAN = RoundPlan(
    round="r02",
    domain_weights={},
    mode_weights={},
    operator_weights={},
    cac_target=8.0,
    temperature=0.4,
    parent_metrics={},
    reason="",
)


DECAY = 0.1


def draw(seed: int, size: int = 80) -> list[Candidate]:
    rng = random.Random(seed)
    return [
        Candidate(
            domain=rng.choice("aaaaabbbcd"),
            mode=rng.choice("uuuuuuvvvwwxyz"),
            cac=rng.uniform(1, 14),
            messages=rng.randint(2, 12),
        )
        for _ in range(size)
    ]


def entropy(values: Sequence[str]) -> float:
    shares = [count / len(values) for count in Counter(values).values()]
    return -sum(share * math.log2(share) for share in shares)


def gain_by_hand(candidate: Candidate, counts: tuple[Counter[str], Counter[str]], rest: tuple[float, float]) -> float:
    chance = math.exp(-DECAY * candidate.messages)
    total = chance * min(1.5, candidate.cac / PLAN.cac_target)
    for name, count, more in zip((candidate.domain, candidate.mode), counts, rest, strict=True):
        before, after = count[name], count[name] + chance
        rise = after * math.log2(after) - (before * math.log2(before) if before else 0.0)
        total += chance * more - rise
    return total / candidate.messages if total > 0 else total


@pytest.mark.parametrize("seed", range(8))
def test_the_order_is_that_of_plain_greedy(seed: int) -> None:
    candidates, kept = draw(seed), ({"a": 40, "b": 7}, {"u": 30, "v": 15, "w": 2})
    chosen, left = choose_novel(candidates, 30, *kept, PLAN, DECAY)
    counts = (Counter(kept[0]), Counter(kept[1]))
    rest = tuple(math.log2(47 + 30) - entropy([*count.elements()]) for count in counts)
    remaining = dict(enumerate(candidates))
    for choice in chosen:
        gains = {index: gain_by_hand(one, counts, rest) for index, one in remaining.items()}
        assert choice.gain == pytest.approx(max(gains.values()))
        assert choice.gain == pytest.approx(gains[choice.index])
        picked = remaining.pop(choice.index)
        counts[0][picked.domain] += math.exp(-DECAY * picked.messages)  # type: ignore[assignment]
        counts[1][picked.mode] += math.exp(-DECAY * picked.messages)  # type: ignore[assignment]
    assert {one.index for one in left} == set(remaining)
    for one in left:
        assert one.gain == pytest.approx(gain_by_hand(candidates[one.index], counts, rest))


def test_chosen_candidates_spread_more_than_drawn_ones() -> None:
    candidates = [one.model_copy(update={"cac": 6.0, "messages": 5}) for one in draw(1, 300)]
    chosen, _ = choose_novel(candidates, 60, {}, {}, PLAN, DECAY)
    for part in ("domain", "mode"):
        drawn, picked = (
            [getattr(one, part) for one in some] for some in (candidates, [candidates[one.index] for one in chosen])
        )
        most = math.log2(len(set(drawn)))
        assert most - entropy(picked) < 0.1 * (most - entropy(drawn))


def test_what_was_kept_before_is_not_chosen_again_while_there_is_something_new() -> None:
    candidates = [Candidate(domain="a", mode=mode, cac=4, messages=3) for mode in ("u", "u", "v")]
    chosen, _ = choose_novel(candidates, 1, {"a": 100}, {"u": 100}, PLAN, DECAY)
    assert chosen[0].index == 2


def test_of_two_that_are_as_new_and_reach_the_target_the_likelier_is_chosen() -> None:
    candidates = [Candidate(domain="a", mode=mode, cac=12, messages=said) for mode, said in (("u", 9), ("v", 4))]
    assert choose_novel(candidates, 1, {"a": 9}, {"w": 9}, PLAN, DECAY)[0][0].index == 1


def test_modes_aimed_at_come_first_up_to_their_share_of_half_the_batch() -> None:
    candidates = [Candidate(domain="a", mode="u", cac=4, messages=3)] * 30 + [
        Candidate(domain="a", mode=f"m{n}", cac=4, messages=3) for n in range(30)
    ]
    aimed = PLAN.model_copy(update={"mode_targets": {"u": 1.0}})
    chosen, _ = choose_novel(candidates, 20, {"a": 50}, {"u": 50}, aimed, DECAY)
    assert [candidates[one.index].mode for one in chosen[:10]] == ["u"] * 10
    assert "u" not in [candidates[one.index].mode for one in chosen[10:]]


def test_one_of_hundreds_of_targets_does_not_come_first() -> None:
    candidates = [Candidate(domain="a", mode=mode, cac=4, messages=3) for mode in ("u", "v")]
    targets = dict.fromkeys(("u", *(f"m{n}" for n in range(199))), 0.005)
    aimed = PLAN.model_copy(update={"mode_targets": targets})
    assert choose_novel(candidates, 1, {"a": 50}, {"u": 50}, aimed, DECAY)[0][0].index == 1


@pytest.mark.parametrize("wanted", [0, 3, 99])
def test_nothing_is_lost(wanted: int) -> None:
    candidates = draw(2, 10)
    chosen, left = choose_novel(candidates, wanted, {}, {}, PLAN, DECAY)
    assert len(chosen) == min(wanted, 10)
    assert sorted(one.index for one in (*chosen, *left)) == list(range(10))


def test_the_decay_foretells_as_many_as_were_kept() -> None:
    planned = pl.Series([2, 4, 8, 8, 16] * 20)
    decay = keeping_decay(planned, 37)
    assert sum(math.exp(-decay * messages) for messages in planned) == pytest.approx(37)
    assert keeping_decay(planned, 80) < decay < keeping_decay(planned, 5)


def test_nothing_lost_and_nothing_known_is_no_decay() -> None:
    assert keeping_decay(pl.Series([3, 5]), 2) == 0.0 == keeping_decay(pl.Series([], dtype=pl.Int64), 0)
