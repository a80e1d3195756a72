"""Jobs, the nightly schedule (the next batch: quantity) and the plateau sensor (a new round: diversity)."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from tdscaling_assets.defs.claims import PATIENCE_SECONDS, claim, read_claim
from tdscaling_assets.defs.liveness import fail_dead_runs
from tdscaling_assets.defs.progress import budget_spent, decide, read_finished, read_progress, read_reported
from tdscaling_assets.defs.system import System
from tdscaling_assets.defs.tables import batches
from tdscaling_assets.errors import StorageError
from tdscaling_assets.evolution.keys import newest, next_batch
from tdscaling_assets.evolution.plateau import Wait
from tdscaling_assets.settings import Settings

CATALOG_ASSETS = ("tool_catalog", "tool_graph", "business_clusters")
BATCH_ASSETS = (
    "evolution_plan",
    "blueprints",
    "raw_trajectories",
    "filtered_trajectories",
    "diversity_report",
    "training_set",
)
_TOLD = ("batch_size", "seed", "compliance", "plan")

catalog_job = dg.define_asset_job(
    "catalog", selection=dg.AssetSelection.assets(*CATALOG_ASSETS), description="Sources → tools, graph, clusters."
)
synthesis_job = dg.define_asset_job(
    "synthesis",
    selection=dg.AssetSelection.assets(*BATCH_ASSETS),
    description="One batch: plan, blueprints, conversations, funnel, report, training set.",
)


@dg.schedule(cron_schedule="0 1 * * *", job=synthesis_job)
def nightly_synthesis(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """The next batch of the newest round; an unfinished one is run again instead of piling up another."""
    settings = System().settings()
    keys = known_batches(context.instance, settings)
    running = unfinished_run(context.instance, settings, newest(keys))
    if running is not None:
        return dg.SkipReason(f"Batch {newest(keys)} is still running as {running.run_id}.")
    key = batch_to_run(keys, read_finished(settings))
    spent = budget_spent(settings, key, "night")
    if spent:
        return dg.SkipReason(f"Batch {key} waits for the next night: {spent}.")
    other = _ask(context.instance, settings, key, keys)
    if other:
        return dg.SkipReason(f"Batch {key} waits for the next night: {other}.")
    context.instance.add_dynamic_partitions(partitions_name(), [key])
    return dg.RunRequest(partition_key=key, run_config=system_config(told_before(context.instance, key)))


@dg.sensor(job=synthesis_job, minimum_interval_seconds=60)
def entropy_plateau_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Starts the first batch of a new round when more of the same adds nothing."""
    settings = System().settings()
    fail_dead_runs(context.instance, settings.home)
    started = newest(context.instance.get_dynamic_partitions(partitions_name()))
    run = newest_run(context.instance, started)
    if run is not None and run.status is not dg.DagsterRunStatus.SUCCESS:
        return dg.SkipReason(f"The newest batch {started} is not finished. {describe_run(run)}")
    try:
        progress = read_progress(settings)
    except StorageError as error:
        return dg.SkipReason(f"The lake cannot be read: {error}")
    keys = learn_batches(context.instance, progress.reported)
    last = newest(keys)
    if last is not None and last not in progress.reported:
        return _without_report(context.instance, settings, keys, last, run)
    decision = decide(settings, keys, progress)
    if isinstance(decision, Wait):
        return dg.SkipReason(decision.reason)
    if last in progress.pending and not budget_spent(settings, last or "", "batch"):
        return dg.SkipReason(
            f"Batch {last} has pending blueprints or unjudged conversations and goes first. Then: {decision.reason}"
        )
    return _request(context.instance, settings, decision.key, keys, decision.reason)


def _without_report(
    instance: dg.DagsterInstance, settings: Settings, keys: Sequence[str], batch: str, run: dg.DagsterRun | None
) -> dg.SensorResult | dg.SkipReason:
    """A batch that was asked for but never got a run is asked for again; one that a person added waits for them."""
    if run is not None:
        return dg.SkipReason(f"The newest batch {batch} is not finished. {describe_run(run)}")
    asked = read_claim(settings.home)
    if asked is None or asked.batch != batch:
        return dg.SkipReason(f"The newest batch {batch} has neither a run nor a diversity report: run it.")
    return _request(instance, settings, batch, keys, f"No run came of the request for {batch}.")


def _request(
    instance: dg.DagsterInstance, settings: Settings, batch: str, keys: Sequence[str], reason: str
) -> dg.SensorResult | dg.SkipReason:
    """One run of the batch, unless tonight's budget is spent or a batch was asked for a moment ago."""
    spent = budget_spent(settings, batch, "night")
    if spent:
        return dg.SkipReason(f"Stopped at the budget: {spent}. Then: {reason}")
    other = _ask(instance, settings, batch, keys)
    if other:
        return dg.SkipReason(f"Batch {batch} waits: {other}. Then: {reason}")
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=batch, tags={"tds/reason": reason})],
        dynamic_partitions_requests=[batches.build_add_request([batch])],
    )


def _ask(instance: dg.DagsterInstance, settings: Settings, batch: str, keys: Sequence[str]) -> str:
    """Claim the batch; why another tick's request goes first, "" when none does. What has a run is settled."""
    now = time.time()
    settled = [key for key in keys if key != batch or newest_run(instance, batch)]
    other = claim(settings.home, batch, settled, now)
    if other is None:
        return ""
    return f"{other.batch} was asked for {now - other.at:.0f} s ago and may take {PATIENCE_SECONDS:.0f} s to get a run"


def batch_to_run(keys: Sequence[str], finished: Sequence[str]) -> str:
    """The newest batch when it is not finished, else the one after it."""
    last = newest(keys)
    return last if last is not None and last not in finished else next_batch(keys)


def known_batches(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Batches that Dagster or the lake knows of; the instance learns of those it missed."""
    return learn_batches(instance, read_reported(settings))


def learn_batches(instance: dg.DagsterInstance, reported: Sequence[str]) -> list[str]:
    """Batches that Dagster knows of, with those reported ones that it missed until now."""
    keys = set(instance.get_dynamic_partitions(partitions_name()))
    missed = sorted({*reported} - keys)
    if missed:
        instance.add_dynamic_partitions(partitions_name(), missed)
    return sorted({*keys, *missed})


def unfinished_run(instance: dg.DagsterInstance, settings: Settings, batch: str | None) -> dg.DagsterRun | None:
    """The run of that batch that is queued or under way, if any; one whose process is gone is marked failed."""
    if batch is None:
        return None
    fail_dead_runs(instance, settings.home)
    under_way = dg.RunsFilter(
        tags={"dagster/partition": batch},
        statuses=[
            dg.DagsterRunStatus.QUEUED,
            dg.DagsterRunStatus.NOT_STARTED,
            dg.DagsterRunStatus.STARTING,
            dg.DagsterRunStatus.STARTED,
        ],
    )
    runs = instance.get_runs(under_way, limit=1)
    return runs[0] if runs else None


def newest_run(instance: dg.DagsterInstance, batch: str | None) -> dg.DagsterRun | None:
    """The run of that batch that was created last."""
    if batch is None:
        return None
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": batch}), limit=1)
    return runs[0] if runs else None


def told_before(instance: dg.DagsterInstance, batch: str) -> dict[str, Any]:
    """What the newest run of that batch was told beside the settings, so that another goes on with the same batch."""
    run = newest_run(instance, batch)
    config: Any = run.run_config if run is not None else {}
    told = config.get("resources", {}).get("system", {}).get("config", {})
    return {name: value for name, value in told.items() if name in _TOLD}


def system_config(told: Mapping[str, Any]) -> dict[str, Any]:
    """The run config that tells a run so."""
    return {"resources": {"system": {"config": dict(told)}}}


def describe_run(run: dg.DagsterRun) -> str:
    """What has become of the run of a batch that is not finished, and what to do about it."""
    if run.status is dg.DagsterRunStatus.FAILURE:
        return f"Its run {run.run_id} failed: mend the cause and run the batch again."
    if run.status is dg.DagsterRunStatus.CANCELED:
        return f"Its run {run.run_id} was cancelled: run the batch again."
    if run.status is dg.DagsterRunStatus.SUCCESS:
        return f"Its run {run.run_id} ended, but the diversity report is missing: run the whole batch."
    return f"Its run {run.run_id} is {run.status.value.lower().replace('_', ' ')}."


def partitions_name() -> str:
    """The name under which an instance keeps the batch keys."""
    name = batches.name
    if name is None:
        raise AssertionError("the batch partitions have a name")
    return name
