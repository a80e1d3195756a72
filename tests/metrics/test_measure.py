"""A small frame measured by the pipeline's own functions, against sums a reader can redo."""

import math
from collections import Counter
from itertools import pairwise

import polars as pl
import pytest

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.diversity import transition_counts
from tdscaling_assets.metrics.measure import STEERING, measure, metric_values

LABELS = [
    ["clarify", "retrieve", "act", "answer"],
    ["retrieve", "answer"],
    ["retrieve", "retrieve", "answer"],
    ["decline"],
]
FRAME = pl.DataFrame(
    {
        "trajectory_id": ["t1", "t2", "t3", "t4"],
        "domain": ["bank", "bank", "shop", "shop"],
        "labels": LABELS,
        "mode": [list(dict.fromkeys(labels)) for labels in LABELS],
        "cac": [9.0, 3.0, 5.0, 1.0],
        "cluster_id": ["c1", "c1", "c2", "c3"],
        "calls": [["get", "pay"], ["get"], ["get", "get"], []],
    },
    schema_overrides={"calls": pl.List(pl.String)},
)
EDGES = pl.DataFrame(
    {
        "producer_id": ["get", "get", "pay", "get", "ship"],
        "consumer_id": ["pay", "pay", "get", "get", "pay"],
    }
)
CONTEXT = MeasureContext(
    batch="r01-b01",
    scope="batch",
    rarefaction=2,
    resamples=50,
    seed=1,
    cac_target=5.0,
    tools=frozenset(("get", "pay", "ship", "cancel")),
    clusters=frozenset(("c1", "c2", "c3", "c4", "c5", "c6")),
    generated=10,
    kept=4,
    near_duplicates=1,
    tokens=1000,
    usd=0.5,
)


def figures(frame: pl.DataFrame = FRAME, context: MeasureContext = CONTEXT) -> dict[str, float]:
    return metric_values(measure(frame, context, EDGES))


def entropy(items: list[object]) -> float:
    shares = [count / len(items) for count in Counter(items).values()]
    return -sum(share * math.log2(share) for share in shares)


def test_entropies_agree_with_a_plain_loop() -> None:
    steps = [label for labels in LABELS for label in labels]
    pairs = [pair for labels in LABELS for pair in pairwise(labels)]
    expected = {"h_dom": 1.0, "h_mode": 1.5, "h_step": entropy([*steps]), "h_transition": entropy([*pairs])}
    found = figures()
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-9)


def test_transitions_stay_within_a_trajectory() -> None:
    frame = pl.DataFrame({"labels": [["act", "answer"], ["act"], [], ["answer", "act"]]})
    assert transition_counts(frame) == [1, 1]


def test_each_entropy_is_also_corrected_and_rarefied() -> None:
    found = figures()
    for name in ("h_dom", "h_mode", "h_transition", "h_step"):
        assert found[f"{name}_mm"] > found[name] > found[f"{name}_rarefied"]


def test_spread_of_two_even_domains() -> None:
    found = figures()
    assert (found["effective_domains"], found["evenness_dom"]) == (2.0, 1.0)


def test_complexity_rows() -> None:
    found = figures()
    assert (found["cac_mean"], found["cac_p50"], found["cac_above_target"]) == (4.5, 4.0, 0.5)
    assert found["cac_p95"] == pytest.approx(8.4)


def test_no_target_no_share_above_it() -> None:
    assert "cac_above_target" not in figures(context=CONTEXT.model_copy(update={"cac_target": None}))


def test_coverage_counts_an_edge_once_and_only_in_order() -> None:
    """Pairs of the catalog: get→pay (called in order), pay→get (not), get→get (t3), ship→pay (not)."""
    found = figures()
    assert (found["tool_coverage"], found["edge_coverage"], found["cluster_coverage"]) == (0.5, 0.5, 0.5)


def test_what_is_gone_from_the_catalog_covers_nothing() -> None:
    """Left are a tool that is called and one that is not, a cluster with a trajectory and one without."""
    left = {"tools": frozenset(("get", "ship")), "clusters": frozenset(("c1", "c9"))}
    found = figures(context=CONTEXT.model_copy(update=left))
    assert (found["tool_coverage"], found["cluster_coverage"]) == (0.5, 0.5)


def test_an_edge_across_two_trajectories_is_not_covered() -> None:
    frame = FRAME.with_columns(calls=pl.Series([["get"], ["pay"], [], []], dtype=pl.List(pl.String)))
    assert figures(frame)["edge_coverage"] == 0.0


def test_coverage_needs_edges() -> None:
    assert not any("coverage" in row.metric for row in measure(FRAME, CONTEXT))


def test_rates_and_costs() -> None:
    found = figures()
    assert (found["acceptance_rate"], found["near_duplicate_rate"]) == (0.4, 0.1)
    assert (found["tokens_per_kept"], found["usd_per_kept"]) == (250.0, 0.125)
    assert found["tokens_per_bit"] == pytest.approx(1000 / (4 * 1.5))
    assert found["usd_per_bit"] == pytest.approx(0.5 / (4 * 1.5))


def test_final_states_agree_where_they_can_be_checked() -> None:
    checked = CONTEXT.model_copy(update={"checkable": 8, "agreeing": 6})
    assert figures(context=checked)["final_state_agreement"] == 0.75
    assert "final_state_agreement" not in figures()


def test_levels_are_measured_where_the_set_is_as_large() -> None:
    found = figures(pl.concat([FRAME] * 125))
    for name in ("h_dom", "h_mode"):
        assert found[f"{name}_rarefied"] < found[f"{name}_rarefied_200"] < found[f"{name}_rarefied_500"] == found[name]
        assert f"{name}_rarefied_1000" not in found


def test_an_unknown_price_has_no_row() -> None:
    assert not any(name.startswith("usd") for name in figures(context=CONTEXT.model_copy(update={"usd": None})))


def test_unknown_tokens_are_no_zero_per_bit() -> None:
    assert "tokens_per_bit" not in figures(context=CONTEXT.model_copy(update={"tokens": 0}))


def test_a_set_without_information_has_no_cost_per_bit() -> None:
    assert not any(name.endswith("per_bit") for name in figures(FRAME.head(1)))


def test_an_empty_set_has_rates_but_no_figures_of_its_members() -> None:
    empty = FRAME.clear()
    rows = measure(empty, CONTEXT.model_copy(update={"kept": 0}), EDGES)
    found = metric_values(rows)
    assert set(found) == {
        "tool_coverage",
        "edge_coverage",
        "cluster_coverage",
        "acceptance_rate",
        "near_duplicate_rate",
    }
    assert found["acceptance_rate"] == found["tool_coverage"] == 0.0


def test_nothing_generated_has_no_row_at_all() -> None:
    assert measure(FRAME.clear(), MeasureContext(batch="r01-b01", scope="batch")) == []


def test_every_interval_holds_its_value() -> None:
    bounded = [row for row in measure(FRAME, CONTEXT) if row.ci_low is not None and row.ci_high is not None]
    assert [row.metric for row in bounded] == ["h_dom", "h_mode", "h_transition", "h_step", "cac_mean"]
    assert all((row.ci_low or 0.0) <= row.value <= (row.ci_high or 0.0) for row in bounded)


def test_the_order_of_trajectories_changes_nothing() -> None:
    assert measure(FRAME.reverse(), CONTEXT, EDGES) == measure(FRAME, CONTEXT, EDGES)


def test_renaming_changes_nothing() -> None:
    renamed = FRAME.with_columns(domain=pl.col("domain").replace({"bank": "zzz", "shop": "aaa"}))
    assert measure(renamed, CONTEXT, EDGES) == measure(FRAME, CONTEXT, EDGES)


def test_rows_say_where_and_on_how_many() -> None:
    rows = {row.metric: row for row in measure(FRAME, CONTEXT, EDGES)}
    assert {(row.batch, row.scope) for row in rows.values()} == {("r01-b01", "batch")}
    assert (rows["h_dom"].n, rows["h_step"].n, rows["h_transition"].n, rows["acceptance_rate"].n) == (4, 10, 6, 10)


def test_metric_names_are_unique() -> None:
    names = [row.metric for row in measure(FRAME, CONTEXT, EDGES)]
    assert len(names) == len(set(names))


def test_every_steering_metric_is_measured() -> None:
    assert set(STEERING) <= {row.metric for row in measure(FRAME, CONTEXT)}
