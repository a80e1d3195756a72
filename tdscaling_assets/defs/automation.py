"""Jobs, the nightly schedule (the next batch: quantity) and the plateau sensor (a new round: diversity)."""

from collections.abc import Sequence

import dagster as dg

from tdscaling_assets.defs.liveness import fail_dead_runs
from tdscaling_assets.defs.system import System, open_replies
from tdscaling_assets.defs.tables import batches
from tdscaling_assets.errors import StorageError
from tdscaling_assets.evolution.keys import newest, next_batch
from tdscaling_assets.evolution.plateau import NewRound, Wait, decide_next
from tdscaling_assets.llm.budget import Budget, Period
from tdscaling_assets.metrics.measure import STEERING
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import metric_history, reported_batches, stored_batches

CATALOG_ASSETS = ("tool_catalog", "tool_graph", "business_clusters")
BATCH_ASSETS = (
    "evolution_plan",
    "blueprints",
    "raw_trajectories",
    "filtered_trajectories",
    "diversity_report",
    "training_set",
)

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
    context.instance.add_dynamic_partitions(partitions_name(), [key])
    return dg.RunRequest(partition_key=key)


@dg.sensor(job=synthesis_job, minimum_interval_seconds=60)
def entropy_plateau_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Starts the first batch of a new round when more of the same adds nothing."""
    settings = System().settings()
    fail_dead_runs(context.instance, settings.home)
    keys = known_batches(context.instance, settings)
    decision = read_decision(settings, keys)
    if isinstance(decision, Wait):
        return dg.SkipReason(decision.reason + blocking_run(context.instance, newest(keys)))
    last = newest(keys)
    waits = f"Batch {last} has pending blueprints and goes first" if last not in read_finished(settings) else ""
    waits = waits or budget_spent(settings, decision.key, "night")
    if waits:
        return dg.SkipReason(f"{waits}. Then: {decision.reason}")
    context.log.info(decision.reason)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(partition_key=decision.key, tags={"tds/reason": decision.reason})],
        dynamic_partitions_requests=[batches.build_add_request([decision.key])],
    )


def batch_to_run(keys: Sequence[str], finished: Sequence[str]) -> str:
    """The newest batch when it is not finished, else the one after it."""
    last = newest(keys)
    return last if last is not None and last not in finished else next_batch(keys)


def read_finished(settings: Settings) -> list[str]:
    """Batches with a report that have nothing more to do: no blueprint is pending, or its batch's budget is spent."""
    try:
        with Lake.open(settings, read_only=True) as lake:
            reported, pending = reported_batches(lake), stored_batches(lake, "pending_blueprints")
    except StorageError:
        return []
    return [batch for batch in reported if batch not in pending or budget_spent(settings, batch, "batch")]


def budget_spent(settings: Settings, batch: str, period: Period) -> str:
    """Why nothing more may be spent on this batch, or tonight; "" when something may."""
    if not (settings.budget_batch if period == "batch" else settings.budget_night):
        return ""
    with open_replies(settings, batch) as replies:
        return Budget(settings, replies).exhausted(period)


def read_decision(settings: Settings, keys: Sequence[str]) -> NewRound | Wait:
    """What the plateau says about the batches so far: the same for sensor, demo and tests."""
    history: dict[str, dict[str, float]] = {}
    try:
        with Lake.open(settings, read_only=True) as lake:
            for row in metric_history(lake, "cumulative").iter_rows(named=True):
                if row["metric"] in STEERING:
                    history.setdefault(row["batch"], {})[row["metric"]] = row["value"]
    except StorageError as error:
        return Wait(reason=f"The lake cannot be read: {error}")
    return decide_next(
        history,
        keys,
        list(history),
        window=settings.plateau_window,
        epsilon=settings.plateau_epsilon,
        max_rounds=settings.max_rounds,
    )


def read_reported(settings: Settings) -> list[str]:
    """Batches with a report; none when there is no lake yet."""
    try:
        with Lake.open(settings, read_only=True) as lake:
            return reported_batches(lake)
    except StorageError:
        return []


def known_batches(instance: dg.DagsterInstance, settings: Settings) -> list[str]:
    """Batches that Dagster or the lake knows of; the instance learns of those it missed."""
    keys = {*instance.get_dynamic_partitions(partitions_name()), *read_reported(settings)}
    instance.add_dynamic_partitions(partitions_name(), sorted(keys))
    return sorted(keys)


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


def blocking_run(instance: dg.DagsterInstance, batch: str | None) -> str:
    """A sentence that names the failed run of a batch, empty when it did not fail."""
    if batch is None:
        return ""
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/partition": batch}), limit=1)
    if not runs or runs[0].status is not dg.DagsterRunStatus.FAILURE:
        return ""
    return f" Its run {runs[0].run_id} failed: mend the cause and run the batch again."


def partitions_name() -> str:
    """The name under which an instance keeps the batch keys."""
    name = batches.name
    if name is None:
        raise AssertionError("the batch partitions have a name")
    return name
