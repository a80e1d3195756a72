"""training_set: the kept conversations in the order that adds most diversity first, exported for trainers."""

import dagster as dg
import polars as pl

from tdscaling_assets.defs.system import System
from tdscaling_assets.defs.tables import store, table_asset
from tdscaling_assets.errors import StorageError, TdsError
from tdscaling_assets.export.card import ExportInfo
from tdscaling_assets.export.folder import ExportSummary, write_export
from tdscaling_assets.export.select import select_training_set
from tdscaling_assets.llm.teacher import is_simulated
from tdscaling_assets.schema import MetricRow
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import chosen_trajectories, count_gone_choices, reported_batches, with_tools
from tdscaling_assets.storage.rows import from_frame, to_frame
from tdscaling_assets.storage.summaries import speaking_models


@table_asset("training_set", "jsonl", deps=["filtered_trajectories"])
def training_set(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """The kept trajectories in greedy diversity order, written to `export/latest` as OpenAI messages and Parquet.

    The last of a batch's assets, so the lake is maintained here.
    """
    settings = system.settings()
    with Lake.open(settings) as lake:
        kept = lake.read("filtered_trajectories", columns=["trajectory_id", "domain", "mode", "cac"])
        rows = select_training_set(kept, settings.export_budget)
        frames = {"training_set": to_frame("training_set", rows)}
        stored = store(lake, frames, batch=None, run_id=context.run.run_id)
        summary = export_training_set(lake, settings, "latest")
        tidied = tidy(context, lake)
    facts: dict[str, dg.MetadataValue | int] = {
        "exported": summary.exported,
        "refused": len(summary.refused),
        "export": dg.MetadataValue.path(str(summary.folder.resolve())),
    }
    return dg.MaterializeResult(metadata={**(stored.metadata or {}), **facts, **tidied})


def tidy(context: dg.AssetExecutionContext, lake: Lake) -> dict[str, int]:
    """Maintain the lake; what was done. A failure is only told: all is stored, and the next batch tries again."""
    try:
        return lake.maintain()
    except StorageError as error:
        context.log.warning(str(error))
        return {}


def export_training_set(lake: Lake, settings: Settings, name: str) -> ExportSummary:
    """Write the stored training set to `export/<name>`, in its order, each conversation with the tools it was offered.

    Raises TdsError when it names conversations that are kept no more.
    """
    gone = count_gone_choices(lake)
    if gone:
        raise TdsError(f"{gone} conversations of training_set are kept no more: materialize training_set again")
    models = speaking_models(lake)
    info = ExportInfo(
        name=name,
        models=models,
        simulated=is_simulated(models),
        snapshot=lake.snapshot(),
        sources=tuple(sorted(set(lake.read("tool_catalog", columns=["source"])["source"]))),
    )
    folder = settings.home / "export" / name
    return write_export(folder, with_tools(lake, chosen_trajectories(lake)), last_metrics(lake), info)


def last_metrics(lake: Lake) -> list[MetricRow]:
    """Cumulative figures as of the newest report."""
    reported = reported_batches(lake)
    if not reported:
        return []
    report = lake.read("diversity_report", batch=reported[-1])
    return from_frame(MetricRow, report.filter(pl.col("scope") == "cumulative"))
