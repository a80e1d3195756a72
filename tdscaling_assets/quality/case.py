"""A conversation beside the blueprint that it was to follow: what the rules ask of it, and how they compare values."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from tdscaling_assets.code_tasks import result_line
from tdscaling_assets.measures import is_read_only, observation_failed
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import (
    CODE_TOOLS,
    Blueprint,
    Message,
    Step,
    Tool,
    ToolCall,
    Trajectory,
    parse_object,
    parse_value,
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
    def carried(self) -> dict[str, ToolCall]:
        """Step id → the call that carried it out: of those that could be meant, the first, or, where its result is
        known, the first that gave that."""
        free = [call for call in self.calls if call.id in self.answers]
        found: dict[str, ToolCall] = {}
        for expected in self.blueprint.expected_calls:
            step = self.blueprint.step(expected.step_id)
            fails = step.task is not None and step.task.fails
            meant = [
                call for call in free if self.failed(call) is fails and _carries_out(call, step, expected.arguments)
            ]
            meant.sort(key=lambda call: not self._gives(call, step))
            if meant:
                free.remove(meant[0])
                found[step.step_id] = meant[0]
        return found

    @cached_property
    def outputs(self) -> dict[str, JsonValue]:
        """Step id → the parsed observation of the call that carried it out."""
        return {step_id: parse_value(self.answers[call.id].content or "null") for step_id, call in self.carried.items()}

    def printed(self, call: ToolCall) -> str:
        """The result in what the call of a code tool printed."""
        told = parse_object(self.answers[call.id].content or "") or {}
        return result_line(str(told.get("stdout", "")))

    def _gives(self, call: ToolCall, step: Step) -> bool:
        return step.task is not None and bool(step.task.expected) and self.printed(call) == step.task.expected

    def failed(self, call: ToolCall) -> bool:
        """Whether the call got an error, or no answer."""
        answer = self.answers.get(call.id)
        return answer is None or observation_failed(answer.content or "")

    def writes(self, call: ToolCall) -> bool:
        """Whether the call changes the world, by annotation or name; the workspace of code is not of it."""
        if call.name in CODE_TOOLS:
            return False
        tool = self.tools.get(call.name)
        return not is_read_only(call.name, {call.name: tool.read_only if tool else None})


Rule = Callable[[Case], str | None]
"""A reason to reject, or None."""


def reported(case: Case, entry: str) -> JsonValue:
    """The value at `step.path` in what was observed, of what a program printed its result, or None."""
    step_id, _, path = entry.partition(".")
    try:
        value = value_at(case.outputs[step_id], path)
    except KeyError:
        return None
    return result_line(value) if path == "stdout" and isinstance(value, str) else value


def mentions(text: str, value: JsonValue) -> bool:
    """Whether the text holds the value: numbers by value, other things by their words."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return any(_is_number(number, value) for number in numbers(text))
    if isinstance(value, str) and (value in text or json.dumps(value)[1:-1] in text):
        return True
    words = normalise(str(value))
    return bool(words) and words in normalise(text)


def numbers(text: str) -> list[str]:
    """All numbers in a text, without separators of thousands."""
    return re.findall(r"-?\d+(?:\.\d+)?", re.sub(r"(?<=\d),(?=\d{3}\b)", "", text))


def _is_number(written: str, value: float) -> bool:
    try:
        return abs(float(written) - value) < 1e-9
    except OverflowError:  # an integer that no float can hold
        return written == str(value)


def _carries_out(call: ToolCall, step: Step, arguments: JsonValue) -> bool:
    return call.name == step.tool_id and (step.task is not None or parse_object(call.arguments) == arguments)
