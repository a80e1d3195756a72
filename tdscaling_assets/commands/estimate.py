"""The batch that would run next in, its model calls, tokens, cost and time out, before anything is spent."""

from collections.abc import Sequence

import dagster as dg
from rich.console import Console
from rich.table import Table

from tdscaling_assets.agents.forecast import Load, expected_usd, forecast, measured_cost
from tdscaling_assets.defs.automation import batch_to_run, known_batches
from tdscaling_assets.defs.blueprints import draw_batch
from tdscaling_assets.defs.evolution import plan_for
from tdscaling_assets.defs.progress import read_finished
from tdscaling_assets.defs.system import open_replies
from tdscaling_assets.evolution.keys import next_round
from tdscaling_assets.schema import Blueprint, Record, Role, Tool
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import unjudged_blueprints
from tdscaling_assets.storage.replies import RoleCost


class RoleEstimate(Record):
    """What one role will cost. `usd` is None where the price is unknown, `seconds` where no call was made before;
    `measured` when tokens and price are means of past calls, not sizes of what will be sent."""

    role: Role
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    usd: float | None
    seconds: float | None
    measured: bool


def estimate_batch(
    instance: dg.DagsterInstance, settings: Settings, new_round: bool
) -> tuple[str, int, list[RoleEstimate]]:
    """Key and blueprints of the batch that would run, and what each role will cost. Calls no model, stores nothing.

    A batch whose blueprints are stored is estimated for those without a trajectory in the lake, and for what waits for
    the judge.
    """
    keys = known_batches(instance, settings)
    key = next_round(keys) if new_round else batch_to_run(keys, read_finished(settings))
    with Lake.open(settings, read_only=True) as lake:
        tools = {tool.tool_id: tool for tool in lake.records("tool_catalog", Tool)}
        blueprints = _waiting(lake, key, settings)
        late = unjudged_blueprints(lake, key)
        unjudged = [one for one in lake.records("blueprints", Blueprint, batch=key) if one.blueprint_id in late]
    loads = forecast(blueprints, tools, bool(settings.model_judge))
    if unjudged and settings.model_judge:
        loads["judge"] = forecast([*blueprints, *unjudged], tools, judged=True)["judge"]
    with open_replies(settings, key) as replies:
        past = replies.costs()
    return key, len(blueprints), [_estimate(role, load, settings, past) for role, load in sorted(loads.items())]


def print_estimate(key: str, blueprints: int, roles: Sequence[RoleEstimate], settings: Settings, out: Console) -> None:
    """A line per role, then the sum in one sentence."""
    table = Table("role", "model", "calls", "prompt tokens", "completion tokens", "USD", "by")
    for one in roles:
        usd = "unknown" if one.usd is None else f"{one.usd:.4f}"
        by = "past calls" if one.measured else "sizes"
        counts = (f"{count:,}" for count in (one.calls, one.prompt_tokens, one.completion_tokens))
        table.add_row(one.role, one.model, *counts, usd, by)
    out.print(table)
    prices = [one.usd for one in roles]
    known = [usd for usd in prices if usd is not None]
    cost = f"${sum(known):.2f}" if len(known) == len(prices) else "a cost that TDS_PRICES would tell"
    times = [one.seconds for one in roles]
    busy = sum(seconds for seconds in times if seconds is not None)
    time = f", about {busy / settings.concurrency / 60:.1f} minutes at {settings.concurrency} in flight" if busy else ""
    calls = sum(one.calls for one in roles)
    out.print(
        f"Batch {key}: {blueprints} blueprints, {calls:,} model calls, {cost}{time}. Nothing was run.",
        highlight=False,
        soft_wrap=True,
    )


def _waiting(lake: Lake, key: str, settings: Settings) -> list[Blueprint]:
    """Those of the batch that have no trajectory; where none are stored, those that would be drawn."""
    stored = lake.records("blueprints", Blueprint, batch=key)
    if not stored:
        return list(draw_batch(lake, plan_for(lake, key, settings), key, settings).blueprints)
    held = set(lake.read("raw_trajectories", batch=key, columns=["blueprint_id"])["blueprint_id"])
    return [one for one in stored if one.blueprint_id not in held]


def _estimate(role: Role, load: Load, settings: Settings, past: dict[tuple[str, str], RoleCost]) -> RoleEstimate:
    model, measured = settings.role_model(role), measured_cost(role, settings, past)
    seen = past.get((role, model))
    prompt, completion = load.prompt_tokens, load.completion_tokens
    if measured is not None:
        prompt, completion = load.calls * measured.prompt_tokens, load.calls * measured.completion_tokens
    return RoleEstimate(
        role=role,
        model=model,
        calls=load.calls,
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        usd=expected_usd(role, load, settings, past),
        seconds=load.calls * seen.seconds if seen else None,
        measured=measured is not None,
    )
