"""Blueprints in, the model calls that their conversations will take out, before any is made.

Calls follow from the topology; tokens are sizes of what will be sent, at four characters a token, with the outputs that
the dry run saw. Where past calls of the same role and model are known, their means say more.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tdscaling_assets.llm.prices import price
from tdscaling_assets.llm.protocol import CHARACTERS_PER_TOKEN
from tdscaling_assets.llm.teacher import ScriptedTeacher
from tdscaling_assets.prompts import template_size
from tdscaling_assets.schema import Blueprint, Role, Tool, function_schema
from tdscaling_assets.settings import Settings
from tdscaling_assets.storage.replies import RoleCost

_SPOKEN, _HINT = 160, 300  # characters of one utterance, and of one private hint. Our own numbers

ENOUGH_CALLS = 20
"""Past calls of a role and model from which their means are believed."""
_FRAME = 40  # characters of JSON around one message, as a judge hears it. Our own number
_JSON_DENSITY = 4 / 3  # tokens of JSON to those of prose of the same length. Our own number


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


def measured_cost(role: Role, settings: Settings, past: Mapping[tuple[str, str], RoleCost]) -> RoleCost | None:
    """What past calls of the role's model cost, where there are enough of them."""
    seen = past.get((role, settings.role_model(role)))
    return seen if seen is not None and seen.calls >= ENOUGH_CALLS else None


def expected_usd(role: Role, load: Load, settings: Settings, past: Mapping[tuple[str, str], RoleCost]) -> float | None:
    """USD of the load at what past calls cost, else by its size; None where the price is unknown."""
    model, seen = settings.role_model(role), measured_cost(role, settings, past)
    if seen is not None:
        return None if seen.usd is None else load.calls * seen.usd
    return 0.0 if model == ScriptedTeacher.name else price(model, load.prompt_tokens, load.completion_tokens, settings)


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
        messages = 1 + len(blueprint.turns) + blueprint.planned_messages + len(blueprint.steps)
        heard = _JSON_DENSITY * (template_size("assistant") + said + _FRAME * messages)
        loads["judge"] = loads["judge"].plus(template_size("judge") + heard, _SPOKEN)
