"""evolution_plan: the regime that a batch runs under, drawn from the reports of earlier rounds."""

from pathlib import Path

import dagster as dg
import polars as pl
import yaml

from tdscaling_assets.defs.system import System
from tdscaling_assets.defs.tables import picture, preview, store, table_asset
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.evolution.bandit import operator_stats
from tdscaling_assets.evolution.history import PlanHistory
from tdscaling_assets.evolution.keys import round_of
from tdscaling_assets.evolution.novelty import keeping_decay
from tdscaling_assets.evolution.override import override_plan
from tdscaling_assets.evolution.plan import plan_round
from tdscaling_assets.report.flow import operator_figure
from tdscaling_assets.schema import BusinessCluster, JsonObject, RoundPlan
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import batches_before, metric_history
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.summaries import last_plan_before, outcomes_before, plan_of_round

_SENTENCE = 2000
"""Characters of a reason that the UI shows."""


@table_asset("evolution_plan", deps=["business_clusters"])
def evolution_plan(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Weights over domains, modes and operators for this batch's round; a round's later batches repeat its plan."""
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake:
        plan = plan_for(lake, batch, settings)
        frame = to_frame("evolution_plan", [plan], batch=batch)
        reasons = pl.DataFrame({"decision": [*plan.reasons], "reason": [*plan.reasons.values()]})
        metadata = {
            "reason": dg.MetadataValue.text(plan.reason),
            "reasons": preview(reasons, reasons.height, width=_SENTENCE),
            "cac_target": plan.cac_target,
            "temperature": plan.temperature,
            "operators": picture(operator_figure(frame), "Operator weights"),
        }
        return store(lake, {"evolution_plan": frame}, batch=batch, run_id=context.run.run_id, metadata=metadata)


def plan_for(lake: Lake, batch: str, settings: Settings) -> RoundPlan:
    """The plan of the batch's round: the one it has, else a new one from what was kept before."""
    known = plan_of_round(lake, round_of(batch))
    if known is not None:
        return known
    clusters = lake.records("business_clusters", BusinessCluster)
    plan = plan_round(round_of(batch), read_history(lake, batch), clusters, settings)
    if settings.plan is None:
        return plan
    return override_plan(plan, read_changes(settings.plan), clusters, str(settings.plan))


def read_changes(path: Path) -> JsonObject:
    """The fields that a file overrides; raises ConfigError where it cannot be read or holds no mapping."""
    try:
        changes = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"the plan file {path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(changes, dict):
        raise ConfigError(f"the plan file {path} holds {changes!r}: write fields of a plan, such as cac_target: 9")
    return changes


def read_history(lake: Lake, batch: str) -> PlanHistory:
    """What all batches before this one have kept."""
    rows, previous = outcomes_before(lake, batch), last_plan_before(lake, batch)
    kept = rows.filter("kept")
    last = rows.filter(pl.col("round") == previous.round) if previous else rows.clear()
    labels = kept.select(label=pl.col("labels").list.unique()).explode("label").drop_nulls()
    report = metric_history(lake, "cumulative")
    earlier = batches_before(lake, batch, "diversity_report")
    metrics = report.filter(pl.col("batch") == earlier[-1]) if earlier else report.clear()
    return PlanHistory(
        kept_by_domain=_counts(kept["domain"]),
        kept_by_cluster=_counts(kept["cluster_id"]),
        kept_by_label=_counts(labels["label"]),
        kept_by_mode=_counts(kept["mode"]),
        share_above=_share_above(last, previous.cac_target) if previous else None,
        decay=keeping_decay(rows["planned_messages"].drop_nulls(), kept.height),
        operators=operator_stats(rows),
        metrics=dict(metrics.select("metric", "value").iter_rows()),
        previous=previous,
    )


def _share_above(rows: pl.DataFrame, target: float) -> float | None:
    above = rows.filter("kept", pl.col("cac") >= target).height
    return above / rows.height if rows.height else None


def _counts(values: pl.Series) -> dict[str, int]:
    return dict(values.value_counts(name="n").sort(values.name).iter_rows())
