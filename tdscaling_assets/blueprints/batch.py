"""A round's plan in, a batch of grounded blueprints out, with every refused attempt and its reason."""

import math
import random
from collections.abc import Collection, Container, Mapping, Sequence

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.operators import evolve_or_explain
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.topology import draw_blueprint, seal
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import (
    PROMISED_LABEL,
    Blueprint,
    BusinessCluster,
    Operator,
    Record,
    RejectedBlueprint,
    RoundPlan,
    digest,
)
from tdscaling_assets.settings import Settings

ATTEMPTS = 12
"""Draws per blueprint before its place stays empty."""
AIMED_SHARE = 0.25
"""Probability that a blueprint aims at one of the plan's target modes, where there are any."""
PARENT_SHARE, AIMED_PARENT_SHARE = 0.3, 0.8
"""Probability that a blueprint descends from an earlier one of its domain, where there is one: of any mode, or on the
way to the mode that it aims at."""
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

    A child that does not run, or is too long, is rejected with its reason; its parent goes on without that operator.
    """
    made: dict[str, Blueprint] = {}
    rejected: list[RejectedBlueprint] = []
    elders: dict[str, list[Blueprint]] = {}
    for parent in parents:
        elders.setdefault(parent.domain, []).append(parent)
    for place in range(math.ceil(settings.batch_size * plan.candidates)):
        world_seed = random.Random(digest(settings.seed, batch, place)).getrandbits(32)
        for attempt in range(ATTEMPTS):
            rng = random.Random(digest(settings.seed, batch, place, attempt))
            draw = _Draw(plan, batch, library, settings, rng)
            blueprint = draw.blueprint(elders, world_seed, made)
            rejected += draw.rejected(f"{place}-{attempt}")
            if blueprint is not None:
                made[blueprint.blueprint_id] = blueprint
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


def leads_to(mode: Sequence[str], target: Sequence[str]) -> bool:
    """Whether `target` is `mode` with labels added, none moved; true of any mode where there is no target."""
    rest = iter(target)
    return not target or all(label in rest for label in mode)


class _Draw:
    """One try at a blueprint, and what failed on its way."""

    def __init__(self, plan: RoundPlan, batch: str, library: Library, settings: Settings, rng: random.Random) -> None:
        self._plan, self._batch, self._library, self._settings, self._rng = plan, batch, library, settings, rng
        self._cluster = draw_cluster(plan, library.clusters, rng)
        self._failures: list[tuple[str, str]] = []

    def blueprint(
        self, parents: Mapping[str, Sequence[Blueprint]], world_seed: int, taken: Container[str]
    ) -> Blueprint | None:
        """The blueprint under its final id; None where it does not run, has a fault, or its id is taken. Parents are by
        domain."""
        target = draw_target(self._plan, self._rng)
        try:
            rehearsal = rehearse(self._start(parents, target, world_seed), self._library, self._settings.cac)
            if not leads_to(rehearsal.blueprint.target_mode, target):
                target = ()
            rehearsal = self._evolve(rehearsal, target)
            fault = find_fault(rehearsal.blueprint, self._library)
            if fault is not None:
                reason, _, detail = fault.partition(": ")
                raise DryRunError(reason, detail)
            sealed = seal(rehearsal.blueprint)
            if sealed.blueprint_id in taken:
                raise DryRunError("duplicate", "drawn before")
        except DryRunError as error:
            self._failures.append((error.reason, str(error)))
            return None
        return sealed

    def rejected(self, place: str) -> list[RejectedBlueprint]:
        """What failed: the blueprint itself, or children of it."""
        return [
            RejectedBlueprint(
                blueprint_id=f"attempt_{digest(self._batch, place, number)}",
                round=self._batch.split("-")[0],
                batch=self._batch,
                cluster_id=self._cluster.cluster_id,
                reason=reason,
                detail=detail[:2000],
            )
            for number, (reason, detail) in enumerate(self._failures)
        ]

    def _start(self, parents: Mapping[str, Sequence[Blueprint]], target: Sequence[str], world_seed: int) -> Blueprint:
        """An earlier blueprint of the drawn domain as the start of a child, or a new one. Raises DryRunError."""
        share = AIMED_PARENT_SHARE if target else PARENT_SHARE
        elders = [parent for parent in parents.get(self._cluster.domain, ()) if leads_to(parent.target_mode, target)]
        if not elders or self._rng.random() >= share:
            return draw_blueprint(self._cluster, self._batch, self._library, self._rng, world_seed)
        elder = self._rng.choice(elders)
        lineage = elder.lineage.model_copy(update={"parent_id": elder.blueprint_id})
        return elder.model_copy(
            update={
                "batch": self._batch,
                "round": self._batch.split("-")[0],
                "lineage": lineage,
                "seed": self._rng.getrandbits(32),
            }
        )

    def _evolve(self, rehearsal: Rehearsal, target: Sequence[str]) -> Rehearsal:
        """Apply drawn operators until target mode and CAC target are met and the plan's temperature is spent: that many
        operators more, on average. Each at most once, at most `max_operators`, none that leads away from the target."""
        plan, settings = self._plan, self._settings
        tried: set[Operator] = set()
        applied = 0
        extra = int(plan.temperature + self._rng.random())
        while applied < settings.max_operators:
            missing = [label for label in target if label not in rehearsal.blueprint.target_mode]
            met = rehearsal.blueprint.target_cac >= plan.cac_target and not missing
            if met and not extra:
                break
            operator = draw_operator(plan, missing or target, tried, self._rng)
            if operator is None:
                break
            tried.add(operator)
            child = self._child(operator, rehearsal, target)
            if child is not None:
                rehearsal = child
                applied += 1
                extra -= met
        return rehearsal

    def _child(self, operator: Operator, rehearsal: Rehearsal, target: Sequence[str]) -> Rehearsal | None:
        """The blueprint with the operator applied; None where it does not apply, leads away from the target, takes more
        messages than a conversation may have, or does not run."""
        settings = self._settings
        for _ in range(AIMS if target else 1):
            child, failure = evolve_or_explain(
                operator, rehearsal, self._library, settings.cac, self._rng, max_generations=settings.max_generations
            )
            if child is None:
                if failure:
                    reason, _, detail = failure.partition(": ")
                    self._failures.append((reason, detail))
                return None
            if not leads_to(child.blueprint.target_mode, target):
                continue
            planned = child.blueprint.planned_messages
            if planned < settings.max_steps:
                return child
            most = f"fewer than {settings.max_steps} (TDS_MAX_STEPS) are allowed"
            self._failures.append(("too_long", f"{operator}, {planned} messages are planned, {most}"))
            return None
        return None
