"""ReportData in, one self-contained HTML page out: no external address, opens from disk, works offline."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

from tdscaling_assets.report import clusters, domains, effective, flow, growth, modeflow, modes, ridges, toolgraph
from tdscaling_assets.report.browser import browser_rows, embed_json, sample_evenly
from tdscaling_assets.report.canvas import svg_text
from tdscaling_assets.report.changes import round_changes
from tdscaling_assets.report.data import ReportData
from tdscaling_assets.report.groups import group_tables
from tdscaling_assets.report.rounds import newest_batch
from tdscaling_assets.report.tables import REASONS_SHOWN, figure_rows, plan_rows, reason_rows, round_rows, study_rows

FLOWS = ("mode_flow_first", "mode_flow_last")


def render_report(data: ReportData, figures: Mapping[str, Figure] | None = None) -> str:
    """The page as HTML text, a function of the data alone; `figures` are draw_pictures(data), where they are drawn."""
    figures = draw_pictures(data) if figures is None else figures
    shown = sample_evenly(data.trajectories)
    reasons = reason_rows(data.rejections)
    rounds = round_rows(data)
    return (
        _environment()
        .get_template("template.html.jinja")
        .render(
            data=data,
            rounds=rounds,
            total=rounds[-1] if rounds else None,
            plans=plan_rows(data.plans),
            reasons=reasons[:REASONS_SHOWN],
            reasons_left=len(reasons) - REASONS_SHOWN,
            blueprints=int(data.counts["blueprints"].sum()),
            rejected_blueprints=int(data.counts["rejected_blueprints"].sum()),
            unaccounted=int(data.counts["raw"].sum())
            - int(data.counts["kept"].sum())
            - int(data.rejections["n"].sum()),
            figures=figure_rows(data.metrics),
            newest=newest_batch(data.metrics),
            changes=round_changes(data),
            groups=group_tables(data.groups),
            study=study_rows(data.study),
            saturation=clusters.saturation_ranks(data.clusters),
            clusters=data.clusters.sort("rank").tail(1).to_dicts(),
            pictures={name: Markup(svg_text(figure)) for name, figure in figures.items()},
            flows=FLOWS,
            shown=len(shown),
            trajectories_json=Markup(embed_json(browser_rows(shown, data.verdicts))),
        )
    )


def draw_pictures(data: ReportData) -> dict[str, Figure]:
    """All pictures of the page, by name; that of the study only where there is one, and the flow of the last round only
    where it is not the first."""
    drawn = {
        "operators": flow.operator_figure(data.plans, data.outcomes),
        "entropy": growth.entropy_figure(data.metrics),
        "effective": effective.effective_figure(data.outcomes),
        "domains": domains.domain_figure(data.outcomes),
        "modes": modes.mode_figure(data.outcomes),
        "complexity": ridges.complexity_figure(data.outcomes, data.plans),
        "funnel": flow.funnel_figure(data.counts, data.rejections),
        "coverage": clusters.coverage_figure(data.clusters, data.total_tools, data.total_edges),
        "cluster_domains": clusters.cluster_domain_figure(data.clusters),
        "cluster_graphs": toolgraph.tool_graph_figure(
            toolgraph.shown_clusters(data.clusters, data.tool_names), data.tool_names
        ),
    }
    for name, round_name in zip(FLOWS, modeflow.first_and_last(data.outcomes), strict=False):
        drawn[name] = modeflow.mode_flow_figure(data.outcomes, round_name)
    if not data.study.is_empty():
        drawn["study"] = growth.study_figure(data.study)
    return drawn


def write_report(path: Path, data: ReportData, figures: Mapping[str, Figure] | None = None) -> Path:
    """Write the page to `path`, at once or not at all; returns `path`. `figures` as in render_report."""
    text = render_report(data, figures)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as temporary:
        new = Path(temporary) / path.name
        new.write_text(text, encoding="utf-8")
        new.replace(path)
    return path


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: "–" if share is None else f"{100 * share:.1f} %"
    environment.filters["count"] = lambda value: f"{value:,}"
    environment.filters["decimals"] = lambda value, n=2: "–" if value is None else f"{value:.{n}f}"
    return environment
