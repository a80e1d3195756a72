"""What is a collapse, and what is healthy variation."""

import polars as pl
import pytest

from tdscaling_assets.metrics.collapse import (
    LEAST_KEPT,
    LEAST_REPEATS,
    Change,
    Repeat,
    collapse_signs,
    commonest,
    entropy_changes,
)

SHARES = {"persona": 0.5, "opening": 0.2, "template": 0.2}


def talks(count: int, **columns: list[object]) -> pl.DataFrame:
    """Trajectories that have nothing in common but what `columns` says, repeated over them."""
    rows: dict[str, list[object]] = {
        "trajectory_id": [f"t{i}" for i in range(count)],
        "domain": [f"d{i % 8}" for i in range(count)],
        "mode": [["act", "answer"] if i % 2 else ["retrieve", "answer"] for i in range(count)],
        "labels": [["act", "answer"] if i % 2 else ["retrieve", "answer"] for i in range(count)],
        "persona": [f"persona {i}" for i in range(count)],
        "opening": [f"please {'x' * i} mend it" for i in range(count)],
        "spoken": [["", f"done {'x' * i}"] for i in range(count)],
    }
    given = {name: [values[i % len(values)] for i in range(count)] for name, values in columns.items()}
    return pl.DataFrame({**rows, **given})


def change(frame: pl.DataFrame, metric: str) -> Change:
    (found,) = [one for one in entropy_changes(talks(120), frame) if one.metric == metric]
    return found


@pytest.mark.parametrize(
    ("metric", "collapsed"),
    [
        ("h_dom", {"domain": ["d0"]}),
        ("h_mode", {"mode": [["act", "answer"]]}),
        ("h_transition", {"labels": [["act", "answer"]]}),
        ("h_step", {"labels": [["answer", "answer"]]}),
    ],
)
def test_each_entropy_can_fall(metric: str, collapsed: dict[str, list[object]]) -> None:
    assert change(talks(120), metric).gain == 0
    assert change(talks(120, **collapsed), metric).gain < -0.3


def test_a_smaller_batch_that_is_as_varied_has_not_fallen() -> None:
    domains: list[object] = [f"d{i}" for i in range(60)]
    (rest, *_) = entropy_changes(talks(240, domain=domains), talks(100, domain=domains))
    assert (rest.metric, rest.n) == ("h_dom", 100)
    assert rest.gain > -0.01


def test_what_is_too_small_is_not_compared() -> None:
    few, enough = talks(LEAST_KEPT - 1), talks(LEAST_KEPT)
    assert entropy_changes(enough, few) == entropy_changes(few, enough) == []
    assert len(entropy_changes(enough, enough)) == 4


def test_a_rise_from_nothing_is_no_fall() -> None:
    assert Change(metric="h_dom", before=0, after=2, n=50).gain == 0


@pytest.mark.parametrize(
    ("kind", "columns", "text"),
    [
        ("persona", {"persona": ["the same one"]}, "the same one"),
        (
            "opening",
            {"opening": ["Hi! I need, today, order 17 sent.", "hi i need TODAY order 99 sent to me"]},
            "hi i need today order sent",
        ),
        (
            "template",
            {"labels": [["act", "answer"]], "spoken": [["On it.", "All is done: 17"], ["on it", "All is DONE, 99"]]},
            "act on it > answer all is done",
        ),
    ],
)
def test_what_all_have_in_common_is_a_sign(kind: str, columns: dict[str, list[object]], text: str) -> None:
    repeats = commonest(talks(30, **columns))
    assert Repeat(kind=kind, text=text, count=30, share=1.0) in repeats
    assert collapse_signs([], repeats, 0.15, SHARES) == [f"100.0% share the {kind} {text!r}"]


def test_healthy_variation_is_no_sign() -> None:
    frame = talks(100)
    assert collapse_signs(entropy_changes(frame, frame), commonest(frame), 0.15, SHARES) == []


def test_the_same_words_under_other_labels_are_another_template() -> None:
    frame = talks(30, spoken=[["On it.", "Done."]])
    templates = [one for one in commonest(frame) if one.kind == "template"]
    assert [one.count for one in templates] == [15, 15]


@pytest.mark.parametrize(
    ("count", "total", "told"), [(20, 100, False), (24, 100, False), (25, 100, True), (6, 21, False)]
)
def test_a_share_is_beyond_its_bound_by_more_than_its_error(count: int, total: int, told: bool) -> None:
    frame = talks(total, opening=["one and the same"] * count + [f"{'x' * i} other" for i in range(total - count)])
    (top,) = [one for one in commonest(frame) if one.text == "one and the same"]
    assert (top.count, top.share) == (count, count / total)
    signs = [f"{count / total:.1%} share the opening 'one and the same'"] if told else []
    assert collapse_signs([], [top], 0.15, SHARES) == signs


def test_few_repeats_say_nothing() -> None:
    assert collapse_signs([], commonest(talks(LEAST_REPEATS - 1, persona=["a"])), 0.15, SHARES) == []
    assert collapse_signs([], commonest(talks(LEAST_REPEATS, persona=["a"])), 0.15, SHARES) != []


def test_a_fall_is_told_with_its_figures() -> None:
    fell = Change(metric="h_mode", before=5.0, after=4.0, n=80)
    assert collapse_signs([fell], [], 0.15, SHARES) == ["h_mode fell by 20.0%, from 5.00 to 4.00 bits at n = 80"]
    assert collapse_signs([fell], [], 0.20, SHARES) == []


def test_what_is_unknown_or_empty_repeats_nothing() -> None:
    assert [one for one in commonest(talks(30, persona=[None], opening=["", None])) if one.kind != "template"] == []


def test_an_empty_batch_has_no_repeats() -> None:
    assert commonest(talks(30).clear()) == []
