import polars as pl
import pytest

from tdscaling_assets.report.rounds import (
    applied_shares,
    first_plans,
    newest_batch,
    newest_rows,
    ordered,
    read_map,
    read_weights,
    spread,
)


def test_the_hundredth_batch_follows_the_ninety_ninth() -> None:
    names = ["r01-b100", "r01-b99", "r01-b02", "r02-b01", "r01-b99"]

    assert ordered(names) == ["r01-b02", "r01-b99", "r01-b100", "r02-b01"]


def test_the_newest_batch_is_the_last_by_number() -> None:
    frame = pl.DataFrame({"batch": ["r01-b99", "r01-b100"], "value": [1, 2]})

    assert newest_batch(frame) == "r01-b100"
    assert newest_rows(frame)["value"].to_list() == [2]
    assert newest_batch(frame.clear()) is None and newest_rows(frame.clear()).is_empty()


def test_a_spread_keeps_both_ends_and_the_order() -> None:
    names = [f"r{number:02d}" for number in range(1, 21)]

    assert spread(names, 6) == ["r01", "r05", "r09", "r12", "r16", "r20"]
    assert spread(names[:6], 6) == names[:6]


def test_a_rounds_plan_is_that_of_its_first_batch() -> None:
    plans = pl.DataFrame(
        {"round": ["r02", "r01", "r01"], "batch": ["r02-b01", "r01-b10", "r01-b9"], "cac_target": [3.0, 2.0, 1.0]}
    )

    assert [(name, plan["cac_target"]) for name, plan in first_plans(plans).items()] == [("r01", 1.0), ("r02", 3.0)]


@pytest.mark.parametrize(
    "stored",
    ['{"deepen": 0.25}', {"deepen": 0.25, "widen": None}, [{"key": "deepen", "value": 0.25}]],
    ids=["json", "struct", "map"],
)
def test_weights_are_read_however_they_are_stored(stored: object) -> None:
    assert read_weights(stored) == {"deepen": 0.25}


def test_nothing_stored_is_an_empty_map() -> None:
    assert read_map(None) == {} and read_map([]) == {}


def test_an_operator_counts_once_per_conversation() -> None:
    outcomes = pl.DataFrame({"operators": [["verify", "verify", "guard"], ["guard"], [], []]})

    assert applied_shares(outcomes) == {"guard": 0.5, "verify": 0.25}
