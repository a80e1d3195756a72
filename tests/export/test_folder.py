import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from tdscaling_assets.export.card import Contents, ExportInfo, render_card
from tdscaling_assets.export.folder import Offered, write_export
from tdscaling_assets.schema import Message, MetricRow, Tool, Trajectory

MakeTrajectory = Callable[..., Trajectory]
Tools = dict[str, Tool]
INFO = ExportInfo(name="demo", models=("teacher/scripted",), simulated=True, snapshot=42, sources=("builtin",))
METRICS = (MetricRow(batch="r01-b01", scope="cumulative", metric="h_dom", value=1.5, ci_low=1.25, ci_high=1.75, n=2),)


def offer(tools: Tools, *trajectories: Trajectory) -> list[Offered]:
    return [(trajectory, tools) for trajectory in trajectories]


def contents(trajectories: list[Trajectory]) -> Contents:
    counted = Contents()
    for trajectory in trajectories:
        counted.add(trajectory)
    return counted


def test_an_export_is_four_files_of_the_same_rows(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    summary = write_export(tmp_path / "demo", offer(tools, make("t2"), make("t1")), METRICS, INFO)

    assert sorted(summary.size_bytes) == ["README.md", "sharegpt.jsonl", "train.jsonl", "train.parquet"]
    assert summary.exported == 2 and summary.refused == ()
    assert pl.read_ndjson(tmp_path / "demo" / "train.jsonl")["id"].to_list() == ["t2", "t1"]
    assert pl.read_ndjson(tmp_path / "demo" / "sharegpt.jsonl")["id"].to_list() == ["t2", "t1"]
    assert pl.read_parquet(tmp_path / "demo" / "train.parquet")["id"].to_list() == ["t2", "t1"]


def test_each_conversation_has_the_tools_that_it_was_offered(
    make: MakeTrajectory, tools: Tools, tmp_path: Path
) -> None:
    older = {name: tool.model_copy(update={"description": "As it was."}) for name, tool in tools.items()}

    write_export(tmp_path / "demo", [*offer(older, make("t1")), *offer(tools, make("t2"))], (), INFO)

    lines = (tmp_path / "demo" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    told = [[tool["function"]["description"] for tool in json.loads(line)["tools"]] for line in lines]
    assert told == [["As it was.", "As it was."], ["The tool get_order.", "The tool list_orders."]]


def test_what_no_trainer_can_use_is_counted_and_named(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    broken = make("bad", messages=(Message(role="user", content="Hello."),))

    summary = write_export(tmp_path / "demo", offer(tools, make("t1"), broken), (), INFO)

    assert summary.exported == 1
    assert [row.trajectory_id for row in summary.refused] == ["bad"]
    assert "| bad | no message of the assistant |" in (tmp_path / "demo" / "README.md").read_text(encoding="utf-8")


def test_an_export_replaces_itself_and_leaves_nothing_else(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    write_export(tmp_path / "demo", offer(tools, make("t1")), (), INFO)
    (tmp_path / "demo" / "stale.txt").write_text("old")
    write_export(tmp_path / "demo", offer(tools, make("t2")), (), INFO)

    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert pl.read_ndjson(tmp_path / "demo" / "train.jsonl")["id"].to_list() == ["t2"]
    assert not (tmp_path / "demo" / "stale.txt").exists()


def test_a_failed_export_leaves_the_last_one(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    write_export(tmp_path / "demo", offer(tools, make("t1")), (), INFO)
    unwritable = make("t2", messages=(Message(role="assistant", content="\ud800"),))

    with pytest.raises(UnicodeEncodeError):
        write_export(tmp_path / "demo", offer(tools, unwritable), (), INFO)

    assert [path.name for path in tmp_path.iterdir()] == ["demo"]
    assert pl.read_ndjson(tmp_path / "demo" / "train.jsonl")["id"].to_list() == ["t1"]


def test_equal_exports_are_equal_byte_for_byte(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_export(tmp_path / name, offer(tools, make("t1"), make("t2")), METRICS, INFO)

    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_the_card_states_what_is_known(make: MakeTrajectory) -> None:
    card = render_card(contents([make("t1"), make("t2", domain="travel")]), METRICS, INFO)

    assert "2 tool-use conversations with 6 tool calls over 2 tools" in card
    assert "| Domain entropy | 1.000 bits (2.0 effective domains) |" in card
    assert "| r01-b01 | cumulative | h_dom | 1.5 | 1.25 to 1.75 | 2 |" in card
    assert "| Snapshot of the lake | 42 |" in card
    assert "| Observations made up by a model | 2 |" in card


def test_the_card_warns_of_a_simulated_teacher_only(make: MakeTrajectory) -> None:
    real = INFO.model_copy(update={"simulated": False, "models": ("openai/gpt-x",)})

    assert "Do not train on them" in render_card(contents([make()]), (), INFO)
    assert "Do not train on them" not in render_card(contents([make()]), (), real)


def test_the_card_claims_no_licence_that_nobody_stated(make: MakeTrajectory) -> None:
    card = render_card(contents([make()]), (), INFO)

    assert "license" not in yaml.safe_load(card.split("---")[1])
    assert "Nobody has stated a licence" in card


def test_the_front_matter_points_at_files_of_the_export(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    summary = write_export(tmp_path / "demo", offer(tools, make()), (), INFO)
    front = yaml.safe_load((tmp_path / "demo" / "README.md").read_text(encoding="utf-8").split("---")[1])

    assert {config["data_files"] for config in front["configs"]} <= set(summary.size_bytes)


def test_a_domain_name_cannot_break_the_table(make: MakeTrajectory) -> None:
    assert "| a\\|b &lt;i> | 1 |" in render_card(contents([make(domain="a|b\n<i>")]), (), INFO)
