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
from tdscaling_assets.settings import CacWeights

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
    operator: Operator, rehearsal: Rehearsal, library: Library, weights: CacWeights, rng: random.Random
) -> Rehearsal | None:
    """The rewritten blueprint, rehearsed, with its lineage; None where the operator does not apply, would not bring the
    label that it promises, or would leave a fault. Raises DryRunError where the rewritten blueprint does not run."""
    parent = rehearsal.blueprint
    child = _REWRITES[operator](rehearsal, library, rng)
    if child is None:
        return None
    lineage = parent.lineage.model_copy(
        update={"operators": (*parent.lineage.operators, operator), "generation": parent.lineage.generation + 1}
    )
    evolved = rehearse(child.model_copy(update={"lineage": lineage}), library, weights)
    kept = PROMISED_LABEL[operator] in evolved.blueprint.target_mode and find_fault(evolved.blueprint, library) is None
    return evolved if kept else None


def evolve_or_explain(
    operator: Operator, rehearsal: Rehearsal, library: Library, weights: CacWeights, rng: random.Random, tries: int = 3
) -> tuple[Rehearsal | None, str]:
    """The child, or why there is none: "" where the operator does not apply, else `reason: detail` of the last failure.

    A child that does not run is repaired by drawing the rewrite anew, up to `tries` times in all.
    """
    failure = ""
    for _ in range(tries):
        try:
            return evolve(operator, rehearsal, library, weights, rng), ""
        except DryRunError as error:
            failure = f"{error.reason}: {operator}: {error}"
    return None, failure
