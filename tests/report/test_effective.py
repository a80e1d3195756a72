import polars as pl
import pytest
from report.drawn import words

from tdscaling_assets.report.effective import effective_figure


def make_outcomes(**modes: str) -> pl.DataFrame:
    """Kept trajectories of rounds, a letter for the mode and the domain of each; and one that was rejected."""
    rows = [(name, letter, letter, True) for name, letters in modes.items() for letter in letters]
    return pl.DataFrame([*rows, ("r01", "z", "z", False)], schema=["round", "domain", "mode", "kept"], orient="row")


def test_dots_are_two_to_the_entropy_of_the_round_and_of_all_up_to_it() -> None:
    figure = effective_figure(make_outcomes(r01="ab", r02="ccdd"))

    for panel in figure.axes:
        drawn = {line.get_label(): list(line.get_xdata()) for line in panel.lines}
        assert drawn["round alone"] == pytest.approx([2.0, 2.0])
        assert drawn["all kept so far"] == pytest.approx([2.0, 2 ** (1 + 0.918296)], rel=1e-5)


def test_the_papers_figures_stand_beside() -> None:
    figure = effective_figure(make_outcomes(r01="ab"))
    dashed = [[float(line.get_xdata()[0]) for line in panel.lines if line.is_dashed()] for panel in figure.axes]

    assert dashed[0] == pytest.approx([19.03, 4.44], abs=0.01)
    assert dashed[1] == pytest.approx([501.5, 42.8], abs=0.1)
    assert {"19.0", "4.4", "501.5", "42.8", "paper", "its baseline"} <= set(words(figure))


def test_nothing_kept_says_so() -> None:
    assert words(effective_figure(make_outcomes(r01="a").clear())) == ["no trajectory kept yet"] * 2


def test_a_single_round_is_drawn_in_full() -> None:
    """Its own figures are those of all so far: an axis that fitted them alone would have no width."""
    for panel in effective_figure(make_outcomes(r01="abcdefghijklmnop")).axes:
        low, high = panel.get_xlim()
        assert low < 4.4 < 16.0 < 501.5 < high or low < 4.4 < 16.0 < 19.0 < high
