"""The real built-in services as one library, a tiny catalog of foreign tools as another, and rehearsed parents."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.blueprints.rehearsal import DryRunError, Rehearsal, rehearse
from tdscaling_assets.blueprints.topology import draw_blueprint
from tdscaling_assets.catalog import build_catalog
from tdscaling_assets.clusters import select_clusters
from tdscaling_assets.graph import build_graph
from tdscaling_assets.schema import LABELS, OPERATORS, JsonObject, RoundPlan, Tool, digest
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import CacWeights, Settings

WEIGHTS = CacWeights()
Regime = Callable[..., RoundPlan]
TEXT: JsonObject = {"type": "string"}


def rehearsed_draws(library: Library, count: int) -> list[Rehearsal]:
    """One rehearsed blueprint of each of `count` seeds whose draw runs."""
    found: list[Rehearsal] = []
    for seed in range(count):
        rng = random.Random(seed)
        cluster = rng.choice(library.clusters)
        try:
            blueprint = draw_blueprint(cluster, "r02-b01", library, rng, world_seed=seed % 20)
        except DryRunError:
            continue
        found.append(rehearse(blueprint, library, WEIGHTS))
    return found


def foreign_tool(
    server: str, name: str, takes: JsonObject, gives: JsonObject | None, *, optional: Sequence[str] = ()
) -> Tool:
    """A tool without executor or annotations; `takes` and `gives` are properties."""
    needed = [field for field in takes if field not in optional]
    inputs: JsonObject = {"type": "object", "properties": takes, "required": [*needed]}
    return Tool(
        tool_id=f"{server}__{name}",
        server=server,
        name=name,
        description=name.replace("_", " "),
        input_schema=inputs,
        output_schema=None if gives is None else {"type": "object", "properties": gives, "required": [*gives]},
        domain=server,
        source="test",
        executor="simulated",
        content_hash=digest(server, name),
    )


def foreign_tools() -> list[Tool]:
    """Two services in two domains; one tool does not say what it returns."""
    track: JsonObject = {"type": "object", "properties": {"track_id": TEXT, "title": TEXT}, "required": ["track_id"]}
    station: JsonObject = {"type": "object", "properties": {"station_id": TEXT, "city": TEXT}}
    return [
        foreign_tool("music", "search_tracks", {"query": TEXT}, {"tracks": {"type": "array", "items": track}}),
        foreign_tool("music", "get_track", {"track_id": TEXT}, {"track_id": TEXT, "album_id": TEXT, "title": TEXT}),
        foreign_tool("music", "get_lyrics", {"track_id": TEXT}, None),
        foreign_tool("music", "create_playlist", {"title": TEXT, "track_id": TEXT}, {"playlist_id": TEXT}),
        foreign_tool("music", "get_playlist", {"playlist_id": TEXT}, {"playlist_id": TEXT, "title": TEXT}),
        foreign_tool("music", "delete_playlist", {"playlist_id": TEXT}, {"deleted": {"type": "boolean"}}),
        foreign_tool("weather", "search_stations", {"city": TEXT}, {"stations": {"type": "array", "items": station}}),
        foreign_tool("weather", "get_station", {"station_id": TEXT}, {"station_id": TEXT, "wind": {"type": "number"}}),
        foreign_tool(
            "weather", "create_alarm", {"station_id": TEXT, "threshold": {"type": "integer"}}, {"alarm_id": TEXT}
        ),
    ]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """All built-in services."""
    home: Path = tmp_path_factory.mktemp("catalog")
    (home / "sources.yaml").write_text("- builtin\n", encoding="utf-8")
    tools = build_catalog(Settings(home=home, sources=home / "sources.yaml")).tools
    edges = build_graph(tools)
    return Library(tools, edges, select_clusters(tools, edges, 400), load_services())


@pytest.fixture(scope="session")
def foreign_library() -> Library:
    """Foreign tools only."""
    tools = foreign_tools()
    edges = build_graph(tools)
    return Library(tools, edges, select_clusters(tools, edges, 20), {})


@pytest.fixture(scope="session")
def regime(library: Library) -> Regime:
    """Makes a plan without preferences, except for the changes."""
    domains = sorted({cluster.domain for cluster in library.clusters})
    plan = RoundPlan(
        round="r02",
        domain_weights={domain: 1 / len(domains) for domain in domains},
        mode_weights={label: 1 / len(LABELS) for label in LABELS},
        operator_weights=dict.fromkeys(OPERATORS, 1 / len(OPERATORS)),
        cac_target=7.0,
        temperature=0.5,
        parent_metrics={},
        reason="for a test",
    )
    return lambda **changes: plan.model_copy(update=changes)


@pytest.fixture(scope="session")
def parents(library: Library) -> list[Rehearsal]:
    """Rehearsed blueprints over all services."""
    return rehearsed_draws(library, 120)


@pytest.fixture(scope="session")
def foreign_parents(foreign_library: Library) -> list[Rehearsal]:
    """Rehearsed blueprints over foreign tools."""
    return rehearsed_draws(foreign_library, 60)
