"""Where a conversation stands in, the private hint for the next speaker out: JSON with every value resolved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from tdscaling_assets.code_tasks import result_line
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import Binding, Blueprint, JsonObject, Step, Tool, ToolCall, Turn, parse_object
from tdscaling_assets.text import identifier_words


class OffPlanError(Exception):
    """The conversation can no longer follow its blueprint; the message says where it left it."""


@dataclass
class Progress:
    """Which steps have been done, with what output, and which failed at their first attempt."""

    blueprint: Blueprint
    outputs: dict[str, JsonValue] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def pending(self, turn: Turn) -> tuple[Step, ...]:
        """The steps still to do of the turn's first unfinished group."""
        for group in turn.groups:
            steps = tuple(self.blueprint.step(step_id) for step_id in group if step_id not in self.outputs)
            if steps:
                return steps
        return ()

    def missed(self, turn: Turn) -> list[str]:
        """Tools of the turn's required steps that were not done."""
        steps = [self.blueprint.step(step_id) for group in turn.groups for step_id in group]
        return [step.tool_id for step in steps if step.step_id not in self.outputs and not step.optional]

    def match(self, call: ToolCall) -> Step | None:
        """The first open step, in the order of the turns, that this call carries out: same tool and same arguments,
        or any code for a code step."""
        arguments = parse_object(call.arguments)
        scheduled = (step_id for turn in self.blueprint.turns for group in turn.groups for step_id in group)
        for step in map(self.blueprint.step, scheduled):
            if step.step_id in self.outputs or step.tool_id != call.name or arguments is None:
                continue
            if step.task is not None or self._resolved(step) == arguments:
                return step
        return None

    def arguments(self, step: Step) -> JsonObject:
        """The step's arguments as they are now. Raises OffPlanError when an earlier output lacks a value."""
        return {name: self._value(step, binding) for name, binding in step.arguments.items()}

    def _resolved(self, step: Step) -> JsonObject | None:
        try:
            return self.arguments(step)
        except OffPlanError:
            return None

    def _value(self, step: Step, binding: Binding) -> JsonValue:
        if binding.kind == "literal":
            return binding.value
        if binding.kind == "user":
            return self.blueprint.facts[binding.fact]
        try:
            return value_at(self.outputs[binding.step], binding.path)
        except KeyError as error:
            raise OffPlanError(f"{step.tool_id} needs {binding.step}.{binding.path}, which was not observed") from error


def user_hint(blueprint: Blueprint, turn: Turn) -> JsonObject:
    """What the user says next: the intent, what it adds to the one before, and exactly the facts to reveal."""
    return {
        "role": "user",
        "do": turn.kind,
        "intent": turn.intent,
        "also": _added_wish(blueprint, turn),
        "reveals": {name: blueprint.facts[name] for name in turn.reveals},
    }


def _added_wish(blueprint: Blueprint, turn: Turn) -> str:
    """What a turn that goes on with the one before wants beyond it; a request says its whole intent anyway."""
    if turn.kind in ("request", "pivot"):
        return ""
    before = blueprint.turns[blueprint.turns.index(turn) - 1].intent
    return turn.intent.removeprefix(before).removeprefix(" and ").removeprefix("then ")


def assistant_hint(turn: Turn, progress: Progress, tools: Mapping[str, Tool]) -> JsonObject:
    """What the assistant does next: the pending calls of the turn, else its closing reply. Raises OffPlanError."""
    pending = progress.pending(turn)
    if pending:
        retry = any(step.step_id in progress.failed for step in pending)
        return {"role": "assistant", "do": "call", "retry": retry, "calls": [_call(step, progress) for step in pending]}
    if turn.reply == "clarify":
        return {"role": "assistant", "do": "clarify", "ask": list(turn.about)}
    if turn.reply == "decline":
        return {"role": "assistant", "do": "decline", "intent": turn.intent}
    if turn.reply == "confirm":
        step = progress.blueprint.step(turn.about[0])
        return {
            "role": "assistant",
            "do": "confirm",
            "action": _action(tools[step.tool_id], progress.arguments(step)),
            "call": _call(step, progress),
        }
    return {"role": "assistant", "do": "answer", "report": report_values(turn.about, progress.outputs)}


def report_values(about: Sequence[str], outputs: Mapping[str, JsonValue]) -> JsonObject:
    """Name → value of the `step.path` entries that can be told; of what a program printed, its result."""
    report: JsonObject = {}
    for entry in about:
        step_id, _, path = entry.partition(".")
        try:
            value = value_at(outputs[step_id], path)
        except KeyError:
            continue
        words = [part for part in path.split(".") if not part.isdecimal()]
        name = "result" if words == ["stdout"] else " ".join(identifier_words(words[-1])) if words else "result"
        while name in report:
            name = f"next {name}"
        report[name] = (result_line if path == "stdout" else str.strip)(value) if isinstance(value, str) else value
    return report


def _call(step: Step, progress: Progress) -> JsonObject:
    """The call that is due: with its arguments, or as a task with all that it works on."""
    task = step.task
    if task is None:
        return {"tool": step.tool_id, "arguments": progress.arguments(step)}
    try:
        rows = value_at(progress.outputs[task.step], task.path) if task.step else []
    except KeyError as error:
        raise OffPlanError(f"the code step needs {task.step}.{task.path}, which was not observed") from error
    told: JsonObject = {
        "instruction": task.instruction,
        "kind": task.kind,
        "stage": task.stage,
        "field": task.field,
        "rows": rows,
        "given": {name: progress.blueprint.facts[name] for name in task.facts},
    }
    return {"tool": step.tool_id, "task": told}


def _action(tool: Tool, arguments: JsonObject) -> str:
    details = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in arguments.items())
    verb = " ".join(identifier_words(tool.name))
    return f"{verb} ({details})" if details else verb
