"""What the lake and the book of costs say of the batches so far, and what follows for the next one."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tdscaling_assets.defs.system import open_replies
from tdscaling_assets.errors import StorageError
from tdscaling_assets.evolution.plateau import NewRound, Wait, compared_batches, decide_next, plain_name
from tdscaling_assets.llm.budget import Budget, Period
from tdscaling_assets.metrics.measure import STEERING
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import metric_history, reported_batches, stored_batches, unjudged_blueprints


class Progress(NamedTuple):
    """What the lake says of the batches: which have a report, which have something pending, and the steering metrics
    (cumulative scope) of those that a decision compares, unless no conversation of them was held."""

    reported: Sequence[str]
    pending: Sequence[str]
    metrics: Mapping[str, Mapping[str, float]]


def read_progress(settings: Settings) -> Progress:
    """Aggregates only, over one connection: of the report's rows, those of a few batches. Raises StorageError."""
    with Lake.open(settings, read_only=True) as lake:
        reported = reported_batches(lake)
        before, window = compared_batches(reported, settings.plateau_window, settings.ceiling_rounds)
        compared = [before, *window] if before else window
        rows = metric_history(lake, "cumulative", compared)
        held = set(metric_history(lake, "batch", compared).filter(metric="acceptance_rate")["batch"])
        pending = _pending_batches(lake, reported)
    metrics: dict[str, dict[str, float]] = {}
    for batch, metric, value in rows.select("batch", "metric", "value").iter_rows():
        if plain_name(metric) in STEERING and batch in held:
            metrics.setdefault(batch, {})[metric] = value
    return Progress(reported, pending, metrics)


def decide(settings: Settings, keys: Sequence[str], progress: Progress) -> NewRound | Wait:
    """What the plateau says about the batches so far, under these settings."""
    return decide_next(
        progress.metrics,
        keys,
        progress.reported,
        window=settings.plateau_window,
        epsilon=settings.plateau_epsilon,
        max_rounds=settings.max_rounds,
        ceiling_rounds=settings.ceiling_rounds,
    )


def read_decision(settings: Settings, keys: Sequence[str]) -> NewRound | Wait:
    """The same for demo and tests, which have no tick."""
    try:
        return decide(settings, keys, read_progress(settings))
    except StorageError as error:
        return Wait(reason=f"The lake cannot be read: {error}")


def read_finished(settings: Settings) -> list[str]:
    """Batches with a report that have nothing more to do: nothing is pending, or the batch's own budget is spent."""
    try:
        with Lake.open(settings, read_only=True) as lake:
            reported = reported_batches(lake)
            pending = _pending_batches(lake, reported)
    except StorageError:
        return []
    return [batch for batch in reported if batch not in pending or budget_spent(settings, batch, "batch")]


def _pending_batches(lake: Lake, reported: Sequence[str]) -> list[str]:
    """Batches with pending blueprints, and the newest one where the judge could not be paid for all that it holds."""
    pending = stored_batches(lake, "pending_blueprints")
    return [*pending, *(last for last in reported[-1:] if last not in pending and unjudged_blueprints(lake, last))]


def read_reported(settings: Settings) -> list[str]:
    """Batches with a report; none when there is no lake yet."""
    try:
        with Lake.open(settings, read_only=True) as lake:
            return reported_batches(lake)
    except StorageError:
        return []


def budget_spent(settings: Settings, batch: str, period: Period) -> str:
    """Why nothing more may be spent on this batch, or tonight; "" when something may."""
    if not (settings.budget_batch if period == "batch" else settings.budget_night):
        return ""
    with open_replies(settings, batch) as replies:
        return Budget(settings, replies).exhausted(period)
