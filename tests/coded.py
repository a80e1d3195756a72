"""Blueprints with a code step of a wanted kind, on the built-in services."""

import asyncio
import random
from collections.abc import Iterable

from tdscaling_assets.blueprints.compute import find_fits, with_code
from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.scenario import write_scenarios
from tdscaling_assets.blueprints.topology import draw_blueprint, seal
from tdscaling_assets.blueprints.validation import find_fault
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import Blueprint
from tdscaling_assets.settings import Settings

DRAWS = 400


def coded_blueprints(library: Library, kinds: Iterable[str], settings: Settings) -> dict[str, Blueprint]:
    """Kind → a rehearsed blueprint with its title, persona and goal. AssertionError where a kind fits no draw."""
    wanted, found = set(kinds), dict[str, Blueprint]()
    for seed in range(DRAWS):
        rng = random.Random(seed)
        try:
            parent = rehearse(
                draw_blueprint(rng.choice(library.clusters), "r01-b01", library, rng, seed), library, settings.cac
            )
        except DryRunError:
            continue
        fits = [fit for fit in find_fits(parent, library) if fit.kind.name in wanted - set(found)]
        if fits:
            fit = rng.choice(fits)
            found[fit.kind.name] = _rehearsed(with_code(parent.blueprint, fit, library, rng), library, settings)
        if wanted == set(found):
            break
    assert wanted == set(found), sorted(wanted - set(found))
    written, _ = asyncio.run(write_scenarios([*found.values()], ScriptedTeacher(1.0), settings))
    return dict(zip(found, written, strict=True))


def _rehearsed(blueprint: Blueprint, library: Library, settings: Settings) -> Blueprint:
    rehearsal: Rehearsal = rehearse(blueprint, library, settings.cac)
    assert find_fault(rehearsal.blueprint, library) is None
    return seal(rehearsal.blueprint)
