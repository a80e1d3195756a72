"""A batch opens live servers only for tools that a blueprint offers, and runs none that `execute` no longer names."""

import json
from pathlib import Path

import pytest

from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.defs.trajectories import open_stage
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.llm.roles import open_models
from tdscaling_assets.schema import Blueprint, Tool
from tdscaling_assets.settings import Settings

TOOLS = [
    Tool(
        tool_id=f"search__{name}",
        server="search",
        name=name,
        description="",
        input_schema={"type": "object"},
        domain="d",
        source="mcp_config:mcp.json",
        executor="mcp",
        content_hash="0",
    )
    for name in ("get_page", "find_pages")
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A configured server, of which one tool may run."""
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"search": {"command": "search"}}}))
    return sources(tmp_path, {"search": ["get_page"]})


def sources(home: Path, execute: object) -> Settings:
    (home / "sources.yaml").write_text(json.dumps([{"mcp_config": "mcp.json", "execute": execute}]))
    return Settings(home=home, sources=home / "sources.yaml")


def offering(*tool_ids: str) -> list[Blueprint]:
    return [Blueprint.model_construct(tool_ids=tool_ids)]


def opened(settings: Settings, blueprints: list[Blueprint]) -> Stage:
    return open_stage(settings, TOOLS, blueprints, open_models(settings))


def test_servers_are_only_open_where_a_blueprint_offers_a_tool_of_theirs(settings: Settings) -> None:
    assert opened(settings, offering("search__get_page")).live is not None
    assert opened(settings, offering("other")).live is None


def test_a_batch_without_live_tools_needs_no_sources_file(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, sources=tmp_path / "missing.yaml")
    assert opened(settings, offering("other")).live is None


def test_a_tool_that_may_no_longer_run_is_simulated(settings: Settings) -> None:
    stage = opened(settings, offering("search__get_page", "search__find_pages"))
    assert {tool.name: tool.executor for tool in stage.tools.values()} == {"get_page": "mcp", "find_pages": "simulated"}


def test_an_unknown_server_in_execute_stops_the_batch_with_a_sentence(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(ConfigError, match="names the server 'serach'"):
        opened(sources(tmp_path, {"serach": True}), offering("search__get_page"))
