"""Batch keys, and when a round has given what it can."""

import math

import pytest

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.keys import batch_key, newest, next_batch, next_round, parse_key, round_of
from tdscaling_assets.evolution.plateau import NewRound, Wait, decide_next, is_plateau, plateau_gains

GROWING = {"r01-b01": {"h_mode_rarefied": 2.0, "cac_mean": 5.0}, "r01-b02": {"h_mode_rarefied": 2.2, "cac_mean": 5.0}}
STILL = {"r01-b01": {"h_mode_rarefied": 2.0, "cac_mean": 5.0}, "r01-b02": {"h_mode_rarefied": 2.01, "cac_mean": 4.0}}


def decide(
    history: dict[str, dict[str, float]], keys: list[str], reported: list[str], max_rounds: int = 8, window: int = 1
) -> NewRound | Wait:
    return decide_next(history, keys, reported, window=window, epsilon=0.02, max_rounds=max_rounds)


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
    assert isinstance(decision, Wait) and "h_mode_rarefied +10.0%" in decision.reason


def test_a_plateau_starts_a_new_round_and_says_the_figures() -> None:
    decision = decide(STILL, [*STILL], [*STILL])
    assert isinstance(decision, NewRound)
    assert decision.key == "r02-b01"
    assert "cac_mean -20.0%, h_mode_rarefied +0.5%" in decision.reason


def test_reports_of_older_rounds_do_not_count() -> None:
    history = {**STILL, "r02-b01": STILL["r01-b02"]}
    decision = decide(history, [*history], [*history])
    assert isinstance(decision, Wait) and "1 of the 2" in decision.reason
