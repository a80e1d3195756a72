"""What a report is made of. Every frame may be empty, but has its columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from tdscaling_assets.report.toolgraph import ToolName
from tdscaling_assets.schema import Trajectory, Verdict


@dataclass(frozen=True)
class ReportData:
    """Frames and records of one home.

    metrics       MetricRow: batch, scope, metric, value, ci_low, ci_high, n
    plans         RoundPlan and batch: round, batch, operator_weights, cac_target, temperature, reason, reasons, ...;
                  weights and reasons as a struct, a map, or JSON text
    counts        batch, blueprints, rejected_blueprints, raw, kept
    rejections    batch, rule, reason, n: rejecting verdicts, rules in funnel order
    clusters      cluster_id, rank, domain, name, purpose, tool_ids, edges, covered_tools, covered_edges, coverage
                  (all three cumulative; coverage null in rows from before it was recorded)
    outcomes      one row per trajectory: round, batch, domain, mode (labels joined by `>`), cac, kept, operators
                  (a list, from its blueprint's lineage), tokens, usd (null where the price is unknown)
    groups        GroupRow: batch, scope, dimension, name, metric, value, ci_low, ci_high, n
    study         StudyRow: seed, arm, basis, budget, metric, value, ci_low, ci_high, n
    trajectories  those the browser may show; verdicts: theirs
    models        the model of each speaking role, as named in settings
    simulated     whether the scripted teacher spoke
    snapshot      version of the lake that was read, null outside a lake
    tool_names    server and own name of each tool, by its id
    total_tools, total_edges  sizes of the whole catalog and tool graph; null where unknown
    """

    metrics: pl.DataFrame
    plans: pl.DataFrame
    counts: pl.DataFrame
    rejections: pl.DataFrame
    clusters: pl.DataFrame
    outcomes: pl.DataFrame
    groups: pl.DataFrame
    study: pl.DataFrame
    trajectories: Sequence[Trajectory]
    verdicts: Sequence[Verdict]
    models: tuple[str, ...] = ()
    simulated: bool = False
    snapshot: int | None = None
    tool_names: Mapping[str, ToolName] = field(default_factory=dict)
    total_tools: int | None = None
    total_edges: int | None = None
    title: str = "TDScaling report"
