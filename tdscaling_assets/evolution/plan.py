"""What was kept so far in, the regime of the next round out: `plan_round` is pure, its randomness seeded.

Round 1 is the baseline "quantity" regime, the catalog's natural skew; later rounds spend where the kept set is thin.
"""

import math
import random
from collections.abc import Mapping

from pydantic import Field

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.bandit import OperatorStats, operator_weights, with_floor
from tdscaling_assets.schema import LABELS, OPERATORS, Record, RoundPlan
from tdscaling_assets.settings import Settings

SKEW = 1.5  # round 1: domain weight ∝ clusters^SKEW, so big domains dominate as they do in a catalog
TEMPER = 0.5  # later: weight ∝ (1 + kept)^−TEMPER; 0 ignores what was kept, 1 is plain inverse frequency
DOMAIN_FLOOR = 0.3  # share of the weight that all domains divide equally, so that none dies
CAC_BASELINE = 4.0  # about two calls: round 1 needs hardly any operator
CAC_CLIMB = 1.15
COLD, WARMER, HOTTEST = 0.1, 0.3, 1.5  # temperature of round 1, its rise per plateau, its limit


class PlanHistory(Record):
    """All kept trajectories of earlier rounds. `kept_by_label` counts trajectories whose mode has the label.

    `cac_p75` is of kept trajectories, null when there are none; `metrics` are the last cumulative figures.
    """

    kept_by_domain: dict[str, int] = Field(default_factory=dict)
    kept_by_label: dict[str, int] = Field(default_factory=dict)
    cac_p75: float | None = None
    operators: dict[str, OperatorStats] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    previous: RoundPlan | None = None


def plan_round(round_name: str, history: PlanHistory, domain_sizes: Mapping[str, int], settings: Settings) -> RoundPlan:
    """The plan of `round_name` (`r01`, ...). `domain_sizes` maps a domain to its business clusters.

    Raises ConfigError when no domain has a cluster. Weights are finite and sum to 1; `mode_weights` is empty, which
    means natural, in round 1.
    """
    sizes = {domain: size for domain, size in sorted(domain_sizes.items()) if size > 0}
    if not sizes:
        raise ConfigError("there is no business cluster to plan for: materialize business_clusters first")
    if round_name == "r01":
        return _baseline(round_name, sizes)
    return _evolved(round_name, history, sizes, settings)


def domain_weights(kept: Mapping[str, int], domains: list[str]) -> dict[str, float]:
    """Tempered inverse frequency: the fewer kept, the more weight; never less than the floor."""
    return with_floor({domain: (1 + kept.get(domain, 0)) ** -TEMPER for domain in domains}, DOMAIN_FLOOR)


def label_weights(kept: Mapping[str, int]) -> dict[str, float]:
    """Deficit per reasoning label, as probabilities: a label never seen has the largest."""
    return with_floor({label: 1 / (1 + kept.get(label, 0)) ** 0.5 for label in LABELS}, 0.0)


def _baseline(round_name: str, sizes: Mapping[str, int]) -> RoundPlan:
    weights = with_floor({domain: size**SKEW for domain, size in sizes.items()}, 0.0)
    top = max(weights, key=lambda domain: weights[domain])
    return RoundPlan(
        round=round_name,
        domain_weights=weights,
        mode_weights={},
        operator_weights=dict.fromkeys(OPERATORS, 1 / len(OPERATORS)),
        cac_target=CAC_BASELINE,
        temperature=COLD,
        parent_metrics={},
        reason=(
            f"Baseline: domains as the catalog has them, {top} first at {weights[top]:.2f} with {sizes[top]} of "
            f"{sum(sizes.values())} clusters, natural modes, and a CAC target of only {CAC_BASELINE:.1f}."
        ),
    )


def _evolved(round_name: str, history: PlanHistory, sizes: Mapping[str, int], settings: Settings) -> RoundPlan:
    before = history.previous
    temperature = min(HOTTEST, (before.temperature if before else COLD) + WARMER)
    target = _climb(before.cac_target if before else CAC_BASELINE, history.cac_p75)
    labels = label_weights(history.kept_by_label)
    rng = random.Random(f"{settings.seed}:{round_name}")
    plan = RoundPlan(
        round=round_name,
        domain_weights=domain_weights(history.kept_by_domain, list(sizes)),
        mode_weights=labels,
        operator_weights=operator_weights(history.operators, temperature, rng),
        cac_target=target,
        temperature=temperature,
        parent_metrics={name: value for name, value in sorted(history.metrics.items()) if math.isfinite(value)},
        reason="",
    )
    return plan.model_copy(update={"reason": _explain(plan, history)})


def _climb(previous: float, kept_p75: float | None) -> float:
    reached = kept_p75 if kept_p75 is not None and math.isfinite(kept_p75) else 0.0
    return round(max(previous * CAC_CLIMB, reached), 4)


def _explain(plan: RoundPlan, history: PlanHistory) -> str:
    before = history.previous.domain_weights if history.previous else {}
    domain = max(plan.domain_weights, key=lambda name: plan.domain_weights[name] - before.get(name, 0.0))
    label = max(plan.mode_weights, key=lambda name: plan.mode_weights[name])
    operator = max(plan.operator_weights, key=lambda name: plan.operator_weights[name])
    share = plan.domain_weights[domain]
    verb = "Raised" if share > before.get(domain, share) else "Kept"
    change = (
        f"{verb} {domain} from {before[domain]:.2f} to {share:.2f}"
        if domain in before
        else f"Gave {domain} {share:.2f}"
    )
    kept = sum(history.kept_by_domain.values())
    seen = history.kept_by_label.get(label, 0)
    return (
        f"{change} because it holds {history.kept_by_domain.get(domain, 0)} of {kept} kept trajectories, aims first at "
        f"{label} ({f'seen in {seen}' if seen else 'never seen'}), favours {operator} at "
        f"{plan.operator_weights[operator]:.2f}, and sets the CAC target to {plan.cac_target:.1f}."
    )
