import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from tdscaling_assets.errors import TdsError
from tdscaling_assets.export.openai import openai_row
from tdscaling_assets.export.rows import GROUP_ROWS, JsonLines, ParquetRows
from tdscaling_assets.export.sharegpt import sharegpt_row, turns
from tdscaling_assets.export.sound import find_fault
from tdscaling_assets.schema import JsonObject, Message, Tool, ToolCall, Trajectory

MakeTrajectory = Callable[..., Trajectory]
Tools = dict[str, Tool]


def call(name: str = "get_order", arguments: str = "{}", identity: str = "c1") -> Message:
    return Message(role="assistant", tool_calls=(ToolCall(id=identity, name=name, arguments=arguments),))


def answer(identity: str = "c1") -> Message:
    return Message(role="tool", tool_call_id=identity, content="{}")


def write_parquet(path: Path, trajectories: list[Trajectory], tools: Tools) -> None:
    with ParquetRows(path) as rows:
        for trajectory in trajectories:
            rows.write(openai_row(trajectory, tools))


USER = Message(role="user", content="Hello.")


def test_openai_lines_hold_messages_tools_and_domain(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"

    with JsonLines(path) as lines:
        for trajectory in (make("t1"), make("t2", domain="travel")):
            lines.write(openai_row(trajectory, tools))

    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(row["id"], row["domain"]) for row in rows] == [("t1", "retail"), ("t2", "travel")]
    assert rows[0]["mode"] == "parallel>retrieve>answer" and rows[0]["cac"] == 4.5
    assert [tool["function"]["name"] for tool in rows[0]["tools"]] == ["get_order", "list_orders"]


def test_every_call_is_answered_by_its_id_and_has_json_text(make: MakeTrajectory, tools: Tools) -> None:
    messages = json.loads(json.dumps(openai_row(make(), tools)))["messages"]

    called = [part for message in messages for part in message.get("tool_calls", [])]
    assert [part["id"] for part in called] == [m["tool_call_id"] for m in messages if m["role"] == "tool"]
    assert all(isinstance(json.loads(part["function"]["arguments"]), dict) for part in called)


def test_content_is_null_only_beside_calls(make: MakeTrajectory, tools: Tools) -> None:
    silent = Message(role="assistant")
    row = json.loads(json.dumps(openai_row(make(messages=(USER, call(), answer(), silent)), tools)))

    assert [message["content"] for message in row["messages"]] == ["Hello.", None, "{}", ""]


def test_parquet_holds_the_same_rows(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    trajectories = [make("t1"), make("t2", messages=(USER, Message(role="assistant", content="Hi.")))]
    write_parquet(tmp_path / "train.parquet", trajectories, tools)

    for stored, trajectory in zip(
        pl.read_parquet(tmp_path / "train.parquet").iter_rows(named=True), trajectories, strict=True
    ):
        expected = json.loads(json.dumps(openai_row(trajectory, tools)))
        assert json.loads(stored.pop("tools")) == expected.pop("tools")
        present = [{key: value for key, value in m.items() if value is not None} for m in stored.pop("messages")]
        wanted = [{key: value for key, value in m.items() if value is not None} for m in expected.pop("messages")]
        assert present == wanted
        assert stored == expected


def test_parquet_holds_more_rows_than_fit_in_a_group(make: MakeTrajectory, tools: Tools, tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(2 * GROUP_ROWS + 1)]
    write_parquet(tmp_path / "train.parquet", [make(name) for name in names], tools)

    assert pl.read_parquet(tmp_path / "train.parquet")["id"].to_list() == names


def test_parquet_of_nothing_still_has_its_columns(tools: Tools, tmp_path: Path) -> None:
    write_parquet(tmp_path / "train.parquet", [], tools)

    assert pl.read_parquet(tmp_path / "train.parquet").columns == ["messages", "tools", "domain", "id", "mode", "cac"]


def test_sharegpt_alternates_and_ends_with_the_model(make: MakeTrajectory, tools: Tools) -> None:
    row = json.loads(json.dumps(sharegpt_row(make(), tools)))

    speakers = [turn["from"] for turn in row["conversations"]]
    assert speakers == ["human", "function_call", "observation", "function_call", "observation", "gpt"]
    assert row["system"] == "You help customers."
    assert [tool["name"] for tool in json.loads(row["tools"])] == ["get_order", "list_orders"]


def test_sharegpt_keeps_parallel_calls_and_their_answers_together(make: MakeTrajectory) -> None:
    spoken = turns(make().messages)

    assert json.loads(spoken[1][1]) == [
        {"name": "get_order", "arguments": {"order_id": "O-1"}},
        {"name": "get_order", "arguments": {"order_id": "O-2"}},
    ]
    assert json.loads(spoken[2][1]) == [{"total": 3}, "not found"]
    assert json.loads(spoken[3][1]) == {"name": "list_orders", "arguments": {}}


def test_sharegpt_joins_neighbours_and_starts_with_a_human() -> None:
    said = [Message(role="assistant", content=text) for text in ("Welcome.", "One.", "Two.")]

    spoken = turns([said[0], USER, USER, said[1], said[2]])

    assert spoken == [("human", "Hello.\n\nHello."), ("gpt", "One.\n\nTwo.")]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ((USER,), "no message of the assistant"),
        ((USER, call()), "call c1 has no answer"),
        ((USER, call(), USER, answer()), "call c1 has no answer before the next message"),
        ((USER, call(), answer(), answer()), "answers call c1, which nobody is waiting for"),
        ((USER, call(), answer("c9")), "answers call c9, which nobody is waiting for"),
        ((USER, call("fly")), "call c1 is to fly, which is not offered"),
        ((USER, call(arguments="{order: 1}"), answer()), "arguments that are not a JSON object"),
        ((USER, call(arguments="[1]"), answer()), "arguments that are not a JSON object"),
    ],
)
def test_a_conversation_that_no_trainer_can_use_has_a_reason(
    make: MakeTrajectory, tools: Tools, messages: tuple[Message, ...], reason: str
) -> None:
    assert reason in find_fault(make(messages=messages), tools)


def test_calls_of_one_message_need_ids_of_their_own(make: MakeTrajectory, tools: Tools) -> None:
    twice = Message(role="assistant", tool_calls=call().tool_calls * 2)

    assert "share an id" in find_fault(make(messages=(USER, twice, answer(), answer())), tools)


def test_an_id_may_be_used_again_later(make: MakeTrajectory, tools: Tools) -> None:
    assert find_fault(make(messages=(USER, call(), answer(), call(), answer())), tools) == ""


def test_an_offered_tool_needs_a_definition(make: MakeTrajectory, tools: Tools) -> None:
    assert "no definition" in find_fault(make(tools=("get_order", "list_orders", "gone")), tools)


@pytest.mark.parametrize("make_row", [openai_row, sharegpt_row])
def test_a_row_of_a_faulty_conversation_names_it(
    make: MakeTrajectory, tools: Tools, make_row: Callable[..., JsonObject]
) -> None:
    with pytest.raises(TdsError, match="trajectory t7 cannot be exported: call c1 has no answer"):
        make_row(make("t7", messages=(USER, call())), tools)


@pytest.mark.parametrize("make_row", [openai_row, sharegpt_row])
def test_a_row_that_was_checked_is_not_checked_again(
    make: MakeTrajectory, tools: Tools, make_row: Callable[..., JsonObject]
) -> None:
    assert make_row(make("t7", messages=(USER, call())), tools, checked=True)["id"] == "t7"
