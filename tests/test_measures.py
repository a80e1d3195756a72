"""Labels from messages alone, one rule at a time; CAC against sums done by hand."""

import gzip
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdscaling_assets.measures import (
    action_complexity,
    is_read_only,
    leaves,
    observation_failed,
    reasoning_labels,
    reasoning_mode,
    unused_calls,
)
from tdscaling_assets.schema import LABELS, JsonObject, Message, ToolCall
from tdscaling_assets.settings import CacWeights

WEIGHTS = CacWeights()
TAU2 = Path(__file__).parents[2] / "shared" / "data" / "trajectories" / "tau2_openai.jsonl.gz"


def user(text: str) -> Message:
    return Message(role="user", content=text)


def says(text: str) -> Message:
    return Message(role="assistant", content=text)


def call(tool_name: str, number: int = 1, /, **arguments: object) -> ToolCall:
    return ToolCall(id=f"call_{number}", name=tool_name, arguments=json.dumps(arguments))


def calls(*made: ToolCall) -> Message:
    return Message(role="assistant", tool_calls=made)


def tool(content: object, number: int = 1) -> Message:
    text = content if isinstance(content, str) else json.dumps(content)
    return Message(role="tool", content=text, tool_call_id=f"call_{number}")


def labels(*messages: Message, **read_only: bool) -> list[str]:
    return list(reasoning_labels(messages, read_only))


# ── messages with tool calls ─────────────────────────────────────────────────────────────────────────────────


def test_a_read_is_retrieve() -> None:
    assert labels(calls(call("get_order", order_id="O-1"))) == ["retrieve"]


def test_a_write_is_act() -> None:
    assert labels(calls(call("cancel_order", order_id="O-1"))) == ["act"]


def test_two_calls_are_parallel() -> None:
    assert labels(calls(call("get_order", 1), call("cancel_order", 2))) == ["parallel"]


@pytest.mark.parametrize("name", ["run_python", "sandbox__run_python", "code_interpreter"])
def test_the_code_tool_is_compute(name: str) -> None:
    assert labels(calls(call(name, code="print(1)"))) == ["compute"]


@pytest.mark.parametrize("name", ["code__run_tests", "code__run_shell", "code__query_sqlite", "database__run_query"])
def test_what_runs_code_of_a_workspace_or_a_query_is_compute(name: str) -> None:
    assert labels(calls(call(name, path="x", sql="SELECT 1"))) == ["compute"]


def test_a_file_is_written_and_read_back() -> None:
    written = calls(call("code__write_file", path="add.py", content="x = 1"))
    read = calls(call("code__read_file", 2, path="add.py"))
    assert labels(written, tool({"exit_code": 0}), read) == ["act", "verify"]


def test_calling_a_failed_tool_again_is_recover() -> None:
    assert labels(calls(call("get_order")), tool({"error": "busy"}), calls(call("get_order", 2))) == [
        "retrieve",
        "recover",
    ]


def test_recover_comes_before_parallel() -> None:
    again = calls(call("get_order", 2), call("get_user", 3))
    assert labels(calls(call("get_order")), tool("Error: busy"), again)[-1] == "recover"


def test_a_tool_that_worked_since_needs_no_recovery() -> None:
    made = [calls(call("get_order", n)) for n in (1, 2, 3)]
    assert labels(made[0], tool("Error: busy"), made[1], tool({"id": 1}, 2), made[2]) == [
        "retrieve",
        "recover",
        "retrieve",
    ]


def test_another_tool_after_a_failure_is_not_recover() -> None:
    assert labels(calls(call("get_order")), tool("Error: busy"), calls(call("get_user", 2)))[-1] == "retrieve"


def test_reading_what_was_written_is_verify() -> None:
    write = calls(call("cancel_order", order_id="O-1"))
    assert labels(write, tool({"ok": True}), calls(call("get_order", 2, order_id="O-1"))) == ["act", "verify"]


def test_reading_what_a_write_created_is_verify() -> None:
    write = calls(call("create_ticket", title="Broken lamp"))
    assert labels(write, tool({"ticket_id": "T-9"}), calls(call("get_ticket", 2, ticket_id="T-9")))[-1] == "verify"


def test_reading_what_a_write_only_echoed_is_retrieve() -> None:
    read = calls(call("get_order", 1, order_id="O-1"))
    shown: JsonObject = {"order_id": "O-1", "product_id": "P-7"}
    write = calls(call("cancel_order", 2, order_id="O-1"))
    after = calls(call("get_product", 3, product_id="P-7"))
    assert labels(read, tool(shown), write, tool(shown, 2), after)[-1] == "retrieve"


def test_a_shared_word_or_date_does_not_verify() -> None:
    write = calls(call("book_flight", origin="JFK", date="2026-05-20"))
    after = calls(call("search_flights", 2, origin="JFK", date="2026-05-20"))
    assert labels(write, tool({"booking": "B-1"}), after)[-1] == "retrieve"


def test_a_write_that_failed_leaves_nothing_to_verify() -> None:
    write = calls(call("cancel_order", order_id="O-1"))
    assert labels(write, tool({"error": "no"}), calls(call("get_order", 2, order_id="O-1")))[-1] == "retrieve"


def test_the_annotation_outranks_the_name() -> None:
    assert labels(calls(call("get_and_burn")), get_and_burn=False) == ["act"]


def test_only_assistant_messages_are_labelled() -> None:
    asked = Message(role="user", content="", tool_calls=(call("get_order"),))
    assert labels(user("hi"), asked, tool("Error: no"), says("Done.")) == ["answer"]


# ── messages without ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_message_without_calls_is_labelled_by_what_it_says() -> None:
    assert labels(says("Which order?"), says("That order cannot be cancelled.")) == ["clarify", "decline"]


def test_a_message_that_says_nothing_is_answer() -> None:
    assert labels(says(""), Message(role="assistant")) == ["answer", "answer"]


def test_a_json_message_says_the_texts_inside_it() -> None:
    assert labels(says('{"message": "Which order?", "note": "There are two."}')) == ["clarify"]


def test_the_mode_is_the_order_of_first_occurrence() -> None:
    assert reasoning_mode(["clarify", "retrieve", "clarify", "act", "retrieve"]) == ("clarify", "retrieve", "act")


# ── what tools are and say ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["getOrder", "orders_list", "crm__find_user", "git_status", "order_history", "is_open"]
)
def test_names_that_read(name: str) -> None:
    assert is_read_only(name, {})


@pytest.mark.parametrize(
    "name", ["create_list", "update_status", "send_quote", "order", "crm__setView", "frobnicate", ""]
)
def test_names_that_write_or_say_nothing(name: str) -> None:
    assert not is_read_only(name, {})


@pytest.mark.parametrize(
    "content",
    [
        {"error": "no such order"},
        {"isError": True},
        {"exit_code": 1, "stdout": ""},
        {"exit_code": None, "timed_out": True},
        {"success": False},
        {"status": "error"},
        "Error: Order not found",
        "ValueError: bad id",
        "Traceback (most recent call last): ...",
        '"Error: quoted"',
    ],
)
def test_failures_are_seen(content: object) -> None:
    assert observation_failed(tool(content).content or "")


@pytest.mark.parametrize(
    "content",
    [
        {"error": None, "id": 1},
        {"exit_code": 0},
        {"success": True},
        {"status": "failed_payment"},
        "[]",
        "",
        "3 errors fixed",
    ],
)
def test_other_answers_are_not_failures(content: object) -> None:
    assert not observation_failed(tool(content).content or "")


def test_leaves_are_scalars_without_null() -> None:
    assert list(leaves({"a": [1, None, {"b": "x"}], "c": False})) == [1, "x", False]


# ── complexity ───────────────────────────────────────────────────────────────────────────────────────────────


def test_no_call_costs_nothing() -> None:
    assert action_complexity([user("hi"), says("hello")], WEIGHTS) == 0.0


def test_a_call_and_its_leaves() -> None:
    """1 + 0.5 · 3 leaves (a, b, c)."""
    assert action_complexity([calls(call("find", q=["aaa", "bbb"], place="ccc"))], WEIGHTS) == 2.5


def test_an_argument_from_an_observation_flows_once() -> None:
    """First call 1 + 0.5; second 1 + 0.5 · 2 leaves + 1.0 for the one argument that was observed."""
    messages = [
        calls(call("find", name="Ann")),
        tool({"user_id": "u-77", "email": "ann@x.org"}),
        calls(call("get", 2, ids=["u-77", "ann@x.org"])),
    ]
    assert action_complexity(messages, WEIGHTS) == 1.5 + 3.0


def test_what_the_user_said_first_does_not_flow() -> None:
    messages = [user("cancel O-123."), calls(call("get", order="O-123")), tool({"id": "O-123"})]
    assert action_complexity([*messages, calls(call("cancel", 2, order="O-123"))], WEIGHTS) == 3.0


def test_what_the_user_wrote_as_a_phrase_does_not_flow() -> None:
    messages = [user("Plan the Team Sync, please"), calls(call("list")), tool({"title": "Team Sync"})]
    assert action_complexity([*messages, calls(call("add", 2, title="Team Sync"))], WEIGHTS) == 2.5


def test_what_the_assistant_wrote_first_does_not_flow() -> None:
    messages = [calls(call("add", note="hello-note")), tool({"note": "hello-note"})]
    assert action_complexity([*messages, calls(call("add", 2, note="hello-note"))], WEIGHTS) == 3.0


def test_text_observations_flow_by_word() -> None:
    messages = [calls(call("find")), tool("The order is O-555."), calls(call("get", 2, order="O-555"))]
    assert action_complexity(messages, WEIGHTS) == 1.0 + 2.5


def test_code_costs_by_its_tree() -> None:
    """`x = 1` has 5 nodes: Module, Assign, Name, Store, Constant; so 1 + 0.5 · log2(1 + 5)."""
    messages = [calls(call("run_python", code="x = 1"))]
    assert action_complexity(messages, WEIGHTS) == round(1 + 0.5 * math.log2(6), 4)


def test_a_python_file_that_is_written_costs_by_its_tree() -> None:
    messages = [calls(call("code__write_file", path="a/x.py", content="x = 1"))]
    assert action_complexity(messages, WEIGHTS) == round(1 + 0.5 + 0.5 * math.log2(6), 4)


@pytest.mark.parametrize(("name", "path"), [("code__write_file", "x.txt"), ("code__read_file", "x.py")])
def test_other_files_cost_by_their_leaves(name: str, path: str) -> None:
    assert action_complexity([calls(call(name, path=path, content="x = 1"))], WEIGHTS) == 2.0


@pytest.mark.parametrize("code", ["not python (", "\x00", "-" * 50_000 + "1"])
def test_code_that_cannot_be_parsed_costs_a_call(code: str) -> None:
    assert action_complexity([calls(call("run_python", code=code))], WEIGHTS) == 1.0


def test_malformed_arguments_cost_a_call() -> None:
    broken = ToolCall(id="1", name="get", arguments="{oops")
    assert action_complexity([calls(broken)], WEIGHTS) == 1.0


def test_calls_of_the_user_do_not_count() -> None:
    assert action_complexity([Message(role="user", tool_calls=(call("get"),))], WEIGHTS) == 0.0


def test_weights_scale_their_part() -> None:
    doubled = CacWeights(call=2, leaf=1, flow=2, ast=1)
    messages = [calls(call("find", q="abc")), tool({"id": "u-77"}), calls(call("get", 2, user="u-77"))]
    assert action_complexity(messages, doubled) == 2 * action_complexity(messages, WEIGHTS) == 8.0


# ── padding ──────────────────────────────────────────────────────────────────────────────────────────────────

FOUND = (calls(call("find_user", name="Ann")), tool({"user_id": "u-77", "plan": "basic", "open_bills": 4}))


def unused(*messages: Message) -> int:
    return unused_calls(messages, {})


@pytest.mark.parametrize(
    "reply",
    [
        says("She is u-77."),
        says("Her plan is **Basic**."),
        says("She has 4 open bills."),
        calls(call("send_bill", 2, user="u-77")),
        calls(call("upgrade", 2, plan="basic")),
        calls(call("run_python", 2, code="print(bill('u-77'))")),
        calls(ToolCall(id="call_2", name="send_bill", arguments="{user: u-77")),
    ],
)
def test_an_output_that_is_told_or_passed_on_is_used(reply: Message) -> None:
    assert unused(*FOUND, reply) == 0


@pytest.mark.parametrize(
    "reply",
    [
        says("Good morning, Ann."),
        says("The user has bills."),
        says("Your basic need is clear."),
        calls(call("send_bill", 2, user="u-78")),
        Message(role="user", content="She is u-77, is she not?"),
    ],
)
def test_an_output_of_which_nothing_is_told_is_unused(reply: Message) -> None:
    assert unused(*FOUND, reply) == 1


def test_what_was_said_before_the_output_uses_nothing() -> None:
    assert unused(says("Is it u-77?"), *FOUND, says("Good morning.")) == 1


def test_what_the_user_or_the_call_gave_is_no_news() -> None:
    read = (calls(call("get_user", user_id="u-77")), tool({"user_id": "u-77", "name": "Ann Lee"}))
    assert unused(user("I am Ann Lee."), *read, says("Hello Ann Lee, you are u-77.")) == 1
    assert unused(user("Hello."), *read, says("Hello Ann Lee, you are u-77.")) == 0


@pytest.mark.parametrize("told", ["$1,234.50 in all", "1234.5", "about 1,234.50kg."])
def test_numbers_are_told_in_any_notation(told: str) -> None:
    assert unused(calls(call("get_total")), tool({"total": 1234.5}), says(told)) == 0


def test_writes_failures_empty_answers_and_calls_without_any_are_not_padding() -> None:
    written = (calls(call("cancel_order", order_id="O-1")), tool({"refund_id": "R-99"}))
    failed = (calls(call("get_order", 2)), tool({"error": "no order X-55"}, 2))
    empty = (calls(call("find_orders", 3)), tool({"orders": []}, 3))
    assert unused(*written, *failed, *empty, calls(call("get_order", 4)), says("Done.")) == 0


def test_a_failed_write_that_nothing_reacts_to_is_used() -> None:
    assert unused(calls(call("cancel_order", order_id="O-1")), tool("Error: O-1 is gone"), says("Sorry.")) == 0


def test_reading_what_a_failed_write_named_is_no_reading_back() -> None:
    write = (calls(call("cancel_order", order_id="O-10")), tool({"error": "too late"}))
    read = (calls(call("get_order", 2, order_id="O-10")), tool({"order_id": "O-10", "total": 7}, 2))
    assert unused(*write, *read, says("Sorry.")) == 1


def test_the_first_read_of_what_was_written_is_used_the_second_is_not() -> None:
    write = (calls(call("open_ticket", title="Lamp")), tool({"ticket_id": "T-911"}))
    reads = [(calls(call("get_ticket", n, ticket_id="T-911")), tool({"ticket_id": "T-911"}, n)) for n in (2, 3)]
    assert unused(*write, *reads[0], says("Done.")) == 0
    assert unused(*write, *reads[0], *reads[1], says("Done.")) == 1


def test_what_a_write_only_echoes_is_not_read_back() -> None:
    seen = (calls(call("get_order", 1, order_id="O-10")), tool({"order_id": "O-10", "product_id": "P-700"}))
    write = (calls(call("cancel_order", 2, order_id="O-10")), tool({"product_id": "P-700"}, 2))
    read = (calls(call("get_product", 3, product_id="P-700")), tool({"product_id": "P-700", "colour": "red"}, 3))
    assert unused(*seen, *write, *read, says("P-700 it is.")) == 1


def test_what_a_program_prints_is_used_when_it_is_told() -> None:
    ran = (calls(call("run_python", code="print(3 + 4)")), tool({"exit_code": 0, "stdout": "7\n", "created": []}))
    assert unused(user("Add 3 and 7."), *ran, says("It is 7.")) == 0
    assert unused(user("Add 3 and 4."), *ran, says("It is done.")) == 1


def test_a_program_that_leaves_a_file_is_used() -> None:
    ran = (calls(call("run_python", code="x")), tool({"exit_code": 0, "stdout": "6 rows\n", "created": ["data.db"]}))
    assert unused(*ran, says("Done.")) == 0


def test_tests_of_a_file_that_was_just_written_read_it_back() -> None:
    write = (calls(call("code__write_file", path="test_add.py", content="x")), tool({"exit_code": 0, "stdout": ""}))
    report = json.dumps({"passed": 1, "tests": [{"test": "test_add.py::test_1"}]})
    run = (calls(call("code__run_tests", 2)), tool({"exit_code": 0, "stdout": report}, 2))
    assert unused(*write, *run, says("Done.")) == 0


@given(st.lists(st.booleans(), max_size=8), st.data())
def test_a_planted_look_up_raises_the_count_by_one(steps: list[bool], data: st.DataObject) -> None:
    """Sound: each look-up's id goes into the next call, the last into the answer; writes come in between."""
    messages, held = [user("Begin with X-100.")], "X-100"
    for number, writes in enumerate(steps):
        name = "update_node" if writes else "get_node"
        found: JsonObject = {"next_id": f"N-{number}00", "status": "open"}
        messages += [calls(call(name, number, node=held)), tool(found, number)]
        held = f"N-{number}00"
    messages.append(says(f"It ends at {held}."))
    place = data.draw(st.integers(0, len(steps))) * 2 + 1
    planted = [calls(call("get_weather", 99, town="Ghent")), tool({"sky": "W-555", "wind": "slight"}, 99)]
    assert unused(*messages) == 0
    assert unused(*messages[:place], *planted, *messages[place:]) == 1


# ── somebody else's data ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.skipif(not TAU2.exists(), reason="../shared/data has no tau2 trajectories")
def test_real_conversations_use_the_labels_they_can() -> None:
    seen: Counter[str] = Counter()
    first: Counter[str] = Counter()
    with gzip.open(TAU2, "rt") as lines:
        for line, _ in zip(lines, range(120), strict=False):
            found = labels(*map(_message, json.loads(line)["messages"]))
            seen.update(found)
            first[found[-1]] += 1
    assert set(seen) == set(LABELS) - {"compute"}
    assert first["answer"] + first["act"] > 0.8 * sum(first.values())


def _message(wire: dict[str, Any]) -> Message:
    made = [ToolCall.model_validate({"id": one["id"], **one["function"]}) for one in wire.get("tool_calls") or []]
    return Message.model_validate({**wire, "tool_calls": made})
