"""evolution_plan: the regime that a batch runs under, drawn from the reports of earlier rounds."""

from collections import Counter

import dagster as dg
import polars as pl

from tdscaling_assets.defs.system import System
from tdscaling_assets.defs.tables import picture, store, table_asset
from tdscaling_assets.evolution.bandit import operator_stats
from tdscaling_assets.evolution.keys import round_of
from tdscaling_assets.evolution.plan import PlanHistory, plan_round
from tdscaling_assets.report.flow import operator_figure
from tdscaling_assets.schema import BusinessCluster, RoundPlan
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import batches_before, metric_history
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.summaries import last_plan_before, outcomes_before, plan_of_round


@table_asset("evolution_plan", deps=["business_clusters"])
def evolution_plan(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Weights over domains, modes and operators for this batch's round; a round's later batches repeat its plan."""
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake:
        plan = plan_for(lake, batch, settings)
        frame = to_frame("evolution_plan", [plan], batch=batch)
        metadata = {
            "reason": dg.MetadataValue.text(plan.reason),
            "cac_target": plan.cac_target,
            "temperature": plan.temperature,
            "operators": picture(operator_figure(frame), "Operator weights"),
        }
        return store(lake, {"evolution_plan": frame}, batch=batch, run_id=context.run.run_id, metadata=metadata)


def plan_for(lake: Lake, batch: str, settings: Settings) -> RoundPlan:
    """The plan of the batch's round: the one it has, else a new one from what was kept before."""
    sizes = Counter(cluster.domain for cluster in lake.records("business_clusters", BusinessCluster))
    known = plan_of_round(lake, round_of(batch))
    return known or plan_round(round_of(batch), read_history(lake, batch), sizes, settings)


def read_history(lake: Lake, batch: str) -> PlanHistory:
    """What all batches before this one have kept."""
    rows = outcomes_before(lake, batch)
    kept = rows.filter("kept")
    labels = kept.select(label=pl.col("labels").list.unique()).explode("label").drop_nulls()
    report = metric_history(lake, "cumulative")
    earlier = batches_before(lake, batch, "diversity_report")
    metrics = report.filter(pl.col("batch") == earlier[-1]) if earlier else report.clear()
    return PlanHistory(
        kept_by_domain=dict(kept.group_by("domain").len().sort("domain").iter_rows()),
        kept_by_label=dict(labels.group_by("label").len().sort("label").iter_rows()),
        cac_p75=kept["cac"].quantile(0.75, "linear"),
        operators=operator_stats(rows),
        metrics=dict(metrics.select("metric", "value").iter_rows()),
        previous=last_plan_before(lake, batch),
    )
