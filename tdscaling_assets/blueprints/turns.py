"""Small edits that operators share: a turn replaced, a request enlarged, a new step's id, what an answer reports."""

import random
from collections.abc import Sequence

from pydantic import JsonValue

from tdscaling_assets.blueprints.rehearsal import DryRunError
from tdscaling_assets.measures import leaves
from tdscaling_assets.schema import Blueprint, ExpectedCall, JsonObject, Step, Tool, Turn

REPORTED = 3
"""Most values of one call that an answer reports."""


def with_turn(
    blueprint: Blueprint,
    index: int,
    turns: tuple[Turn, ...],
    step: Step | None = None,
    facts: JsonObject | None = None,
) -> Blueprint:
    """The blueprint with turn `index` replaced by `turns`, and a step and facts added."""
    return blueprint.model_copy(
        update={
            "turns": (*blueprint.turns[:index], *turns, *blueprint.turns[index + 1 :]),
            "steps": (*blueprint.steps, step) if step else blueprint.steps,
            "facts": {**blueprint.facts, **(facts or {})},
        }
    )


def enlarge_request(
    blueprint: Blueprint,
    index: int,
    asked: str,
    groups: Sequence[Sequence[Step]],
    facts: JsonObject,
    about: tuple[str, ...],
    place: tuple[int, int] | None = None,
) -> Blueprint:
    """More groups of steps in the request that is answered in turn `index`, at its end or at a place (turn, cut) of it;
    that answer reports `about`.

    The request asks for it from the start, and gives the facts that it needs.
    """
    opening = opening_of(blueprint, index)
    turns = list(blueprint.turns)
    for one in range(opening, index + 1):
        turns[one] = turns[one].model_copy(update={"intent": f"{turns[one].intent} and {asked}"})
    new = tuple(name for name in facts if name not in blueprint.facts)
    turns[opening] = turns[opening].model_copy(update={"reveals": (*turns[opening].reveals, *new)})
    turns[index] = turns[index].model_copy(update={"about": (*turns[index].about, *about)})
    place = place or (index, len(turns[index].groups))
    turns[place[0]] = with_groups(turns[place[0]], place[1], groups)
    return blueprint.model_copy(
        update={
            "turns": tuple(turns),
            "steps": (*blueprint.steps, *(step for group in groups for step in group)),
            "facts": {**blueprint.facts, **facts},
        }
    )


def with_groups(turn: Turn, cut: int, groups: Sequence[Sequence[Step]]) -> Turn:
    """The turn with more groups of steps after its first `cut`."""
    added = (tuple(step.step_id for step in group) for group in groups)
    return turn.model_copy(update={"groups": (*turn.groups[:cut], *added, *turn.groups[cut:])})


def told_before(blueprint: Blueprint, index: int, fact: str) -> bool:
    """Whether the user has said the fact's text, under whatever name, before turn `index`."""
    value = blueprint.facts[fact]
    said = [blueprint.facts[name] for turn in blueprint.turns[:index] for name in turn.reveals]
    return isinstance(value, str) and value in said


def opening_of(blueprint: Blueprint, index: int) -> int:
    """Index of the request, or change of mind, that turn `index` serves."""
    return max(place for place in range(index + 1) if blueprint.turns[place].kind in ("request", "pivot"))


def next_step_id(steps: Sequence[Step], more: int = 0) -> str:
    """`s1`, `s2`, ...: the first id not taken, once `more` steps have been added."""
    return f"s{len(steps) + more + 1}"


def report_paths(call: ExpectedCall, tool: Tool, rng: random.Random, most: int = REPORTED) -> tuple[str, ...]:
    """Up to `most` `step.path` of scalars worth telling the user, those that the call was not given first.

    None where the tool does not say what it returns. Raises DryRunError when it says so and returned nothing.
    """
    given = {str(leaf) for leaf in leaves(call.arguments)}
    paths = _scalar_paths(call.output, "")
    if not paths and tool.output_schema:
        raise DryRunError("empty_result", f"{call.step_id} returns nothing to report")
    news = [path for path, value in paths if str(value) not in given] or [path for path, _ in paths]
    chosen = sorted(rng.sample(range(len(news)), min(most, len(news))))
    return tuple(f"{call.step_id}.{news[index]}" for index in chosen)


def _scalar_paths(value: JsonValue, prefix: str, depth: int = 0) -> list[tuple[str, JsonValue]]:
    """Dotted paths and values of scalars, in objects and the first row of lists, three levels deep."""
    if isinstance(value, list):
        value = {"0": value[0]} if value else {}
    if not isinstance(value, dict):
        return [(prefix, value)] if value is not None and value != "" else []
    if depth > 2:
        return []
    return [
        found
        for key, item in value.items()
        if key and "." not in key
        for found in _scalar_paths(item, f"{prefix}.{key}".strip("."), depth + 1)
    ]
