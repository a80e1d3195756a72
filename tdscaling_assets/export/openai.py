"""Trajectories in, OpenAI chat fine-tuning rows out: `messages`, `tools`, `domain`."""

from collections.abc import Mapping

from tdscaling_assets.errors import TdsError
from tdscaling_assets.export.sound import find_fault
from tdscaling_assets.schema import JsonObject, Tool, Trajectory, chat_messages, function_schema


def openai_row(trajectory: Trajectory, tools: Mapping[str, Tool], *, checked: bool = False) -> JsonObject:
    """`messages`, `tools`, `domain`, `id`, `mode` (labels joined by `>`), `cac`. Raises TdsError on a fault,
    unless the caller has checked that `find_fault` finds none.

    `content` is null only beside tool calls, the one place where trainers accept it.
    """
    if not checked and (fault := find_fault(trajectory, tools)):
        raise TdsError(f"trajectory {trajectory.trajectory_id} cannot be exported: {fault}; leave it out")
    messages = chat_messages(trajectory.messages)
    for message in messages:
        if message["content"] is None and "tool_calls" not in message:
            message["content"] = ""
    return {
        "messages": [*messages],
        "tools": [function_schema(tools[name]) for name in trajectory.tools],
        "domain": trajectory.domain,
        "id": trajectory.trajectory_id,
        "mode": ">".join(trajectory.mode),
        "cac": trajectory.cac,
    }
