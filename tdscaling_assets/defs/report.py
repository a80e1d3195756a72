"""diversity_report: the metrics of the batch and of everything kept so far, and the page that shows them."""

from typing import NamedTuple

import dagster as dg
import polars as pl

from tdscaling_assets.defs.system import System
from tdscaling_assets.defs.tables import picture, store, table_asset
from tdscaling_assets.llm.teacher import is_simulated
from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.metrics.groups import group_rows
from tdscaling_assets.metrics.measure import measure, metric_values
from tdscaling_assets.report.browser import sample_evenly
from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.page import draw_pictures, write_report
from tdscaling_assets.report.toolgraph import ToolName
from tdscaling_assets.schema import GroupRow, MetricRow
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import (
    canonical_tool_ids,
    count_edges,
    named_trajectories,
    named_verdicts,
    plan_of,
)
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.summaries import (
    batches_until,
    counts_per_batch,
    final_states,
    kept_measures,
    outcomes,
    rejections,
    speaking_models,
)

SHOWN_PER_BATCH = 60
"""Trajectories per batch that the report's browser may show."""


@table_asset("diversity_report", "matplotlib", deps=["filtered_trajectories"])
def diversity_report(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Entropies, complexity, coverage and cost with intervals; also written as `report/index.html` in the home."""
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake:
        (alone, of_batch), (together, of_all) = measure_batch(lake, batch, settings)
        frames = {
            "diversity_report": to_frame("diversity_report", [*alone, *together]),
            "diversity_groups": to_frame("diversity_groups", [*of_batch, *of_all]),
        }
        flat = {
            **{f"batch/{name}": value for name, value in metric_values(alone).items()},
            **{f"cumulative/{name}": value for name, value in metric_values(together).items()},
        }
        stored = store(lake, frames, batch=batch, run_id=context.run.run_id, metadata=flat)
        data = read_report(lake, settings)
        figures = draw_pictures(data)
        page = write_report(settings.home / "report" / "index.html", data, figures)
        pictures = {name: picture(figure, name) for name, figure in figures.items()}
        return dg.MaterializeResult(
            metadata={"report": dg.MetadataValue.path(str(page.resolve())), **pictures, **(stored.metadata or {})}
        )


Measured = tuple[list[MetricRow], list[GroupRow]]
"""The figures of a set, and those of its domains and operators."""


def measure_batch(lake: Lake, batch: str, settings: Settings) -> tuple[Measured, Measured]:
    """What is measured on the batch alone, and on all batches up to and with it."""
    kept, runs = kept_measures(lake), outcomes(lake)
    edges = lake.read("tool_graph", columns=["producer_id", "consumer_id"])
    plan = plan_of(lake, batch)
    copies = rejections(lake).filter(pl.col("rule") == "near_duplicate")
    ends = final_states(lake)
    until = batches_until(lake, batch)

    def figures(scope: str, batches: list[str]) -> Measured:
        inside = pl.col("batch").is_in(batches)
        chosen = runs.filter(inside)
        context = MeasureContext.model_validate(
            {
                "batch": batch,
                "scope": scope,
                "rarefaction": settings.rarefaction,
                "resamples": settings.bootstrap,
                "seed": settings.seed,
                "cac_target": plan.cac_target if plan else None,
                "tools": canonical_tool_ids(lake),
                "clusters": set(lake.read("business_clusters", columns=["cluster_id"])["cluster_id"]),
                "generated": chosen.height,
                "kept": chosen["kept"].sum(),
                "near_duplicates": copies.filter(inside)["n"].sum(),
                "tokens": chosen["tokens"].sum(),
                "usd": None if chosen["usd"].null_count() else chosen["usd"].sum(),
                "checkable": ends.filter(inside)["checkable"].sum(),
                "agreeing": ends.filter(inside)["agreeing"].sum(),
            }
        )
        return measure(kept.filter(inside), context, edges), group_rows(chosen, context)

    return figures("batch", [batch]), figures("cumulative", until)


class Place(NamedTuple):
    """Where a trajectory that the browser may show stands."""

    round: str
    batch: str
    trajectory_id: str


def read_report(lake: Lake, settings: Settings) -> ReportData:
    """Everything that the page shows, of all batches."""
    runs = outcomes(lake)
    first = runs.group_by("batch", maintain_order=True).head(SHOWN_PER_BATCH)
    shown = sample_evenly([Place(*row) for row in first.select(Place._fields).iter_rows()])
    identities = [one.trajectory_id for one in shown]
    models = speaking_models(lake)
    tools = lake.read("tool_catalog", columns=["tool_id", "server", "name"])
    return ReportData(
        metrics=lake.read("diversity_report"),
        plans=lake.read("evolution_plan"),
        counts=counts_per_batch(lake),
        rejections=rejections(lake),
        clusters=lake.read("business_clusters"),
        outcomes=runs,
        groups=lake.read("diversity_groups"),
        study=lake.read("study"),
        trajectories=named_trajectories(lake, identities),
        verdicts=named_verdicts(lake, identities),
        models=models,
        simulated=is_simulated(models),
        snapshot=lake.snapshot(),
        tool_names={tool_id: ToolName(server, name) for tool_id, server, name in tools.iter_rows()},
        total_tools=len(canonical_tool_ids(lake)),
        total_edges=count_edges(lake),
    )
