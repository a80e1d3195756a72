"""tool_catalog, tool_graph, business_clusters: what the tools are, how they feed each other, which belong together."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from tdscaling_assets.catalog.changes import REASONS_SHOWN, copy_counts, find_changes, rejections_by_reason
from tdscaling_assets.catalog.harvest import harvest
from tdscaling_assets.catalog.state import read_state
from tdscaling_assets.catalog.store import write_catalog
from tdscaling_assets.catalog.taxonomy import UNKNOWN
from tdscaling_assets.clusters import choose_clusters
from tdscaling_assets.defs.system import System, open_replies
from tdscaling_assets.defs.tables import PREVIEW_ROWS, picture, preview, store, table_asset
from tdscaling_assets.graph import build_graph
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.llm.teacher import is_simulated
from tdscaling_assets.naming import name_clusters
from tdscaling_assets.report.clusters import cluster_domain_figure, coverage_figure
from tdscaling_assets.report.toolgraph import ToolName, shown_clusters, tool_graph_figure
from tdscaling_assets.schema import Tool, ToolEdge
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import canonical_tools
from tdscaling_assets.storage.rows import to_frame


@table_asset("tool_catalog", "mcp")
async def tool_catalog(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Every tool of every source in `sources.yaml`, normalised; what is not usable is in `rejected_tools` with why."""
    settings = system.settings()
    seen_at = datetime.now(UTC).isoformat(timespec="seconds")
    with Lake.open(settings) as lake:
        state = read_state(lake)
        catalog = await harvest(settings, state, seen_at)
        update = write_catalog(lake, catalog, seen_at, context.run.run_id)
    present = [tool for tool in catalog.tools if tool.present]
    changes = find_changes(state, catalog)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(catalog.tools),
            "snapshot": update.snapshot,
            "rows_written": sum(update.rows.values()),
            "preview": preview(to_frame("tool_catalog", catalog.tools[:PREVIEW_ROWS])),
            "raw_tools": catalog.entries,
            "rejected_tools": len(catalog.rejected),
            "tools": len(present),
            **copy_counts(catalog),
            "servers": len({tool.server for tool in present}),
            **domain_counts(present),
            "changes": changes.model_dump(),
            "rejections": dict(rejections_by_reason(catalog)[:REASONS_SHOWN]),
        }
    )


@table_asset("tool_graph", deps=["tool_catalog"])
def tool_graph(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Which tool's output can feed which tool's parameter, with the evidence for it."""
    with Lake.open(system.settings()) as lake:
        tools = canonical_tools(lake)
        edges = build_graph(tools)
        linked = {end for edge in edges for end in (edge.producer_id, edge.consumer_id)}
        counts = {"tools_with_an_edge": len(linked), "mean_out_degree": len(edges) / max(1, len(tools))}
        frames = {"tool_graph": to_frame("tool_graph", edges)}
        return store(lake, frames, batch=None, run_id=context.run.run_id, metadata=counts)


@table_asset("business_clusters", "igraph", deps=["tool_graph"])
async def business_clusters(context: dg.AssetExecutionContext, system: System) -> dg.MaterializeResult[None]:
    """Sets of 3-12 tools around one business purpose, in greedy maximum-coverage order; named by the planner model,
    where there is a real one."""
    settings = system.settings()
    with Lake.open(settings) as lake:
        tools, edges = canonical_tools(lake), lake.records("tool_graph", ToolEdge)
        chosen = choose_clusters(tools, edges, settings.clusters, settings.cluster_cover, settings.cluster_coverage)
        clusters = chosen.clusters
        if not is_simulated([settings.role_model("planner")]):
            with open_replies(settings, "") as replies:
                async with open_models(settings, replies) as models:
                    clusters = await name_clusters(
                        clusters, {tool.tool_id: tool for tool in tools}, models["planner"], settings
                    )
        frame = to_frame("business_clusters", clusters)
        names = {tool.tool_id: ToolName(tool.server, tool.name) for tool in tools}
        last = chosen.clusters[-1] if chosen.clusters else None
        counts = {
            "candidates": chosen.candidates,
            "named_by_model": sum(new != old for new, old in zip(clusters, chosen.clusters, strict=True)),
            "reachable_tools": chosen.reachable_tools,
            "reachable_edges": chosen.reachable_edges,
            "covered_tools": last.covered_tools if last else 0,
            "covered_edges": last.covered_edges if last else 0,
            "multi_coverage": last.coverage if last else 0.0,
            "saturation_nothing_new": chosen.nothing_new,
            "saturation_little_left": chosen.little_left,
            "coverage": picture(coverage_figure(frame, len(tools), len(edges)), "Coverage by clusters"),
            "cluster_domains": picture(cluster_domain_figure(frame), "Clusters per domain"),
            "cluster_graphs": picture(tool_graph_figure(shown_clusters(frame, names), names), "Tools of clusters"),
        }
        return store(lake, {"business_clusters": frame}, batch=None, run_id=context.run.run_id, metadata=counts)


def domain_counts(tools: Sequence[Tool]) -> dict[str, int | float | dg.MarkdownMetadataValue]:
    """How many domains there are, how many tools have none, and the tools of each as a table."""
    counts = Counter(tool.domain for tool in tools)
    unknown = counts.pop(UNKNOWN, 0)
    lines = [f"| {name} | {count} |" for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    return {
        "domains": len(counts),
        "unknown_domain": unknown,
        "unknown_domain_share": unknown / max(1, len(tools)),
        "tools_per_domain": dg.MetadataValue.md("\n".join(["| domain | tools |", "|---|---|", *lines])),
    }
