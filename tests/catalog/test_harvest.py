"""The whole catalog: every source, every record accounted for, the same on every run."""

import json
import sys
from pathlib import Path

import pytest
from catalog.documents import PETS

from tdscaling_assets.catalog import Catalog, build_catalog
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import CODE_SERVER, CODE_TOOL, CODE_TOOLS
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.settings import Settings

OWN = len(CODE_TOOLS)
LIVE = Path(__file__).parents[2] / "../shared/data/mcp_catalog/live_tools.jsonl.gz"


def catalog(folder: Path, sources: str) -> Catalog:
    path = folder / "sources.yaml"
    path.write_text(sources)
    return build_catalog(Settings(sources=path, home=folder))


def test_every_operation_of_every_builtin_service_is_a_tool(tmp_path: Path) -> None:
    built = catalog(tmp_path, "- builtin: all\n")
    services = load_services()
    found = {(tool.server, tool.executor, tool.domain) for tool in built.tools if tool.tool_id not in CODE_TOOLS}
    assert found == {(service.name, "builtin", service.domain) for service in services.values()}
    assert len(built.tools) == len(CODE_TOOLS) + sum(len(service.operations) for service in services.values())
    assert built.rejected == ()


def test_tools_are_sorted_and_the_same_on_every_run(tmp_path: Path) -> None:
    first = catalog(tmp_path, "- builtin: all\n")
    assert [tool.tool_id for tool in first.tools] == sorted(tool.tool_id for tool in first.tools)
    assert catalog(tmp_path, "- builtin: all\n") == first


def test_the_code_tools_are_in_every_catalog(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text('{"tools": []}')
    tools = {tool.tool_id: tool for tool in catalog(tmp_path, "- file: tools.json\n").tools}
    assert set(tools) == CODE_TOOLS
    assert {(tool.server, tool.executor) for tool in tools.values()} == {(CODE_SERVER, "sandbox")}
    changing = {tool.name for tool in tools.values() if not tool.read_only}
    assert changing == {"write_file", "run_shell"}
    assert tools[CODE_TOOL].read_only


def test_the_code_tools_are_copies_of_none_and_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text("[]")
    shared = next(tool for tool in catalog(tmp_path, "- file: tools.json\n").tools if tool.name == "write_file")
    same = {"name": "write_file", "description": shared.description, "inputSchema": shared.input_schema}
    (tmp_path / "tools.json").write_text(json.dumps([same]))
    built = catalog(tmp_path, "- file: tools.json\n").tools
    assert len(built) == len(CODE_TOOLS) + 1
    assert [tool.canonical_id for tool in built] == [None] * len(built)


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


ANSWER = """
import json, sys
for line in sys.stdin:
    call = json.loads(line)
    result = {"tools": [{"name": sys.argv[1], "description": "Do it for " + sys.argv[1]}]}
    if call["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {}, "serverInfo": {"name": "x", "version": "1"}}
    if "id" in call and call["method"] in ("initialize", "tools/list"):
        print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "result": result}), flush=True)
    elif "id" in call:
        error = {"code": -32601, "message": "no such method"}
        print(json.dumps({"jsonrpc": "2.0", "id": call["id"], "error": error}), flush=True)
"""


def test_two_hundred_servers_of_which_most_misbehave_are_all_accounted_for(tmp_path: Path) -> None:
    servers: dict[str, object] = {}
    for number in range(50):
        servers[f"hangs_{number}"] = {"command": "sleep", "args": ["60"], "timeout": 0.2}
        servers[f"dies_{number}"] = {"command": "sh", "args": ["-c", "echo no licence >&2; exit 3"]}
        servers[f"babbles_{number}"] = {"command": "echo", "args": ["hello"]}
        servers[f"off_{number}"] = {"command": "echo", "disabled": True}
    for number in range(5):
        servers[f"works_{number}"] = {"command": sys.executable, "args": ["-c", ANSWER, f"job_{number}"]}
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    built = catalog(tmp_path, "- mcp_config: mcp.json\n  at_once: 25\n")
    assert built.entries == 205 + OWN == len(built.tools) + len(built.rejected)
    assert [tool.name for tool in built.tools if tool.server != CODE_SERVER] == [f"job_{number}" for number in range(5)]
    reasons: dict[str, set[str]] = {}
    for rejected in built.rejected:
        kind = rejected.name.split("_")[0]
        reasons.setdefault(kind, set()).add(rejected.reason.replace(rejected.name, "X"))
    assert reasons["hangs"] == {"MCP server 'X' gave no tool list within 0.2 s"}
    assert all("no licence" in reason for reason in reasons["dies"])
    assert all(reason.startswith("MCP server 'X' failed") for reason in reasons["babbles"])
    assert all(reason.endswith("is disabled: skipped") for reason in reasons["off"])


def test_variables_reach_servers_and_a_missing_one_refuses_only_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_JOB", "paint")
    monkeypatch.delenv("TEST_NO_JOB", raising=False)
    servers = {
        name: {"command": sys.executable, "args": ["-c", ANSWER, f"${{{variable}}}"]}
        for name, variable in (("a", "TEST_JOB"), ("b", "TEST_NO_JOB"))
    }
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    built = catalog(tmp_path, "- mcp_config: mcp.json\n")
    assert [tool.tool_id for tool in built.tools if tool.tool_id not in CODE_TOOLS] == ["a__paint"]
    assert [(rejected.name, "TEST_NO_JOB" in rejected.reason) for rejected in built.rejected] == [("b", True)]


@pytest.mark.parametrize("word", ["openapi", "file"])
def test_the_operations_of_an_api_are_tools_or_rejected(tmp_path: Path, word: str) -> None:
    (tmp_path / "pets.yaml").write_text(PETS)
    built = catalog(tmp_path, f"- {word}: pets.yaml\n")
    assert (built.entries - OWN, len(built.tools) - OWN, len(built.rejected)) == (11, 6, 5)
    tool = next(tool for tool in built.tools if tool.name == "listPets")
    assert (tool.tool_id, tool.server, tool.category) == ("pet_shop_v1__listPets", "pet_shop_v1", "pets")
    assert (tool.source, tool.executor, tool.read_only) == (f"{word}:pets.yaml", "simulated", True)
    assert {rejected.name for rejected in built.rejected} == {
        "patchPet",
        "uploadPhoto",
        "remote",
        "broken",
        "post_broken",
    }


def test_an_api_without_operations_is_one_rejected_entry(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text('{"openapi": "3.1.0", "paths": {}}')
    built = catalog(tmp_path, "- openapi: api.json\n")
    assert [rejected.reason for rejected in built.rejected] == ["the document describes no operations"]


def test_counts_add_up_over_a_mixed_file(tmp_path: Path) -> None:
    tool = {"name": "get_order", "description": "Get an order."}
    (tmp_path / "tools.json").write_text(json.dumps([tool, tool, {"name": ""}, 3]))
    built = catalog(tmp_path, "- file: tools.json\n")
    assert (built.entries - OWN, len(built.tools) - OWN, len(built.rejected)) == (4, 2, 2)


def test_an_unknown_service_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no built-in service 'nonsense': choose from"):
        catalog(tmp_path, "- builtin: [nonsense]\n")


@pytest.mark.skipif(not LIVE.exists(), reason="the live tool dump ../shared/data/mcp_catalog is absent")
def test_six_thousand_live_tools_become_a_catalog(tmp_path: Path) -> None:
    built = catalog(tmp_path, f"- file: {LIVE.resolve()}\n")
    assert built.entries == 6044 + OWN
    assert built.entries == len(built.tools) + len(built.rejected)
    assert len({tool.tool_id for tool in built.tools}) == len(built.tools)
    assert len(built.rejected) < 100
    assert sum(tool.canonical_id is not None for tool in built.tools) > 700
