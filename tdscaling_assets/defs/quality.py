"""filtered_trajectories: what passes every rule of the funnel; each verdict is in `verdicts`."""

import dagster as dg
import polars as pl

from tdscaling_assets.defs.system import System, open_replies
from tdscaling_assets.defs.tables import picture, store, table_asset
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.duplicates import find_earlier_copies
from tdscaling_assets.quality.funnel import Funnel
from tdscaling_assets.report.flow import funnel_figure
from tdscaling_assets.schema import UNJUDGED, Blueprint, Trajectory
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import kept_before, with_tools
from tdscaling_assets.storage.rows import in_chunks, to_frame
from tdscaling_assets.storage.spool import Spool
from tdscaling_assets.storage.summaries import counts_per_batch, rejections


@table_asset("filtered_trajectories", deps=["raw_trajectories"])
async def filtered_trajectories(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """The kept conversations: valid, paired, grounded, true to their blueprint, unleaked, in the right final state.

    Those that the judge could not be paid for are held back; running the batch again goes on with them.
    """
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake:
        raw = lake.stream_records("raw_trajectories", Trajectory, [batch])
        copies = find_earlier_copies(raw, kept_before(lake, batch), settings.duplicate_similarity)
        with open_replies(settings, batch) as replies:
            async with open_models(settings, replies) as models:
                frames = await judge_batch(lake, batch, Funnel(copies, models.get("judge"), settings))
        verdicts, kept = frames["verdicts"], frames["filtered_trajectories"].height
        unscored = verdicts.filter(pl.col("score").is_null(), rule="judge").height
        if unscored:
            context.log.warning(f"{unscored} conversations are kept without the judge's score: see `verdicts`")
        unjudged = verdicts.filter(rule=UNJUDGED)["reason"]
        if unjudged.len():
            context.log.warning(f"{unjudged.len()} conversations wait for the judge: {unjudged[-1]}")
        judged = verdicts["trajectory_id"].n_unique()
        metadata = {
            "unscored": unscored,
            "unjudged": unjudged.len(),
            "raw": judged,
            "acceptance_rate": kept / max(1, judged),
        }
        stored = store(lake, frames, batch=batch, run_id=context.run.run_id, metadata=metadata)
        if not unjudged.len() and lake.read("pending_blueprints", batch=batch).is_empty():
            _clear_spool(settings, batch)
        counts, reasons = (frame.filter(batch=batch) for frame in (counts_per_batch(lake), rejections(lake)))
        funnel = picture(funnel_figure(counts, reasons), "Funnel")
        return dg.MaterializeResult(metadata={**(stored.metadata or {}), "funnel": funnel})


def _clear_spool(settings: Settings, batch: str) -> None:
    """The batch is done with; it is kept longer only where a judge may have to wait."""
    if settings.model_judge:
        with Spool(settings.home, batch) as spool:
            spool.clear()


async def judge_batch(lake: Lake, batch: str, funnel: Funnel) -> dict[str, pl.DataFrame]:
    """The kept conversations of the batch, and every verdict, as frames of those tables. Each is judged by the tools
    that it was offered."""
    plans = {one.blueprint_id: one for one in lake.records("blueprints", Blueprint, batch=batch)}
    kept, verdicts = [to_frame("filtered_trajectories", [])], [to_frame("verdicts", [], batch=batch)]
    for chunk in in_chunks(with_tools(lake, lake.stream_records("raw_trajectories", Trajectory, [batch]))):
        result = await funnel.run([Case(one, plans[one.blueprint_id], tools) for one, tools in chunk])
        kept.append(to_frame("filtered_trajectories", result.kept))
        verdicts.append(to_frame("verdicts", result.verdicts, batch=batch))
    return {"filtered_trajectories": pl.concat(kept), "verdicts": pl.concat(verdicts)}
