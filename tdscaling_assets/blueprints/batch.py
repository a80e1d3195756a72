"""A round's plan in, a batch of grounded blueprints out, with every refused attempt and its reason."""

import random
from collections.abc import Mapping, Sequence

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.operators import evolve
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


class BlueprintBatch(Record):
    """Attempts = blueprints + rejected."""

    blueprints: tuple[Blueprint, ...]
    rejected: tuple[RejectedBlueprint, ...]


def plan_batch(
    plan: RoundPlan, batch: str, library: Library, parents: Sequence[Blueprint], settings: Settings
) -> BlueprintBatch:
    """Up to `settings.batch_size` blueprints, no two alike, as a function of the plan, the seed and the library."""
    made: dict[str, Blueprint] = {}
    rejected: list[RejectedBlueprint] = []
    for place in range(settings.batch_size):
        world_seed = random.Random(digest(settings.seed, batch, place)).getrandbits(32)
        for attempt in range(ATTEMPTS):
            rng = random.Random(digest(settings.seed, batch, place, attempt))
            cluster = draw_cluster(plan.domain_weights, library.clusters, rng)
            try:
                blueprint = _attempt(plan, batch, cluster, library, parents, world_seed, settings, rng)
            except DryRunError as error:
                rejected.append(_reject(batch, cluster, f"{place}-{attempt}", error))
                continue
            if blueprint.blueprint_id in made:
                rejected.append(_reject(batch, cluster, f"{place}-{attempt}", DryRunError("duplicate", "drawn before")))
                continue
            made[blueprint.blueprint_id] = blueprint
            break
    return BlueprintBatch(blueprints=tuple(made.values()), rejected=tuple(rejected))


def draw_cluster(
    weights: Mapping[str, float], clusters: Sequence[BusinessCluster], rng: random.Random
) -> BusinessCluster:
    """A cluster of a domain drawn by weight; within the domain, the k-th by rank with weight 1/k."""
    by_domain: dict[str, list[BusinessCluster]] = {}
    for cluster in sorted(clusters, key=lambda cluster: cluster.rank):
        by_domain.setdefault(cluster.domain, []).append(cluster)
    domains = sorted(by_domain)
    shares = [max(weights.get(domain, 0.0), 0.0) for domain in domains]
    domain = rng.choices(domains, shares if sum(shares) > 0 else [1.0] * len(domains))[0]
    ranked = by_domain[domain]
    return rng.choices(ranked, [1 / rank for rank in range(1, len(ranked) + 1)])[0]


def draw_operator(plan: RoundPlan, rng: random.Random) -> Operator | None:
    """An operator by the plan's weight, raised by the plan's wish for the label that it promises."""
    operators = [operator for operator in PROMISED_LABEL if plan.operator_weights.get(operator, 0.0) > 0]
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
) -> Blueprint:
    if parents and rng.random() < PARENT_SHARE:
        start = _descend(rng.choice(parents), batch, rng)
    else:
        start = draw_blueprint(cluster, batch, library, rng, world_seed)
    rehearsal = rehearse(start, library, settings.cac)
    rehearsal = _evolve_to_target(rehearsal, plan, library, settings, rng)
    fault = find_fault(rehearsal.blueprint, library)
    if fault is not None:
        reason, _, detail = fault.partition(": ")
        raise DryRunError(reason, detail)
    return seal(rehearsal.blueprint)


def _evolve_to_target(
    rehearsal: Rehearsal, plan: RoundPlan, library: Library, settings: Settings, rng: random.Random
) -> Rehearsal:
    """Apply drawn operators until the CAC target is met; at most `max_operators`, each at most once."""
    applied: set[Operator] = set()
    explore = rng.random() < plan.temperature
    for _ in range(settings.max_operators):
        if rehearsal.blueprint.target_cac >= plan.cac_target and not explore:
            break
        explore = False
        operator = draw_operator(plan, rng)
        if operator is None or operator in applied:
            continue
        child = evolve(operator, rehearsal, library, settings.cac, rng)
        if child is not None and _messages(child.blueprint) < settings.max_steps:
            rehearsal = child
            applied.add(operator)
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


def _reject(batch: str, cluster: BusinessCluster, place: str, error: DryRunError) -> RejectedBlueprint:
    return RejectedBlueprint(
        blueprint_id=f"attempt_{digest(batch, place)}",
        round=batch.split("-")[0],
        batch=batch,
        cluster_id=cluster.cluster_id,
        reason=error.reason,
        detail=str(error)[:2000],
    )
