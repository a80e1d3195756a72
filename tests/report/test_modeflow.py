import polars as pl
import pytest
from matplotlib.patches import PathPatch
from report.drawn import words

from tdscaling_assets.report.modeflow import count_flow, first_and_last, mode_flow_figure

MODES = ["retrieve>act>answer"] * 6 + ["retrieve>answer"] * 3 + ["decline"]


def make_outcomes(modes: list[str], round_name: str = "r01") -> pl.DataFrame:
    return pl.DataFrame({"round": round_name, "mode": modes, "kept": True})


def test_nodes_and_bands_count_conversations() -> None:
    nodes, bands = count_flow([mode.split(">") for mode in MODES])

    assert nodes == {(0, "retrieve"): 9, (0, "decline"): 1, (1, "act"): 6, (1, "answer"): 3, (2, "answer"): 6}
    assert bands == {
        ((0, "retrieve"), (1, "act")): 6,
        ((0, "retrieve"), (1, "answer")): 3,
        ((1, "act"), (2, "answer")): 6,
    }


def test_a_band_is_as_high_as_the_share_that_takes_it() -> None:
    bands = [
        patch for patch in mode_flow_figure(make_outcomes(MODES), "r01").axes[0].patches if type(patch) is PathPatch
    ]

    ends = [patch.get_path().vertices for patch in bands]

    assert [round(float(corners[7][1] - corners[0][1]), 6) for corners in ends] == [0.6, 0.3, 0.6]
    assert [round(float(corners[4][1] - corners[3][1]), 6) for corners in ends] == [0.6, 0.3, 0.6]


def test_bands_leave_and_enter_within_their_nodes() -> None:
    bands = [
        patch for patch in mode_flow_figure(make_outcomes(MODES), "r01").axes[0].patches if type(patch) is PathPatch
    ]
    first, second = (patch.get_path().vertices for patch in bands[:2])

    assert float(second[0][1]) == pytest.approx(float(first[0][1]) + 0.6)  # below the band before it, at the same node


def test_nodes_are_named_with_their_share() -> None:
    shown = words(mode_flow_figure(make_outcomes(MODES), "r01"))

    assert {"retrieve 90 %", "decline 10 %", "act 60 %", "answer 30 %", "answer 60 %"} <= set(shown)
    assert "r01: 10 kept, 3 modes" in shown and "3rd" in shown and "4th" not in shown


def test_modes_of_more_than_six_labels_are_cut_and_counted() -> None:
    long = "clarify>retrieve>parallel>compute>confirm>act>verify>answer"

    shown = words(mode_flow_figure(make_outcomes([long, "answer"]), "r01"))

    assert "r01: 2 kept, 2 modes; 50 % go on to more labels" in shown
    assert not any(text.startswith("verify") for text in shown)


def test_rejected_conversations_and_other_rounds_do_not_flow() -> None:
    rejected = make_outcomes(["clarify"]).with_columns(kept=pl.lit(False))
    outcomes = pl.concat([make_outcomes(MODES), rejected, make_outcomes(["confirm"], "r02")])

    shown = words(mode_flow_figure(outcomes, "r01"))

    assert not any(text.startswith(("clarify", "confirm")) for text in shown)


def test_first_and_last_are_one_where_there_is_one_round() -> None:
    one, other = make_outcomes(MODES), make_outcomes(MODES, "r02")

    assert first_and_last(one) == ["r01"]
    assert first_and_last(pl.concat([other, one])) == ["r01", "r02"]
    assert first_and_last(one.clear()) == [None]


def test_nothing_kept_says_so() -> None:
    assert words(mode_flow_figure(make_outcomes(MODES).clear(), None)) == ["no trajectory kept yet"]
