"""A blueprint in, what must happen out: every call with its answer, the final digest, the mode and the complexity.

Where every tool is executable this is a dry run on a fresh world. Elsewhere outputs are examples of the tool's
output schema, and only the structural measures (mode, complexity) are kept.
"""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.blueprints.library import Library
from tdscaling_assets.code_tasks import KINDS, Material
from tdscaling_assets.examples import example_object
from tdscaling_assets.measures import action_complexity, reasoning_labels, reasoning_mode
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import (
    Binding,
    Blueprint,
    CodeTask,
    ExpectedCall,
    JsonObject,
    Message,
    Step,
    ToolCall,
    digest,
)
from tdscaling_assets.services.world import World
from tdscaling_assets.settings import CacWeights

_REPLIES = {
    "answer": "Here is the result.",
    "clarify": "What is the missing detail?",
    "confirm": "Shall I go ahead?",
    "decline": "I'm sorry, I can't do that.",
}


class DryRunError(Exception):
    """The topology does not run: `reason` is a word for counting, the message says what happened."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class Rehearsal:
    """A grounded blueprint, the call of each step in the order in which they run, and the world as each step left it:
    `worlds[k]` is that after k calls. None of them may be changed: call on a fork."""

    blueprint: Blueprint
    calls: Mapping[str, ExpectedCall]
    worlds: Sequence[World]

    @property
    def world(self) -> World:
        """The world as the last step left it."""
        return self.worlds[-1]

    @property
    def outputs(self) -> dict[str, JsonValue]:
        """Step id → what its call returned."""
        return {step_id: call.output for step_id, call in self.calls.items()}


def rehearse(
    blueprint: Blueprint, library: Library, weights: CacWeights, earlier: Rehearsal | None = None
) -> Rehearsal:
    """Run every step in order; the blueprint gains calls, digest, target mode and target CAC. Raises DryRunError.

    What the blueprint's start has in common with an earlier rehearsal is not run again; the result is the same.
    """
    calls, worlds = replay(blueprint, library, earlier)
    ideal = _ideal_messages(blueprint, calls)
    executable = library.executable([call.tool_id for call in calls.values()])
    read_only = {tool_id: library.tools[tool_id].read_only for tool_id in blueprint.tool_ids}
    grounded = blueprint.model_copy(
        update={
            "expected_calls": tuple(calls.values()) if executable else (),
            "expected_digest": worlds[-1].digest() if executable else None,
            "target_mode": reasoning_mode(reasoning_labels(ideal, read_only)),
            "target_cac": action_complexity(ideal, weights),
        }
    )
    return Rehearsal(grounded, calls, worlds)


def replay(
    blueprint: Blueprint, library: Library, earlier: Rehearsal | None = None
) -> tuple[dict[str, ExpectedCall], list[World]]:
    """Every step in the order of the turns, from a fresh world on: the calls by step id, and the world before the first
    and after each of them. Raises DryRunError."""
    _check_offered(blueprint, library)
    worlds = [library.world(blueprint.services, blueprint.world_seed)]
    worlds[0].digest()  # the states that follow then digest only the tables that they change
    made = _calls_in_same_world(blueprint, earlier)
    calls: dict[str, ExpectedCall] = {}
    outputs: dict[str, JsonValue] = {}
    for step_id in (name for turn in blueprint.turns for group in turn.groups for name in group):
        step = blueprint.step(step_id)
        if step.task is not None:  # runs outside the world
            made = made[1:] if made and made[0][0].step_id == step_id else made
            call, world = run_step(blueprint, step, outputs, library, worlds[-1]), worlds[-1]
        elif made and _is_same(made[0][0], step, blueprint.facts, outputs):
            call, world = made.pop(0)
        else:
            made, world = [], worlds[-1].fork()
            call = run_step(blueprint, step, outputs, library, world)
        calls[step_id], outputs[step_id] = call, call.output
        worlds.append(world)
    return calls, worlds


def run_step(
    blueprint: Blueprint, step: Step, outputs: Mapping[str, JsonValue], library: Library, world: World
) -> ExpectedCall:
    """One step on the world, its arguments resolved from facts and earlier outputs. Raises DryRunError."""
    tool = library.tools[step.tool_id]
    if step.task is not None:
        return _code_call(step, step.task, blueprint.facts, outputs)
    arguments = resolve(step.arguments, blueprint.facts, outputs)
    if tool.executor != "builtin":
        problem = next(Draft202012Validator(tool.input_schema).iter_errors(arguments), None)
        if problem is not None:
            raise DryRunError("invalid_arguments", f"{tool.tool_id} {problem.json_path}: {problem.message[:200]}")
        rng = random.Random(digest(tool.tool_id, arguments))
        output: JsonValue = example_object(tool.output_schema or {}, arguments, rng)
        return ExpectedCall(step_id=step.step_id, tool_id=tool.tool_id, arguments=arguments, output=output)
    result = world.call(tool.server, tool.name, arguments)
    if not result.ok:
        raise DryRunError(
            "world_refused", f"{step.tool_id} refused {json.dumps(arguments)}: {json.dumps(result.value)}"
        )
    return ExpectedCall(step_id=step.step_id, tool_id=tool.tool_id, arguments=arguments, output=result.value)


def resolve(arguments: Mapping[str, Binding], facts: JsonObject, outputs: Mapping[str, JsonValue]) -> JsonObject:
    """Arguments with every binding replaced by its value. Raises DryRunError when a value is not there."""
    return {name: _resolve_one(name, binding, facts, outputs) for name, binding in arguments.items()}


def _check_offered(blueprint: Blueprint, library: Library) -> None:
    """DryRunError where a tool or a service is there no more, as may be for one that stems from an earlier batch."""
    gone = [
        *(tool_id for tool_id in blueprint.tool_ids if tool_id not in library.tools),
        *(name for name in blueprint.services if name not in library.services),
    ]
    if gone:
        raise DryRunError("tool_gone", f"{', '.join(gone)}: no longer in the catalog")


def _calls_in_same_world(blueprint: Blueprint, earlier: Rehearsal | None) -> list[tuple[ExpectedCall, World]]:
    """The calls of an earlier rehearsal, each with the world that it left, if that began in the same world."""
    if earlier is None:
        return []
    before = earlier.blueprint
    if (before.services, before.world_seed) != (blueprint.services, blueprint.world_seed):
        return []
    return list(zip(earlier.calls.values(), earlier.worlds[1:], strict=True))


def _is_same(call: ExpectedCall, step: Step, facts: JsonObject, outputs: Mapping[str, JsonValue]) -> bool:
    """Whether the step makes this very call."""
    same = (call.step_id, call.tool_id) == (step.step_id, step.tool_id)
    return same and call.arguments == resolve(step.arguments, facts, outputs)


def _code_call(step: Step, task: CodeTask, facts: JsonObject, outputs: Mapping[str, JsonValue]) -> ExpectedCall:
    """A call of a code step as the reference solution makes it; it prints what is known beforehand, and is not run."""
    kind = KINDS.get(task.kind)
    if kind is None or task.stage >= len(kind.calls) or kind.calls[task.stage].tool_id != step.tool_id:
        raise DryRunError("no_task", f"{step.step_id} is no call {task.stage} of a code step of kind {task.kind!r}")
    call, material = kind.calls[task.stage], task_material(step.step_id, task, facts, outputs)
    if material.rows and kind.fields and task.field not in kind.fields(material.rows):
        raise DryRunError(
            "unfit_rows", f"{step.step_id} cannot {task.kind} over {task.field!r} of the rows as they are"
        )
    if task.expected and task.expected != kind.solve(material):
        raise DryRunError("other_result", f"{step.step_id} gives {kind.solve(material)!r}, not {task.expected!r}")
    output: JsonObject = {
        "exit_code": int(call.fails),
        "stdout": f"{task.expected}\n" if task.expected else "",
        "created": [*call.creates],
    }
    return ExpectedCall(step_id=step.step_id, tool_id=step.tool_id, arguments=call.arguments(material), output=output)


def task_material(step_id: str, task: CodeTask, facts: JsonObject, outputs: Mapping[str, JsonValue]) -> Material:
    """The rows, or what the user gives, that a code step works on. Raises DryRunError when they are not there."""
    missing = [name for name in task.facts if name not in facts]
    if missing:
        raise DryRunError("missing_output", f"{step_id} needs {missing}, which the user does not know")
    given = {name: facts[name] for name in task.facts}
    if not task.step:
        return Material(facts=given)
    try:
        value = value_at(outputs[task.step], task.path)
    except KeyError as error:
        raise DryRunError("missing_output", f"{step_id} needs {task.step}.{task.path}") from error
    rows = tuple(row for row in value if isinstance(row, dict)) if isinstance(value, list) else ()
    if not rows or any(task.field not in row for row in rows):
        raise DryRunError("missing_output", f"{step_id} needs rows with {task.field!r}")
    return Material(field=task.field, rows=rows, facts=given)


def _resolve_one(name: str, binding: Binding, facts: JsonObject, outputs: Mapping[str, JsonValue]) -> JsonValue:
    if binding.kind == "literal":
        return binding.value
    try:
        if binding.kind == "user":
            return facts[binding.fact]
        return value_at(outputs[binding.step], binding.path)
    except KeyError as error:
        source = binding.fact or f"{binding.step}.{binding.path}"
        raise DryRunError("missing_output", f"argument {name} needs {source}, which is not there") from error


def _ideal_messages(blueprint: Blueprint, calls: Mapping[str, ExpectedCall]) -> list[Message]:
    """The conversation in which everybody does what the blueprint says, in the fewest words."""
    messages: list[Message] = []
    for turn in blueprint.turns:
        known = json.dumps([blueprint.facts[fact] for fact in turn.reveals])
        messages.append(Message(role="user", content=f"{turn.intent} {known.replace(',', ' ')}"))
        for group in turn.groups:
            fault = next((blueprint.step(step_id).fault for step_id in group if blueprint.step(step_id).fault), None)
            if fault:
                messages += _exchange([calls[step_id] for step_id in group], fault)
            messages += _exchange([calls[step_id] for step_id in group])
        messages.append(Message(role="assistant", content=_REPLIES[turn.reply]))
    return messages


def _exchange(calls: list[ExpectedCall], fault: str | None = None) -> list[Message]:
    """The calls of a group in one message and their answers; with a fault, every answer is that."""
    suffix = "-failed" if fault else ""
    asked = tuple(
        ToolCall(id=call.step_id + suffix, name=call.tool_id, arguments=json.dumps(call.arguments)) for call in calls
    )
    answers = [
        Message(
            role="tool",
            tool_call_id=call.step_id + suffix,
            content=json.dumps({"error": fault} if fault else call.output),
        )
        for call in calls
    ]
    return [Message(role="assistant", tool_calls=asked), *answers]
