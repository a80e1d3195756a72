"""Batch keys, and when a round has given what it can."""

import math

import pytest

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.keys import batch_key, newest, next_batch, next_round, parse_key, round_of
from tdscaling_assets.evolution.plateau import (
    NewRound,
    Wait,
    compared_batches,
    decide_next,
    is_plateau,
    plain_name,
    plateau_gains,
)

GROWING = {"r01-b01": {"h_mode_rarefied": 2.0, "cac_mean": 5.0}, "r01-b02": {"h_mode_rarefied": 2.2, "cac_mean": 5.0}}
STILL = {"r01-b01": {"h_mode_rarefied": 2.0, "cac_mean": 5.0}, "r01-b02": {"h_mode_rarefied": 2.01, "cac_mean": 4.0}}


def decide(
    history: dict[str, dict[str, float]],
    keys: list[str],
    reported: list[str],
    max_rounds: int = 8,
    window: int = 1,
    ceiling_rounds: int = 3,
) -> NewRound | Wait:
    return decide_next(
        history,
        keys,
        reported,
        window=window,
        epsilon=0.02,
        max_rounds=max_rounds,
        ceiling_rounds=ceiling_rounds,
    )


def rounds_of(*values: tuple[float, float]) -> dict[str, dict[str, float]]:
    """A round of two batches per pair of values."""
    return {
        f"r{number:02d}-b{batch:02d}": {"h_mode_rarefied": value}
        for number, pair in enumerate(values, 1)
        for batch, value in enumerate(pair, 1)
    }


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("numbers", "key"), [((1, 1), "r01-b01"), ((12, 3), "r12-b03"), ((100, 250), "r100-b250")])
def test_keys_are_written_and_read(numbers: tuple[int, int], key: str) -> None:
    assert batch_key(*numbers) == key
    assert parse_key(key) == numbers


@pytest.mark.parametrize("text", ["", "r1-b1", "r01", "r01-b01 ", "x01-b01"])
def test_what_is_not_a_key_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="r01-b01"):
        parse_key(text)


def test_the_round_of_a_batch() -> None:
    assert round_of("r02-b07") == "r02"


def test_the_newest_is_by_number_not_by_text() -> None:
    assert newest(["r99-b01", "r100-b01", "r02-b03"]) == "r100-b01"


def test_the_next_batch_belongs_to_the_newest_round() -> None:
    assert next_batch(["r01-b09", "r02-b01", "r01-b01"]) == "r02-b02"


def test_the_next_round_starts_at_its_first_batch() -> None:
    assert next_round(["r01-b09", "r02-b03"]) == "r03-b01"


def test_everything_starts_at_the_first_batch() -> None:
    assert next_batch([]) == next_round([]) == "r01-b01"


# ── plateau ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("before", "after", "still"),
    [
        ({"a": 2.0, "b": 3.0}, {"a": 2.0, "b": 3.0}, True),
        ({"a": 2.0, "b": 3.0}, {"a": 2.03, "b": 3.0}, True),
        ({"a": 2.0, "b": 3.0}, {"a": 2.05, "b": 3.0}, False),
        ({"a": 2.0, "b": 3.0}, {"a": 1.0, "b": 3.0}, True),
        ({"a": 2.0, "b": 3.0}, {"a": 1.0, "b": 4.0}, False),
        ({"a": 0.0}, {"a": 0.0}, True),
        ({"a": 0.0}, {"a": 0.1}, False),
        ({"a": 100.0}, {"a": 102.0}, False),
        ({"a": 2.0, "b": 3.0}, {"a": 2.0}, False),
        ({"a": 2.0}, {"a": 2.0, "b": 3.0}, False),
        ({"a": 2.0}, {"a": math.nan}, False),
        ({}, {}, False),
    ],
)
def test_plateau_truth_table(before: dict[str, float], after: dict[str, float], still: bool) -> None:
    assert is_plateau([before, after], window=1, epsilon=0.02) is still


def test_too_few_points_are_no_plateau() -> None:
    assert not is_plateau([{"a": 1.0}, {"a": 1.0}], window=2, epsilon=0.02)


def test_the_window_compares_its_two_ends() -> None:
    history = [{"a": 1.0}, {"a": 9.0}, {"a": 9.1}, {"a": 9.2}]
    assert is_plateau(history, window=1, epsilon=0.02)
    assert not is_plateau(history, window=2, epsilon=0.02)


def test_gains_are_relative_and_negative_for_a_fall() -> None:
    assert plateau_gains([{"a": 4.0, "b": 2.0}, {"a": 5.0, "b": 1.0}], 1) == {"a": 0.25, "b": -0.5}


LEVELS = ("h_mode_rarefied", "h_mode_rarefied_200", "h_mode_rarefied_1000")


@pytest.mark.parametrize(
    ("before", "after", "compared"),
    [
        ((6.0, 7.0, 8.0), (6.0, 7.0, 9.0), {"h_mode_rarefied_1000": 0.125}),
        ((6.0, 7.0), (6.0, 7.7, 9.0), {"h_mode_rarefied_200": 0.1}),
        ((6.0, 7.0, math.nan), (6.0, 7.7, 9.0), {"h_mode_rarefied_200": 0.1}),
        ((6.0,), (9.0, 7.0, 9.0), {"h_mode_rarefied": 0.5}),
    ],
)
def test_an_entropy_is_compared_at_the_largest_size_that_both_ends_have(
    before: tuple[float, ...], after: tuple[float, ...], compared: dict[str, float]
) -> None:
    history = [dict(zip(LEVELS, values, strict=False)) for values in (before, after)]
    assert plateau_gains(history, 1) == pytest.approx(compared)


def test_a_gain_that_only_a_large_size_shows_is_no_plateau() -> None:
    history = [{"h_mode_rarefied": 6.6, "h_mode_rarefied_1000": 8.0}, {"h_mode_rarefied": 6.6, LEVELS[2]: 8.4}]
    assert not is_plateau(history, window=1, epsilon=0.02)


def test_a_size_that_only_one_end_has_is_not_a_metric_that_is_missing() -> None:
    assert is_plateau([{"h_mode_rarefied": 6.6}, {"h_mode_rarefied": 6.6, LEVELS[2]: 8.4}], window=1, epsilon=0.02)


def test_an_entropy_without_a_common_size_is_no_plateau() -> None:
    assert not is_plateau([{"cac": 5.0, LEVELS[1]: 6.0}, {"cac": 5.0, LEVELS[2]: 6.0}], window=1, epsilon=0.02)


def test_a_size_is_compared_by_number_not_by_text() -> None:
    ends = {"h_dom_rarefied_500": 1.0, "h_dom_rarefied_1000": 1.0, "h_dom_rarefied_200": 1.0}
    assert list(plateau_gains([ends, ends], 1)) == ["h_dom_rarefied_1000"]


@pytest.mark.parametrize(
    ("metric", "plain"),
    [("h_dom_rarefied_500", "h_dom_rarefied"), ("h_dom_rarefied", "h_dom_rarefied"), ("cac_mean", "cac_mean")],
)
def test_the_plain_name_has_no_size(metric: str, plain: str) -> None:
    assert plain_name(metric) == plain


# ── decision ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_batch_it_waits() -> None:
    decision = decide({}, [], [])
    assert isinstance(decision, Wait) and "no batch" in decision.reason


def test_it_waits_for_the_report_of_the_newest_batch() -> None:
    decision = decide(STILL, ["r01-b01", "r01-b02", "r01-b03"], ["r01-b01", "r01-b02"])
    assert isinstance(decision, Wait) and "r01-b03" in decision.reason


def test_it_waits_at_the_last_round() -> None:
    decision = decide(STILL, [*STILL], [*STILL], max_rounds=1)
    assert isinstance(decision, Wait) and "max_rounds" in decision.reason


def test_it_waits_when_nothing_was_kept() -> None:
    decision = decide({"r01-b01": GROWING["r01-b01"], "r01-b02": {}}, [*STILL], [*STILL])
    assert isinstance(decision, Wait) and "no steering metrics" in decision.reason


def test_it_waits_for_enough_reports() -> None:
    decision = decide(STILL, [*STILL], [*STILL], window=2)
    assert isinstance(decision, Wait) and "2 of the 3" in decision.reason


def test_it_waits_while_a_metric_gains() -> None:
    decision = decide(GROWING, [*GROWING], [*GROWING])
    assert isinstance(decision, Wait) and "h_mode rarefied +10.0%" in decision.reason


def test_a_plateau_starts_a_new_round_and_says_the_figures() -> None:
    decision = decide(STILL, [*STILL], [*STILL])
    assert isinstance(decision, NewRound)
    assert decision.key == "r02-b01"
    assert "cac_mean -20.0%, h_mode rarefied +0.5%" in decision.reason


def test_reports_of_older_rounds_do_not_count() -> None:
    history = {**STILL, "r02-b01": STILL["r01-b02"]}
    decision = decide(history, [*history], [*history])
    assert isinstance(decision, Wait) and "1 of the 2" in decision.reason


def test_sentences_name_the_size_of_an_entropy() -> None:
    history = {"r01-b01": {"h_mode_rarefied_500": 5.0}, "r01-b02": {"h_mode_rarefied_500": 5.06}}
    assert "h_mode at n = 500 +1.2%" in decide(history, [*history], [*history]).reason


def test_it_stops_when_the_rounds_of_the_ceiling_gained_nothing() -> None:
    history = rounds_of((3.0, 3.0), (3.1, 3.0), (3.02, 3.03), (3.04, 3.05))
    decision = decide(history, [*history], [*history])
    assert isinstance(decision, Wait) and decision.stop == "ceiling"
    assert "rounds 2 to 4 gained nothing (h_mode rarefied +1.7% since r01-b02, all below +2.0%)" in decision.reason


def test_rounds_that_gain_little_each_but_enough_together_are_no_ceiling() -> None:
    history = rounds_of((3.0, 3.0), (3.03, 3.03), (3.06, 3.06), (3.09, 3.09))
    assert decide(history, [*history], [*history]) == NewRound(
        key="r05-b01", reason="Round 4 stands still over the last batch: h_mode rarefied +0.0%, all below +2.0%."
    )


def test_a_ceiling_needs_a_round_from_before_it() -> None:
    history = rounds_of((3.0, 3.0), (3.0, 3.0), (3.0, 3.0))
    assert isinstance(decide(history, [*history], [*history]), NewRound)


def test_a_round_that_still_gains_is_not_at_its_ceiling() -> None:
    history = rounds_of((3.0, 3.0), (2.0, 3.0))
    decision = decide(history, [*history], [*history], ceiling_rounds=1)
    assert isinstance(decision, Wait) and "still gains" in decision.reason


def test_a_ceiling_of_one_round_names_that_round() -> None:
    history = rounds_of((3.0, 3.0), (3.0, 3.0))
    assert ": round 2 gained nothing (" in decide(history, [*history], [*history], ceiling_rounds=1).reason


def test_the_compared_batches_alone_decide() -> None:
    history = rounds_of((3.0, 3.0), (3.1, 3.0), (3.02, 3.03), (3.04, 3.05))
    before, window = compared_batches(history, window=1, ceiling_rounds=3)
    assert (before, window) == ("r01-b02", ["r04-b01", "r04-b02"])
    few = {key: history[key] for key in ["r01-b02", *window]}
    assert decide(few, [*history], [*history]) == decide(history, [*history], [*history])


def test_the_last_round_says_that_it_is_a_stop() -> None:
    decision = decide(STILL, [*STILL], [*STILL], max_rounds=1)
    assert isinstance(decision, Wait) and decision.stop == "max_rounds"
