"""raw_trajectories: every blueprint of the batch talked through once, each conversation safe on disk when it ends."""

import asyncio
import time
from collections.abc import Callable, Container, Sequence
from contextlib import AsyncExitStack

import dagster as dg
import polars as pl

from tdscaling_assets.agents.batch import Price, free, run_batch
from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.agents.forecast import expected_usd, forecast
from tdscaling_assets.agents.progress import Progress
from tdscaling_assets.catalog.execute import live_servers, withdraw_executors
from tdscaling_assets.catalog.sources import read_sources
from tdscaling_assets.defs.system import System, open_replies
from tdscaling_assets.defs.tables import store, table_asset
from tdscaling_assets.errors import RETRYABLE, TdsError
from tdscaling_assets.llm.roles import Models, open_models
from tdscaling_assets.prompts import prompt_versions
from tdscaling_assets.quality.case import Case
from tdscaling_assets.quality.funnel import passes_rules
from tdscaling_assets.remote.live import LiveServers
from tdscaling_assets.sandbox.select import open_sandbox
from tdscaling_assets.schema import CODE_TOOLS, Blueprint, PendingBlueprint, Tool, Trajectory, digest
from tdscaling_assets.services.spec import load_services, runs_program
from tdscaling_assets.settings import Settings, environment
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import settled_trajectories, stored_batches
from tdscaling_assets.storage.replies import Replies
from tdscaling_assets.storage.rows import to_frame
from tdscaling_assets.storage.spool import Spool

_NO_SCENARIO = (
    "the budget ended before its scenario was written: raise TDS_BUDGET_BATCH, or wait for the next night where "
    "TDS_BUDGET_NIGHT is spent, and run the batch again"
)


@table_asset("raw_trajectories", "litellm", deps=["blueprints"])
async def raw_trajectories(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """One conversation per blueprint, completed or failed with its reason; a run that died resumes where it was.

    Blueprints that the budget did not reach, maybe all, are in `pending_blueprints`; running the batch again goes on
    with them.
    """
    settings, batch = system.settings(), context.partition_key
    with Lake.open(settings) as lake:
        blueprints = lake.records("blueprints", Blueprint, batch=batch)
        tools = lake.records("tool_catalog", Tool)
        settled = settled_trajectories(lake, batch)
        kept_already = batch in stored_batches(lake, "raw_trajectories")
    with Spool(settings.home, batch) as spool, open_replies(settings, batch) as replies:
        models = open_models(settings, replies)
        stage = open_stage(settings, tools, blueprints, models)
        judge_usd = _judge_price(stage, replies)
        done, stopped = await _hold(blueprints, stage, models, spool, context.log.info, judge_usd, settled)
        held = [one.blueprint_id for one in blueprints if one.blueprint_id in done]
        pending = [_pend(one, stopped) for one in blueprints if one.blueprint_id not in done]
        if held and all(_model_was_gone(spool.read(blueprint_id)) for blueprint_id in held):
            last = spool.read(held[-1]).failure
            spool.clear()
            raise TdsError(
                f"every conversation of batch {batch} failed, the last as {last}; mend that and run the batch again"
            )
        if pending and not held and kept_already:
            raise TdsError(f"the conversations of batch {batch} stay as they are stored, none was held: {stopped}")
        trajectories = to_frame("raw_trajectories", map(spool.read, held))
        with Lake.open(settings) as lake:
            frames = {
                "raw_trajectories": trajectories,
                "pending_blueprints": to_frame("pending_blueprints", pending),
            }
            metadata = {**_figures(trajectories), "pending": len(pending)}
            result = store(lake, frames, batch=batch, run_id=context.run.run_id, metadata=metadata)
        if pending:
            context.log.warning(f"{len(pending)} of {len(blueprints)} blueprints stay pending: {pending[-1].reason}")
        elif not settings.model_judge:  # else the batch may be run again, once the judge can be paid
            spool.clear()
    return result


def _judge_price(stage: Stage, replies: Replies) -> Price:
    """What judging a blueprint's conversation is expected to cost; nothing where nobody judges or no budget is set."""
    settings = stage.settings
    if not settings.model_judge or not (settings.budget_batch or settings.budget_night):
        return free
    past = replies.costs()

    def usd(one: Blueprint) -> float:
        load = forecast([one], stage.tools, judged=True)["judge"]
        return expected_usd("judge", load, settings, past) or 0.0

    return usd


async def _hold(
    blueprints: Sequence[Blueprint],
    stage: Stage,
    models: Models,
    spool: Spool,
    say: Callable[[str], None],
    judge_usd: Price,
    settled: Container[str],
) -> tuple[set[str], str]:
    """Ids of the blueprints whose conversation the spool holds, from before or new, which is on disk before its slot is
    free; and why some are missing. Those that failed because a model was gone are held anew. The budget keeps
    `judge_usd` of each back that is not `settled`."""
    digests = {one.blueprint_id: _fingerprint(one, stage) for one in blueprints}
    done = {blueprint_id for blueprint_id in spool.load(digests) if not _model_was_gone(spool.read(blueprint_id))}
    plans = {one.blueprint_id: one for one in blueprints}
    unsettled = [plans[one] for one in done if spool.read(one).trajectory_id not in settled]
    models.budget.reserve(sum(map(judge_usd, unsettled)))
    progress = Progress(
        len(blueprints),
        len(done),
        time.monotonic,
        say,
        lambda one: passes_rules(Case(one, plans[one.blueprint_id], stage.tools)),
        models.complaints,
    )
    writing = asyncio.Lock()

    async def keep(trajectory: Trajectory) -> None:
        async with writing:
            await asyncio.to_thread(spool.append, trajectory, digests[trajectory.blueprint_id])
        done.add(trajectory.blueprint_id)
        progress.count(trajectory)

    async with AsyncExitStack() as opened:
        if stage.sandbox is not None:
            opened.push_async_callback(stage.sandbox.close)
        if stage.live is not None:
            opened.push_async_callback(stage.live.close)
        await opened.enter_async_context(models)
        opened.callback(asyncio.create_task(progress.watch()).cancel)
        due = [one for one in blueprints if one.has_scenario and one.blueprint_id not in done]
        stopped = await run_batch(due, stage, keep, judge_usd)
    return done, stopped


def open_stage(settings: Settings, tools: Sequence[Tool], blueprints: Sequence[Blueprint], models: Models) -> Stage:
    """Models, tools and worlds of a batch; a sandbox only where a blueprint offers a tool that runs code, live servers
    only where one offers a tool of theirs."""
    services = load_services()
    offered = {tool_id for one in blueprints for tool_id in one.tool_ids}
    live: LiveServers | None = None
    if any(tool.executor == "mcp" and tool.tool_id in offered for tool in tools):
        sources = read_sources(settings.sources)
        tools = withdraw_executors(tools, sources)
        live = LiveServers(live_servers(sources, environment()), settings)
    programs = {
        tool.tool_id for tool in tools if tool.executor == "builtin" and runs_program(services[tool.server], tool.name)
    }
    needs_sandbox = not (programs | CODE_TOOLS).isdisjoint(offered)
    return Stage(
        models=models,
        tools={tool.tool_id: tool for tool in tools},
        services=services,
        sandbox=open_sandbox(settings) if needs_sandbox else None,
        settings=settings,
        budget=models.budget,
        live=live,
    )


def _pend(blueprint: Blueprint, stopped: str) -> PendingBlueprint:
    reason = stopped if blueprint.has_scenario else _NO_SCENARIO
    return PendingBlueprint(
        blueprint_id=blueprint.blueprint_id, round=blueprint.round, batch=blueprint.batch, reason=reason
    )


def _model_was_gone(trajectory: Trajectory) -> bool:
    """Whether it failed because a model could not be reached or refused the very request."""
    gone = tuple(f"_{kind}" for kind in (*sorted(RETRYABLE), "bad_request"))
    return trajectory.failure is not None and trajectory.failure.kind.endswith(gone)


def _fingerprint(blueprint: Blueprint, stage: Stage) -> str:
    """What a finished conversation must match to count: its blueprint, who speaks how, by which prompts, and which
    tools really run."""
    speakers = {role: stage.settings.model_options(role).model_dump(mode="json") for role in stage.models}
    manner = stage.settings.model_dump(
        mode="json",
        include={
            "compliance",
            "model_temperature",
            "model_max_tokens",
            "model_repairs",
            "model_tools",
            "max_steps",
            "conversation_timeout",
        },
    )
    live = [tool_id for tool_id in blueprint.tool_ids if stage.tools[tool_id].executor == "mcp"]
    return digest(blueprint.model_dump(mode="json"), speakers, manner, prompt_versions(), *live)


def _figures(trajectories: pl.DataFrame) -> dict[str, float]:
    """Totals of the batch; `usd` only where every price is known."""
    usage = trajectories["usage"].struct.unnest()
    totals: dict[str, float] = usage.select(
        model_calls=pl.col("calls").sum(),
        prompt_tokens=pl.col("prompt_tokens").sum(),
        completion_tokens=pl.col("completion_tokens").sum(),
        usd=pl.col("usd").sum(),
    ).row(0, named=True)
    if usage["usd"].null_count():
        del totals["usd"]
    return {"failed": trajectories.filter(outcome="failed").height, **totals}
