"""What was kept so far in, the regime of the next round out: `plan_round` is pure, its randomness seeded.

Round 1 is the baseline "quantity" regime, the catalog's natural skew; later rounds spend where the kept set is thin.
"""

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.bandit import operator_weights, with_floor
from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.evolution.reasons import baseline_reasons, evolved_reasons, summary
from tdscaling_assets.evolution.targets import mode_targets
from tdscaling_assets.schema import LABELS, OPERATORS, BusinessCluster, RoundPlan
from tdscaling_assets.settings import Settings

SKEW = 1.5  # round 1: domain weight ∝ clusters^SKEW, so big domains dominate as they do in a catalog
TEMPER = 0.5  # later: weight ∝ (1 + kept)^−TEMPER; 0 ignores what was kept, 1 is plain inverse frequency
DOMAIN_FLOOR = 0.3  # share of the weight that all domains divide equally, so that none dies
CAC_BASELINE = 4.0  # about two calls: round 1 needs hardly any operator
CAC_CLIMB = 0.4  # the CAC target's rise, if everything generated was kept and reached it
COLD, WARMER, HOTTEST = 0.1, 0.4, 2.0  # temperature of round 1, its rise per plateau, its limit


def plan_round(
    round_name: str, history: PlanHistory, clusters: Sequence[BusinessCluster], settings: Settings
) -> RoundPlan:
    """The plan of `round_name` (`r01`, ...), over the domains of these clusters.

    Raises ConfigError when there is no cluster. Weights are finite and sum to 1. In round 1 clusters, modes and targets
    are empty, which means natural, and nothing is over-produced.
    """
    if not clusters:
        raise ConfigError("there is no business cluster to plan for: materialize business_clusters first")
    if round_name == "r01":
        return _baseline(round_name, clusters)
    return _evolved(round_name, history, clusters, settings)


def domain_weights(kept: Mapping[str, int], domains: Sequence[str]) -> dict[str, float]:
    """Tempered inverse frequency: the fewer kept, the more weight; never less than the floor."""
    return with_floor({domain: (1 + kept.get(domain, 0)) ** -TEMPER for domain in domains}, DOMAIN_FLOOR)


def cluster_weights(kept: Mapping[str, int], clusters: Sequence[BusinessCluster]) -> dict[str, float]:
    """The same over clusters, each times 1 / its place by rank within its domain: of two as rare, the better first."""
    places: Counter[str] = Counter()
    scores: dict[str, float] = {}
    for cluster in sorted(clusters, key=lambda cluster: cluster.rank):
        places[cluster.domain] += 1
        scores[cluster.cluster_id] = (1 + kept.get(cluster.cluster_id, 0)) ** -TEMPER / places[cluster.domain] ** TEMPER
    return with_floor(scores, DOMAIN_FLOOR)


def label_weights(kept: Mapping[str, int]) -> dict[str, float]:
    """Deficit per reasoning label, as probabilities: a label never seen has the largest."""
    return with_floor({label: (1 + kept.get(label, 0)) ** -TEMPER for label in LABELS}, 0.0)


def next_target(previous: float, share_above: float | None) -> float:
    """The CAC ladder: the larger the share that reached the last target, the higher the next one; it never falls."""
    share = share_above if share_above is not None and math.isfinite(share_above) else 0.0
    return round(previous * (1 + CAC_CLIMB * min(1.0, max(0.0, share))), 2)


def _baseline(round_name: str, clusters: Sequence[BusinessCluster]) -> RoundPlan:
    sizes = Counter(cluster.domain for cluster in clusters)
    plan = RoundPlan(
        round=round_name,
        domain_weights=with_floor({domain: sizes[domain] ** SKEW for domain in sorted(sizes)}, 0.0),
        mode_weights={},
        operator_weights=dict.fromkeys(OPERATORS, 1 / len(OPERATORS)),
        cac_target=CAC_BASELINE,
        temperature=COLD,
        parent_metrics={},
        reason="",
    )
    reasons = baseline_reasons(plan, sizes)
    return plan.model_copy(update={"reasons": reasons, "reason": summary(plan, reasons)})


def _evolved(
    round_name: str, history: PlanHistory, clusters: Sequence[BusinessCluster], settings: Settings
) -> RoundPlan:
    before = history.previous
    temperature = round(min(HOTTEST, (before.temperature if before else COLD) + WARMER), 2)
    labels = label_weights(history.kept_by_label)
    rng = random.Random(f"{settings.seed}:{round_name}")
    plan = RoundPlan(
        round=round_name,
        domain_weights=domain_weights(history.kept_by_domain, sorted({cluster.domain for cluster in clusters})),
        cluster_weights=cluster_weights(history.kept_by_cluster, clusters),
        mode_weights=labels,
        mode_targets=mode_targets(history.kept_by_mode, labels, history.decay, settings.batch_size, rng),
        operator_weights=operator_weights(history.operators, temperature, rng),
        cac_target=next_target(before.cac_target if before else CAC_BASELINE, history.share_above),
        temperature=temperature,
        candidates=settings.candidates,
        parent_metrics={name: value for name, value in sorted(history.metrics.items()) if math.isfinite(value)},
        reason="",
    )
    reasons = evolved_reasons(plan, before, history, clusters)
    return plan.model_copy(update={"reasons": reasons, "reason": summary(plan, reasons)})
