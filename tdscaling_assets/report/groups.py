"""Figures per domain and per operator in, the rows of the page's tables of them out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from tdscaling_assets.report.rounds import newest_rows

COLUMNS = {
    "share": ("Share", "{:.1%}"),
    "acceptance_rate": ("Accepted", "{:.1%}"),
    "h_mode": ("Mode entropy", "{:.2f}"),
    "h_mode_rarefied": ("rarefied", "{:.2f}"),
    "cac_mean": ("Mean CAC", "{:.1f}"),
}
"""Metrics that the tables show, with their headings."""


@dataclass(frozen=True)
class Cell:
    """A figure to sort by and as text, with its interval where it has one; null and `–` where it is not defined."""

    value: float | None
    text: str
    interval: str = ""


@dataclass(frozen=True)
class GroupTable:
    """The groups of one dimension, the largest first: headings, and by name a cell for each."""

    dimension: Literal["domain", "operator"]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


def group_tables(groups: pl.DataFrame) -> list[GroupTable]:
    """A table of domains and one of operators, where there are rows: cumulative figures of the newest batch."""
    rows = newest_rows(groups).filter(pl.col("scope") == "cumulative")
    tables = [_table("domain", rows), _table("operator", rows)]
    return [table for table in tables if table.rows]


def _table(dimension: Literal["domain", "operator"], groups: pl.DataFrame) -> GroupTable:
    by_name: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in groups.filter(pl.col("dimension") == dimension).iter_rows(named=True):
        by_name.setdefault(row["name"], {})[row["metric"]] = row
    present = [metric for metric in COLUMNS if any(metric in figures for figures in by_name.values())]
    sizes = {name: _size(figures) for name, figures in by_name.items()}
    rows = tuple(
        (
            name,
            (
                Cell(sizes[name], f"{sizes[name]:,}"),
                *(_cell(by_name[name].get(metric), COLUMNS[metric][1]) for metric in present),
            ),
        )
        for name in sorted(by_name, key=lambda name: (-sizes[name], name))
    )
    return GroupTable(dimension, ("Kept", *(COLUMNS[metric][0] for metric in present)), rows)


def _size(figures: Mapping[str, Mapping[str, Any]]) -> int:
    """Kept trajectories of a group; none where everything made was rejected, and only acceptance is defined."""
    if "n" in figures:
        return int(figures["n"]["value"])
    return max((int(row["n"]) for metric, row in figures.items() if metric != "acceptance_rate"), default=0)


def _cell(row: Mapping[str, Any] | None, text: str) -> Cell:
    if row is None:
        return Cell(None, "–")
    low, high = row["ci_low"], row["ci_high"]
    interval = "" if low is None or high is None else f"{text.format(low)}–{text.format(high)}"
    return Cell(row["value"], text.format(row["value"]), interval)
