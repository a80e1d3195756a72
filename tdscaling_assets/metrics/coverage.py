"""Trajectories and the catalog's edges in, shares of the catalog that the trajectories exercise out.

A tool is covered when a trajectory calls it; an edge when a call of its producer comes before a call of its
consumer in one trajectory; a cluster when a trajectory was made for it. What is gone from the catalog counts nowhere.
"""

import polars as pl

from tdscaling_assets.metrics.context import MeasureContext
from tdscaling_assets.schema import MetricRow


def coverage_rows(frame: pl.DataFrame, edges: pl.DataFrame, context: MeasureContext) -> list[MetricRow]:
    """tool_coverage, edge_coverage, cluster_coverage of the catalog; no row where the catalog has none.

    `frame` has `calls` (tool ids in order of call) and `cluster_id`; `edges` has `producer_id`, `consumer_id`;
    several edges between the same two tools count as one.
    """
    calls = _call_rows(frame)
    tools = context.tools.intersection(calls["tool_id"].unique())
    clusters = context.clusters.intersection(frame["cluster_id"].unique())
    return [
        *context.share("tool_coverage", len(tools), len(context.tools)),
        *context.share("edge_coverage", covered_edges(calls, edges).height, _pairs(edges).height),
        *context.share("cluster_coverage", len(clusters), len(context.clusters)),
    ]


def covered_edges(calls: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Distinct (producer_id, consumer_id) of `edges` whose producer is called before the consumer in a trajectory.

    `calls` has `owner`, `tool_id`, `position`. It is enough to compare a tool's first call with another's last.
    """
    spans = calls.group_by("owner", "tool_id").agg(first=pl.col("position").min(), last=pl.col("position").max())
    producers = _pairs(edges).join(spans.rename({"tool_id": "producer_id"}).drop("last"), on="producer_id")
    consumers = spans.rename({"tool_id": "consumer_id"}).select("owner", "consumer_id", "last")
    met = producers.join(consumers, on=["owner", "consumer_id"]).filter(pl.col("first") < pl.col("last"))
    return met.select("producer_id", "consumer_id").unique().sort("producer_id", "consumer_id")


def _pairs(edges: pl.DataFrame) -> pl.DataFrame:
    return edges.select("producer_id", "consumer_id").unique()


def _call_rows(frame: pl.DataFrame) -> pl.DataFrame:
    calls = pl.col("calls").cast(pl.List(pl.String))
    return (
        frame.select(tool_id=calls, owner=pl.int_range(pl.len()))
        .filter(pl.col("tool_id").list.len() > 0)
        .explode("tool_id")
        .with_columns(position=pl.int_range(pl.len()))
    )
