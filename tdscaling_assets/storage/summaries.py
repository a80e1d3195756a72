"""The flat frames that plans, metrics and reports are made of: one row per trajectory, batch or reason."""

import polars as pl

from tdscaling_assets.schema import RoundPlan
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import batch_order, batches_before

_BY_BATCH = "CAST(regexp_extract_all(batch, '[0-9]+') AS BIGINT[]), batch"  # r01-b100 follows r01-b99
_PLANNED_MESSAGES = """
    json_array_length(plan.turns) + len(json_extract(plan.turns, '$[*].groups[*]'))
    + len(list_filter(json_extract_string(plan.steps, '$[*].fault'), fault -> fault IS NOT NULL))
"""  # Blueprint.planned_messages
_OUTCOMES = f"""
    SELECT raw.round, raw.batch, trajectory_id, raw.domain, raw.cluster_id, array_to_string(raw.mode, '>') AS mode,
           raw.labels, raw.cac, kept.trajectory_id IS NOT NULL AS kept, raw.lineage.operators AS operators,
           raw.usage.calls AS calls, raw.usage.prompt_tokens + raw.usage.completion_tokens AS tokens,
           raw.usage.usd AS usd, {_PLANNED_MESSAGES} AS planned_messages
    FROM raw_trajectories raw LEFT JOIN filtered_trajectories kept USING (batch, trajectory_id)
    LEFT JOIN blueprints plan ON plan.batch = raw.batch AND plan.blueprint_id = raw.blueprint_id
"""
_KEPT = """
    SELECT trajectory_id, batch, domain, mode, labels, cac, cluster_id, unused_calls,
           flatten([[call.name for call in message.tool_calls] for message in messages]) AS calls
    FROM filtered_trajectories
"""
_RUNS = f"""
    SELECT batch, trajectory_id, array_to_string(raw.mode, '>') AS mode, kept.trajectory_id IS NOT NULL AS kept,
           raw.usage.calls AS calls, array_to_string(plan.target_mode, '>') AS planned_mode,
           CASE WHEN raw.outcome = 'completed' THEN raw.final_digest = plan.expected_digest END AS agrees
    FROM raw_trajectories raw JOIN blueprints plan USING (batch, blueprint_id)
    LEFT JOIN filtered_trajectories kept USING (batch, trajectory_id)
    ORDER BY {_BY_BATCH}, trajectory_id
"""
_FINAL_STATES = f"""
    SELECT batch, count(*) AS checkable, count(*) FILTER (raw.final_digest = plan.expected_digest) AS agreeing
    FROM raw_trajectories raw JOIN blueprints plan USING (batch, blueprint_id)
    WHERE raw.outcome = 'completed' AND plan.expected_digest IS NOT NULL
    GROUP BY batch ORDER BY {_BY_BATCH}
"""
_COUNTS = f"""
    WITH counted AS (
        SELECT batch, 'blueprints' AS name FROM blueprints
        UNION ALL SELECT batch, 'rejected_blueprints' FROM rejected_blueprints
        UNION ALL SELECT batch, 'raw' FROM raw_trajectories
        UNION ALL SELECT batch, 'kept' FROM filtered_trajectories
    )
    SELECT batch, count(*) FILTER (name = 'blueprints') AS blueprints,
           count(*) FILTER (name = 'rejected_blueprints') AS rejected_blueprints,
           count(*) FILTER (name = 'raw') AS raw, count(*) FILTER (name = 'kept') AS kept
    FROM counted GROUP BY batch ORDER BY {_BY_BATCH}
"""
_REJECTIONS = f"""
    SELECT batch, rule, reason, count(*) AS n
    FROM verdicts WHERE NOT keep GROUP BY batch, rule, reason ORDER BY {_BY_BATCH}, min(position), n DESC, reason
"""


def outcomes(lake: Lake) -> pl.DataFrame:
    """One row per raw trajectory: its place, mode (text), labels, CAC, operators, cost, what its blueprint planned, and
    whether it was kept."""
    return lake.query(f"{_OUTCOMES} ORDER BY {_BY_BATCH}, trajectory_id")


def outcomes_before(lake: Lake, batch: str) -> pl.DataFrame:
    """Those of earlier batches."""
    earlier = batches_before(lake, batch, "raw_trajectories")
    return outcomes(lake).filter(pl.col("batch").is_in(earlier))


def kept_measures(lake: Lake) -> pl.DataFrame:
    """One row per kept trajectory: what the metrics are computed from, with the names of its calls in order."""
    return lake.query(f"{_KEPT} ORDER BY {_BY_BATCH}, trajectory_id")


def planned_runs(lake: Lake) -> pl.DataFrame:
    """One row per raw trajectory beside its blueprint: mode and planned mode (text), whether it was kept, its model
    calls, and whether it ended in the expected state, null where it did not end or none is known."""
    return lake.query(_RUNS)


def final_states(lake: Lake) -> pl.DataFrame:
    """batch, checkable, agreeing: completed conversations whose final state the blueprint foretells, and those of them
    that ended in it; batches without any are absent."""
    return lake.query(_FINAL_STATES)


def counts_per_batch(lake: Lake) -> pl.DataFrame:
    """batch, blueprints, rejected_blueprints, raw, kept."""
    return lake.query(_COUNTS)


def rejections(lake: Lake) -> pl.DataFrame:
    """batch, rule, reason, n: rejecting verdicts, rules in funnel order."""
    return lake.query(_REJECTIONS)


def plan_of_round(lake: Lake, round_name: str) -> RoundPlan | None:
    """The regime of a round, as its first batch wrote it; None before that."""
    plans = [plan for plan in lake.records("evolution_plan", RoundPlan) if plan.round == round_name]
    return plans[0] if plans else None


def last_plan_before(lake: Lake, batch: str) -> RoundPlan | None:
    """The plan of the newest batch before this one."""
    earlier = batches_before(lake, batch, "evolution_plan")
    plans = lake.records("evolution_plan", RoundPlan, batch=earlier[-1]) if earlier else []
    return plans[0] if plans else None


def batches_until(lake: Lake, batch: str) -> list[str]:
    """Batches with kept trajectories up to and with this one, in order."""
    return sorted({*batches_before(lake, batch), batch}, key=batch_order)


def speaking_models(lake: Lake) -> tuple[str, ...]:
    """Names of the models behind the stored conversations, sorted."""
    names = lake.query("SELECT DISTINCT usage.model AS model FROM raw_trajectories WHERE usage.model <> ''")
    return tuple(sorted(names["model"]))
