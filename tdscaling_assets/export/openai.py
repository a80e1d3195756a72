"""Trajectories in, OpenAI chat fine-tuning rows out: one JSON object per line with `messages`, `tools`, `domain`."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from tdscaling_assets.errors import TdsError
from tdscaling_assets.export.sound import find_fault
from tdscaling_assets.schema import JsonObject, Tool, Trajectory, chat_messages, function_schema


def write_openai(path: Path, trajectories: Iterable[Trajectory], tools: Mapping[str, Tool]) -> int:
    """Write one line per trajectory, in the order given; returns the number of lines. Raises TdsError on a fault."""
    return write_lines(path, (openai_row(trajectory, tools) for trajectory in trajectories))


def openai_row(trajectory: Trajectory, tools: Mapping[str, Tool]) -> JsonObject:
    """`messages`, `tools`, `domain`, `id`, `mode` (labels joined by `>`), `cac`. Raises TdsError on a fault.

    `content` is null only beside tool calls, the one place where trainers accept it.
    """
    if fault := find_fault(trajectory, tools):
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


def write_lines(path: Path, rows: Iterable[JsonObject]) -> int:
    """Write rows as JSON lines in UTF-8; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    return count
