"""Batches, outcomes and plans in, their rounds out: names in order, which to show, the plan of each."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

Plan = Mapping[str, Any]
"""One row of ReportData.plans."""


def round_of(batch: str) -> str:
    """The round of a batch key: `r01-b02` → r01."""
    return batch.split("-", 1)[0]


def batch_order(name: str) -> tuple[list[int], str]:
    """Sort key of a batch or round: its numbers, round first, so that `r01-b100` follows `r01-b99`."""
    return [int(number) for number in re.findall(r"\d+", name)], name


def ordered(names: Iterable[str]) -> list[str]:
    """The distinct batches or rounds in order."""
    return sorted(set(names), key=batch_order)


def newest_batch(frame: pl.DataFrame) -> str | None:
    """The last batch of a frame with that column; None when it is empty."""
    return max(frame["batch"], key=batch_order, default=None)


def newest_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of the last batch."""
    newest = newest_batch(frame)
    return frame.clear() if newest is None else frame.filter(pl.col("batch") == newest)


def spread(names: Sequence[str], cap: int) -> list[str]:
    """At most `cap` (two or more) of them: the first, the last, and evenly spaced ones between."""
    if len(names) <= cap:
        return list(names)
    return [names[round(step * (len(names) - 1) / (cap - 1))] for step in range(cap)]


def first_plans(plans: pl.DataFrame) -> dict[str, Plan]:
    """By round in order: the plan that its first batch ran under."""
    first: dict[str, Plan] = {}
    for row in sorted(plans.iter_rows(named=True), key=lambda row: batch_order(row["batch"])):
        first.setdefault(row["round"], row)
    return first


def read_map(value: object) -> dict[str, Any]:
    """What is named in a struct, a map (list of key/value) or JSON text; absent values are left out."""
    if isinstance(value, str):
        value = json.loads(value)
    if isinstance(value, pl.Series):
        value = value.to_list()
    if isinstance(value, list):
        value = {item["key"]: item["value"] for item in value}
    if not isinstance(value, Mapping):
        return {}
    return {str(name): content for name, content in value.items() if content is not None}


def read_weights(value: object) -> dict[str, float]:
    """Named weights, however they are stored."""
    return {name: float(weight) for name, weight in read_map(value).items()}


def applied_shares(outcomes: pl.DataFrame) -> dict[str, float]:
    """Share of the conversations whose blueprint each operator had a part in, by operator."""
    parts = outcomes.select(pl.col("operators").list.unique()).explode("operators").drop_nulls()
    counts = parts.group_by("operators").len().sort("operators")
    return {name: count / outcomes.height for name, count in counts.iter_rows()}
