"""Ten evolution operators: a rehearsed blueprint in, a more demanding one out, or None where it does not apply.

Each promises a reasoning-mode label (schema.PROMISED_LABEL). The result is rehearsed again, which may refuse it.
"""

import random
from collections.abc import Callable, Mapping

from tdscaling_assets.blueprints.compute import compute
from tdscaling_assets.blueprints.extend import deepen, pivot, refuse, verify, widen
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.reschedule import guard, parallelise, perturb, withhold
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.schema import PROMISED_LABEL, Blueprint, Operator
from tdscaling_assets.settings import MAX_GENERATIONS, CacWeights

Rewrite = Callable[[Rehearsal, Library, random.Random], Blueprint | None]

_REWRITES: Mapping[Operator, Rewrite] = {
    "deepen": deepen,
    "widen": widen,
    "withhold": withhold,
    "perturb": perturb,
    "guard": guard,
    "verify": verify,
    "parallelise": parallelise,
    "compute": compute,
    "pivot": pivot,
    "refuse": refuse,
}


def evolve(
    operator: Operator,
    rehearsal: Rehearsal,
    library: Library,
    weights: CacWeights,
    rng: random.Random,
    *,
    max_generations: int = MAX_GENERATIONS,
) -> Rehearsal | None:
    """The rewritten blueprint, rehearsed, with its lineage; None where the operator does not apply, or where the
    lineage holds `max_generations` operators.

    Raises DryRunError where the rewritten blueprint does not run, does not bring the label that the operator promises,
    or has a fault.
    """
    parent = rehearsal.blueprint
    if parent.lineage.generation >= max_generations:
        return None
    child = _REWRITES[operator](rehearsal, library, rng)
    if child is None:
        return None
    lineage = parent.lineage.model_copy(
        update={"operators": (*parent.lineage.operators, operator), "generation": parent.lineage.generation + 1}
    )
    evolved = rehearse(child.model_copy(update={"lineage": lineage}), library, weights, rehearsal)
    _check_promise(operator, evolved.blueprint, library)
    return evolved


def evolve_or_explain(
    operator: Operator,
    rehearsal: Rehearsal,
    library: Library,
    weights: CacWeights,
    rng: random.Random,
    tries: int = 3,
    *,
    max_generations: int = MAX_GENERATIONS,
) -> tuple[Rehearsal | None, str]:
    """The first child that runs of up to `tries` draws, and ""; (None, "") where the operator does not apply; else
    None, and why the last draw failed as `reason: operator, detail`."""
    why = ""
    for _ in range(tries):
        try:
            child = evolve(operator, rehearsal, library, weights, rng, max_generations=max_generations)
        except DryRunError as error:
            why = f"{error.reason}: {operator}, {error}"
            continue
        return child, why if child is None else ""
    return None, why


def _check_promise(operator: Operator, blueprint: Blueprint, library: Library) -> None:
    label, mode = PROMISED_LABEL[operator], blueprint.target_mode
    if label not in mode:
        raise DryRunError("no_label", f"the mode {'>'.join(mode)} has no {label}")
    fault = find_fault(blueprint, library)
    if fault is not None:
        reason, _, detail = fault.partition(": ")
        raise DryRunError(reason, detail)
