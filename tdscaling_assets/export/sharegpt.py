"""Trajectories in, ShareGPT rows out: `conversations` of from/value, `tools` and `system`.

Trainers of this format want human or observation at even positions (from 0), gpt or function_call at odd ones, and
the model's word last. So parallel calls are one function_call holding a JSON list, their answers one observation
holding a JSON list; neighbours of one side are joined; text beside a call, for which the format has no place, and
what stands before the first human word or after the model's last is left out. The OpenAI files keep everything.
"""

import json
from collections.abc import Mapping, Sequence
from itertools import groupby

from tdscaling_assets.errors import TdsError
from tdscaling_assets.export.sound import find_fault
from tdscaling_assets.schema import JsonObject, Message, Tool, Trajectory, parse_object, parse_value

Turn = tuple[str, str]  # (from, value)
MODEL_SIDE = ("gpt", "function_call")


def sharegpt_row(trajectory: Trajectory, tools: Mapping[str, Tool], *, checked: bool = False) -> JsonObject:
    """`conversations`, `tools` (JSON text), `system`, `id`, `domain`, `mode`, `cac`. Raises TdsError on a fault,
    unless the caller has checked that `find_fault` finds none."""
    if not checked and (fault := find_fault(trajectory, tools)):
        raise TdsError(f"trajectory {trajectory.trajectory_id} cannot be exported: {fault}; leave it out")
    system = [message.content or "" for message in trajectory.messages if message.role == "system"]
    return {
        "conversations": [{"from": speaker, "value": value} for speaker, value in turns(trajectory.messages)],
        "tools": json.dumps([_definition(tools[name]) for name in trajectory.tools], ensure_ascii=False),
        "system": "\n\n".join(system),
        "id": trajectory.trajectory_id,
        "domain": trajectory.domain,
        "mode": ">".join(trajectory.mode),
        "cac": trajectory.cac,
    }


def turns(messages: Sequence[Message]) -> list[Turn]:
    """The conversation as alternating turns, from the first human word to the model's last."""
    spoken = [_turn(message) for message in messages if message.role != "system"]
    joined = [_join(list(group)) for _, group in groupby(spoken, lambda turn: turn[0] in MODEL_SIDE)]
    if joined and joined[0][0] in MODEL_SIDE:
        joined.pop(0)
    if joined and joined[-1][0] not in MODEL_SIDE:
        joined.pop()
    return joined


def _turn(message: Message) -> Turn:
    if message.role == "user":
        return "human", message.content or ""
    if message.role == "tool":
        return "observation", message.content or ""
    if message.tool_calls:
        calls = [{"name": call.name, "arguments": parse_object(call.arguments)} for call in message.tool_calls]
        return "function_call", json.dumps(calls[0] if len(calls) == 1 else calls, ensure_ascii=False)
    return "gpt", message.content or ""


def _join(side: list[Turn]) -> Turn:
    """One turn of neighbours on one side."""
    values = [value for _, value in side]
    if calls := [turn for turn in side if turn[0] == "function_call"]:
        return calls[-1]
    if len(side) > 1 and all(speaker == "observation" for speaker, _ in side):
        return "observation", json.dumps([parse_value(value) for value in values], ensure_ascii=False)
    return side[0][0], "\n\n".join(values)


def _definition(tool: Tool) -> JsonObject:
    return {"name": tool.tool_id, "description": tool.description, "parameters": tool.input_schema}
