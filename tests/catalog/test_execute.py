"""`execute` says which tools of live servers really run; it changes tools that their server lists as before."""

import json
import sys
from pathlib import Path

import pytest

from tdscaling_assets.catalog import Catalog, build_catalog
from tdscaling_assets.catalog.changes import find_changes
from tdscaling_assets.catalog.execute import live_servers, withdraw_executors
from tdscaling_assets.catalog.sources import read_sources
from tdscaling_assets.catalog.state import State, read_state
from tdscaling_assets.catalog.store import write_catalog
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import Tool
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake

GIT = str(Path(sys.executable).parent / "mcp-server-git")
SCRIPT = Path(__file__).parents[1] / "remote" / "server.py"
BROKEN = {"command": sys.executable, "args": ["-c", "exit('boom')"]}


def write(home: Path, execute: object = None, **servers: object) -> Path:
    known = {"own": {"command": sys.executable, "args": [str(SCRIPT)]}} | servers
    (home / "mcp.json").write_text(json.dumps({"mcpServers": known}))
    source = {"mcp_config": "mcp.json", **({} if execute is None else {"execute": execute})}
    (home / "sources.yaml").write_text(json.dumps([source]))
    return home / "sources.yaml"


def run(home: Path, seen_at: str) -> tuple[Catalog, State, int]:
    """Harvest, store; the catalog, the state before it, the rows written."""
    settings = Settings(home=home, sources=home / "sources.yaml", catalog="", lake_data="")
    with Lake.open(settings) as lake:
        state = read_state(lake)
        catalog = build_catalog(settings, state, seen_at)
        update = write_catalog(lake, catalog, seen_at, seen_at)
    assert catalog.entries == sum(one.present for one in catalog.tools) + len(catalog.rejected)
    return catalog, state, sum(update.rows.values())


def live(tools: tuple[Tool, ...]) -> set[str]:
    return {tool.name for tool in tools if tool.executor == "mcp"}


def test_without_execute_every_tool_is_simulated(tmp_path: Path) -> None:
    write(tmp_path)
    catalog, _, _ = run(tmp_path, "t1")
    assert {tool.executor for tool in catalog.tools if tool.server == "own"} == {"simulated"}


def test_true_runs_what_does_no_harm(tmp_path: Path) -> None:
    write(tmp_path, {"own": True})
    tools = run(tmp_path, "t1")[0].tools
    names = {tool.name for tool in tools if tool.server == "own"}
    assert names - live(tools) == {"delete_all", "purge", "set_dying", "get_once"}
    assert {"get_pid", "get_slow", "list_calls", "mark_done"} <= live(tools)


def test_true_believes_the_annotations_of_a_server_nobody_here_wrote(tmp_path: Path) -> None:
    write(tmp_path, {"git": True}, git={"command": GIT})
    running = live(run(tmp_path, "t1")[0].tools)
    assert {"git_status", "git_log", "git_add"} <= running
    assert "git_reset" not in running and "get_pid" not in running


def test_a_list_runs_exactly_what_it_names_also_a_destructive_tool(tmp_path: Path) -> None:
    write(tmp_path, {"own": ["delete_all", "get_pid"]})
    assert live(run(tmp_path, "t1")[0].tools) == {"delete_all", "get_pid"}


def test_a_tool_that_a_server_does_not_have_is_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, {"own": ["get_pid", "get_moon"]})
    for seen_at in ("t1", "t2"):
        catalog, _, _ = run(tmp_path, seen_at)
        assert live(catalog.tools) == {"get_pid"}
        (rejected,) = catalog.rejected
        assert rejected.name == "get_moon"
        assert rejected.reason == "not there to execute: the server 'own' has no such tool, correct `execute`"


def test_a_server_that_is_not_configured_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, {"owm": True})
    with pytest.raises(ConfigError, match=r"`execute` names the server 'owm', which .*mcp.json does not have: .* own$"):
        run(tmp_path, "t1")
    with pytest.raises(ConfigError, match="'owm'"):
        live_servers(read_sources(path), {})


@pytest.mark.parametrize("execute", ["own", {"own": "get_pid"}, {"own": False}, ["own"], {"own": [3]}])
def test_another_shape_of_execute_is_refused_with_what_it_takes(tmp_path: Path, execute: object) -> None:
    with pytest.raises(ConfigError, match="give a mapping of server names to `true` or a list of tool names"):
        read_sources(write(tmp_path, execute))


def test_execute_changes_tools_that_their_server_lists_as_before(tmp_path: Path) -> None:
    write(tmp_path)
    first = run(tmp_path, "t1")[0]
    write(tmp_path, {"own": ["get_pid"]})
    second, state, rows = run(tmp_path, "t2")
    assert (live(first.tools), live(second.tools), rows) == (set(), {"get_pid"}, 1)
    assert find_changes(state, second).changed == 1
    assert [tool.tool_id for tool in first.tools] == [tool.tool_id for tool in second.tools]
    _, state, rows = run(tmp_path, "t3")
    assert (live(tuple(state.tools.values())), rows) == ({"get_pid"}, 0)
    write(tmp_path)
    third = run(tmp_path, "t4")[0]
    assert third.tools == first.tools


def test_execute_is_taken_back_although_the_server_does_not_answer(tmp_path: Path) -> None:
    write(tmp_path, {"own": True})
    assert live(run(tmp_path, "t1")[0].tools)
    write(tmp_path, own=BROKEN)
    catalog = run(tmp_path, "t2")[0]
    assert catalog.sources[0].failure and len(catalog.tools) > 5
    assert live(catalog.tools) == set()
    write(tmp_path, {"own": True})
    assert live(run(tmp_path, "t3")[0].tools)


def test_what_is_taken_back_after_the_harvest_does_not_run(tmp_path: Path) -> None:
    write(tmp_path, {"own": True})
    tools = run(tmp_path, "t1")[0].tools
    kept = withdraw_executors(tools, read_sources(write(tmp_path, {"own": ["get_pid", "purge"]})))
    assert live(tuple(kept)) == {"get_pid"}


def test_live_servers_are_those_with_tools_that_run(tmp_path: Path) -> None:
    path = write(tmp_path, {"own": True}, other={"command": "other"})
    assert list(live_servers(read_sources(path), {})) == [("mcp_config:mcp.json", "own")]
