"""A person's plan: any decision replaced, the rest kept, said so; what no plan can have is refused in one sentence."""

import pytest

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.evolution.override import override_plan
from tdscaling_assets.evolution.plan import plan_round
from tdscaling_assets.schema import BusinessCluster, JsonObject, RoundPlan
from tdscaling_assets.settings import Settings

CLUSTERS = [
    BusinessCluster(
        cluster_id=f"c-{domain}",
        rank=rank,
        domain=domain,
        name="",
        tool_ids=(),
        edges=(),
        gain=1,
        covered_tools=1,
        covered_edges=1,
    )
    for rank, domain in enumerate(("bank", "shop", "law"), 1)
]
PLAN = plan_round("r02", PlanHistory(kept_by_mode={"act>answer": 3}), CLUSTERS, Settings(seed=7))


def changed(changes: JsonObject) -> RoundPlan:
    return override_plan(PLAN, changes, CLUSTERS, "plan.yaml")


def test_weights_become_shares_and_the_rest_stays() -> None:
    plan = changed({"domain_weights": {"law": 3, "shop": 1}, "cac_target": 9})
    assert plan.domain_weights == {"law": 0.75, "shop": 0.25}
    assert plan.cac_target == 9.0
    assert (
        plan.model_copy(
            update={name: getattr(PLAN, name) for name in ("domain_weights", "cac_target", "reason", "reasons")}
        )
        == PLAN
    )


def test_the_plan_says_what_was_set_by_hand() -> None:
    plan = changed({"operator_weights": {"guard": 1}, "mode_targets": {"clarify>act>answer": 2}})
    assert plan.reasons["operator_weights"] == plan.reasons["mode_targets"] == "Set by hand in plan.yaml."
    assert plan.reasons["cac_target"] == PLAN.reasons["cac_target"]
    assert plan.reason == f"{PLAN.reason} Set by hand: mode_targets, operator_weights."


def test_a_reason_may_be_given() -> None:
    assert changed({"reason": "More law."}).reason == "More law."


def test_no_change_is_the_plan() -> None:
    assert changed({}) == PLAN


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"domain_weight": {"law": 1}}, "plan.yaml: a plan has no domain_weight; it has cac_target"),
        ({"round": "r09"}, "a plan has no round"),
        ({"domain_weights": {"lawn": 1}}, "domain_weights has 'lawn': it must be one of bank, law, shop"),
        ({"mode_weights": {"dance": 1}}, "mode_weights has 'dance'"),
        ({"operator_weights": {"sing": 1}}, "operator_weights has 'sing'"),
        ({"cluster_weights": {"c": 1}}, "cluster_weights has 'c'"),
        ({"mode_targets": {"verify>answer": 1}}, "mode_targets has 'verify>answer'"),
        ({"domain_weights": {"law": -1}}, "at least 0"),
        ({"domain_weights": {"law": 0}}, "not all 0"),
        ({"domain_weights": "law"}, "domain_weights is 'law'"),
        ({"cac_target": "high"}, "cac_target is 'high'"),
        ({"cac_target": -2}, "cac_target is -2.0"),
        ({"candidates": 0.5}, "candidates is 0.5: it is a finite number of at least 1"),
    ],
)
def test_what_no_plan_can_have_is_refused(changes: JsonObject, sentence: str) -> None:
    with pytest.raises(ConfigError, match=r"plan\.yaml: ") as refusal:
        changed(changes)
    assert sentence in str(refusal.value)
