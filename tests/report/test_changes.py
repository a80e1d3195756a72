from dataclasses import replace

import polars as pl

from tdscaling_assets.report.changes import New, Shift, compare_rounds, decisions, find_new, round_changes
from tdscaling_assets.report.data import ReportData
from tdscaling_assets.schema import RoundPlan


def make_plan(**fields: object) -> dict[str, object]:
    plan = {
        "round": "r01",
        "domain_weights": {"a": 0.5, "b": 0.5},
        "mode_weights": {},
        "operator_weights": {"deepen": 1.0},
        "cac_target": 4.0,
        "temperature": 0.5,
        "parent_metrics": {},
        "reason": "",
    }
    return RoundPlan.model_validate(plan | fields).model_dump()


def make_outcomes(*rows: tuple[str, str, str, bool]) -> pl.DataFrame:
    """Rows of round, domain, mode and whether it was kept; a verify had a part in every kept one."""
    frame = pl.DataFrame(rows, schema=["round", "domain", "mode", "kept"], orient="row")
    operators = pl.Series([["verify"] if kept else [] for kept in frame["kept"]], dtype=pl.List(pl.String))
    return frame.with_columns(cac=pl.lit(2.0), operators=operators)


OUTCOMES = make_outcomes(
    ("r01", "a", "x", True),
    ("r01", "a", "x", True),
    ("r02", "b", "x", True),
    ("r02", "b", "y", False),
    ("r03", "b", "y", True),
    ("r03", "a", "z", True),
    ("r03", "c", "z", True),
    ("r03", "c", "z", False),
)


def test_what_moved_is_named_with_the_farthest_first() -> None:
    moved = decisions(make_plan(), make_plan(domain_weights={"a": 0.1, "b": 0.6, "c": 0.3}))

    assert [(one.name, one.shifts) for one in moved] == [
        (
            "Domains",
            (
                Shift("a", "50.0 %", "10.0 %", False),
                Shift("c", "0.0 %", "30.0 %", True),
                Shift("b", "50.0 %", "60.0 %", True),
            ),
        )
    ]


def test_each_decision_carries_its_own_sentence() -> None:
    why = {"cac_target": "Harder, since 75 % reached it.", "operator_weights": "Nothing was learned."}

    made = decisions(make_plan(), make_plan(cac_target=6.0, reasons=why))

    assert [(one.name, one.shifts, one.why) for one in made] == [
        ("Operators", (), "Nothing was learned."),
        ("CAC target", (Shift("", "4.0", "6.0", True),), "Harder, since 75 % reached it."),
    ]


def test_natural_weights_and_missing_targets_are_called_so() -> None:
    made = decisions(make_plan(), make_plan(mode_weights={"act": 1.0}, mode_targets={"retrieve>answer": 1.0}))

    assert [(one.name, one.shifts[0].before, one.shifts[0].after) for one in made] == [
        ("Labels", "natural", "100.0 %"),
        ("Modes aimed at", "none", "100.0 %"),
    ]


def test_more_moves_than_are_shown_are_counted() -> None:
    weights = {f"d{number}": 0.1 for number in range(10)}

    (domains,) = decisions(make_plan(domain_weights={}), make_plan(domain_weights=weights))

    assert (len(domains.shifts), domains.more) == (6, 4)


def test_clusters_are_called_by_their_names() -> None:
    (made,) = decisions(make_plan(), make_plan(cluster_weights={"c-1": 1.0}), {"c-1": "Shop: orders (rank 1)"})

    assert made.shifts == (Shift("Shop: orders (rank 1)", "natural", "100.0 %", True),)


def test_a_round_without_a_plan_has_no_decisions() -> None:
    assert decisions(None, make_plan()) == () == decisions(make_plan(), None)


def test_new_is_what_is_not_known_and_the_most_frequent_first() -> None:
    assert find_new(["x", "y", "z", "z"], {"x"}) == New((("z", 2), ("y", 1)), 2, 3)
    assert find_new([f"m{number}" for number in range(20)], set()).kinds == 20


def test_a_round_is_compared_with_all_up_to_the_other(report_data: ReportData) -> None:
    data = replace(report_data, outcomes=OUTCOMES)

    change = compare_rounds(data, "r02", "r03")

    assert change.modes == New((("z", 2), ("y", 1)), 2, 3)  # y was made before, but not kept
    assert change.domains == New((("c", 1),), 1, 1)


def test_what_came_of_it_is_measured_in_both_rounds(report_data: ReportData) -> None:
    change = compare_rounds(replace(report_data, outcomes=OUTCOMES), "r01", "r03")
    figures = {figure.name: (figure.before, figure.after) for figure in change.figures}

    assert figures["Kept"] == ("2", "3")
    assert figures["Acceptance"] == ("100.0%", "75.0%")
    assert figures["Domains kept"] == ("1", "3") and figures["Domain entropy"] == ("0.00", "1.58")
    assert figures["Modes kept"] == ("1", "2") and figures["Mode entropy"] == ("0.00", "0.92")
    assert change.operators == (Shift("verify", "100.0 %", "75.0 %", False),)


def test_a_round_that_kept_nothing_has_no_mean(report_data: ReportData) -> None:
    outcomes = OUTCOMES.with_columns(kept=pl.col("kept") & (pl.col("round") != "r02"))

    change = compare_rounds(replace(report_data, outcomes=outcomes), "r01", "r02")

    assert [figure.after for figure in change.figures if figure.name == "Mean CAC"] == ["–"]


def test_the_last_round_is_compared_with_the_first_and_each_with_the_one_before(report_data: ReportData) -> None:
    changes = round_changes(replace(report_data, outcomes=OUTCOMES))

    assert [(one.before, one.after) for one in changes] == [("r01", "r03"), ("r01", "r02"), ("r02", "r03")]
    assert [(one.before, one.after) for one in round_changes(report_data)] == [("r01", "r02")]


def test_one_round_has_nothing_to_differ_from(report_data: ReportData) -> None:
    assert round_changes(replace(report_data, outcomes=OUTCOMES.head(2))) == []
