"""Each rule rejects the one thing it is there for, with its reason, and keeps the sound conversation."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from tdscaling_assets.quality import rules
from tdscaling_assets.quality.case import Case, mentions, reported
from tdscaling_assets.quality.rules import RULES
from tdscaling_assets.schema import CODE_TOOL, Failure, Message, ToolCall
from tdscaling_assets.services.spec import load_services
from tdscaling_assets.services.world import World

Sound = dict[str, Case]
Mutate = Callable[..., Case]
Rewrite = Callable[..., list[Message]]
Messages = tuple[Message, ...]


def replaced(messages: Messages, place: int, **changes: object) -> list[Message]:
    """The messages with one of them changed."""
    return [item.model_copy(update=changes) if at == place else item for at, item in enumerate(messages)]


def places(messages: Messages, wanted: Callable[[Message], Any]) -> list[int]:
    return [at for at, message in enumerate(messages) if wanted(message)]


def last_answer(messages: Messages) -> int:
    """Where the assistant last spoke."""
    return places(messages, lambda item: item.role == "assistant" and not item.tool_calls)[-1]


def spoken(case: Case, words: str) -> list[Message]:
    """The messages with these words as the assistant's last."""
    return replaced(case.trajectory.messages, last_answer(case.trajectory.messages), content=words)


def with_exchange(messages: Messages, place: int, call: ToolCall, answer: str) -> list[Message]:
    """The messages with one more call and its answer before `place`."""
    asked = Message(role="assistant", tool_calls=(call,))
    told = Message(role="tool", tool_call_id=call.id, name=call.name, content=answer)
    return [*messages[:place], asked, told, *messages[place:]]


def writing_call(case: Case) -> ToolCall:
    """The last call that changed something."""
    return [call for call in case.calls if case.writes(call)][-1]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("operator", ["guard", "compute", "verify", "withhold", "pivot", "refuse"])
def test_a_sound_conversation_passes_every_rule(rule: rules.Rule, operator: str, sound: Sound) -> None:
    assert rule(sound[operator]) is None


# ── completed ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_conversation_is_rejected_with_its_failure(sound: Sound, mutate: Mutate) -> None:
    failed = mutate(sound["guard"], outcome="failed", failure=Failure(kind="timeout", detail="no end within 9 s"))
    assert rules.completed(failed) == "timeout: no end within 9 s"


# ── calls_answered ───────────────────────────────────────────────────────────────────────────────────────────


def drop_an_answer(messages: Messages) -> Iterable[Message]:
    place = places(messages, lambda item: item.role == "tool")[0]
    return [*messages[:place], *messages[place + 1 :]]


def answer_twice(messages: Messages) -> Iterable[Message]:
    place = places(messages, lambda item: item.role == "tool")[0]
    return [*messages[: place + 1], *messages[place:]]


def answer_nothing(messages: Messages) -> Iterable[Message]:
    return [*messages, Message(role="tool", tool_call_id="call_of_nobody", content="{}")]


def share_an_id(messages: Messages) -> Iterable[Message]:
    places_ = places(messages, lambda item: item.tool_calls)
    first = messages[places_[0]].tool_calls[0]
    shared = tuple(call.model_copy(update={"id": first.id}) for call in messages[places_[1]].tool_calls)
    changed = replaced(messages, places_[1], tool_calls=shared)
    return replaced(tuple(changed), places_[1] + 1, tool_call_id=first.id)


@pytest.mark.parametrize("spoil", [drop_an_answer, answer_twice, answer_nothing, share_an_id])
def test_calls_and_answers_must_pair(
    spoil: Callable[[Messages], Iterable[Message]], sound: Sound, mutate: Mutate
) -> None:
    reason = rules.calls_answered(mutate(sound["verify"], messages=spoil))
    assert reason is not None and reason.endswith("do not pair")


# ── schema_valid_calls ───────────────────────────────────────────────────────────────────────────────────────


def test_a_call_of_a_tool_that_was_not_offered_is_rejected(sound: Sound, mutate: Mutate) -> None:
    case = sound["guard"]
    used = case.calls[0].name
    offered = tuple(name for name in case.trajectory.tools if name != used)
    assert rules.schema_valid_calls(mutate(case, tools=offered)) == f"{used} was not offered"


def test_a_missing_required_argument_is_rejected(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    case = sound["guard"]
    place, call = next(
        (at, call) for at, call in enumerate(case.calls) if case.tools[call.name].input_schema["required"]
    )
    spoiled = mutate(case, messages=lambda old: rewrite(old, place, lambda arguments: {}))
    reason = rules.schema_valid_calls(spoiled)
    assert reason is not None and call.name in reason and "required" in reason


def test_an_argument_of_a_wrong_type_is_rejected(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    spoiled = mutate(
        sound["guard"], messages=lambda old: rewrite(old, 0, lambda given: {key: [{"a": 1}] for key in given})
    )
    assert "$." in (rules.schema_valid_calls(spoiled) or "")


def test_malformed_json_is_rejected(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    spoiled = mutate(sound["guard"], messages=lambda old: rewrite(old, 0, lambda given: json.dumps(given)[:-1]))
    assert (rules.schema_valid_calls(spoiled) or "").endswith("are not a JSON object")


# ── arguments_grounded ───────────────────────────────────────────────────────────────────────────────────────


def first_text_argument(case: Case) -> tuple[int, str]:
    """Place of a call and name of a telling text argument that the schema does not list."""
    for place, call in enumerate(case.calls):
        schema = json.dumps(case.tools[call.name].input_schema)
        for name, value in json.loads(call.arguments).items():
            if call.name != CODE_TOOL and isinstance(value, str) and len(value) > 3 and value not in schema:
                return place, name
    raise AssertionError("no call has a text argument")


def test_an_invented_value_is_rejected(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    place, name = first_text_argument(sound["guard"])
    spoiled = mutate(
        sound["guard"], messages=lambda old: rewrite(old, place, lambda given: {**given, name: "ZZZ-99999"})
    )
    assert "'ZZZ-99999', which nobody had said or observed" in (rules.arguments_grounded(spoiled) or "")


def test_a_value_that_is_said_only_later_is_rejected(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    place, name = first_text_argument(sound["guard"])

    def say_later(old: Messages) -> list[Message]:
        return [
            *rewrite(old, place, lambda given: {**given, name: "ZZZ-99999"}),
            Message(role="user", content="ZZZ-99999"),
        ]

    assert "ZZZ-99999" in (rules.arguments_grounded(mutate(sound["guard"], messages=say_later)) or "")


def test_a_value_that_was_said_before_is_kept(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    place, name = first_text_argument(sound["guard"])

    def say_before(old: Messages) -> list[Message]:
        asked = replaced(old, 1, content=f"{old[1].content} It is zzz 99999, that one.")
        return rewrite(tuple(asked), place, lambda given: {**given, name: "ZZZ-99999"})

    assert rules.arguments_grounded(mutate(sound["guard"], messages=say_before)) is None


# ── no_leaked_guidance ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "leak", ["<guidance>{}</guidance>", "My guidance for this step says so.", "See the Blueprint."]
)
def test_a_leak_is_rejected(leak: str, sound: Sound, mutate: Mutate) -> None:
    spoiled = mutate(sound["guard"], messages=spoken(sound["guard"], f"All done. {leak}"))
    assert "a message of the assistant says" in (rules.no_leaked_guidance(spoiled) or "")


def test_what_a_tool_says_is_no_leak(sound: Sound, mutate: Mutate) -> None:
    def note(old: Messages) -> list[Message]:
        return replaced(old, places(old, lambda item: item.role == "tool")[0], content='{"note": "the blueprint"}')

    assert rules.no_leaked_guidance(mutate(sound["guard"], messages=note)) is None


# ── blueprint_followed ───────────────────────────────────────────────────────────────────────────────────────


def closing(case: Case, reply: str) -> int:
    """Place of the message that ends the first turn planned to end in this reply."""
    turn = next(at for at, turn in enumerate(case.blueprint.turns) if turn.reply == reply)
    return places(case.trajectory.messages, lambda item: item is case.closings[turn][0])[0]


@pytest.mark.parametrize(("operator", "reply"), [("guard", "confirm"), ("withhold", "clarify"), ("refuse", "decline")])
def test_a_turn_that_ends_otherwise_is_rejected(operator: str, reply: str, sound: Sound, mutate: Mutate) -> None:
    case = sound[operator]
    place = closing(case, reply)
    nth = sum(message.role == "assistant" for message in case.trajectory.messages[:place])
    labels = tuple("answer" if at == nth else label for at, label in enumerate(case.trajectory.labels))
    messages = replaced(case.trajectory.messages, place, content="Everything is in order.")
    reason = rules.blueprint_followed(mutate(case, messages=tuple(messages), labels=labels))
    assert reason == f"the assistant was to {reply} and said: 'Everything is in order.'"


def test_a_turn_too_few_is_rejected(sound: Sound, mutate: Mutate) -> None:
    case = sound["pivot"]
    place = places(case.trajectory.messages, lambda item: item.role == "user")[-1]
    kept = case.trajectory.messages[:place]
    spoken_ = sum(message.role == "assistant" for message in kept)
    reason = rules.blueprint_followed(mutate(case, messages=kept, labels=case.trajectory.labels[:spoken_]))
    planned = len(case.blueprint.turns)
    assert reason == f"{planned - 1} turns were held, {planned} were planned"


def test_an_extra_change_is_rejected(sound: Sound, mutate: Mutate) -> None:
    case = sound["verify"]
    extra = writing_call(case).model_copy(update={"id": "call_extra"})
    place = last_answer(case.trajectory.messages)
    labels = (*case.trajectory.labels[:-1], "act", case.trajectory.labels[-1])
    changed = with_exchange(case.trajectory.messages, place, extra, '{"ok": true}')
    reason = rules.blueprint_followed(mutate(case, messages=tuple(changed), labels=labels))
    assert reason is not None and reason.startswith("changes made: [")


def test_a_change_that_failed_is_no_change(sound: Sound, mutate: Mutate) -> None:
    case = sound["verify"]
    extra = writing_call(case).model_copy(update={"id": "call_extra"})
    place = last_answer(case.trajectory.messages)
    labels = (*case.trajectory.labels[:-1], "act", case.trajectory.labels[-1])
    changed = with_exchange(case.trajectory.messages, place, extra, '{"error": {"code": "gone", "message": "no"}}')
    assert rules.blueprint_followed(mutate(case, messages=tuple(changed), labels=labels)) is None


def test_a_change_with_another_argument_is_rejected(sound: Sound, mutate: Mutate, rewrite: Rewrite) -> None:
    case = sound["verify"]
    place = case.calls.index(writing_call(case))
    spoiled = mutate(
        case, messages=lambda old: rewrite(old, place, lambda given: {key: f"{value}x" for key, value in given.items()})
    )
    assert (rules.blueprint_followed(spoiled) or "").startswith("changes made: [")


# ── answer_reports ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_answer_that_tells_nothing_is_rejected(sound: Sound, mutate: Mutate) -> None:
    spoiled = mutate(sound["verify"], messages=spoken(sound["verify"], "Everything is in order."))
    assert (rules.answer_reports(spoiled) or "").startswith("the answer names none of [")


def test_an_answer_that_tells_one_value_in_other_words_is_kept(sound: Sound, mutate: Mutate) -> None:
    case = sound["verify"]
    values = [value for entry in case.blueprint.turns[-1].about if (value := reported(case, entry)) is not None]
    number_or_text = values[0]
    assert rules.answer_reports(mutate(case, messages=spoken(case, f"Well: it's “{number_or_text}”!"))) is None


# ── final_state ──────────────────────────────────────────────────────────────────────────────────────────────


def test_another_final_state_is_rejected(sound: Sound, mutate: Mutate) -> None:
    spoiled = mutate(sound["verify"], final_digest="0" * 16)
    assert rules.final_state(spoiled) == (
        f"the world's digest is {'0' * 16}, expected {sound['verify'].blueprint.expected_digest}"
    )


def test_the_state_of_an_untouched_world_is_another(sound: Sound) -> None:
    case = sound["verify"]
    assert any(case.writes(call) for call in case.calls)
    services = load_services()
    untouched = World([services[name] for name in case.blueprint.services], case.blueprint.world_seed)
    assert untouched.digest() != case.blueprint.expected_digest == case.trajectory.final_digest


def test_where_truth_cannot_be_known_the_state_is_not_judged(sound: Sound, mutate: Mutate) -> None:
    unknown = mutate(sound["verify"], final_digest=None)
    blueprint = unknown.blueprint.model_copy(update={"expected_digest": None})
    assert rules.final_state(replace(unknown, blueprint=blueprint)) is None


@pytest.mark.parametrize("value", [10**400, -(10**308), 3.5, 1_234, 1e300], ids=range(5))
def test_a_number_of_any_size_is_mentioned_where_it_is_written(value: float) -> None:
    assert mentions(f"It is {value:f}." if isinstance(value, float) else f"It is {value:,}.", value)
    assert not mentions(f"It is {10**401} or 7.", value)
