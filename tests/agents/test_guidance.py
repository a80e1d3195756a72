"""Where a conversation stands decides what the next speaker is told: which call, which facts, what is new."""

from typing import Any

import pytest

from tdscaling_assets.agents.guidance import OffPlanError, Progress, assistant_hint, report_values, user_hint
from tdscaling_assets.schema import Binding, Blueprint, CodeTask, Step, ToolCall, Turn

LISTING = {"account": Binding(kind="output", step="s1", path="account")}


def blueprint(**changes: Any) -> Blueprint:
    """Set a limit, list, block, list again: the third step of the schedule is the second of the steps."""
    made: dict[str, Any] = {
        "blueprint_id": "bp",
        "round": "r01",
        "batch": "r01-b01",
        "cluster_id": "c",
        "domain": "banking",
        "title": "",
        "persona": "",
        "goal": "",
        "tool_ids": ("set_limit", "list_cards", "block"),
        "services": (),
        "world_seed": 1,
        "facts": {"card": "CRD-1"},
        "steps": (
            Step(step_id="s1", tool_id="set_limit", arguments={"card": Binding(kind="user", fact="card")}),
            Step(step_id="s2", tool_id="block", arguments={"card": Binding(kind="user", fact="card")}),
            Step(step_id="s3", tool_id="list_cards", arguments=LISTING),
            Step(step_id="s4", tool_id="list_cards", arguments=LISTING),
        ),
        "turns": (
            Turn(kind="request", intent="set limit", reveals=("card",), groups=(("s1",), ("s4",), ("s2", "s3"))),
        ),
        "seed": 1,
    }
    return Blueprint(**{**made, **changes})


def call(name: str, arguments: str) -> ToolCall:
    return ToolCall(id="c1", name=name, arguments=arguments)


def test_a_call_carries_out_the_first_open_step_of_the_schedule() -> None:
    progress = Progress(blueprint(), outputs={"s1": {"account": "ACC-1"}})
    listing = call("list_cards", '{"account": "ACC-1"}')
    step = progress.match(listing)
    assert step is not None and step.step_id == "s4"
    progress.outputs["s4"] = {}
    step = progress.match(listing)
    assert step is not None and step.step_id == "s3"


@pytest.mark.parametrize("arguments", ['{"account": "ACC-2"}', "{}", "{", '{"account": "ACC-1", "more": 1}'])
def test_a_call_with_other_arguments_carries_out_nothing(arguments: str) -> None:
    progress = Progress(blueprint(), outputs={"s1": {"account": "ACC-1"}})
    assert progress.match(call("list_cards", arguments)) is None


def test_a_group_is_pending_until_all_its_steps_are_done() -> None:
    one = blueprint()
    progress = Progress(one, outputs={"s1": {"account": "ACC-1"}, "s4": {}})
    assert [step.step_id for step in progress.pending(one.turns[0])] == ["s2", "s3"]
    progress.outputs["s2"] = {}
    assert [step.step_id for step in progress.pending(one.turns[0])] == ["s3"]
    assert progress.missed(one.turns[0]) == ["list_cards"]


def test_an_output_without_the_value_is_off_plan() -> None:
    one = blueprint()
    progress = Progress(one, outputs={"s1": {"other": 1}})
    with pytest.raises(OffPlanError, match=r"list_cards needs s1\.account"):
        assistant_hint(one.turns[0], progress, {})


def test_the_user_is_told_exactly_the_facts_of_the_turn() -> None:
    one = blueprint(facts={"card": "CRD-1", "pin": "0000"})
    assert user_hint(one, one.turns[0]) == {
        "role": "user",
        "do": "request",
        "intent": "set limit",
        "also": "",
        "reveals": {"card": "CRD-1"},
    }


@pytest.mark.parametrize(
    ("before", "intent", "also"),
    [
        ("set limit", "set limit", ""),
        ("set limit", "set limit and then list cards", "list cards"),
        ("set limit", "set limit and work out the total of cents", "work out the total of cents"),
    ],
)
def test_a_turn_that_goes_on_asks_for_what_it_adds(before: str, intent: str, also: str) -> None:
    turns = (Turn(kind="request", intent=before, reply="confirm"), Turn(kind="approve", intent=intent))
    one = blueprint(turns=turns)
    assert user_hint(one, turns[1])["also"] == also
    assert user_hint(one, turns[0])["also"] == ""


def coded(**changes: Any) -> Blueprint:
    """A code step over the rows of a look-up, and over what the user gives."""
    task = CodeTask(kind="total", instruction="Add up.", step="s1", path="rows", field="cents", facts=("log",))
    steps = (Step(step_id="s1", tool_id="list_cards"), Step(step_id="s2", tool_id="run_python", task=task))
    turns = (Turn(kind="request", intent="add up", groups=(("s1",), ("s2",)), about=("s2.stdout",)),)
    return blueprint(steps=steps, turns=turns, facts={"log": "a b"}, **changes)


def test_a_code_step_is_due_with_all_that_it_works_on_but_not_its_result() -> None:
    one = coded()
    progress = Progress(one, outputs={"s1": {"rows": [{"cents": 1}, {"cents": 2}]}})
    (due,) = assistant_hint(one.turns[0], progress, {})["calls"]  # type: ignore[misc,union-attr]
    assert due == {
        "tool": "run_python",
        "task": {
            "instruction": "Add up.",
            "kind": "total",
            "stage": 0,
            "field": "cents",
            "rows": [{"cents": 1}, {"cents": 2}],
            "given": {"log": "a b"},
        },
    }


def test_a_code_step_without_its_rows_is_off_plan() -> None:
    one = coded()
    with pytest.raises(OffPlanError, match=r"needs s1\.rows"):
        assistant_hint(one.turns[0], Progress(one, outputs={"s1": {}}), {})


def test_any_code_carries_out_a_code_step() -> None:
    step = Progress(coded(), outputs={"s1": {}}).match(call("run_python", '{"code": "print(1)"}'))
    assert step is not None and step.step_id == "s2"


def test_a_verdict_and_a_query_are_told_as_one_line() -> None:
    verdict = '{"passed": 3, "failed": 0, "errors": 0, "tests": []}'
    outputs = {"s1": {"stdout": verdict}, "s2": {"stdout": '{"rows": [["a", 2]]}'}}
    assert report_values(("s1.stdout", "s2.stdout"), outputs) == {"result": "3 passed", "next result": "a=2"}


def test_a_report_tells_what_is_there_under_different_names() -> None:
    outputs = {"s1": {"card": {"last_four": "1234", "total": 3}}, "s2": {"total": 4}, "s3": {"stdout": "7.00\n"}}
    about = ("s1.card.last_four", "s1.card.total", "s2.total", "s3.stdout", "s2.missing", "s9.total")
    assert report_values(about, outputs) == {"last four": "1234", "total": 3, "next total": 4, "result": "7.00"}
