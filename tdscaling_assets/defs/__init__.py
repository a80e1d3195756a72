"""The shell: Dagster assets, one file per stage, and what checks, schedules and starts them."""

from types import ModuleType

import dagster as dg

from tdscaling_assets.defs import (
    automation,
    blueprints,
    catalog,
    evolution,
    quality,
    report,
    training,
    trajectories,
)
from tdscaling_assets.defs.checks import CHECKS
from tdscaling_assets.defs.console import terse_console
from tdscaling_assets.defs.system import System

STAGES: tuple[ModuleType, ...] = (catalog, evolution, blueprints, trajectories, quality, report, training)
"""The files of assets, in data-flow order."""


def build_defs(system: System | None = None) -> dg.Definitions:
    """The one graph that the UI, the daemon, the command line and the tests share."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules(STAGES),
        asset_checks=list(CHECKS),
        jobs=[automation.catalog_job, automation.synthesis_job],
        schedules=[automation.nightly_synthesis],
        sensors=[automation.entropy_plateau_sensor],
        resources={"system": system or System()},
        loggers={"console": terse_console},
        executor=dg.in_process_executor,
    )
