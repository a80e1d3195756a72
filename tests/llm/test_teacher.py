"""The scripted teacher: a function of messages and seed, obedient as often as told, wayward in ways models are."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import pytest

from tdscaling_assets.llm import phrases
from tdscaling_assets.llm.protocol import ChatReply, ChatRequest
from tdscaling_assets.llm.teacher import ScriptedTeacher, is_simulated
from tdscaling_assets.prompts import with_guidance
from tdscaling_assets.schema import JsonObject

Ask = Callable[..., ChatRequest]

CALL: JsonObject = {
    "role": "assistant",
    "do": "call",
    "retry": False,
    "calls": [{"tool": "get_order", "arguments": {"order_id": "ORD-17", "note": "as agreed"}}],
}
CONFIRM: JsonObject = {
    "role": "assistant",
    "do": "confirm",
    "action": "cancel order",
    "call": {"tool": "cancel_order", "arguments": {"order_id": "ORD-17"}},
}


CODE: JsonObject = {
    "role": "assistant",
    "do": "call",
    "retry": False,
    "calls": [
        {
            "tool": "run_python",
            "task": {
                "instruction": "Add them up.",
                "kind": "total",
                "stage": 0,
                "field": "price",
                "rows": [{"price": 2.5}, {"price": 4}],
                "given": {},
            },
        }
    ],
}
ANSWER: JsonObject = {"role": "assistant", "do": "answer", "report": {"status": "paid", "result": "6.50"}}


def reply(hint: JsonObject, seed: int = 0, compliance: float = 1.0) -> ChatReply:
    """The teacher's reply to a system prompt with this guidance."""
    messages = ({"role": "system", "content": with_guidance("You help.", hint)}, {"role": "user", "content": "Hi"})
    return asyncio.run(
        ScriptedTeacher(compliance).complete(ChatRequest(role="assistant", messages=messages, seed=seed))
    )


def test_equal_requests_get_equal_replies() -> None:
    assert [reply(CALL, seed, 0.5) for seed in range(20)] == [reply(CALL, seed, 0.5) for seed in range(20)]


def test_seeds_give_different_words() -> None:
    answer: JsonObject = {"role": "assistant", "do": "answer", "report": {"total": 3}}
    assert len({reply(answer, seed).content for seed in range(40)}) > 3


def test_only_messages_and_seed_count(ask: Ask) -> None:
    teacher = ScriptedTeacher(1.0)
    hint = with_guidance("You help.", CALL)
    messages = ({"role": "system", "content": hint},)
    one = asyncio.run(teacher.complete(ask(messages=messages, temperature=0.0, max_tokens=1)))
    other = asyncio.run(teacher.complete(ask(messages=messages, role="judge", temperature=1.0)))
    assert one == other


def test_a_null_field_of_a_message_is_no_field(ask: Ask) -> None:
    system = {"role": "system", "content": with_guidance("You help.", CALL)}
    call = {"role": "assistant", "tool_calls": []}
    teacher = ScriptedTeacher(1.0)
    sent = asyncio.run(teacher.complete(ask(messages=(system, {**call, "content": None}))))
    assert asyncio.run(teacher.complete(ask(messages=(system, call)))) == sent


def test_an_obedient_call_is_the_hinted_one() -> None:
    (call,) = reply(CALL).tool_calls
    assert call.name == "get_order"
    assert json.loads(call.arguments) == {"order_id": "ORD-17", "note": "as agreed"}


def test_calls_of_one_conversation_have_different_ids() -> None:
    twice: JsonObject = {**CALL, "calls": [{"tool": "a", "arguments": {}}, {"tool": "a", "arguments": {}}]}
    ids = [call.id for seed in range(10) for call in reply(twice, seed).tool_calls]
    assert len(set(ids)) == 20


def test_the_share_of_obedience_is_the_compliance() -> None:
    whole = '{"order_id": "ORD-17", "note": "as agreed"}'
    replies = [reply(CALL, seed, 0.7) for seed in range(400)]
    obeyed = [
        said
        for said in replies
        if [call.arguments for call in said.tool_calls] == [whole] and not (said.content or "").startswith(phrases.LEAK)
    ]
    assert 0.62 < len(obeyed) / len(replies) < 0.78


def test_a_wayward_teacher_makes_every_mistake_it_knows() -> None:
    seen: Counter[str] = Counter()
    for seed in range(200):
        said = reply(CALL, seed, 0.0)
        if not said.tool_calls:
            seen["skipped"] += 1
            continue
        text = said.tool_calls[0].arguments
        if (said.content or "").startswith(phrases.LEAK):
            seen["leaking"] += 1
        elif not text.endswith("}"):
            seen["malformed"] += 1
        elif len(json.loads(text)) < 2:
            seen["incomplete"] += 1
        elif json.loads(text) != {"order_id": "ORD-17", "note": "as agreed"}:
            seen["ungrounded"] += 1
    assert set(seen) == {"skipped", "leaking", "malformed", "incomplete", "ungrounded"}
    assert sum(seen.values()) == 200


def test_a_wayward_teacher_acts_without_leave() -> None:
    assert any(call.name == "cancel_order" for seed in range(30) for call in reply(CONFIRM, seed, 0.0).tool_calls)


def test_a_task_is_solved_by_a_program_that_computes_it() -> None:
    (call,) = reply(CODE).tool_calls
    assert call.name == "run_python"
    code = json.loads(call.arguments)["code"]
    assert "[2.5, 4]" in code and "6.50" not in code


def test_a_wayward_teacher_answers_a_task_without_running_it() -> None:
    said = [reply(CODE, seed, 0.0) for seed in range(60)]
    asserted = [one.content for one in said if not one.tool_calls and "result:" in (one.content or "")]
    assert len(asserted) > 10
    assert len(set(asserted)) > 5


def test_a_wayward_teacher_runs_a_program_that_computes_nothing() -> None:
    codes = [call.arguments for seed in range(200) for call in reply(CODE, seed, 0.0).tool_calls]
    made_up = [code for code in codes if code.endswith('print(result)\\n"}')]
    assert 5 < len(made_up) < len(codes)


def test_a_wayward_teacher_tells_another_result_than_was_printed() -> None:
    told = [reply(ANSWER, seed, 0.0).content or "" for seed in range(200)]
    other = [text for text in told if "result:" in text and "6.50" not in text]
    assert 20 < len(other) < 80
    assert all("paid" in text for text in other)


def test_a_user_shows_several_lines_as_they_are() -> None:
    code = "def f():\n    return {1}"
    hint: JsonObject = {"role": "user", "do": "request", "intent": "mend it", "reveals": {"module_text": code}}
    assert all(f"\n{code}\n" in (reply(hint, seed).content or "") for seed in range(20))


def test_a_user_says_every_fact_whatever_the_turn() -> None:
    for do in ("request", "inform", "approve", "pivot"):
        hint: JsonObject = {"role": "user", "do": do, "intent": "cancel it", "reveals": {"since": "2025-05-19"}}
        assert all("2025-05-19" in (reply(hint, seed).content or "") for seed in range(20))


@pytest.mark.parametrize("do", ["inform", "approve"])
def test_a_user_who_goes_on_asks_for_what_is_new(do: str) -> None:
    hint: JsonObject = {"role": "user", "do": do, "intent": "x and then y", "also": "list readings", "reveals": {}}
    assert all("list readings" in (reply(hint, seed).content or "") for seed in range(20))


def test_a_simulated_tool_answers_equal_calls_alike() -> None:
    schema = {"type": "object", "properties": {"id": {"type": "string"}, "score": {"type": "number"}}}
    hint: JsonObject = {"role": "environment", "tool": "t", "arguments": {"id": "A-1"}, "output_schema": schema}
    first, second = (json.loads(reply(hint, seed).content or "") for seed in (1, 2))
    assert first == second
    assert first["id"] == "A-1"


@pytest.mark.parametrize(
    ("output_schema", "expected"),
    [
        ({"properties": {"order": {"properties": {"id": {"type": "string"}, "total": {"type": "number"}}}}}, 50),
        ({"properties": {"order": {"properties": {"id": {"type": "string"}, "total": {"const": 9}}}}}, 9),
    ],
)
def test_a_simulated_tool_keeps_to_what_is_known_where_its_schema_lets_it(
    output_schema: JsonObject, expected: int
) -> None:
    hint: JsonObject = {
        "role": "environment",
        "tool": "get_order",
        "arguments": {"order_id": "ORD-7"},
        "output_schema": output_schema,
        "act": ["get", ["order"], 2],
        "known": [{"key": "order_id", "mark": "ord 7", "fields": {"total": 50}}],
    }
    answer = json.loads(reply(hint).content or "")
    assert answer["order"] == {"id": "ORD-7", "total": expected}


def test_without_guidance_it_says_so() -> None:
    request = ChatRequest(role="assistant", messages=({"role": "user", "content": "Hi"},))
    assert "only when guided" in (asyncio.run(ScriptedTeacher(1.0).complete(request)).content or "")


@pytest.mark.parametrize(
    ("models", "simulated"),
    [
        (["teacher"], True),
        (["openai/gpt-4.1", "openai/teacher"], True),
        (["tds/teacher"], True),
        (["openai/gpt-4.1"], False),
        ([], False),
    ],
)
def test_the_teacher_is_known_however_it_is_reached(models: list[str], simulated: bool) -> None:
    assert is_simulated(models) is simulated
