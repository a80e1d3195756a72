import polars as pl
from report.drawn import words

from tdscaling_assets.report.domains import domain_figure, domain_order, frequent_half, tail_share


def make_outcomes(**domains: str) -> pl.DataFrame:
    """Kept trajectories of rounds, a letter for the domain of each."""
    rows = [(name, letter, True) for name, letters in domains.items() for letter in letters]
    return pl.DataFrame(rows, schema=["round", "domain", "kept"], orient="row")


OUTCOMES = make_outcomes(r01="aaaabbbccd", r02="abcde", r03="ddeee")


def test_domains_stand_in_the_order_of_the_first_round_in_every_panel() -> None:
    figure = domain_figure(OUTCOMES)
    heights = [[round(bar.get_height()) for bar in panel.patches[:5]] for panel in figure.axes]

    assert heights == [[40, 30, 20, 10, 0], [20] * 5, [0, 0, 0, 40, 60]]
    assert {"a", "b", "c", "d", "e"} <= set(words(figure))


def test_a_panel_says_how_much_is_outside_the_frequent_half() -> None:
    shown = words(domain_figure(OUTCOMES))

    assert "r01: 10 kept, 4 domains, 30 % outside the frequent half" in shown
    assert "r03: 5 kept, 2 domains, 100 % outside the frequent half" in shown


def test_the_tail_has_colours_of_its_own() -> None:
    bars = domain_figure(OUTCOMES).axes[0].patches[:5]

    colours = [bar.get_facecolor() for bar in bars]

    assert colours[0] == colours[1] and colours[2] == colours[3] and len(set(colours)) == 3


def test_unseen_domains_come_last() -> None:
    assert domain_order({"b": 0.7, "a": 0.3}, make_outcomes(r01="zzyab")) == ["b", "a", "z", "y"]


def test_the_middle_domain_is_frequent_and_what_is_new_is_tail() -> None:
    first = {"a": 0.5, "b": 0.3, "c": 0.2}

    assert frequent_half(first) == {"a", "b"}
    assert tail_share({"a": 0.5, "c": 0.1, "new": 0.4}, first) == 0.5


def test_many_rounds_are_shown_from_the_first_to_the_last() -> None:
    outcomes = make_outcomes(**{f"r{number:02d}": "abc" for number in range(1, 21)})

    titles = [panel.get_title(loc="left").split(":")[0] for panel in domain_figure(outcomes).axes]

    assert titles == ["r01", "r05", "r09", "r12", "r16", "r20"]


def test_thirty_nine_domains_are_all_named_and_eighty_counted() -> None:
    letters = [chr(200 + number) for number in range(80)]

    some, many = (domain_figure(make_outcomes(r01="".join(letters[:n]))) for n in (39, 80))

    assert set(letters[:39]) <= set(words(some))
    assert not set(letters) & set(words(many))
    assert "80 domains, the most frequent of the first round on the left" in words(many)
