"""A plan and a person's changes in, the plan as changed out: any decision can be overridden, and says so."""

import math
from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.targets import is_possible
from tdscaling_assets.schema import LABELS, OPERATORS, BusinessCluster, JsonObject, RoundPlan

WEIGHTS = ("domain_weights", "cluster_weights", "mode_weights", "mode_targets", "operator_weights")
NUMBERS = ("cac_target", "temperature", "candidates")


def override_plan(plan: RoundPlan, changes: JsonObject, clusters: Iterable[BusinessCluster], source: str) -> RoundPlan:
    """The plan with these fields replaced; weights are brought to a sum of 1, and of an unnamed entry are 0.

    Raises ConfigError, naming `source`, for a field, name or value that no plan can have.
    """
    known = {*WEIGHTS, *NUMBERS, "reason"}
    if unknown := sorted(changes.keys() - known):
        raise ConfigError(f"{source}: a plan has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    try:
        changed = RoundPlan.model_validate({**plan.model_dump(), **changes})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{source}: {place} is {first['input']!r}: {first['msg'].lower()}") from error
    legal = _legal_names(list(clusters))
    update: dict[str, object] = {}
    for name in WEIGHTS:
        if name in changes:
            update[name] = _normalised(getattr(changed, name), name, legal.get(name), source)
    for name in NUMBERS:
        _check_number(name, getattr(changed, name), source)
    decided = {name: f"Set by hand in {source}." for name in changes if name != "reason"}
    reason = changed.reason if "reason" in changes else f"{plan.reason} Set by hand: {', '.join(sorted(decided))}."
    return changed.model_copy(
        update={**update, "reasons": {**plan.reasons, **decided}, "reason": reason if changes else plan.reason}
    )


def _legal_names(clusters: list[BusinessCluster]) -> dict[str, frozenset[str]]:
    return {
        "domain_weights": frozenset(cluster.domain for cluster in clusters),
        "cluster_weights": frozenset(cluster.cluster_id for cluster in clusters),
        "mode_weights": frozenset(LABELS),
        "operator_weights": frozenset(OPERATORS),
    }


def _normalised(weights: Mapping[str, float], name: str, legal: frozenset[str] | None, source: str) -> dict[str, float]:
    wrong = [key for key in weights if (key not in legal if legal is not None else not is_possible(key.split(">")))]
    if wrong:
        choices = f"one of {', '.join(sorted(legal)[:12])}" if legal else "labels joined by `>` that can follow so"
        raise ConfigError(f"{source}: {name} has {wrong[0]!r}: it must be {choices}")
    bad = {key: weight for key, weight in weights.items() if not math.isfinite(weight) or weight < 0}
    total = sum(weights.values())
    if bad or (weights and total <= 0):
        shown = bad or dict(weights)
        raise ConfigError(f"{source}: {name} is {shown}: weights are at least 0, finite, and not all 0")
    return {key: weight / total for key, weight in weights.items()}


def _check_number(name: str, value: float, source: str) -> None:
    least = 1.0 if name == "candidates" else 0.0
    if not math.isfinite(value) or value < least:
        raise ConfigError(f"{source}: {name} is {value}: it is a finite number of at least {least:g}")
