"""Ten evolution operators: a rehearsed blueprint in, a more demanding one out, or None where it does not apply.

Each promises a reasoning-mode label (schema.PROMISED_LABEL). The result must be rehearsed again; it may be refused.
"""

import random
from collections.abc import Callable, Mapping

from tdscaling_assets.blueprints.extend import compute, deepen, pivot, refuse, verify, widen
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import Rehearsal
from tdscaling_assets.blueprints.reschedule import guard, parallelise, perturb, withhold
from tdscaling_assets.schema import Blueprint, Operator

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


def evolve(operator: Operator, rehearsal: Rehearsal, library: Library, rng: random.Random) -> Blueprint | None:
    """The rewritten blueprint with its lineage, or None where the operator does not apply. Raises DryRunError."""
    parent = rehearsal.blueprint
    child = _REWRITES[operator](rehearsal, library, rng)
    if child is None:
        return None
    lineage = parent.lineage.model_copy(
        update={"operators": (*parent.lineage.operators, operator), "generation": parent.lineage.generation + 1}
    )
    return child.model_copy(update={"lineage": lineage})
