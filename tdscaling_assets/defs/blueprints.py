"""blueprints: what will be talked about, with its ground truth, before a token of a conversation is spent."""

import dagster as dg

from tdscaling_assets.blueprints.batch import BlueprintBatch, plan_batch
from tdscaling_assets.blueprints.scenario import write_scenarios
from tdscaling_assets.defs.evolution import read_history
from tdscaling_assets.defs.system import System, open_library, open_replies
from tdscaling_assets.defs.tables import store, table_asset
from tdscaling_assets.errors import TdsError
from tdscaling_assets.evolution.novelty import Candidate, choose_novel
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.sandbox.select import program_runner
from tdscaling_assets.schema import Blueprint, RejectedBlueprint, RoundPlan
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import plan_of, sample_kept_blueprints
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
        made = draw_batch(lake, plan, batch, settings)
        context.log.info(f"{len(made.blueprints)} blueprints chosen, {len(made.rejected)} attempts refused or left")
        async with models:
            written, untold = await write_scenarios(made.blueprints, models["planner"], settings)
        if not all(one.has_scenario for one in written):  # the budget ended: what an earlier run wrote stays
            stored_before = lake.records("blueprints", Blueprint, batch=batch)
            told = {one.blueprint_id: one for one in stored_before if one.has_scenario}
            written = [one if one.has_scenario else told.get(one.blueprint_id, one) for one in written]
        rejected = [*made.rejected, *untold]
        unwritten = sum(not blueprint.has_scenario for blueprint in written)
        if unwritten:
            context.log.warning(f"{unwritten} of {len(written)} blueprints have no scenario: the budget is spent")
        frames = {
            "blueprints": to_frame("blueprints", written),
            "rejected_blueprints": to_frame("rejected_blueprints", rejected),
        }
        metadata = {
            "attempts": len(made.blueprints) + len(made.rejected),
            "rejected_blueprints": len(rejected),
            "without_scenario": unwritten,
            "target_cac_mean": _mean([blueprint.target_cac for blueprint in written]),
            "with_operators": sum(bool(blueprint.lineage.operators) for blueprint in written),
            "modes": len({blueprint.target_mode for blueprint in written}),
        }
        stored = store(lake, frames, batch=batch, run_id=context.run.run_id, metadata=metadata)
    if not written:
        last = f"{rejected[-1].reason}: {rejected[-1].detail}" if rejected else "no cluster to draw from"
        raise TdsError(f"batch {batch} got no blueprint, {last}; mend that and run the batch again")
    return stored


def draw_batch(lake: Lake, plan: RoundPlan, batch: str, settings: Settings) -> BlueprintBatch:
    """The batch's blueprints: drawn by the plan, and where more were drawn than are wanted, those that add most bits to
    what was kept before; the others are rejected as less novel."""
    parents = sample_kept_blueprints(lake, batch, settings.parents, settings.seed)
    with program_runner(settings) as run:
        drawn = plan_batch(plan, batch, open_library(lake, run), parents, settings)
    if len(drawn.blueprints) <= settings.batch_size:
        return drawn
    history = read_history(lake, batch)
    chosen, left = choose_novel(
        [Candidate.of(one) for one in drawn.blueprints],
        settings.batch_size,
        history.kept_by_domain,
        history.kept_by_mode,
        plan,
        history.decay,
    )
    least = f"those chosen add at least {min(one.gain for one in chosen):.3f}"
    rejected = [
        RejectedBlueprint.of(
            drawn.blueprints[one.index], "less_novel", f"would add {one.gain:.3f} bits per message; {least}"
        )
        for one in left
    ]
    return BlueprintBatch(
        blueprints=tuple(drawn.blueprints[one.index] for one in chosen), rejected=(*drawn.rejected, *rejected)
    )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
