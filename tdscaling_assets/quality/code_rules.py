"""The rules for code steps: the answer's result came out of the sandbox, was computed there, and is right.

A program that holds its result is found where it is plain to see: the result literally in its text though in nothing
that it was given, or a program that does nothing but print. What is hidden better is not found.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from tdscaling_assets.code_tasks import QUERY_SQLITE, result_line
from tdscaling_assets.measures import leaves
from tdscaling_assets.quality.case import Case, mentions, numbers
from tdscaling_assets.schema import CODE_TOOL, CODE_TOOLS, JsonObject, Message, Step, ToolCall, parse_object
from tdscaling_assets.text import normalise

_SHORTEST = 4
"""Characters from which a result stands in no program by chance."""
_VERDICT = re.compile(r"(\d+) passed(, \d+ failed)?")
_WORKING = (ast.BinOp, ast.BoolOp, ast.Compare, ast.comprehension, ast.For, ast.While, ast.Subscript, ast.Attribute)


def answered_from_sandbox(case: Case) -> str | None:
    """The answer that reports a code step tells a result that a call of the sandbox printed, once it had what the step
    works on, and did not merely hold."""
    for step in _last_steps(case):
        call = case.carried.get(step.step_id)
        if call is None:
            return f"no {step.tool_id} gave what the answer reports"
        result, answer = case.printed(call), _answer(case, step)
        if answer is None or not _tells(answer.content or "", result):
            return f"the answer does not tell {result[:100]!r}, which the sandbox printed"
        if not _inputs_at(case, step) < _place(case, case.answers[call.id]) < _place(case, answer):
            return f"the sandbox printed {result[:100]!r} before it had what to work on, or after the answer"
        problem = _held(case, call, result) or _unrepaired(case, step)
        if problem is not None:
            return problem
    return None


def code_result_right(case: Case) -> str | None:
    """The sandbox printed the result that was known beforehand."""
    for step in _last_steps(case):
        call, expected = case.carried.get(step.step_id), step.task.expected if step.task else ""
        printed = case.printed(call) if call else ""
        if printed != result_line(expected):
            return f"the code printed {printed[:100]!r} instead of {expected!r}"
    return None


def _last_steps(case: Case) -> list[Step]:
    """Of each code step, the call that prints its result."""
    return [step for step in case.blueprint.steps if step.task is not None and step.task.expected]


def _answer(case: Case, step: Step) -> Message | None:
    """The assistant's last message of the turn that reports the step."""
    return next(
        (
            message
            for turn, (message, _) in zip(case.blueprint.turns, case.closings, strict=False)
            if f"{step.step_id}.stdout" in turn.about
        ),
        None,
    )


def _inputs_at(case: Case, step: Step) -> int:
    """Place of the message with which the last of what the step works on was there."""
    messages, task = case.trajectory.messages, step.task
    said = [place for place, message in enumerate(messages) if message.role == "user"]
    needed = set(task.facts) if task else set()
    places = [place for place, turn in zip(said, case.blueprint.turns, strict=False) if needed & set(turn.reveals)]
    if task is not None and task.step in case.carried:
        places.append(_place(case, case.answers[case.carried[task.step].id]))
    return max(places, default=0)


def _place(case: Case, message: Message) -> int:
    return next(place for place, one in enumerate(case.trajectory.messages) if one is message)


def _tells(text: str, result: str) -> bool:
    """Whether the text tells the whole result: a number by value, a verdict by its counts, other things by their words
    in order."""
    if not result:
        return False
    if numbers(result) == [result]:
        return mentions(text, float(result))
    verdict = _VERDICT.fullmatch(result)
    if verdict and not verdict[2]:
        return re.search(rf"\b{verdict[1]}( \w+){{0,4}} pass", normalise(text)) is not None
    return result in text or f" {normalise(result)} " in f" {normalise(text)} "


# ── what merely holds its result ─────────────────────────────────────────────────────────────────────────────


def _held(case: Case, call: ToolCall, result: str) -> str | None:
    if call.name == CODE_TOOL and not _computes(_text(call, "code")):
        return f"the program that printed {result[:100]!r} computes nothing"
    if call.name == QUERY_SQLITE and "from" not in normalise(_text(call, "sql")).split():
        return f"the query that gave {result[:100]!r} reads nothing"
    if len(result) < _SHORTEST or _VERDICT.fullmatch(result) or not any(map(float, numbers(result) or ["1"])):
        return None
    before = case.trajectory.messages[: _place(case, case.answers[call.id])]
    given = [message for message in before if message.role in ("user", "tool") and message.name not in CODE_TOOLS]
    known = "\n".join(message.content or "" for message in given)
    if _stands_in(result, known) or (numbers(result) == [result] and mentions(known, float(result))):
        return None
    if any(_stands_in(result, text) for message in before for call in message.tool_calls for text in _programs(call)):
        return f"the code holds its result {result[:100]!r} literally, which nothing that it was given does"
    return None


def _programs(call: ToolCall) -> Iterator[str]:
    """The texts that a call of a code tool has run or leaves to be run; tests may name results."""
    if call.name not in CODE_TOOLS:
        return
    arguments = parse_object(call.arguments) or {}
    if not PurePosixPath(str(arguments.get("path", ""))).name.startswith("test_"):
        yield from (str(leaf) for leaf in leaves(arguments))


def _stands_in(result: str, text: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(result)}(?![\w]|\.\d)", text) is not None


def _computes(code: str) -> bool:
    """Whether the program does more than to print values; one that cannot be parsed is taken to."""
    try:
        nodes = list(ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    called = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
    return bool(called - {"print"}) or any(isinstance(node, _WORKING) for node in nodes)


# ── repairs ──────────────────────────────────────────────────────────────────────────────────────────────────


def _unrepaired(case: Case, last: Step) -> str | None:
    """Where tests were to fail before they pass: whether they did, and the same tests."""
    stages = [step for step in case.blueprint.steps if step.task and last.task and step.task.kind == last.task.kind]
    failing = next((step for step in stages if step.task and step.task.fails), None)
    if failing is None:
        return None
    if failing.step_id not in case.carried:
        return "the tests were not seen to fail before they passed"
    before, after = _outcomes(case, failing), _outcomes(case, last)
    lost = sorted(name for name in before if after.get(name) != "passed")
    if lost:
        return f"tests that were to pass did not, or are gone: {lost}"
    given = [_arguments_of(case, step) for step in stages]
    tests = {_path(one): str(one.get("content")) for one in given if _path(one).startswith("test_")}
    for call in case.calls:
        written = (parse_object(call.arguments) or {}) if call.name in CODE_TOOLS else {}
        path, content = _path(written), str(written.get("content", ""))
        if content and path in tests and content.split() != tests[path].split():
            return f"{path} was changed, and not the code that it tests"
    return None


def _outcomes(case: Case, step: Step) -> dict[str, str]:
    """Test → outcome in the verdict of a run of the tests."""
    told = case.outputs[step.step_id]
    verdict = parse_object(str(told.get("stdout", ""))) if isinstance(told, dict) else None
    tests = (verdict or {}).get("tests")
    return {
        str(test.get("test")): str(test.get("outcome"))
        for test in (tests if isinstance(tests, list) else ())
        if isinstance(test, dict)
    }


def _arguments_of(case: Case, step: Step) -> JsonObject:
    """The arguments of the reference solution's call."""
    return next(call.arguments for call in case.blueprint.expected_calls if call.step_id == step.step_id)


def _path(arguments: JsonObject) -> str:
    return PurePosixPath(str(arguments.get("path", ""))).name


def _text(call: ToolCall, name: str) -> str:
    return str((parse_object(call.arguments) or {}).get(name, ""))
