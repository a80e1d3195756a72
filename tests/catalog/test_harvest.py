"""The whole catalog: every source, every record accounted for, the same on every run."""

import json
import sys
from pathlib import Path

import pytest

from tdscaling_assets.catalog import Catalog, build_catalog
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import CODE_TOOL
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import Settings

LIVE = Path(__file__).parents[2] / "../shared/data/mcp_catalog/live_tools.jsonl.gz"


def catalog(folder: Path, sources: str) -> Catalog:
    path = folder / "sources.yaml"
    path.write_text(sources)
    return build_catalog(Settings(sources=path, home=folder))


def test_every_operation_of_every_builtin_service_is_a_tool(tmp_path: Path) -> None:
    built = catalog(tmp_path, "- builtin: all\n")
    services = load_services()
    found = {(tool.server, tool.executor, tool.domain) for tool in built.tools if tool.tool_id != CODE_TOOL}
    assert found == {(service.name, "builtin", service.domain) for service in services.values()}
    assert len(built.tools) == 1 + sum(len(service.operations) for service in services.values())
    assert built.rejected == ()


def test_tools_are_sorted_and_the_same_on_every_run(tmp_path: Path) -> None:
    first = catalog(tmp_path, "- builtin: all\n")
    assert [tool.tool_id for tool in first.tools] == sorted(tool.tool_id for tool in first.tools)
    assert catalog(tmp_path, "- builtin: all\n") == first


def test_the_code_tool_is_in_every_catalog(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text('{"tools": []}')
    (tool,) = catalog(tmp_path, "- file: tools.json\n").tools
    assert (tool.tool_id, tool.executor, tool.read_only) == (CODE_TOOL, "sandbox", True)


def test_a_failing_server_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    scripts = Path(sys.executable).parent
    servers = {
        "crash": {"command": sys.executable, "args": ["-c", "raise SystemExit('boom')"]},
        "time": {"command": str(scripts / "mcp-server-time")},
    }
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    built = catalog(tmp_path, "- mcp_config: mcp.json\n  domain: calendars\n")
    assert [(tool.tool_id, tool.executor, tool.domain) for tool in built.tools if tool.server == "time"] == [
        ("time__convert_time", "simulated", "calendars"),
        ("time__get_current_time", "simulated", "calendars"),
    ]
    (failed,) = built.rejected
    assert (failed.source, failed.name) == ("mcp_config:mcp.json", "crash")
    assert "boom" in failed.reason
    assert built.entries == len(built.tools) + len(built.rejected)


def test_counts_add_up_over_a_mixed_file(tmp_path: Path) -> None:
    tool = {"name": "get_order", "description": "Get an order."}
    (tmp_path / "tools.json").write_text(json.dumps([tool, tool, {"name": ""}, 3]))
    built = catalog(tmp_path, "- file: tools.json\n")
    assert (built.entries, len(built.tools), len(built.rejected)) == (5, 3, 2)


def test_an_unknown_service_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no built-in service 'nonsense': choose from"):
        catalog(tmp_path, "- builtin: [nonsense]\n")


@pytest.mark.skipif(not LIVE.exists(), reason="the live tool dump ../shared/data/mcp_catalog is absent")
def test_six_thousand_live_tools_become_a_catalog(tmp_path: Path) -> None:
    built = catalog(tmp_path, f"- file: {LIVE.resolve()}\n")
    assert built.entries == 6045
    assert built.entries == len(built.tools) + len(built.rejected)
    assert len({tool.tool_id for tool in built.tools}) == len(built.tools)
    assert len(built.rejected) < 100
    assert sum(tool.canonical_id is not None for tool in built.tools) > 700
