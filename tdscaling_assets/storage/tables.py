"""The lake's tables, declared once: their columns, the record each row holds, and the migrations that create them.

Nested values whose shape is fixed are lists, structs and maps; foreign JSON and blueprints' parts are JSON text.
"""

from dataclasses import dataclass

from tdscaling_assets.errors import StorageError
from tdscaling_assets.schema import (
    Blueprint,
    BusinessCluster,
    GroupRow,
    MetricRow,
    PendingBlueprint,
    Record,
    RejectedBlueprint,
    RejectedTool,
    RoundPlan,
    StudyRow,
    Tool,
    ToolEdge,
    ToolSource,
    ToolVersion,
    TrainingRow,
    Trajectory,
    Verdict,
)


@dataclass(frozen=True)
class Table:
    """One table: `columns` maps names to DuckDB types, `key` names a row and is the reading order within a batch.

    A batched table has a `batch` column, is partitioned by it, and is replaced batch by batch; any other is replaced
    whole.
    """

    name: str
    record: type[Record]
    batched: bool
    key: tuple[str, ...]
    columns: dict[str, str]


@dataclass(frozen=True)
class Migration:
    """Statements that lift the lake from `version - 1` to `version`, in one transaction."""

    version: int
    description: str
    statements: tuple[str, ...]


def find_table(name: str) -> Table:
    """The table of that name; StorageError if none is declared."""
    try:
        return TABLES[name]
    except KeyError:
        raise StorageError(f"the lake has no table {name!r}: use one of {', '.join(TABLES)}") from None


def table_of(model: type[Record]) -> Table:
    """The first table whose rows hold that record; StorageError if none does."""
    for table in TABLES.values():
        if table.record is model:
            return table
    raise StorageError(f"no table holds {model.__name__} records: use a record of schema.py that a table declares")


_EDGE = {
    "producer_id": "VARCHAR",
    "consumer_id": "VARCHAR",
    "consumer_param": "VARCHAR",
    "producer_path": "VARCHAR",
    "evidence": "VARCHAR",
    "weight": "DOUBLE",
}
_CALL = {"id": "VARCHAR", "name": "VARCHAR", "arguments": "VARCHAR"}


def _struct(fields: dict[str, str]) -> str:
    return "STRUCT(" + ", ".join(f'"{name}" {kind}' for name, kind in fields.items()) + ")"


_MESSAGE = {
    "role": "VARCHAR",
    "content": "VARCHAR",
    "reasoning": "VARCHAR",
    "tool_calls": f"{_struct(_CALL)}[]",
    "tool_call_id": "VARCHAR",
    "name": "VARCHAR",
    "simulated": "BOOLEAN",
}
_USAGE = {
    "prompt_tokens": "BIGINT",
    "completion_tokens": "BIGINT",
    "usd": "DOUBLE",
    "model": "VARCHAR",
    "calls": "BIGINT",
    "seconds": "DOUBLE",
}
_LINEAGE = {"operators": "VARCHAR[]", "parent_id": "VARCHAR", "generation": "BIGINT"}
_FAILURE = {"kind": "VARCHAR", "detail": "VARCHAR"}
_WEIGHTS = "MAP(VARCHAR, DOUBLE)"
_TRAJECTORY = {
    "trajectory_id": "VARCHAR",
    "round": "VARCHAR",
    "batch": "VARCHAR",
    "blueprint_id": "VARCHAR",
    "cluster_id": "VARCHAR",
    "domain": "VARCHAR",
    "tools": "VARCHAR[]",
    "messages": f"{_struct(_MESSAGE)}[]",
    "labels": "VARCHAR[]",
    "mode": "VARCHAR[]",
    "cac": "DOUBLE",
    "unused_calls": "BIGINT",
    "outcome": "VARCHAR",
    "failure": _struct(_FAILURE),
    "final_digest": "VARCHAR",
    "usage": _struct(_USAGE),
    "lineage": _struct(_LINEAGE),
    "seed": "BIGINT",
    "versions": "JSON",
}

_FIGURE = {"metric": "VARCHAR", "value": "DOUBLE", "ci_low": "DOUBLE", "ci_high": "DOUBLE", "n": "BIGINT"}

_DECLARED = (
    Table(
        "tool_catalog",
        Tool,
        batched=False,
        key=("tool_id",),
        columns={
            "tool_id": "VARCHAR",
            "server": "VARCHAR",
            "name": "VARCHAR",
            "title": "VARCHAR",
            "description": "VARCHAR",
            "input_schema": "JSON",
            "output_schema": "JSON",
            "read_only": "BOOLEAN",
            "destructive": "BOOLEAN",
            "domain": "VARCHAR",
            "source": "VARCHAR",
            "executor": "VARCHAR",
            "content_hash": "VARCHAR",
            "canonical_id": "VARCHAR",
            "present": "BOOLEAN",
            "domain_confidence": "DOUBLE",
            "category": "VARCHAR",
        },
    ),
    Table(
        "tool_versions",
        ToolVersion,
        batched=False,
        key=("tool_id", "content_hash"),
        columns={
            "tool_id": "VARCHAR",
            "content_hash": "VARCHAR",
            "definition": "JSON",
            "raw": "VARCHAR",
            "record_hash": "VARCHAR",
            "first_seen": "VARCHAR",
            "last_seen": "VARCHAR",
        },
    ),
    Table(
        "tool_sources",
        ToolSource,
        batched=False,
        key=("source", "server"),
        columns={
            "source": "VARCHAR",
            "server": "VARCHAR",
            "content_hash": "VARCHAR",
            "entries": "BIGINT",
            "failure": "VARCHAR",
        },
    ),
    Table(
        "rejected_tools",
        RejectedTool,
        batched=False,
        key=("source", "name", "raw", "reason"),
        columns={"source": "VARCHAR", "name": "VARCHAR", "raw": "VARCHAR", "reason": "VARCHAR"},
    ),
    Table(
        "tool_graph",
        ToolEdge,
        batched=False,
        key=("producer_id", "consumer_id", "consumer_param", "producer_path", "evidence"),
        columns=_EDGE,
    ),
    Table(
        "business_clusters",
        BusinessCluster,
        batched=False,
        key=("rank", "cluster_id"),
        columns={
            "cluster_id": "VARCHAR",
            "rank": "BIGINT",
            "domain": "VARCHAR",
            "name": "VARCHAR",
            "tool_ids": "VARCHAR[]",
            "edges": f"{_struct(_EDGE)}[]",
            "gain": "DOUBLE",
            "covered_tools": "BIGINT",
            "covered_edges": "BIGINT",
            "coverage": "DOUBLE",
            "purpose": "VARCHAR",
        },
    ),
    Table(
        "evolution_plan",
        RoundPlan,
        batched=True,
        key=("round",),
        columns={
            "round": "VARCHAR",
            "batch": "VARCHAR",
            "domain_weights": _WEIGHTS,
            "cluster_weights": _WEIGHTS,
            "mode_weights": _WEIGHTS,
            "mode_targets": _WEIGHTS,
            "operator_weights": _WEIGHTS,
            "cac_target": "DOUBLE",
            "temperature": "DOUBLE",
            "candidates": "DOUBLE",
            "parent_metrics": _WEIGHTS,
            "reason": "VARCHAR",
            "reasons": "MAP(VARCHAR, VARCHAR)",
        },
    ),
    Table(
        "blueprints",
        Blueprint,
        batched=True,
        key=("blueprint_id",),
        columns={
            "blueprint_id": "VARCHAR",
            "round": "VARCHAR",
            "batch": "VARCHAR",
            "cluster_id": "VARCHAR",
            "domain": "VARCHAR",
            "title": "VARCHAR",
            "persona": "VARCHAR",
            "goal": "VARCHAR",
            "tool_ids": "VARCHAR[]",
            "services": "VARCHAR[]",
            "world_seed": "BIGINT",
            "facts": "JSON",
            "steps": "JSON",
            "turns": "JSON",
            "expected_calls": "JSON",
            "expected_digest": "VARCHAR",
            "target_mode": "VARCHAR[]",
            "target_cac": "DOUBLE",
            "lineage": _struct(_LINEAGE),
            "seed": "BIGINT",
        },
    ),
    Table(
        "rejected_blueprints",
        RejectedBlueprint,
        batched=True,
        key=("blueprint_id", "reason", "detail"),
        columns={
            "blueprint_id": "VARCHAR",
            "round": "VARCHAR",
            "batch": "VARCHAR",
            "cluster_id": "VARCHAR",
            "reason": "VARCHAR",
            "detail": "VARCHAR",
        },
    ),
    Table(
        "pending_blueprints",
        PendingBlueprint,
        batched=True,
        key=("blueprint_id",),
        columns={"blueprint_id": "VARCHAR", "round": "VARCHAR", "batch": "VARCHAR", "reason": "VARCHAR"},
    ),
    Table("raw_trajectories", Trajectory, batched=True, key=("trajectory_id",), columns=_TRAJECTORY),
    Table(
        "verdicts",
        Verdict,
        batched=True,
        key=("trajectory_id", "position", "rule"),
        columns={
            "batch": "VARCHAR",
            "trajectory_id": "VARCHAR",
            "position": "BIGINT",
            "rule": "VARCHAR",
            "keep": "BOOLEAN",
            "score": "DOUBLE",
            "reason": "VARCHAR",
        },
    ),
    Table("filtered_trajectories", Trajectory, batched=True, key=("trajectory_id",), columns=_TRAJECTORY),
    Table(
        "diversity_report",
        MetricRow,
        batched=True,
        key=("scope", "metric"),
        columns={
            "batch": "VARCHAR",
            "scope": "VARCHAR",
            **_FIGURE,
        },
    ),
    Table(
        "diversity_groups",
        GroupRow,
        batched=True,
        key=("scope", "dimension", "name", "metric"),
        columns={
            "batch": "VARCHAR",
            "scope": "VARCHAR",
            "dimension": "VARCHAR",
            "name": "VARCHAR",
            **_FIGURE,
        },
    ),
    Table(
        "study",
        StudyRow,
        batched=False,
        key=("seed", "arm", "basis", "budget", "metric"),
        columns={"seed": "BIGINT", "arm": "VARCHAR", "basis": "VARCHAR", "budget": "BIGINT", **_FIGURE},
    ),
    Table(
        "training_set",
        TrainingRow,
        batched=False,
        key=("order",),
        columns={"order": "BIGINT", "trajectory_id": "VARCHAR", "gain": "DOUBLE"},
    ),
)

TABLES: dict[str, Table] = {table.name: table for table in _DECLARED}


def _create(table: Table) -> tuple[str, ...]:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in table.columns.items())
    create = f"CREATE TABLE IF NOT EXISTS {table.name} ({columns})"
    return (create, f"ALTER TABLE {table.name} SET PARTITIONED BY (batch)") if table.batched else (create,)


MIGRATIONS: tuple[Migration, ...] = (
    Migration(1, "every table", tuple(statement for table in _DECLARED for statement in _create(table))),
    Migration(  # on a new lake, whose tables are created as declared above, these change nothing
        2,
        "copies of tools, versions and sources",
        (
            "ALTER TABLE tool_catalog ADD COLUMN IF NOT EXISTS canonical_id VARCHAR",
            "ALTER TABLE tool_catalog ADD COLUMN IF NOT EXISTS present BOOLEAN",
            "UPDATE tool_catalog SET present = true WHERE present IS NULL",
            *_create(TABLES["tool_versions"]),
            *_create(TABLES["tool_sources"]),
        ),
    ),
    Migration(
        3,
        "tools say how sure their domain is, and the category that their source gave",
        (
            "ALTER TABLE tool_catalog ADD COLUMN IF NOT EXISTS domain_confidence DOUBLE",
            "ALTER TABLE tool_catalog ADD COLUMN IF NOT EXISTS category VARCHAR",
        ),
    ),
    Migration(
        4,
        "clusters have a coverage and a purpose",
        (
            "ALTER TABLE business_clusters ADD COLUMN IF NOT EXISTS coverage DOUBLE",
            "ALTER TABLE business_clusters ADD COLUMN IF NOT EXISTS purpose VARCHAR",
            "UPDATE business_clusters SET purpose = '' WHERE purpose IS NULL",
        ),
    ),
    Migration(5, "blueprints that the budget did not reach", _create(TABLES["pending_blueprints"])),
    Migration(
        6,
        "plans give a reason per decision; figures per domain, per operator and of studies; calls that nothing used",
        (
            "ALTER TABLE evolution_plan ADD COLUMN IF NOT EXISTS cluster_weights MAP(VARCHAR, DOUBLE)",
            "ALTER TABLE evolution_plan ADD COLUMN IF NOT EXISTS mode_targets MAP(VARCHAR, DOUBLE)",
            "ALTER TABLE evolution_plan ADD COLUMN IF NOT EXISTS candidates DOUBLE",
            "ALTER TABLE evolution_plan ADD COLUMN IF NOT EXISTS reasons MAP(VARCHAR, VARCHAR)",
            "UPDATE evolution_plan SET cluster_weights = MAP {}, mode_targets = MAP {}, candidates = 1, "
            "reasons = MAP {} WHERE candidates IS NULL",
            "ALTER TABLE raw_trajectories ADD COLUMN IF NOT EXISTS unused_calls BIGINT",
            "ALTER TABLE filtered_trajectories ADD COLUMN IF NOT EXISTS unused_calls BIGINT",
            *_create(TABLES["diversity_groups"]),
            *_create(TABLES["study"]),
        ),
    ),
)
