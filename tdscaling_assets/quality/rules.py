"""One conversation and its blueprint in, a reason to reject it out, or None. Each rule is flat guards, in funnel order.

A rule reads only what is stored, so a verdict can be reproduced from the lake.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.measures import is_read_only, leaves, observation_failed
from tdscaling_assets.paths import value_at
from tdscaling_assets.prompts import LEAK_MARKERS
from tdscaling_assets.schema import (
    CODE_TOOLS,
    Blueprint,
    Message,
    Step,
    Tool,
    ToolCall,
    Trajectory,
    canonical_json,
    parse_object,
)
from tdscaling_assets.text import normalise


@dataclass(frozen=True)
class Case:
    """A trajectory with the blueprint it was to follow and the tools it was offered."""

    trajectory: Trajectory
    blueprint: Blueprint
    tools: Mapping[str, Tool]

    @cached_property
    def answers(self) -> dict[str, Message]:
        """Call id → its observation."""
        return {
            item.tool_call_id: item for item in self.trajectory.messages if item.role == "tool" and item.tool_call_id
        }

    @cached_property
    def calls(self) -> list[ToolCall]:
        """All calls in order."""
        return [call for message in self.trajectory.messages for call in message.tool_calls]

    @cached_property
    def closings(self) -> list[tuple[Message, str]]:
        """Of each user turn: the assistant's last message and its label."""
        closings: list[tuple[Message, str]] = []
        labels = iter(self.trajectory.labels)
        fresh = False
        for message in self.trajectory.messages:
            if message.role == "user":
                fresh = True
            elif message.role == "assistant":
                closings = (closings if fresh else closings[:-1]) + [(message, next(labels))]
                fresh = False
        return closings

    @cached_property
    def outputs(self) -> dict[str, JsonValue]:
        """Step id → the parsed observation of the call that carried it out."""
        free = [call for call in self.calls if not self.failed(call)]
        found: dict[str, JsonValue] = {}
        for expected in self.blueprint.expected_calls:
            step = self.blueprint.step(expected.step_id)
            call = next((call for call in free if _carries_out(call, step, expected.arguments)), None)
            if call is not None:
                free.remove(call)
                found[step.step_id] = json.loads(self.answers[call.id].content or "null")
        return found

    def failed(self, call: ToolCall) -> bool:
        """Whether the call got an error, or no answer."""
        answer = self.answers.get(call.id)
        return answer is None or observation_failed(answer.content or "")

    def writes(self, call: ToolCall) -> bool:
        """Whether the call changes state, by annotation or name."""
        tool = self.tools.get(call.name)
        return not is_read_only(call.name, {call.name: tool.read_only if tool else None})


Rule = Callable[[Case], str | None]


def completed(case: Case) -> str | None:
    """The conversation came to its end."""
    failure = case.trajectory.failure
    return str(failure) if failure else None


def calls_answered(case: Case) -> str | None:
    """Every call has exactly one answer, and every answer a call."""
    asked = Counter(call.id for call in case.calls)
    answered = Counter(message.tool_call_id for message in case.trajectory.messages if message.role == "tool")
    if asked != answered or any(count > 1 for count in asked.values()):
        return f"{asked.total()} calls and {answered.total()} answers do not pair"
    return None


def schema_valid_calls(case: Case) -> str | None:
    """Every call names an offered tool and satisfies its input schema."""
    for call in case.calls:
        tool = case.tools.get(call.name)
        if tool is None or call.name not in case.trajectory.tools:
            return f"{call.name} was not offered"
        arguments = parse_object(call.arguments)
        if arguments is None:
            return f"the arguments of {call.name} are not a JSON object"
        problem = next(Draft202012Validator(tool.input_schema).iter_errors(arguments), None)
        if problem is not None:
            return f"{call.name} {problem.json_path}: {problem.message[:200]}"
    return None


def arguments_grounded(case: Case) -> str | None:
    """Every telling argument value was said or observed before, or is one that the schema itself names."""
    known = ""
    for message in case.trajectory.messages:
        for call in message.tool_calls:
            if call.name in CODE_TOOLS:
                continue
            allowed = canonical_json(case.tools[call.name].input_schema)
            for value in leaves(parse_object(call.arguments)):
                if _telling(value) and not _mentions(known, value) and canonical_json(value) not in allowed:
                    return f"{call.name} was given {value!r}, which nobody had said or observed"
        known += f"\n{message.content or ''}"
    return None


def no_leaked_guidance(case: Case) -> str | None:
    """No word of the private guidance is in a message."""
    for message in case.trajectory.messages:
        text = (message.content or "").lower()
        marker = next((marker for marker in LEAK_MARKERS if marker in text), None)
        if marker is not None and message.role != "tool":
            return f"a message of the {message.role} says {marker!r}"
    return None


def blueprint_followed(case: Case) -> str | None:
    """Turns end as planned, and exactly the expected changes were made, in order."""
    for turn, (message, label) in zip(case.blueprint.turns, case.closings, strict=False):
        if turn.reply != "answer" and label != turn.reply:
            return f"the assistant was to {turn.reply} and said: {(message.content or '')[:120]!r}"
    if len(case.closings) != len(case.blueprint.turns):
        return f"{len(case.closings)} turns were held, {len(case.blueprint.turns)} were planned"
    made = [
        (call.name, parse_object(call.arguments)) for call in case.calls if case.writes(call) and not case.failed(call)
    ]
    wanted = [
        (call.tool_id, call.arguments)
        for call in case.blueprint.expected_calls
        if case.tools[call.tool_id].read_only is False
    ]
    if case.blueprint.expected_calls and made != wanted:
        return f"changes made: {[name for name, _ in made]}, expected: {[name for name, _ in wanted]}"
    return None


def answer_reports(case: Case) -> str | None:
    """Each closing answer tells at least one of the values it was to report."""
    for turn, (message, _) in zip(case.blueprint.turns, case.closings, strict=True):
        values = [value for entry in turn.about if (value := _reported(case, entry)) is not None]
        if turn.reply == "answer" and values and not any(_mentions(message.content or "", value) for value in values):
            return f"the answer names none of {values}: {(message.content or '')[:120]!r}"
    return None


def code_result_used(case: Case) -> str | None:
    """The sandbox printed the right result, and the answer after it says so."""
    for step in case.blueprint.steps:
        if step.task is None:
            continue
        printed = str(_reported(case, f"{step.step_id}.stdout") or "").strip()
        if printed != step.task.expected:
            return f"the code printed {printed[:100]!r} instead of {step.task.expected!r}"
        if not any(_mentions(message.content or "", printed) for message, _ in case.closings):
            return f"no answer tells the computed {printed!r}"
    return None


def final_state(case: Case) -> str | None:
    """The world ended in the state that the dry run computed."""
    expected, seen = case.blueprint.expected_digest, case.trajectory.final_digest
    return None if expected == seen else f"the world's digest is {seen}, expected {expected}"


RULES: tuple[Rule, ...] = (
    completed,
    calls_answered,
    schema_valid_calls,
    arguments_grounded,
    no_leaked_guidance,
    blueprint_followed,
    answer_reports,
    code_result_used,
    final_state,
)


def _carries_out(call: ToolCall, step: Step, arguments: JsonValue) -> bool:
    return call.name == step.tool_id and (step.task is not None or parse_object(call.arguments) == arguments)


def _reported(case: Case, entry: str) -> JsonValue:
    step_id, _, path = entry.partition(".")
    try:
        return value_at(case.outputs[step_id], path)
    except KeyError:
        return None


def _telling(value: JsonValue) -> bool:
    return not isinstance(value, bool) and len(str(value)) >= 3


def _mentions(text: str, value: JsonValue) -> bool:
    """Whether the text holds the value: numbers by value, other things by their words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return any(abs(float(number) - value) < 1e-9 for number in _numbers(text))
    if isinstance(value, str) and (value in text or json.dumps(value)[1:-1] in text):
        return True
    words = normalise(str(value))
    return bool(words) and words in normalise(text)


def _numbers(text: str) -> list[str]:
    return re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3}\b)", "", text))
