"""The experiment of the paper on this machine's own loop: volume against steered diversity, at equal numbers kept.

Both arms start from the same seed. *quantity* repeats round 1's plan; *diversity* starts a new round at each plateau.
"""

import tempfile
from pathlib import Path

import dagster as dg
import polars as pl

from tdscaling_assets.defs.automation import partitions_name
from tdscaling_assets.defs.run import Overrides, decide, run_batch, run_catalog
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.keys import next_batch
from tdscaling_assets.evolution.plateau import NewRound
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.measure import measure
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.summaries import kept_measures, outcomes

METRICS = ("h_dom", "h_mode", "cac_mean")
ARMS = ("quantity", "diversity")


def run_study(settings: Settings, budgets: list[int], seeds: int) -> pl.DataFrame:
    """seed, arm, kept, metric, value, ci_low, ci_high, calls_per_kept: one row per figure of each arm and budget.

    ConfigError when a batch keeps nothing.
    """
    rows: list[dict[str, object]] = []
    for seed in range(settings.seed, settings.seed + seeds):
        for arm in ARMS:
            with tempfile.TemporaryDirectory(prefix="tds-study-") as folder:
                home = settings.model_copy(update={"home": Path(folder), "seed": seed, "catalog": "", "lake_data": ""})
                rows += [{"seed": seed, "arm": arm, **row} for row in _run_arm(home, arm, budgets)]
    return pl.DataFrame(rows)


def _run_arm(settings: Settings, arm: str, budgets: list[int]) -> list[dict[str, object]]:
    overrides: Overrides = {
        "home": str(settings.home),
        "catalog": settings.catalog,
        "lake_data": settings.lake_data,
        "seed": settings.seed,
        "batch_size": settings.batch_size,
    }
    with dg.DagsterInstance.ephemeral() as instance:
        run_catalog(instance, overrides)
        kept_before = -1
        while (kept := _kept(settings)) < budgets[-1]:
            if kept == kept_before:
                raise ConfigError(f"the last batch kept nothing, so {budgets[-1]} are out of reach: see `tds doctor`")
            kept_before = kept
            decision = decide(instance, settings)
            keys = instance.get_dynamic_partitions(partitions_name())
            steer = arm == "diversity" and isinstance(decision, NewRound)
            run_batch(
                instance, decision.key if steer and isinstance(decision, NewRound) else next_batch(keys), overrides
            )
    with Lake.open(settings, read_only=True) as lake:
        measures, runs = kept_measures(lake), outcomes(lake)
    return [row for budget in budgets for row in _figures(measures.head(budget), runs, settings)]


def _figures(kept: pl.DataFrame, runs: pl.DataFrame, settings: Settings) -> list[dict[str, object]]:
    context = MeasureContext(
        batch="",
        scope="cumulative",
        rarefaction=settings.rarefaction,
        resamples=settings.bootstrap,
        seed=settings.seed,
    )
    spent = runs.filter(pl.col("batch").is_in(kept["batch"].unique().implode()))
    cost = float(spent["calls"].sum()) / max(1, spent.filter("kept").height)
    return [
        {
            "kept": kept.height,
            "metric": row.metric,
            "value": row.value,
            "ci_low": row.ci_low,
            "ci_high": row.ci_high,
            "calls_per_kept": cost,
        }
        for row in measure(kept, context)
        if row.metric in METRICS
    ]


def _kept(settings: Settings) -> int:
    with Lake.open(settings) as lake:
        return lake.read("filtered_trajectories", columns=["trajectory_id"]).height
