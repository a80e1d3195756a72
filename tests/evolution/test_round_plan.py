"""Plans are legal for any history, spend where the kept set is thin, and say why."""

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.bandit import OperatorStats, operator_stats
from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.evolution.plan import (
    CAC_BASELINE,
    HOTTEST,
    cluster_weights,
    domain_weights,
    label_weights,
    next_target,
    plan_round,
)
from tdscaling_assets.evolution.targets import TARGETS_PER_BLUEPRINT
from tdscaling_assets.schema import LABELS, OPERATORS, PROMISED_LABEL, BusinessCluster, RoundPlan
from tdscaling_assets.settings import Settings

SIZES = {"bank": 40, "shop": 10, "law": 1}
SETTINGS = Settings(seed=7)


def clusters_of(sizes: dict[str, int]) -> list[BusinessCluster]:
    """`<domain>-<n>`, ranked in order."""
    names = [(domain, number) for domain, size in sizes.items() for number in range(size)]
    return [
        BusinessCluster(
            cluster_id=f"{domain}-{number}",
            rank=rank,
            domain=domain,
            name="",
            tool_ids=(),
            edges=(),
            gain=1,
            covered_tools=1,
            covered_edges=1,
        )
        for rank, (domain, number) in enumerate(names, 1)
    ]


CLUSTERS = clusters_of(SIZES)
HISTORY = PlanHistory(
    kept_by_domain={"bank": 700, "shop": 190, "law": 10},
    kept_by_cluster={"bank-0": 600, "bank-1": 100, "shop-0": 190, "law-0": 10},
    kept_by_label={"retrieve": 800, "act": 500, "answer": 890, "clarify": 20},
    kept_by_mode={"retrieve>act>answer": 480, "retrieve>answer": 400, "clarify>act>answer": 20},
    share_above=0.5,
    operators={"deepen": OperatorStats(tried=50, kept=40, surprisal=1.5, calls=8.0)},
    metrics={"h_dom": 0.9},
)

COUNTS = st.integers(0, 10_000)
STATS = st.tuples(COUNTS, COUNTS, st.floats(0, 20), st.floats(0, 200)).map(
    lambda drawn: OperatorStats(tried=max(drawn[:2]), kept=min(drawn[:2]), surprisal=drawn[2], calls=drawn[3])
)
HISTORIES = st.builds(
    PlanHistory,
    kept_by_domain=st.dictionaries(st.sampled_from(["bank", "shop", "law", "gone"]), COUNTS),
    kept_by_label=st.dictionaries(st.sampled_from(LABELS), COUNTS),
    kept_by_mode=st.dictionaries(st.lists(st.sampled_from(LABELS), unique=True).map(">".join), COUNTS),
    share_above=st.none() | st.floats(0, 1) | st.just(math.nan),
    operators=st.dictionaries(st.sampled_from(OPERATORS), STATS),
)


def total(weights: dict[str, float]) -> float:
    return math.fsum(weights.values())


def assert_legal(plan: RoundPlan) -> None:
    assert set(plan.domain_weights) == set(SIZES)
    assert set(plan.operator_weights) == set(OPERATORS)
    for weights in (
        plan.domain_weights,
        plan.cluster_weights,
        plan.operator_weights,
        plan.mode_weights,
        plan.mode_targets,
    ):
        assert all(0 < weight <= 1 for weight in weights.values())
        assert not weights or total(weights) == pytest.approx(1.0, abs=1e-9)
    assert math.isfinite(plan.cac_target) and math.isfinite(plan.temperature) and plan.candidates >= 1
    assert len(plan.mode_targets) <= TARGETS_PER_BLUEPRINT * SETTINGS.batch_size
    for name in plan.reasons:
        assert hasattr(plan, name) and plan.reasons[name].endswith(".")
    assert plan.reason.endswith(".") and len(plan.reason) < 300


def test_round_one_follows_the_catalog() -> None:
    plan = plan_round("r01", PlanHistory(), CLUSTERS, SETTINGS)
    assert_legal(plan)
    assert plan.mode_weights == {}
    assert set(plan.operator_weights.values()) == {0.1}
    assert plan.domain_weights["bank"] / plan.domain_weights["shop"] > 4.0


@settings(max_examples=60)
@given(HISTORIES, st.integers(2, 9))
def test_any_history_gives_a_legal_plan(history: PlanHistory, number: int) -> None:
    first = plan_round(f"r{number:02d}", history, CLUSTERS, SETTINGS)
    second = plan_round(f"r{number + 1:02d}", history.model_copy(update={"previous": first}), CLUSTERS, SETTINGS)
    for plan in (first, second):
        assert_legal(plan)
        assert set(plan.mode_weights) == set(LABELS)


def test_equal_arguments_give_the_equal_plan() -> None:
    before = HISTORY.model_dump_json()
    assert plan_round("r02", HISTORY, CLUSTERS, SETTINGS) == plan_round("r02", HISTORY, CLUSTERS, SETTINGS)
    assert HISTORY.model_dump_json() == before


def test_the_bandit_follows_the_seed() -> None:
    weights = [plan_round("r02", HISTORY, CLUSTERS, Settings(seed=seed)).operator_weights for seed in (1, 1, 2)]
    assert weights[0] == weights[1] != weights[2]


def test_a_starved_domain_gets_more_than_a_saturated_one() -> None:
    weights = plan_round("r02", HISTORY, CLUSTERS, SETTINGS).domain_weights
    assert weights["law"] > weights["shop"] > weights["bank"]


def test_no_domain_dies() -> None:
    assert domain_weights({"bank": 10**9}, ["bank", "shop"])["bank"] >= 0.05


def test_a_domain_that_left_the_catalog_gets_nothing() -> None:
    assert "bank" not in plan_round("r02", HISTORY, clusters_of({"shop": 3}), SETTINGS).domain_weights


def test_a_label_never_seen_has_the_largest_deficit() -> None:
    weights = label_weights(HISTORY.kept_by_label)
    assert weights["decline"] == max(weights.values())
    assert weights["decline"] > weights["clarify"] > weights["answer"]


def test_an_operator_that_brings_more_bits_per_call_gets_more() -> None:
    poor = OperatorStats(tried=500, kept=450, surprisal=1.0, calls=10.0)
    rich = OperatorStats(tried=500, kept=450, surprisal=6.0, calls=10.0)
    stats = {**dict.fromkeys(OPERATORS, poor), "deepen": rich}
    history = HISTORY.model_copy(update={"operators": stats, "kept_by_label": {}})
    weights = plan_round("r02", history, CLUSTERS, SETTINGS).operator_weights
    assert weights["deepen"] == max(weights.values())


def test_an_operator_never_kept_is_not_given_up() -> None:
    hopeless = OperatorStats(tried=5000, kept=0, surprisal=0.0, calls=10.0)
    history = HISTORY.model_copy(update={"operators": {"refuse": hopeless}})
    assert plan_round("r02", history, CLUSTERS, SETTINGS).operator_weights["refuse"] >= 0.02


def test_every_operator_promises_a_label() -> None:
    assert set(PROMISED_LABEL) == set(OPERATORS)
    assert set(PROMISED_LABEL.values()) <= set(LABELS)


def test_complexity_and_temperature_climb() -> None:
    first = plan_round("r01", PlanHistory(), CLUSTERS, SETTINGS)
    second = plan_round("r02", HISTORY.model_copy(update={"previous": first}), CLUSTERS, SETTINGS)
    third = plan_round("r03", HISTORY.model_copy(update={"previous": second}), CLUSTERS, SETTINGS)
    assert (first.cac_target, second.cac_target, third.cac_target) == (CAC_BASELINE, 4.8, 5.76)
    assert first.temperature < second.temperature < third.temperature <= HOTTEST


def test_the_ladder_rises_with_the_share_above_it_and_never_falls() -> None:
    targets = [next_target(10.0, share) for share in (None, math.nan, 0.0, 0.25, 0.5, 1.0)]
    assert targets == [10.0, 10.0, 10.0, 11.0, 12.0, 14.0]


def test_a_cluster_never_used_gets_more_than_one_used_often_and_none_dies() -> None:
    weights = cluster_weights({"bank-0": 600}, CLUSTERS)
    assert weights["bank-1"] > 3 * weights["bank-0"] > 0
    assert weights["bank-1"] > weights["bank-2"]  # of two as rare, the better


def test_every_decision_of_a_later_round_has_a_reason_with_its_figures() -> None:
    first = plan_round("r01", PlanHistory(), CLUSTERS, SETTINGS)
    plan = plan_round("r02", HISTORY.model_copy(update={"previous": first}), CLUSTERS, SETTINGS)
    figures = {
        "domain_weights": ["law from 0.004 to 0.6", "10 of 900 kept", "bank", "holds 700"],
        "cluster_weights": ["47 of 51"],
        "mode_weights": ["900 kept", "(in 0)"],
        "mode_targets": [f"{len(plan.mode_targets)} reasoning modes", "never kept", "3 modes have been kept"],
        "operator_weights": ["leads with"],
        "cac_target": ["from 4.0 to 4.8", "50% of"],
        "temperature": ["from 0.1 to 0.5", "stood still"],
        "candidates": ["Draws 4 blueprints"],
    }
    assert set(plan.reasons) == set(figures)
    for decision, parts in figures.items():
        assert all(part in plan.reasons[decision] for part in parts), plan.reasons[decision]


def test_the_round_in_one_sentence() -> None:
    first = plan_round("r01", PlanHistory(), CLUSTERS, SETTINGS)
    reason = plan_round("r02", HISTORY.model_copy(update={"previous": first}), CLUSTERS, SETTINGS).reason
    assert reason.startswith("Moved law from 0.004 to 0.6") and "CAC target to 4.8" in reason
    assert first.reason.startswith("Baseline") and set(first.reasons) >= {"domain_weights", "cac_target"}


def test_a_catalog_without_clusters_is_refused() -> None:
    with pytest.raises(ConfigError, match="business_clusters"):
        plan_round("r01", PlanHistory(), [], SETTINGS)


# ── what operators brought ───────────────────────────────────────────────────────────────────────────────────

TRIED = pl.DataFrame(
    {
        "operators": [["deepen"], ["deepen", "guard"], ["guard"], [], ["guard"]],
        "mode": ["a", "b", "b", "a", "c"],
        "kept": [True, True, False, True, True],
        "calls": [4, 8, 2, 3, 2],
    }
)


def test_operator_statistics_by_hand() -> None:
    """Kept modes a, b, a, c: p(a) = 1/2 is 1 bit, p(b) = p(c) = 1/4 are 2 bits."""
    assert operator_stats(TRIED) == {
        "deepen": OperatorStats(tried=2, kept=2, surprisal=1.5, calls=6.0),
        "guard": OperatorStats(tried=3, kept=2, surprisal=2.0, calls=4.0),
    }


def test_gain_is_surprisal_times_acceptance() -> None:
    assert operator_stats(TRIED)["guard"].gain_bits == pytest.approx(2.0 * 2 / 3)


@pytest.mark.parametrize("frame", [TRIED.clear(), TRIED.with_columns(kept=False)])
def test_nothing_kept_gives_finite_statistics(frame: pl.DataFrame) -> None:
    assert all(one.kept == 0 and one.gain_bits == one.surprisal == 0.0 for one in operator_stats(frame).values())
