"""filtered_trajectories: what passes every rule of the funnel; each verdict is in `verdicts`."""

import dagster as dg

from tdscaling_assets.defs.system import System, open_replies
from tdscaling_assets.defs.tables import picture, store, table_asset
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.funnel import run_funnel
from tdscaling_assets.report.flow import funnel_figure
from tdscaling_assets.schema import Blueprint, Tool, Trajectory
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import kept_before
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.summaries import counts_per_batch, rejections


@table_asset("filtered_trajectories", deps=["raw_trajectories"])
async def filtered_trajectories(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """The kept conversations: valid, paired, grounded, true to their blueprint, unleaked, in the right final state."""
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake:
        plans = {one.blueprint_id: one for one in lake.records("blueprints", Blueprint, batch=batch)}
        tools = {tool.tool_id: tool for tool in lake.records("tool_catalog", Tool)}
        raw = lake.records("raw_trajectories", Trajectory, batch=batch)
        cases = [Case(trajectory, plans[trajectory.blueprint_id], tools) for trajectory in raw]
        with open_replies(settings, batch) as replies:
            async with open_models(settings, replies) as models:
                result = await run_funnel(cases, kept_before(lake, batch), models.get("judge"), settings)
        unscored = sum(verdict.rule == "judge" and verdict.score is None for verdict in result.verdicts)
        if unscored:
            context.log.warning(f"{unscored} conversations are kept without the judge's score: see `verdicts`")
        frames = {
            "filtered_trajectories": to_frame("filtered_trajectories", result.kept),
            "verdicts": to_frame("verdicts", result.verdicts, batch=batch),
        }
        metadata = {"unscored": unscored, "raw": len(raw), "acceptance_rate": len(result.kept) / max(1, len(raw))}
        stored = store(lake, frames, batch=batch, run_id=context.run.run_id, metadata=metadata)
        counts, reasons = (frame.filter(batch=batch) for frame in (counts_per_batch(lake), rejections(lake)))
        funnel = picture(funnel_figure(counts, reasons), "Funnel")
        return dg.MaterializeResult(metadata={**(stored.metadata or {}), "funnel": funnel})
