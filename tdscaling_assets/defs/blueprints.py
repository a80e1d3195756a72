"""blueprints: what will be talked about, with its ground truth, before a token of a conversation is spent."""

import dagster as dg

from tdscaling_assets.blueprints.batch import plan_batch
from tdscaling_assets.blueprints.scenario import write_scenarios
from tdscaling_assets.defs.system import System, open_library, open_replies
from tdscaling_assets.defs.tables import store, table_asset
from tdscaling_assets.errors import TdsError
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.sandbox.select import program_runner
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import kept_blueprints, plan_of
from tdscaling_assets.storage.rows import to_frame


@table_asset("blueprints", deps=["business_clusters", "evolution_plan"])
async def blueprints(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Conversations laid out step by step and dry-run on a fresh world; refused ones are in `rejected_blueprints`."""
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake, open_replies(settings, batch) as replies:
        models = open_models(settings, replies)
        plan = plan_of(lake, batch)
        if plan is None:
            raise dg.Failure(f"batch {batch} has no evolution_plan yet: materialize that asset for it first")
        with program_runner(settings) as run:
            made = plan_batch(plan, batch, open_library(lake, run), kept_blueprints(lake, batch), settings)
        context.log.info(f"{len(made.blueprints)} blueprints drawn, {len(made.rejected)} attempts refused")
        async with models:
            written, untold = await write_scenarios(made.blueprints, models["planner"], settings)
        rejected = [*made.rejected, *untold]
        frames = {
            "blueprints": to_frame("blueprints", written),
            "rejected_blueprints": to_frame("rejected_blueprints", rejected),
        }
        metadata = {
            "attempts": len(made.blueprints) + len(made.rejected),
            "rejected_blueprints": len(rejected),
            "target_cac_mean": _mean([blueprint.target_cac for blueprint in written]),
            "with_operators": sum(bool(blueprint.lineage.operators) for blueprint in written),
            "modes": len({blueprint.target_mode for blueprint in written}),
        }
        stored = store(lake, frames, batch=batch, run_id=context.run.run_id, metadata=metadata)
    if not written:
        last = f"{rejected[-1].reason}: {rejected[-1].detail}" if rejected else "no cluster to draw from"
        raise TdsError(f"batch {batch} got no blueprint, {last}; mend that and run the batch again")
    return stored


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
