"""A second harvest touches what changed and nothing else, and every version ever used resolves."""

import json
import sys
from pathlib import Path

import pytest
from pydantic import JsonValue

from tdscaling_assets.catalog import Catalog, build_catalog
from tdscaling_assets.catalog.changes import copy_counts, find_changes, rejections_by_reason
from tdscaling_assets.catalog.state import State, read_state
from tdscaling_assets.catalog.store import write_catalog
from tdscaling_assets.schema import CODE_TOOLS, JsonObject, Trajectory
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.lake import Lake
from tdscaling_assets.storage.queries import with_tools
from tdscaling_assets.storage.rows import CHUNK_ROWS

OWN = len(CODE_TOOLS)


def tool(name: str, **changes: JsonValue) -> JsonObject:
    schema: JsonObject = {"type": "object", "properties": {f"{name}_id": {"type": "string"}}}
    return {"name": name, "description": f"Does {name} to the thing.", "inputSchema": schema} | changes


def write(home: Path, *records: JsonValue) -> None:
    (home / "tools.json").write_text(json.dumps(records))
    (home / "sources.yaml").write_text("- file: tools.json\n  domain: commerce\n")


def run(home: Path, seen_at: str) -> tuple[Catalog, State, dict[str, int], int]:
    """Harvest, store; the catalog, the state before it, the rows written, the snapshot."""
    settings = Settings(home=home, sources=home / "sources.yaml", catalog="", lake_data="")
    with Lake.open(settings) as lake:
        state = read_state(lake)
        catalog = build_catalog(settings, state, seen_at)
        update = write_catalog(lake, catalog, seen_at, seen_at)
        assert catalog.entries == sum(one.present for one in catalog.tools) + len(catalog.rejected)
        return catalog, state, update.rows, update.snapshot


def ids(catalog: Catalog, present: bool = True) -> list[str]:
    return [one.tool_id for one in catalog.tools if one.present is present and one.tool_id not in CODE_TOOLS]


def test_nothing_changed_is_nothing_read_and_nothing_written(tmp_path: Path) -> None:
    write(tmp_path, tool("pay"), tool("ship"), {"name": ""})
    first, _, rows, snapshot = run(tmp_path, "t1")
    assert rows == {"tool_catalog": 2 + OWN, "rejected_tools": 1, "tool_sources": 1, "tool_versions": 2 + OWN}
    second, state, rows, same = run(tmp_path, "t2")
    assert (same, sum(rows.values())) == (snapshot, 0)
    assert (second.tools, second.rejected, second.fresh) == (first.tools, first.rejected, frozenset())
    assert find_changes(state, second).model_dump(exclude_defaults=True) == {
        "new": 0, "changed": 0, "unchanged": 2 + OWN, "gone": 0, "rejected": 1, "unreachable": 0
    }  # fmt: skip


@pytest.mark.parametrize("word", ["openapi", "file"])
def test_an_unchanged_api_document_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    operation = {"operationId": "listPets", "summary": "All pets", "responses": {"200": {"description": "ok"}}}
    gone = {"operationId": "oldPets", "deprecated": True, "responses": {"200": {"description": "ok"}}}
    paths = {"/pets": {"get": operation}, "/old": {"get": gone}}
    document = {"openapi": "3.1.0", "info": {"title": "Pet Shop", "version": "1"}, "paths": paths}
    (tmp_path / "pets.json").write_text(json.dumps(document))
    (tmp_path / "sources.yaml").write_text(f"- {word}: pets.json\n")
    first, *_ = run(tmp_path, "t1")
    assert ids(first) == ["pet_shop__listPets"]
    for reader in ("read_api_document", "read_tool_file"):
        monkeypatch.setattr(sys.modules["tdscaling_assets.catalog.harvest"], reader, None)
    second, _, rows, _ = run(tmp_path, "t2")
    assert (second.tools, second.rejected, sum(rows.values())) == (first.tools, first.rejected, 0)


def test_an_unchanged_file_is_not_parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, tool("pay"))
    run(tmp_path, "t1")
    monkeypatch.setattr(sys.modules["tdscaling_assets.catalog.harvest"], "read_tool_file", None)
    assert ids(run(tmp_path, "t2")[0]) == ["tools__pay"]


def test_a_changed_file_reads_only_its_changed_records_anew(tmp_path: Path) -> None:
    write(tmp_path, tool("pay"), tool("ship"))
    run(tmp_path, "t1")
    write(tmp_path, tool("pay", description="Pays with care."), tool("ship"), tool("track"))
    catalog, state, rows, _ = run(tmp_path, "t2")
    assert catalog.fresh == {"tools__pay", "tools__track"}
    assert rows == {"tool_catalog": 2, "rejected_tools": 0, "tool_sources": 1, "tool_versions": 3}
    changes = find_changes(state, catalog)
    assert (changes.new, changes.changed, changes.unchanged, changes.gone) == (1, 1, 1 + OWN, 0)


def test_a_tool_that_disappears_is_marked_and_comes_back_as_itself(tmp_path: Path) -> None:
    write(tmp_path, tool("pay"), tool("ship"))
    run(tmp_path, "t1")
    write(tmp_path, tool("ship"))
    catalog, state, _, _ = run(tmp_path, "t2")
    assert (ids(catalog), ids(catalog, present=False)) == (["tools__ship"], ["tools__pay"])
    assert find_changes(state, catalog).gone == 1
    assert versions(tmp_path) == [("tools__pay", "t1", "t2"), ("tools__ship", "t1", None)]
    write(tmp_path, tool("ship"), tool("pay"))
    assert ids(run(tmp_path, "t3")[0]) == ["tools__pay", "tools__ship"]
    assert versions(tmp_path) == [("tools__pay", "t1", None), ("tools__ship", "t1", None)]


def test_tools_of_a_source_that_is_no_longer_listed_are_marked(tmp_path: Path) -> None:
    write(tmp_path, tool("pay"))
    run(tmp_path, "t1")
    (tmp_path / "other.json").write_text(json.dumps([tool("fly")]))
    (tmp_path / "sources.yaml").write_text("- file: other.json\n")
    catalog = run(tmp_path, "t2")[0]
    assert (ids(catalog), ids(catalog, present=False)) == (["other__fly"], ["tools__pay"])


def test_an_id_stays_with_its_tool_when_an_equal_name_before_it_goes(tmp_path: Path) -> None:
    write(tmp_path, tool("get order"), tool("get.order"))
    first = {one.name: one.tool_id for one in run(tmp_path, "t1")[0].tools}
    write(tmp_path, tool("get.order", description="Another text altogether."))
    second = {one.name: one.tool_id for one in run(tmp_path, "t2")[0].tools}
    assert first == second
    write(tmp_path, tool("get:order"))
    third = run(tmp_path, "t3")[0]
    assert next(one.tool_id for one in third.tools if one.name == "get:order") not in first.values()


def test_a_server_that_fails_keeps_its_last_known_tools(tmp_path: Path) -> None:
    command = str(Path(sys.executable).parent / "mcp-server-time")
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"time": {"command": command}}}))
    (tmp_path / "sources.yaml").write_text("- mcp_config: mcp.json\n")
    before = ids(run(tmp_path, "t1")[0])
    assert len(before) == 2
    config.write_text(json.dumps({"mcpServers": {"time": {"command": sys.executable, "args": ["-c", "exit('boom')"]}}}))
    for seen_at in ("t2", "t3"):
        catalog, state, _, _ = run(tmp_path, seen_at)
        assert ids(catalog) == before
        assert "boom" in catalog.sources[0].failure and "boom" in catalog.rejected[0].reason
        assert find_changes(state, catalog).unreachable == 1
    config.write_text(json.dumps({"mcpServers": {"time": {"command": command}}}))
    catalog = run(tmp_path, "t4")[0]
    assert (ids(catalog), catalog.rejected, catalog.sources[0].failure) == (before, (), "")


def test_two_files_of_one_name_are_two_sources(tmp_path: Path) -> None:
    for folder, name in (("a", "pay"), ("b", "ship")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tools.json").write_text(json.dumps([tool(name)]))
    (tmp_path / "sources.yaml").write_text("- file: a/tools.json\n- file: b/tools.json\n")
    for seen_at in ("t1", "t2"):
        assert ids(run(tmp_path, seen_at)[0]) == ["tools__pay", "tools__ship"]


def test_an_old_trajectory_resolves_to_the_version_it_used(tmp_path: Path, trajectory: Trajectory) -> None:
    write(tmp_path, tool("pay"))
    (old,) = (one for one in run(tmp_path, "t1")[0].tools if one.name == "pay")
    write(tmp_path, tool("pay", description="Pays with care."))
    (new,) = (one for one in run(tmp_path, "t2")[0].tools if one.name == "pay")
    assert old.tool_id == new.tool_id and old.description != new.description
    used = {"tools": (old.tool_id,), "versions": {f"tool:{old.tool_id}": old.content_hash}}
    with Lake.open(Settings(home=tmp_path, catalog="", lake_data=""), read_only=True) as lake:
        then = trajectory.model_copy(update=used)
        unversioned = trajectory.model_copy(update=used | {"versions": {}})
        stranger = trajectory.model_copy(update={"tools": ("nobody",)})
        assert list(with_tools(lake, [then, unversioned, stranger, then])) == [
            (then, {old.tool_id: old}),
            (unversioned, {old.tool_id: new}),
            (stranger, {}),
            (then, {old.tool_id: old}),
        ]


def test_versions_are_read_anew_for_the_next_chunk(tmp_path: Path, trajectory: Trajectory) -> None:
    write(tmp_path, tool("pay"), tool("ship"))
    tools = [one for one in run(tmp_path, "t1")[0].tools if one.tool_id not in CODE_TOOLS]
    used = [
        trajectory.model_copy(update={"tools": (one.tool_id,), "versions": {f"tool:{one.tool_id}": one.content_hash}})
        for one in tools
    ]
    with Lake.open(Settings(home=tmp_path, catalog="", lake_data=""), read_only=True) as lake:
        resolved = [offered for _, offered in with_tools(lake, [*used[:1] * CHUNK_ROWS, *used[1:], *used[:1]])]
    assert resolved[0] == resolved[CHUNK_ROWS - 1] == resolved[-1] == {tools[0].tool_id: tools[0]}
    assert resolved[CHUNK_ROWS] == {tools[1].tool_id: tools[1]}


def test_the_raw_record_is_kept_as_it_came(tmp_path: Path) -> None:
    record = tool("pay", description="Pays\u202e now.")
    write(tmp_path, record)
    catalog = run(tmp_path, "t1")[0]
    raw = next(one.raw for one in catalog.versions if one.tool_id == "tools__pay")
    assert json.loads(raw) == record and "\u202e" not in raw


def test_kinds_of_rejections_are_counted(tmp_path: Path) -> None:
    write(tmp_path, tool("a", inputSchema=3), tool("b", inputSchema=4), {"name": ""}, tool("c"), tool("c"))
    catalog = run(tmp_path, "t1")[0]
    assert rejections_by_reason(catalog) == [("not a schema", 2), ("no name", 1)]
    assert copy_counts(catalog) == {"canonical_tools": 1 + OWN, "exact_copies": 1, "near_copies": 0, "absent_tools": 0}


def versions(home: Path) -> list[tuple[str, str, str | None]]:
    with Lake.open(Settings(home=home, catalog="", lake_data=""), read_only=True) as lake:
        rows = lake.read("tool_versions", columns=["tool_id", "first_seen", "last_seen"]).rows()
    return [row for row in rows if row[0] not in CODE_TOOLS]


@pytest.fixture
def trajectory() -> Trajectory:
    return Trajectory(
        trajectory_id="t", round="r01", batch="r01-b01", blueprint_id="p", cluster_id="c", domain="d", tools=(),
        messages=(), labels=(), mode=(), cac=0, outcome="completed", seed=1,
    )  # fmt: skip
