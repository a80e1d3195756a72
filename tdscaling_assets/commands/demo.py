"""The demo: real stages on embedded defaults until a plateau has started a new round, then where to look."""

import os
import shutil
import sys
from pathlib import Path

from rich.console import Console

from tdscaling_assets.commands.terminal import print_batches
from tdscaling_assets.defs.run import Overrides, decide, open_instance, run_batch, run_catalog, run_next_batch
from tdscaling_assets.evolution.plateau import NewRound
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.llm.teacher import is_simulated
from tdscaling_assets.settings import Settings

PATIENCE = 6
"""Batches of one demo before it gives up waiting for a plateau."""


def run_demo(settings: Settings, overrides: Overrides, console: Console) -> None:
    """Run, narrate, and print figures, paths and what to try next. Running it again goes on where it ended."""
    models = open_models(settings)
    instance = open_instance(settings)
    console.rule("1. Tools, their graph, business clusters")
    run_catalog(instance, overrides)
    for number in range(1, PATIENCE + 1):
        console.rule(f"{number + 1}. More of the same: the next batch")
        run_next_batch(instance, settings, overrides)
        decision = decide(instance, settings)
        console.print(decision.reason, highlight=False, markup=False, soft_wrap=True)
        if isinstance(decision, NewRound):
            console.rule(f"{number + 2}. A plateau: round {decision.key.split('-')[0]} starts")
            run_batch(instance, decision.key, overrides)
            break
    console.rule("Result")
    print_batches(settings, console)
    if is_simulated(model.name for model in models.values()):
        console.print("The scripted teacher spoke: this proves the machinery, not a model's quality.")
    home = settings.home
    console.print(
        f"Report   {home / 'report' / 'index.html'}\nExport   {home / 'export' / 'latest'}\nTables   {home}/lake",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    tds = _typed_command()
    console.print(
        "\nTry next:\n"
        f'  {tds} sql "SELECT domain, count(*) AS n, avg(cac) FROM filtered_trajectories GROUP BY domain"\n'
        f"  {tds} batch     the next batch of this round; `{tds} round` plans a new one\n"
        "  make dev      the Dagster UI on http://localhost:3000",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def _typed_command() -> str:
    """How a person types `tds` here: by name when it is on the path, else by its place."""
    here = Path(sys.argv[0])
    if here.name != "tds" or shutil.which("tds") == str(here.absolute()):
        return "tds"
    return os.path.relpath(here)
