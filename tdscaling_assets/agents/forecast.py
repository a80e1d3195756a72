"""Blueprints in, the model calls that their conversations will take out, before any is made.

Calls follow from the topology; tokens are sizes of what will be sent, at four characters a token, with the outputs that
the dry run saw. Where past calls of the same role and model are known, their means say more.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tdscaling_assets.llm.protocol import CHARACTERS_PER_TOKEN
from tdscaling_assets.prompts import template_size
from tdscaling_assets.schema import Blueprint, Role, Tool, function_schema

_SPOKEN, _HINT = 160, 300  # characters of one utterance, and of one private hint. Our own numbers


class Load(NamedTuple):
    """So many calls of one role, with tokens of all of them together."""

    calls: int = 0
    prompt_tokens: float = 0.0
    completion_tokens: float = 0.0

    def plus(self, prompt: float, completion: float) -> "Load":
        """One more call, with sizes in characters."""
        return Load(
            self.calls + 1,
            self.prompt_tokens + prompt / CHARACTERS_PER_TOKEN,
            self.completion_tokens + completion / CHARACTERS_PER_TOKEN,
        )


def forecast(blueprints: Sequence[Blueprint], tools: Mapping[str, Tool], judged: bool) -> dict[Role, Load]:
    """The load on each role that will speak, planner included; a judge hears every conversation once."""
    loads: defaultdict[Role, Load] = defaultdict(Load)
    for blueprint in blueprints:
        _add_conversation(loads, blueprint, tools, judged)
    return dict(loads)


def _add_conversation(
    loads: defaultdict[Role, Load], blueprint: Blueprint, tools: Mapping[str, Tool], judged: bool
) -> None:
    outputs = {call.step_id: len(json.dumps(call.output)) for call in blueprint.expected_calls}
    offered = sum(len(json.dumps(function_schema(tools[tool_id]))) for tool_id in blueprint.tool_ids)
    system = template_size("assistant") + offered + _HINT
    said = 0
    loads["planner"] = loads["planner"].plus(template_size("planner") + _HINT, 2 * _SPOKEN)
    for turn in blueprint.turns:
        loads["user"] = loads["user"].plus(template_size("user") + _HINT + _SPOKEN, _SPOKEN)
        said += _SPOKEN
        for group in turn.groups:
            steps = [blueprint.step(step_id) for step_id in group]
            for _ in range(1 + any(step.fault for step in steps)):
                calls = sum(_SPOKEN + len(json.dumps([*step.arguments])) for step in steps)
                loads["assistant"] = loads["assistant"].plus(system + said, calls)
                said += calls + sum(outputs.get(step.step_id, _SPOKEN) for step in steps)
            for step in steps:
                if tools[step.tool_id].executor == "simulated":
                    schema = len(json.dumps(tools[step.tool_id].output_schema or {}))
                    loads["environment"] = loads["environment"].plus(
                        template_size("environment") + schema + said, max(_SPOKEN, schema / 2)
                    )
        loads["assistant"] = loads["assistant"].plus(system + said, _SPOKEN)
        said += _SPOKEN
    if judged:
        loads["judge"] = loads["judge"].plus(template_size("judge") + said, _SPOKEN)
