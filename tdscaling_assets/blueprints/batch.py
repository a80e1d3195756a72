"""A round's plan in, a batch of grounded blueprints out, with every refused attempt and its reason."""

import math
import random
from collections.abc import Collection, Sequence

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.operators import evolve_or_explain
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.topology import draw_blueprint, seal
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import (
    PROMISED_LABEL,
    Blueprint,
    BusinessCluster,
    Lineage,
    Operator,
    Record,
    RejectedBlueprint,
    RoundPlan,
    digest,
)
from tdscaling_assets.settings import Settings

ATTEMPTS = 12
"""Draws per blueprint before its place stays empty."""
PARENT_SHARE = 0.3
"""Probability that a blueprint descends from an earlier kept one, where there are any."""


AIMED_SHARE = 0.5
"""Probability that a blueprint aims at one of the plan's target modes, where there are any."""
AIMED_PARENT_SHARE = 0.8
"""PARENT_SHARE of a blueprint that aims at a mode, where an earlier one is on the way to it."""
AIMS = 3
"""Draws of an operator before one that leads to the target is given up."""


class BlueprintBatch(Record):
    """Attempts = blueprints + rejected."""

    blueprints: tuple[Blueprint, ...]
    rejected: tuple[RejectedBlueprint, ...]


def plan_batch(
    plan: RoundPlan, batch: str, library: Library, parents: Sequence[Blueprint], settings: Settings
) -> BlueprintBatch:
    """Up to `settings.batch_size` × `plan.candidates` blueprints, no two alike: a function of plan, seed and library.

    A child that does not run is rejected with its reason, and its parent goes on without that operator.
    """
    made: dict[str, Blueprint] = {}
    rejected: list[RejectedBlueprint] = []
    for place in range(math.ceil(settings.batch_size * plan.candidates)):
        world_seed = random.Random(digest(settings.seed, batch, place)).getrandbits(32)
        for attempt in range(ATTEMPTS):
            rng = random.Random(digest(settings.seed, batch, place, attempt))
            cluster = draw_cluster(plan, library.clusters, rng)
            failures: list[str] = []
            try:
                blueprint = _attempt(plan, batch, cluster, library, parents, world_seed, settings, rng, failures)
                if blueprint.blueprint_id in made:
                    raise DryRunError("duplicate", "drawn before")
                made[blueprint.blueprint_id] = blueprint
            except DryRunError as error:
                rejected.append(_reject(batch, cluster, f"{place}-{attempt}", error.reason, str(error)))
                continue
            finally:
                for number, failure in enumerate(failures):
                    reason, _, detail = failure.partition(": ")
                    rejected.append(_reject(batch, cluster, f"{place}-{attempt}-{number}", reason, detail))
            break
    return BlueprintBatch(blueprints=tuple(made.values()), rejected=tuple(rejected))


def draw_cluster(plan: RoundPlan, clusters: Sequence[BusinessCluster], rng: random.Random) -> BusinessCluster:
    """A cluster of a domain drawn by the plan's weight; within the domain by the plan's too, else the k-th by rank with
    weight 1/k."""
    by_domain: dict[str, list[BusinessCluster]] = {}
    for cluster in sorted(clusters, key=lambda cluster: cluster.rank):
        by_domain.setdefault(cluster.domain, []).append(cluster)
    domains = sorted(by_domain)
    shares = [max(plan.domain_weights.get(domain, 0.0), 0.0) for domain in domains]
    domain = rng.choices(domains, shares if sum(shares) > 0 else [1.0] * len(domains))[0]
    ranked = by_domain[domain]
    planned = [max(plan.cluster_weights.get(cluster.cluster_id, 0.0), 0.0) for cluster in ranked]
    return rng.choices(ranked, planned if sum(planned) > 0 else [1 / rank for rank in range(1, len(ranked) + 1)])[0]


def draw_target(plan: RoundPlan, rng: random.Random) -> tuple[str, ...]:
    """The labels of a mode to aim at, by the plan's weight; none where the plan has no targets, or leaves it open."""
    if not plan.mode_targets or rng.random() >= AIMED_SHARE:
        return ()
    return tuple(rng.choices(list(plan.mode_targets), list(plan.mode_targets.values()))[0].split(">"))


def draw_operator(
    plan: RoundPlan, labels: Collection[str], tried: Collection[Operator], rng: random.Random
) -> Operator | None:
    """An operator not tried yet that promises one of these labels (any, where there are none) by the plan's weight,
    raised by the plan's wish for its label; None where there is none."""
    operators = [
        operator
        for operator, label in PROMISED_LABEL.items()
        if operator not in tried and plan.operator_weights.get(operator, 0.0) > 0 and (not labels or label in labels)
    ]
    if not operators:
        return None
    wish = 1 / len(PROMISED_LABEL)
    weights = [
        plan.operator_weights[operator] * (wish + plan.mode_weights.get(PROMISED_LABEL[operator], 0.0))
        for operator in operators
    ]
    return rng.choices(operators, weights)[0]


def _attempt(
    plan: RoundPlan,
    batch: str,
    cluster: BusinessCluster,
    library: Library,
    parents: Sequence[Blueprint],
    world_seed: int,
    settings: Settings,
    rng: random.Random,
    failures: list[str],
) -> Blueprint:
    target = draw_target(plan, rng)
    elders = [parent for parent in parents if leads_to(parent.target_mode, target)] if target else parents
    if elders and rng.random() < (AIMED_PARENT_SHARE if target else PARENT_SHARE):
        start = _descend(rng.choice(elders), batch, rng)
    else:
        start = draw_blueprint(cluster, batch, library, rng, world_seed)
    rehearsal = rehearse(start, library, settings.cac)
    if not leads_to(rehearsal.blueprint.target_mode, target):
        target = ()
    rehearsal = _evolve_to_target(rehearsal, target, plan, library, settings, rng, failures)
    fault = find_fault(rehearsal.blueprint, library)
    if fault is not None:
        reason, _, detail = fault.partition(": ")
        raise DryRunError(reason, detail)
    return seal(rehearsal.blueprint)


def leads_to(mode: Sequence[str], target: Sequence[str]) -> bool:
    """Whether `target` is `mode` with labels added, none moved; true of any mode where there is no target."""
    rest = iter(target)
    return not target or all(label in rest for label in mode)


def _evolve_to_target(
    rehearsal: Rehearsal,
    target: Sequence[str],
    plan: RoundPlan,
    library: Library,
    settings: Settings,
    rng: random.Random,
    failures: list[str],
) -> Rehearsal:
    """Apply drawn operators until target mode and CAC target are met and the plan's temperature is spent: that many
    operators more, on average. Each at most once, at most `max_operators`, none that leads away from the target."""
    tried: set[Operator] = set()
    applied = 0
    extra = int(plan.temperature + rng.random())
    while applied < settings.max_operators:
        missing = [label for label in target if label not in rehearsal.blueprint.target_mode]
        met = rehearsal.blueprint.target_cac >= plan.cac_target and not missing
        if met and not extra:
            break
        operator = draw_operator(plan, missing or target, tried, rng)
        if operator is None:
            break
        tried.add(operator)
        for _ in range(AIMS if target else 1):
            child, failure = evolve_or_explain(operator, rehearsal, library, settings.cac, rng)
            if child is None or leads_to(child.blueprint.target_mode, target):
                break
        else:
            continue
        if failure:
            failures.append(failure)
        if child is not None and _messages(child.blueprint) < settings.max_steps:
            rehearsal = child
            applied += 1
            extra -= met
    return rehearsal


def _messages(blueprint: Blueprint) -> int:
    """Assistant messages of a conversation that goes as planned: one per turn, per group, and per failed attempt."""
    groups = sum(len(turn.groups) for turn in blueprint.turns)
    return len(blueprint.turns) + groups + sum(step.fault is not None for step in blueprint.steps)


def _descend(parent: Blueprint, batch: str, rng: random.Random) -> Blueprint:
    """The parent as the start of a child in this batch."""
    lineage = Lineage(
        operators=parent.lineage.operators, parent_id=parent.blueprint_id, generation=parent.lineage.generation
    )
    return parent.model_copy(
        update={"batch": batch, "round": batch.split("-")[0], "lineage": lineage, "seed": rng.getrandbits(32)}
    )


def _reject(batch: str, cluster: BusinessCluster, place: str, reason: str, detail: str) -> RejectedBlueprint:
    return RejectedBlueprint(
        blueprint_id=f"attempt_{digest(batch, place)}",
        round=batch.split("-")[0],
        batch=batch,
        cluster_id=cluster.cluster_id,
        reason=reason,
        detail=detail[:2000],
    )
