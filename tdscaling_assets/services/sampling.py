"""Plausible argument values for a parameter in a given state: what a user could know, or would naturally say."""

import random
from typing import Any

from pydantic import JsonValue

from tdscaling_assets.services.engine import state_names
from tdscaling_assets.services.expressions import evaluate_each
from tdscaling_assets.services.functions import at_time, days_after
from tdscaling_assets.services.grammar import ParameterSpec, ServiceSpec
from tdscaling_assets.services.state import State

ODD = 0.1  # share of samples that ignore a parameter's `when`, so that refusals occur


def candidate_values(spec: ServiceSpec, parameter: ParameterSpec, state: State, plausible: bool = True) -> list[Any]:
    """Distinct values of the field a parameter refers to, only of rows its `when` accepts (all, when none is)."""
    if not parameter.ref:
        return []
    entity, _, field = parameter.ref.rpartition(".")
    rows = state.rows(spec.table(entity))
    if parameter.when and plausible:
        keep = evaluate_each(parameter.when, rows, state_names(spec, state))
        rows = [row for row, kept in zip(rows, keep, strict=True) if kept] or rows
    return list(dict.fromkeys(row[field] for row in rows if row[field] is not None))


def sample_value(spec: ServiceSpec, parameter: ParameterSpec, state: State, rng: random.Random) -> JsonValue:
    """One value: from the state, else from the enum, examples, range or type."""
    known = candidate_values(spec, parameter, state, plausible=rng.random() >= ODD)
    if known:
        chosen: JsonValue = rng.choice(known)
        return chosen
    target = spec.field(parameter.ref) if parameter.ref else parameter
    if target.enum:
        return rng.choice(target.enum)
    if parameter.examples:
        return rng.choice(parameter.examples)
    return _typed_sample(spec, parameter, state, rng)


def _typed_sample(spec: ServiceSpec, parameter: ParameterSpec, state: State, rng: random.Random) -> JsonValue:
    match parameter.type:
        case "list":
            return _sample_list(spec, parameter, state, rng)
        case "boolean":
            return rng.random() < 0.5
        case "date":
            return days_after(state.now, rng.randint(*parameter.from_now))
        case "datetime":
            day = days_after(state.now, rng.randint(*parameter.from_now))
            return at_time(day, f"{rng.randint(8, 17):02d}:{rng.choice(('00', '30'))}")
        case "integer":
            return rng.randint(*map(int, _limits(parameter)))
        case "money" | "number":
            low, high = _limits(parameter)
            return min(high, max(low, round(rng.uniform(low, high) * 2) / 2))
        case _:
            return ""  # a field of an empty table: nothing to name


def _limits(parameter: ParameterSpec) -> tuple[float, float]:
    low = parameter.minimum or 0
    return low, parameter.maximum if parameter.maximum is not None else low + 100


def _sample_list(spec: ServiceSpec, parameter: ParameterSpec, state: State, rng: random.Random) -> JsonValue:
    size = rng.randint(parameter.min_items, parameter.max_items)
    items: list[JsonValue] = []
    taken: set[str] = set()
    for _ in range(4 * size):
        item: dict[str, Any] = {
            name: sample_value(spec, inner, state, rng)
            for name, inner in parameter.items.items()
            if _wanted(inner, rng)
        }
        identity = str([value for name, value in item.items() if parameter.items[name].ref] or len(items))
        if identity not in taken and len(items) < size:
            taken.add(identity)
            items.append(item)
    return items


def _wanted(parameter: ParameterSpec, rng: random.Random) -> bool:
    return not (parameter.optional or parameter.default is not None) or rng.random() < 0.5
