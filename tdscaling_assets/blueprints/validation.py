"""A grounded blueprint in, the first reason why it is not well formed out, or None."""

from collections.abc import Iterator

import networkx as nx
from jsonschema import Draft202012Validator
from pydantic import JsonValue

from tdscaling_assets.blueprints.library import Library, purpose, required
from tdscaling_assets.blueprints.turns import told_before
from tdscaling_assets.paths import value_at
from tdscaling_assets.schema import Blueprint


def find_fault(blueprint: Blueprint, library: Library) -> str | None:
    """Checks schedule, acyclicity, facts, bindings, argument types, reports; the first failure as `reason: detail`."""
    return next((fault for check in _CHECKS for fault in check(blueprint, library)), None)


def _schedule(blueprint: Blueprint, library: Library) -> Iterator[str]:
    scheduled = [step_id for turn in blueprint.turns for group in turn.groups for step_id in group]
    if sorted(scheduled) != sorted(step.step_id for step in blueprint.steps):
        yield f"schedule: turns run {scheduled}, steps are {[step.step_id for step in blueprint.steps]}"
    for step in blueprint.steps:
        if step.tool_id not in blueprint.tool_ids:
            yield f"foreign_tool: {step.tool_id} is not offered"


def _dependencies(blueprint: Blueprint, library: Library) -> Iterator[str]:
    graph = nx.DiGraph()
    for step in blueprint.steps:
        needs = {binding.step for binding in step.arguments.values() if binding.kind == "output"}
        needs |= {source for source in (step.task.step, step.task.after) if source} if step.task else set()
        graph.add_edges_from((source, step.step_id) for source in needs)
    if not nx.is_directed_acyclic_graph(graph):
        yield "cycle: steps need each other's outputs"
        return
    done: set[str] = set()
    for group in (group for turn in blueprint.turns for group in turn.groups):
        for step_id in group:
            missing = set(graph.predecessors(step_id)) - done if step_id in graph else set()
            if missing:
                yield f"order: {step_id} runs before {sorted(missing)}"
        done |= set(group)


def _facts(blueprint: Blueprint, library: Library) -> Iterator[str]:
    known: set[str] = set()
    for turn in blueprint.turns:
        known |= set(turn.reveals)
        for step_id in (step_id for group in turn.groups for step_id in group):
            step = blueprint.step(step_id)
            needs = [(name, binding.fact) for name, binding in step.arguments.items() if binding.kind == "user"]
            needs += [("code", fact) for fact in step.task.facts] if step.task else []
            for name, fact in needs:
                if fact not in known:
                    yield f"unrevealed: {step_id}.{name} needs {fact}, which the user has not said"


def _questions(blueprint: Blueprint, library: Library) -> Iterator[str]:
    for index, turn in enumerate(blueprint.turns):
        for fact in turn.about if turn.reply == "clarify" else ():
            if fact in turn.reveals or told_before(blueprint, index + 1, fact):
                yield f"needless_question: {fact} is asked for when the user has said it"


def _leaves(blueprint: Blueprint, library: Library) -> Iterator[str]:
    known: set[str] = set()
    for turn in blueprint.turns:
        known |= {*turn.reveals, *(step_id for group in turn.groups for step_id in group)}
        for step_id in turn.about if turn.reply == "confirm" else ():
            needs = {binding.step or binding.fact for binding in blueprint.step(step_id).arguments.values()} - {""}
            if needs - known:
                yield f"early_leave: leave for {step_id} is asked before {sorted(needs - known)}, which it takes"


def _arguments(blueprint: Blueprint, library: Library) -> Iterator[str]:
    for step in blueprint.steps:
        if step.task is None:
            unbound = set(required(library.tools[step.tool_id])) - set(step.arguments)
            if unbound:
                yield f"unbound: {step.step_id} lacks {sorted(unbound)}"
    for call in blueprint.expected_calls:
        validator = Draft202012Validator(library.tools[call.tool_id].input_schema)
        problem = next(validator.iter_errors(call.arguments), None)
        if problem is not None:
            yield f"type: {call.step_id} {problem.json_path}: {problem.message[:200]}"


def _reports(blueprint: Blueprint, library: Library) -> Iterator[str]:
    outputs = {call.step_id: call.output for call in blueprint.expected_calls}
    done: set[str] = set()
    for turn in blueprint.turns:
        done |= {step_id for group in turn.groups for step_id in group}
        for entry in turn.about if turn.reply == "answer" and outputs else ():
            step_id, _, path = entry.partition(".")
            if step_id not in done or not _holds(outputs.get(step_id), path):
                yield f"unreportable: {entry} is not there when the answer is to tell it"


def _holds(output: JsonValue, path: str) -> bool:
    try:
        value_at(output, path)
    except KeyError:
        return False
    return True


def _refusals(blueprint: Blueprint, library: Library) -> Iterator[str]:
    offered = {purpose(library.tools[tool_id]) for tool_id in blueprint.tool_ids}
    for turn in blueprint.turns:
        if turn.reply == "decline" and turn.intent in offered:
            yield f"met_refusal: the assistant was to decline to {turn.intent}, but has the tool for it"


_CHECKS = (_schedule, _dependencies, _facts, _questions, _leaves, _arguments, _reports, _refusals)
