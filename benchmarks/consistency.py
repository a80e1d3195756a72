"""Counts answers that were true and are taken for a contradiction: python benchmarks/consistency.py

Answers of the built-in services, which hold state, in conversations of the scripted teacher; and, where
../shared/data/trajectories is, those of the worlds of τ² retail, airline and telecom. Every answer is judged as if a
model had simulated it, without an output schema.
"""

import asyncio
import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from _timing import builtin_settings
from confirmed import REAL
from conversations import every, make_blueprints, open_library

from tdscaling_assets.agents.batch import run_batch
from tdscaling_assets.agents.consistency import collect_known, find_contradiction, read_exchanges, stated_facts
from tdscaling_assets.agents.conversation import Stage
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.schema import CODE_TOOLS, JsonObject, Message, Tool, ToolCall, Trajectory

BATCH = 300


def main() -> None:
    """One line per source, and the contradictions found."""
    with tempfile.TemporaryDirectory() as folder:
        settings = builtin_settings(Path(folder), concurrency=4, batch_size=BATCH)
        library = open_library(settings)
        blueprints = {one.blueprint_id: one for one in make_blueprints(library, settings) if runs_no_code(one.tool_ids)}
        stage = Stage(every(ScriptedTeacher(1.0)), library.tools, library.services, None, settings)
        held: list[Trajectory] = []

        async def keep(one: Trajectory) -> None:
            held.append(one)

        asyncio.run(run_batch([*blueprints.values()], stage, keep))
    stated = [stated_facts(blueprints[one.blueprint_id], library.tools) for one in held]
    show("built-in services", [one.messages for one in held], stated, library.tools)
    if (REAL / "tau2_openai.jsonl.gz").exists():
        talks = read_talks()
        names = {call.name for talk in talks for message in talk for call in message.tool_calls}
        show("τ²", talks, [[] for _ in talks], {name: nameless(name) for name in names})


def runs_no_code(tool_ids: Sequence[str]) -> bool:
    """Whether the conversation needs no sandbox."""
    return CODE_TOOLS.isdisjoint(tool_ids) and not any("query" in name or "tests" in name for name in tool_ids)


def show(
    source: str,
    talks: Sequence[Sequence[Message]],
    stated: Sequence[Sequence[JsonObject]],
    tools: Mapping[str, Tool],
) -> None:
    """How many successful answers there are, and what is said against them."""
    answers, complaints = 0, []
    for messages, facts in zip(talks, stated, strict=True):
        exchanges = read_exchanges(messages)
        for position, one in enumerate(exchanges):
            if one.failed or one.arguments is None or one.name not in tools:
                continue
            tool = tools[one.name].model_copy(update={"output_schema": None})
            known = collect_known(exchanges[:position], facts, tools, tool)
            complaint = find_contradiction(tool, one.arguments, one.answer, known)
            answers += 1
            complaints += [f"{one.name}: {complaint}"] if complaint else []
    print(f"{source}: {len(talks)} conversations, {answers} answers, {len(complaints)} taken for a contradiction")
    print("".join(f"  {complaint}\n" for complaint in complaints[:10]), end="")


def read_talks() -> list[list[Message]]:
    """The conversations of τ², with what is needed of each message."""
    with gzip.open(REAL / "tau2_openai.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [[read_message(raw) for raw in json.loads(line)["messages"]] for line in lines]


def read_message(raw: JsonObject) -> Message:
    """A message in OpenAI's wire format."""
    calls = raw.get("tool_calls")
    made = [
        ToolCall(id=call["id"], **{key: call["function"][key] for key in ("name", "arguments")})
        for call in (calls if isinstance(calls, list) else [])
    ]
    content, call_id = raw.get("content"), raw.get("tool_call_id")
    text = content if isinstance(content, str) else ""
    return Message.model_validate({"role": raw["role"], "content": text, "tool_calls": made, "tool_call_id": call_id})


def nameless(name: str) -> Tool:
    """A tool of which only the name is known."""
    rest = {"description": "", "input_schema": {"type": "object"}, "domain": "", "source": "", "content_hash": ""}
    return Tool.model_validate({"tool_id": name, "server": "τ²", "name": name, "executor": "simulated", **rest})


if __name__ == "__main__":
    main()
