"""The named reads that stages need; every batch order is numeric, so `r01-b100` follows `r01-b99`."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import polars as pl

from tdscaling_assets.schema import UNJUDGED, Blueprint, Record, RoundPlan, Tool, ToolVersion, Trajectory, Verdict
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.rows import from_frame, in_chunks
from tdscaling_assets.storage.tables import find_table

RecordT = TypeVar("RecordT", bound=Record)
_Version = tuple[str, str]  # tool_id, content_hash

_COUNTED = ("blueprints", "rejected_blueprints", "pending_blueprints", "raw_trajectories", "filtered_trajectories")


def canonical_tools(lake: Lake) -> list[Tool]:
    """The tools that graph and clusters are made of, by id: what a source has now, without copies."""
    return [tool for tool in lake.records("tool_catalog", Tool) if tool.present and tool.canonical_id is None]


def canonical_tool_ids(lake: Lake) -> frozenset[str]:
    """The ids of those."""
    return frozenset(lake.query("SELECT tool_id FROM tool_catalog WHERE present AND canonical_id IS NULL")["tool_id"])


def count_edges(lake: Lake) -> int:
    """Edges of the tool graph."""
    count: int = lake.query("SELECT count(*) FROM tool_graph").item()
    return count


def stored_versions(lake: Lake, keys: Iterable[_Version]) -> list[ToolVersion]:
    """The versions of those keys (tool_id, content_hash), by key; keys that are not stored are left out."""
    return from_frame(ToolVersion, _read_versions(lake, keys, find_table("tool_versions").columns))


def with_tools(lake: Lake, trajectories: Iterable[Trajectory]) -> Iterator[tuple[Trajectory, dict[str, Tool]]]:
    """Each trajectory beside the tools that it was offered, as they were then, by id; few are in memory at a time.

    A tool of which the trajectory or the lake has no version (stored before there were any) is the one that the catalog
    has now; a tool that the catalog does not have either is absent.
    """
    tools: dict[_Version, Tool] = {}
    for chunk in in_chunks(trajectories):
        used = {key for trajectory in chunk for key in _versions_used(trajectory)}
        tools = {key: tool for key, tool in tools.items() if key in used}
        tools |= _tools_of(lake, used - tools.keys())
        for trajectory in chunk:
            yield trajectory, {key[0]: tools[key] for key in _versions_used(trajectory) if key in tools}


def batch_order(batch: str) -> tuple[list[int], str]:
    """Sort key of a batch key: its numbers, round first."""
    return [int(number) for number in re.findall(r"\d+", batch)], batch


def stored_batches(lake: Lake, table: str) -> list[str]:
    """Batches that have rows in the table, in order: read off its list of files, of which each holds one batch."""
    files = f"ducklake_list_files('lake', '{find_table(table).name}')"
    rows = lake.query(f"SELECT DISTINCT regexp_extract(data_file, '/batch=([^/]+)/', 1) AS batch FROM {files}")
    return sorted(rows["batch"].to_list(), key=batch_order)


def reported_batches(lake: Lake) -> list[str]:
    """Batches that have a diversity report, in order."""
    return stored_batches(lake, "diversity_report")


def metric_history(lake: Lake, scope: str, batches: Iterable[str] | None = None) -> pl.DataFrame:
    """batch, metric, value, ci_low, ci_high, n of one scope, of those batches or all, ordered by batch and metric."""
    columns = ["batch", "metric", "value", "ci_low", "ci_high", "n"]
    report = lake.read("diversity_report", batches=batches, columns=[*columns, "scope"])
    return report.filter(pl.col("scope") == scope).select(columns)


def batch_counts(lake: Lake, batch: str) -> dict[str, int]:
    """Rows of the batch per table, and `rejected_trajectories`: those with at least one verdict against them."""
    tables = [f"SELECT '{table}' AS name, count(*) AS n FROM {table} WHERE batch = $1" for table in _COUNTED]
    rejected = (
        "SELECT 'rejected_trajectories', count(DISTINCT trajectory_id) FROM verdicts WHERE batch = $1 AND NOT keep"
    )
    rows = lake.query(" UNION ALL ".join([*tables, rejected]), [batch])
    return dict(sorted(rows.iter_rows()))


def kept_speech(lake: Lake, batches: Sequence[str]) -> pl.DataFrame:
    """One row per kept trajectory of those batches: batch, trajectory_id, domain, mode, labels, persona, the first
    user message (opening), and what was said in each assistant message (spoken), "" for nothing."""
    return lake.query(
        "SELECT batch, trajectory_id, kept.domain, mode, labels, persona, "
        "list_filter(messages, lambda one: one.role = 'user')[1].content AS opening, "
        "[coalesce(one.content, '') for one in messages if one.role = 'assistant'] AS spoken "
        "FROM filtered_trajectories AS kept LEFT JOIN blueprints USING (batch, blueprint_id) "
        f"WHERE batch IN ({', '.join('?' * len(batches))}) ORDER BY batch, trajectory_id",
        batches,
    )


def kept_before(lake: Lake, batch: str) -> Iterator[Trajectory]:
    """Filtered trajectories of all earlier batches, ordered by batch and id; few are in memory at a time."""
    return lake.stream_records("filtered_trajectories", Trajectory, batches_before(lake, batch))


def named_trajectories(lake: Lake, trajectory_ids: Sequence[str]) -> list[Trajectory]:
    """The raw trajectories of those ids, by id."""
    return _named(lake, "raw_trajectories", Trajectory, "trajectory_id", trajectory_ids)


def unjudged_blueprints(lake: Lake, batch: str) -> set[str]:
    """Ids of the batch's blueprints whose conversation waits until the judge can be paid."""
    sql = (
        "SELECT blueprint_id FROM raw_trajectories JOIN verdicts USING (batch, trajectory_id) "
        "WHERE batch = ? AND rule = ?"
    )
    return set(lake.query(sql, [batch, UNJUDGED])["blueprint_id"])


def settled_trajectories(lake: Lake, batch: str) -> set[str]:
    """Ids of the batch's conversations that the judge has heard, or a rule before it has rejected."""
    sql = "SELECT trajectory_id FROM verdicts WHERE batch = ? AND (rule = 'judge' OR NOT keep AND rule <> ?)"
    return set(lake.query(sql, [batch, UNJUDGED])["trajectory_id"])


def named_verdicts(lake: Lake, trajectory_ids: Sequence[str]) -> list[Verdict]:
    """The verdicts on them, by id and position."""
    return _named(lake, "verdicts", Verdict, "trajectory_id", trajectory_ids)


def chosen_trajectories(lake: Lake, sorted_rows: int = 2000) -> Iterator[Trajectory]:
    """Those of the stored training set, in its order; few are in memory at a time.

    Each pass over the table puts `sorted_rows` of them in order: more means fewer passes and more memory.
    """
    columns = _names(find_table("filtered_trajectories").columns)
    sql = (
        f"SELECT {columns} FROM filtered_trajectories JOIN training_set USING (trajectory_id) "
        'WHERE "order" BETWEEN ? AND ? ORDER BY "order"'
    )
    last = lake.query('SELECT coalesce(max("order"), 0) FROM training_set').item()
    for start in range(0, last + 1, sorted_rows):
        for frame in lake.stream(sql, [start, start + sorted_rows - 1]):
            yield from from_frame(Trajectory, frame)


def count_gone_choices(lake: Lake) -> int:
    """How many of the stored training set are among the filtered trajectories no more."""
    sql = "SELECT count(*) FROM training_set ANTI JOIN filtered_trajectories USING (trajectory_id)"
    count: int = lake.query(sql).item()
    return count


def batches_before(lake: Lake, batch: str, table: str = "filtered_trajectories") -> list[str]:
    """Batches with rows in the table that come before this one, in order."""
    return [other for other in stored_batches(lake, table) if batch_order(other) < batch_order(batch)]


def has_clusters(lake: Lake) -> bool:
    """Whether there are business clusters, the last that the catalog makes."""
    return not lake.read("business_clusters", columns=["cluster_id"]).is_empty()


def plan_of(lake: Lake, batch: str) -> RoundPlan | None:
    """The plan that the batch ran under, None before it is made."""
    plans = lake.records("evolution_plan", RoundPlan, batch=batch)
    return plans[0] if plans else None


def sample_kept_blueprints(lake: Lake, before: str, limit: int, seed: int) -> list[Blueprint]:
    """Up to `limit` blueprints of earlier batches whose trajectory was kept, by id; which ones is up to `seed`."""
    names = ", ".join(f"b.{name}" for name in find_table("blueprints").columns)
    frame = lake.query(
        f"SELECT {names} FROM blueprints AS b JOIN (SELECT batch, blueprint_id FROM filtered_trajectories "
        "WHERE list_contains(?, batch) ORDER BY md5(concat(?, blueprint_id)) LIMIT ?) AS k "
        "USING (batch, blueprint_id) ORDER BY b.blueprint_id",
        [batches_before(lake, before), f"{seed}:", limit],
    )
    return from_frame(Blueprint, frame)


def _versions_used(trajectory: Trajectory) -> list[_Version]:
    return [(tool_id, trajectory.versions.get(f"tool:{tool_id}", "")) for tool_id in trajectory.tools]


def _tools_of(lake: Lake, keys: Iterable[_Version]) -> dict[_Version, Tool]:
    """The tool of each version, of an unknown one as it is now."""
    wanted = set(keys)
    versions = _read_versions(lake, wanted, ("tool_id", "content_hash", "definition"))
    found = {(name, content): Tool.model_validate_json(text) for name, content, text in versions.iter_rows()}
    lost = wanted - found.keys()
    names = sorted({tool_id for tool_id, _ in lost})
    now = {one.tool_id: one for one in _named(lake, "tool_catalog", Tool, "tool_id", names)} if names else {}
    return found | {key: now[key[0]] for key in lost if key[0] in now}


def _read_versions(lake: Lake, keys: Iterable[_Version], columns: Iterable[str]) -> pl.DataFrame:
    wanted = sorted(set(keys))
    return lake.query(
        f"SELECT {_names(columns)} FROM tool_versions JOIN (SELECT unnest(?) AS tool_id, unnest(?) AS content_hash) "
        "USING (tool_id, content_hash) ORDER BY tool_id, content_hash",
        [[tool_id for tool_id, _ in wanted], [content for _, content in wanted]],
    )


def _named(lake: Lake, table: str, model: type[RecordT], column: str, names: Sequence[str]) -> list[RecordT]:
    declared = find_table(table)
    sql = (
        f"SELECT {_names(declared.columns)} FROM {table} WHERE {column} IN (SELECT unnest($1)) "
        f"ORDER BY {_names(declared.key)}"
    )
    return from_frame(model, lake.query(sql, [list(names)]))


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)
