"""A spec and a seed in, a service's first state out. Equal seeds give equal states, on every machine."""

import random
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services import generators
from tdscaling_assets.services.expressions import Names, evaluate, evaluate_each, fill_row
from tdscaling_assets.services.functions import FUNCTIONS, format_moment
from tdscaling_assets.services.grammar import EntitySpec, FieldSpec, ServiceSpec
from tdscaling_assets.services.state import Row, State, coerce, literal_or_expression

SEED_NAMES = frozenset(FUNCTIONS) | {
    *("now", "today", "data", "rows", "get", "pick", "person", "number", "index", "parent", "row", "item"),
    *("randint", "uniform", "choice", "chance", "digits", "company", "city", "address", "phone", "plain"),
}


def world_now(seed: int) -> str:
    """The moment at which a world stands: a working day of 2025, in office hours."""
    rng = random.Random(f"now:{seed}")
    day = datetime(2025, 1, 6) + timedelta(weeks=rng.randrange(48), days=rng.randrange(5))
    return format_moment(day + timedelta(hours=rng.randint(8, 16), minutes=5 * rng.randrange(12)))


@lru_cache(maxsize=256)
def seed_state(spec: ServiceSpec, seed: int) -> State:
    """The first state of a service. Shared by all worlds of that seed: change only a draft of it."""
    state = State(world_now(seed), seed, {entity: {} for entity in spec.entities})
    rng = random.Random(f"{spec.name}:{seed}")
    names = _names(spec, state, rng)
    entity = ""
    try:
        for entity, entity_spec in spec.entities.items():
            _seed_entity(spec, entity, entity_spec, state, names, rng)
        for entity, entity_spec in spec.entities.items():
            _settle(spec, entity, entity_spec, state, names)
    except SpecError as error:
        raise SpecError(f"{spec.name}.yaml, entity {entity}: {error}") from error
    state.owned.clear()
    return state


def _names(spec: ServiceSpec, state: State, rng: random.Random) -> Names:
    people = generators.people(state.seed)

    def pick(entity: str, **equals: JsonValue) -> Row:
        return rng.choice(state.rows(entity, **equals))

    return {
        **FUNCTIONS,
        "now": state.now,
        "today": state.now[:10],
        "data": spec.data,
        "rows": state.rows,
        "get": state.get,
        "pick": pick,
        "person": lambda number: people[number % len(people)],
        "randint": rng.randint,
        "uniform": lambda low, high, decimals=2: round(rng.uniform(low, high), decimals),
        "choice": rng.choice,
        "chance": lambda probability: rng.random() < probability,
        "digits": lambda count: "".join(rng.choices("0123456789", k=count)),
        "company": lambda: generators.company(rng),
        "city": lambda: generators.city(rng),
        "address": lambda: generators.address(rng),
        "phone": lambda: generators.phone(rng),
        "plain": generators.plain,
    }


def _seed_entity(
    spec: ServiceSpec, entity: str, entity_spec: EntitySpec, state: State, names: Names, rng: random.Random
) -> None:
    table = state.tables[entity]
    plan: Plan | None = None
    for number, (preset, parent, index) in enumerate(_origins(entity_spec, state, names, rng)):
        if entity_spec.key not in preset:
            preset = {entity_spec.key: state.next_key(entity, entity_spec, rng.randint(1, 7)), **preset}
        plan = plan or _plan(entity_spec.fields, preset)
        row: Row = {}
        scope = {**names, "number": number, "parent": parent, "index": index, "row": row}
        _fill(spec, plan, preset, row, scope, entity)
        table[row[entity_spec.key]] = row
    state.numbers.setdefault(entity, entity_spec.first)


def _origins(
    entity_spec: EntitySpec, state: State, names: Names, rng: random.Random
) -> list[tuple[Row, Row | None, int]]:
    """What each row starts from: preset fields, a parent row, and its index among the parent's."""
    count = entity_spec.rows
    if entity_spec.table:
        size = count if isinstance(count, int) else len(entity_spec.table)
        chosen = sorted(rng.sample(range(len(entity_spec.table)), size))
        return [(dict(entity_spec.table[place]), None, place) for place in chosen]
    if not entity_spec.each:
        size = count if isinstance(count, int) else int(evaluate(str(count), names))
        return [({}, None, index) for index in range(size)]
    parents = state.rows(entity_spec.each)
    if entity_spec.when:
        keep = evaluate_each(entity_spec.when, parents, names, "parent")
        parents = [parent for parent, kept in zip(parents, keep, strict=True) if kept]
    if isinstance(count, str):
        counts = evaluate_each(count, parents, names, "parent")
    else:
        counts = [1 if count is None else count] * len(parents)
    return [({}, parent, index) for parent, size in zip(parents, counts, strict=True) for index in range(size)]


class Plan(NamedTuple):
    """How to fill rows of some fields: literals first, then groups of expressions, each before a list (or "")."""

    fields: Mapping[str, FieldSpec]
    literals: tuple[tuple[str, Any], ...]
    groups: tuple[tuple[tuple[tuple[str, str], ...], str], ...]


def _plan(fields: Mapping[str, FieldSpec], preset: Collection[str]) -> Plan:
    literals: list[tuple[str, Any]] = []
    groups: list[tuple[tuple[tuple[str, str], ...], str]] = []
    pending: list[tuple[str, str]] = []
    for name, field in fields.items():
        if name in preset:
            continue
        source, literal = _seed_source(field)
        if source:
            pending.append((name, source))
        elif field.items:
            groups.append((tuple(pending), name))
            pending = []
        else:
            literals.append((name, literal))
    return Plan(fields, tuple(literals), (*groups, (tuple(pending), "")))


def _fill(spec: ServiceSpec, plan: Plan, preset: Row, row: Row, scope: Names, where: str) -> None:
    def put(name: str, value: Any) -> None:
        row[name] = coerce(spec, plan.fields[name], value, f"{where}.{name}")

    for name, value in (*preset.items(), *plan.literals):
        put(name, value)
    for fields, list_name in plan.groups:
        fill_row(fields, put, scope)
        if list_name:
            put(list_name, _list_items(spec, plan.fields[list_name], scope, f"{where}.{list_name}"))


def _seed_source(field: FieldSpec) -> tuple[str, Any]:
    if field.seed is not None:
        return literal_or_expression(field, field.seed)
    if field.items:
        return "", None
    if field.seed_last:
        return "", _placeholder(field)
    if field.ref:
        entity, _, name = field.ref.partition(".")
        return f"pick('{entity}').{name}", None
    if field.nullable:
        return "", None
    return (f"choice({list(field.enum)!r})", None) if field.enum else ("", field.default)


def _placeholder(field: FieldSpec) -> JsonValue:
    if field.nullable:
        return None
    zeros: dict[str, JsonValue] = {"integer": 0, "number": 0, "money": 0, "boolean": False, "list": []}
    return field.enum[0] if field.enum else zeros.get(field.type, "")


def _list_items(spec: ServiceSpec, field: FieldSpec, scope: Names, where: str) -> list[Row]:
    size = field.count if isinstance(field.count, int) else int(evaluate(field.count, scope))
    items: list[Row] = []
    plan = _plan(field.items, ())
    for index in range(size):
        item: Row = {}
        inner = {**scope, "item": item, "index": index, "pick": _fresh_pick(scope, items)}
        _fill(spec, plan, {}, item, inner, where)
        items.append(item)
    return items


def _fresh_pick(scope: Names, items: list[Row]) -> Any:
    """`pick` that avoids rows an earlier item of the same list already names, where it can."""
    taken = {value for item in items for value in item.values() if isinstance(value, str)}

    def pick(entity: str, **equals: JsonValue) -> Row:
        row: Row = scope["pick"](entity, **equals)
        for _ in range(20):
            if next(iter(row.values())) not in taken:
                break
            row = scope["pick"](entity, **equals)
        return row

    return pick


def _settle(spec: ServiceSpec, entity: str, entity_spec: EntitySpec, state: State, names: Names) -> None:
    fields = tuple((name, field.seed_last) for name, field in entity_spec.fields.items() if field.seed_last)
    if not fields:
        return
    for row in state.tables[entity].values():

        def put(name: str, value: JsonValue, row: Row = row) -> None:
            row[name] = coerce(spec, entity_spec.fields[name], value, f"{entity}.{name}")

        fill_row(fields, put, {**names, "row": row})
