"""Frames and figures in, tables on a terminal out."""

import json
import math
from collections.abc import Mapping
from decimal import Decimal

import polars as pl
from rich.console import Console
from rich.table import Table

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import UNJUDGED
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import metric_history
from tdscaling_assets.storage.summaries import counts_per_batch, rejections

SHOWN = {
    "acceptance_rate": "kept/raw",
    "h_dom": "h_dom",
    "effective_domains": "domains",
    "h_mode": "h_mode",
    "effective_modes": "modes",
    "cac_mean": "CAC",
}


def print_frame(frame: pl.DataFrame, console: Console) -> None:
    """The whole frame; on a terminal long values wrap, in a pipe nothing is cut."""
    table = Table(*frame.columns)
    for row in frame.iter_rows():
        table.add_row(*(f"{value:.4f}" if isinstance(value, float) else str(value) for value in row))
    wide = console if console.is_terminal else Console(file=console.file, width=10_000)
    wide.print(table, highlight=False, markup=False)


def frame_as_json(frame: pl.DataFrame) -> str:
    """The rows as one JSON array: decimals are numbers, floats that JSON has no number for are null, and what else it
    does not know is text."""
    return json.dumps([_plain(row) for row in frame.to_dicts()], default=str, ensure_ascii=False, allow_nan=False)


def print_batches(settings: Settings, console: Console) -> None:
    """One row per batch: what was made, kept, and how diverse the batch is."""
    with Lake.open(settings, read_only=True) as lake:
        metrics = metric_history(lake, "batch").pivot("metric", index="batch", values="value")
        counts = counts_per_batch(lake)
        pending = lake.read("pending_blueprints", columns=["batch", "reason"])
        unjudged = rejections(lake).filter(rule=UNJUDGED)
    rows = counts.join(metrics, on="batch", how="left", maintain_order="left")
    table = Table(
        "batch",
        "raw",
        "kept",
        *SHOWN.values(),
        caption="Each batch alone. h: bits; domains, modes: effective numbers; CAC: mean.",
    )
    for row in rows.iter_rows(named=True):
        figures = [row.get(name) for name in SHOWN]
        table.add_row(
            row["batch"],
            str(row["raw"]),
            str(row["kept"]),
            *("-" if value is None else f"{value:.2f}" for value in figures),
        )
    console.print(table)
    for batch, reason, waiting in pending.group_by("batch", "reason").len().sort("batch", "reason").iter_rows():
        console.print(f"{waiting} blueprints of {batch} are pending: {reason}", highlight=False, soft_wrap=True)
    for batch, reason, late in unjudged.select("batch", "reason", "n").iter_rows():
        console.print(f"{late} conversations of {batch} wait for the judge: {reason}", highlight=False, soft_wrap=True)


def catalog_changes(recorded: Mapping[str, object]) -> str:
    """What a harvest changed, as its asset recorded it: a line of counts, one of copies, and the reasons of rejects."""
    changes, reasons = recorded.get("changes"), recorded.get("rejections")
    counts = ", ".join(f"{n} {name}" for name, n in changes.items()) if isinstance(changes, dict) else "nothing known"
    names = {"canonical_tools": "canonical", "exact_copies": "exact copies", "near_copies": "near copies"}
    copies = ", ".join(f"{recorded.get(key, 0)} {name}" for key, name in names.items())
    lines = [f"Tools: {counts}; {recorded.get('rows_written', 0)} rows written", f"of these {copies}"]
    if isinstance(reasons, dict):
        lines += [f"{n:>6} rejected: {reason}" for reason, n in reasons.items()]
    return "\n".join(lines)


def catalog_summary(settings: Settings) -> str:
    """What the catalog holds, in one line. ConfigError when no cluster came of it."""
    with Lake.open(settings, read_only=True) as lake:
        counted = ("tool_catalog", "rejected_tools", "tool_graph", "business_clusters")
        tools, rejected, edges, clusters = (lake.read(table).height for table in counted)
    left_out = f"{rejected} entries were rejected: SELECT source, name, reason FROM rejected_tools"
    if not clusters:
        raise ConfigError(
            f"no business cluster came of {tools} tools, it takes at least 3 that feed each other; {left_out}"
        )
    return (
        f"{tools} tools, {edges} edges, {clusters} business clusters; {left_out}"
        if rejected
        else (f"{tools} tools, {edges} edges, {clusters} business clusters. Next: tds batch")
    )


def _plain(value: object) -> object:
    match value:
        case dict():
            return {name: _plain(item) for name, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case Decimal():
            return int(value) if value.as_tuple().exponent == 0 else float(value)
        case float() if not math.isfinite(value):
            return None
    return value
