"""Nothing is dropped silently: for every stage, input = kept + rejected, counted in the lake and not in memory.

Nothing collapses silently either: a warning, which blocks nothing.
"""

import warnings
from collections.abc import Callable

import dagster as dg
import polars as pl

from tdscaling_assets.defs.system import System
from tdscaling_assets.defs.tables import batches, preview
from tdscaling_assets.metrics.collapse import collapse_signs, commonest, entropy_changes
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import batch_counts, batches_before, kept_speech

CheckFunction = Callable[..., dg.AssetCheckResult]


def _batch_check(asset: str, name: str = "nothing_dropped") -> Callable[[CheckFunction], dg.AssetChecksDefinition]:
    """A check of one batch. Dagster warns that partitioned checks are in preview; unpartitioned, it would load all."""

    def define(function: CheckFunction) -> dg.AssetChecksDefinition:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.PreviewWarning)
            return dg.asset_check(asset=asset, name=name, partitions_def=batches)(function)

    return define


@dg.asset_check(asset="tool_catalog", name="nothing_dropped")
def catalog_adds_up(context: dg.AssetCheckExecutionContext, system: System) -> dg.AssetCheckResult:
    """Tools read = tools kept, copies too, + tools rejected."""
    with Lake.open(system.settings(), read_only=True) as lake:
        kept = lake.read("tool_catalog", columns=["present"]).filter(pl.col("present")).height
        rejected = lake.read("rejected_tools", columns=["name"]).height
    return _add_up(_recorded(context, "tool_catalog", "raw_tools", None), kept=kept, rejected=rejected)


@_batch_check("blueprints")
def blueprints_add_up(context: dg.AssetCheckExecutionContext, system: System) -> dg.AssetCheckResult:
    """Attempts = blueprints + rejected blueprints."""
    counts = _counts(context, system)
    attempts = _recorded(context, "blueprints", "attempts", context.partition_key)
    return _add_up(attempts, kept=counts["blueprints"], rejected=counts["rejected_blueprints"])


@_batch_check("raw_trajectories")
def conversations_add_up(context: dg.AssetCheckExecutionContext, system: System) -> dg.AssetCheckResult:
    """Blueprints = trajectories, completed or failed, + those that the budget did not reach."""
    counts = _counts(context, system)
    return _add_up(counts["blueprints"], kept=counts["raw_trajectories"], rejected=counts["pending_blueprints"])


@_batch_check("filtered_trajectories")
def verdicts_add_up(context: dg.AssetCheckExecutionContext, system: System) -> dg.AssetCheckResult:
    """Trajectories = kept ones + those with a rejecting verdict."""
    counts = _counts(context, system)
    return _add_up(
        counts["raw_trajectories"], kept=counts["filtered_trajectories"], rejected=counts["rejected_trajectories"]
    )


@dg.asset_check(asset="training_set", name="nothing_dropped")
def training_set_adds_up(system: System) -> dg.AssetCheckResult:
    """Kept trajectories, up to the budget = rows of the training set."""
    settings = system.settings()
    with Lake.open(settings, read_only=True) as lake:
        kept = lake.read("filtered_trajectories", columns=["trajectory_id"]).height
        chosen = lake.read("training_set", columns=["trajectory_id"])["trajectory_id"].n_unique()
    return _add_up(min(kept, settings.export_budget or kept), kept=chosen, rejected=0)


@_batch_check("diversity_report", "no_collapse")
def no_collapse(context: dg.AssetCheckExecutionContext, system: System) -> dg.AssetCheckResult:
    """No entropy fell far since the batch before, and no persona, opening or template repeats too often."""
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings, read_only=True) as lake:
        earlier = batches_before(lake, batch)[-1:]
        kept = kept_speech(lake, [*earlier, batch])
    own = kept.filter(pl.col("batch") == batch)
    changes = entropy_changes(kept.filter(pl.col("batch").is_in(earlier)), own)
    repeats = commonest(own)
    shares = {
        "persona": settings.collapse_persona,
        "opening": settings.collapse_share,
        "template": settings.collapse_share,
    }
    signs = collapse_signs(changes, repeats, settings.collapse_fall, shares)
    return dg.AssetCheckResult(
        passed=not signs,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(signs) or "nothing repeats too often, and no entropy fell far",
        metadata={
            **{f"{one.metric} change": one.gain for one in changes},
            **{f"{one.kind} share": one.share for one in reversed(repeats)},
            "commonest": preview(pl.DataFrame([one.model_dump() for one in repeats]), rows=len(repeats)),
        },
    )


def _counts(context: dg.AssetCheckExecutionContext, system: System) -> dict[str, int]:
    with Lake.open(system.settings(), read_only=True) as lake:
        return batch_counts(lake, context.partition_key)


def _recorded(context: dg.AssetCheckExecutionContext, asset: str, name: str, partition: str | None) -> int:
    """A number that the newest materialization of the asset (and partition) recorded; -1 when there is none."""
    only = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition] if partition else None)
    records = context.instance.fetch_materializations(only, limit=1).records
    if not records or records[0].asset_materialization is None:
        return -1
    value = records[0].asset_materialization.metadata[name].value
    return int(value) if isinstance(value, int | float) else -1


def _add_up(taken: int, *, kept: int, rejected: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=taken == kept + rejected,
        description=f"{taken} in = {kept} kept + {rejected} rejected"
        if taken == kept + rejected
        else f"{taken} in, but {kept} kept + {rejected} rejected: run the stage again",
        metadata={"in": taken, "kept": kept, "rejected": rejected},
    )


CHECKS = (catalog_adds_up, blueprints_add_up, conversations_add_up, verdicts_add_up, no_collapse, training_set_adds_up)
