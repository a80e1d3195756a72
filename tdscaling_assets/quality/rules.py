"""One conversation and its blueprint in, a reason to reject it out, or None. Each rule is flat guards, in funnel order.

A rule reads only what is stored, so a verdict can be reproduced from the lake.
"""

from collections import Counter

from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.measures import leaves
from tdscaling_assets.prompts import LEAK_MARKERS
from tdscaling_assets.quality.case import Case, Rule, mentions, reported
from tdscaling_assets.quality.code_rules import answered_from_sandbox, code_result_right
from tdscaling_assets.schema import CODE_TOOLS, canonical_json, parse_object


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
                if _telling(value) and not mentions(known, value) and canonical_json(value) not in allowed:
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
        if case.tools[call.tool_id].read_only is False and call.tool_id not in CODE_TOOLS
    ]
    if case.blueprint.expected_calls and made != wanted:
        return f"changes made: {[name for name, _ in made]}, expected: {[name for name, _ in wanted]}"
    return None


def answer_reports(case: Case) -> str | None:
    """Each closing answer tells at least one of the values it was to report."""
    for turn, (message, _) in zip(case.blueprint.turns, case.closings, strict=True):
        values = [value for entry in turn.about if (value := reported(case, entry)) is not None]
        if turn.reply == "answer" and values and not any(mentions(message.content or "", value) for value in values):
            return f"the answer names none of {values}: {(message.content or '')[:120]!r}"
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
    answered_from_sandbox,
    code_result_right,
    final_state,
)


def _telling(value: JsonValue) -> bool:
    return not isinstance(value, bool) and len(str(value)) >= 3
