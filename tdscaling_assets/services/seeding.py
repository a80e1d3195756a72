"""Services and a seed in, the first state of their world out. Equal seeds give equal states, on every machine."""

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services import generators
from tdscaling_assets.services.engine import STATE_NAMES, state_names
from tdscaling_assets.services.expressions import Names, evaluate, evaluate_each
from tdscaling_assets.services.functions import format_moment
from tdscaling_assets.services.generators import one_of, whole
from tdscaling_assets.services.grammar import EntitySpec, FieldSpec, ServiceSpec
from tdscaling_assets.services.state import Row, State, coerce, literal_or_expression

SEED_NAMES = STATE_NAMES | {
    *("pick", "plant", "person", "number", "index", "parent", "row", "item"),
    *("randint", "uniform", "choice", "chance", "digits", "company", "city", "address", "phone", "plain"),
}


def world_now(seed: int) -> str:
    """The moment at which a world stands: a working day of 2025, in office hours."""
    rng = random.Random(f"now:{seed}")
    day = datetime(2025, 1, 6) + timedelta(weeks=rng.randrange(48), days=rng.randrange(5))
    return format_moment(day + timedelta(hours=rng.randint(8, 16), minutes=5 * rng.randrange(12)))


@lru_cache(maxsize=256)
def seed_state(specs: tuple[ServiceSpec, ...], seed: int) -> State:
    """The first state of a world, services that others stand on first. Shared by all worlds of that seed: change only
    a draft of it."""
    state = State(world_now(seed), seed)
    for spec in specs:
        state.tables |= {spec.table(entity): {} for entity in spec.entities}
    seedings: dict[str, Seeding] = {}
    for spec in specs:
        seedings[spec.name] = Seeding(spec, state, seedings)
        seedings[spec.name].for_each_entity(seedings[spec.name].fill)
    for seeding in seedings.values():
        seeding.for_each_entity(seeding.settle)
    state.owned.clear()
    return state


class Seeding:
    """The making of one service's first rows. `others` are those of the services below, by name."""

    def __init__(self, spec: ServiceSpec, state: State, others: Mapping[str, "Seeding"]) -> None:
        self.spec = spec
        self.state = state
        self.others = others
        self.rng = random.Random(f"{spec.name}:{state.seed}")
        self.names = self._names()

    def for_each_entity(self, work: Callable[[str, EntitySpec], None]) -> None:
        """Do the work for each entity in turn; SpecError names the file and the entity."""
        for entity, entity_spec in self.spec.entities.items():
            try:
                work(entity, entity_spec)
            except SpecError as error:
                raise SpecError(f"{self.spec.name}.yaml, entity {entity}: {error}") from error

    def fill(self, entity: str, entity_spec: EntitySpec) -> None:
        """Add the rows that the spec asks for."""
        for number, (preset, parent, index) in enumerate(self._origins(entity_spec)):
            self.add(entity, preset, number, parent, index)
        self.state.numbers.setdefault(self.spec.table(entity), entity_spec.first)

    def settle(self, entity: str, entity_spec: EntitySpec) -> None:
        """Compute the fields that look at all rows."""
        fields = tuple((name, field.seed_last) for name, field in entity_spec.fields.items() if field.seed_last)
        plan = _plan(self.spec, (entity,), frozenset(entity_spec.fields))._replace(computed=fields)
        for row in self.state.tables[self.spec.table(entity)].values() if fields else ():
            self._fill((entity,), plan, {}, row, {**self.names, "row": row})

    def add(self, entity: str, preset: Row, number: int = 0, parent: Row | None = None, index: int = 0) -> str:
        """Add one row with these fields given and the others seeded; its key."""
        entity_spec, table = self.spec.entities[entity], self.spec.table(entity)
        if entity_spec.key not in preset:
            preset = {entity_spec.key: self.state.next_key(table, entity_spec, whole(self.rng, 1, 7)), **preset}
        row: Row = {}
        scope = {**self.names, "number": number, "parent": parent, "index": index, "row": row}
        self._fill((entity,), _plan(self.spec, (entity,), frozenset(preset)), preset, row, scope)
        self.state.tables[table][row[entity_spec.key]] = row
        return str(row[entity_spec.key])

    def _names(self) -> Names:
        rng, state = self.rng, self.state
        people = generators.people(state.seed)

        def pick(entity: str, **equals: JsonValue) -> Row:
            return one_of(rng, state.rows(self.spec.table(entity), **equals))

        def plant(entity: str, **values: JsonValue) -> str:
            service, _, name = self.spec.table(entity).partition(".")
            return self.others[service].add(name, values)

        return {
            **state_names(self.spec, state),
            "pick": pick,
            "plant": plant,
            "person": lambda number: people[number % len(people)],
            "randint": partial(whole, rng),
            "uniform": lambda low, high, decimals=2: round(rng.uniform(low, high), decimals),
            "choice": partial(one_of, rng),
            "chance": lambda probability: rng.random() < probability,
            "digits": lambda count: "".join(rng.choices("0123456789", k=count)),
            "company": lambda: generators.company(rng),
            "city": lambda: generators.city(rng),
            "address": lambda: generators.address(rng),
            "phone": lambda: generators.phone(rng),
            "plain": generators.plain,
        }

    def _fill(self, place: tuple[str, ...], plan: "Plan", preset: Row, row: Row, scope: Names) -> None:
        """Put a value for every field of an entity, or of the objects in one of its lists, into the row."""
        fields, targets, literals, computed = plan
        for name, value in (*preset.items(), *literals):
            row[name] = coerce(fields[name], targets[name], value, place[-1], name)
        for name, source in computed:
            value = evaluate(source, scope) if source else self._list_items((*place, name), fields[name], scope)
            row[name] = coerce(fields[name], targets[name], value, place[-1], name)

    def _list_items(self, place: tuple[str, ...], field: FieldSpec, scope: Names) -> list[Row]:
        size = field.count if isinstance(field.count, int) else int(evaluate(field.count, scope))
        items: list[Row] = []
        plan = _plan(self.spec, place, frozenset())
        for index in range(size):
            item: Row = {}
            inner = {**scope, "item": item, "index": index, "pick": _fresh_pick(scope, items)}
            self._fill(place, plan, {}, item, inner)
            items.append(item)
        return items

    def _origins(self, entity_spec: EntitySpec) -> list[tuple[Row, Row | None, int]]:
        """What each row starts from: preset fields, a parent row, and its index among the parent's."""
        count, names = entity_spec.rows, self.names
        if entity_spec.table:
            size = count if isinstance(count, int) else len(entity_spec.table)
            chosen = sorted(self.rng.sample(range(len(entity_spec.table)), size))
            return [(dict(entity_spec.table[place]), None, place) for place in chosen]
        if not entity_spec.each:
            size = count if isinstance(count, int) else int(evaluate(str(count), names))
            return [({}, None, index) for index in range(size)]
        parents = self.state.rows(self.spec.table(entity_spec.each))
        if entity_spec.when:
            keep = evaluate_each(entity_spec.when, parents, names, "parent")
            parents = [parent for parent, kept in zip(parents, keep, strict=True) if kept]
        if isinstance(count, str):
            counts = evaluate_each(count, parents, names, "parent")
        else:
            counts = [1 if count is None else count] * len(parents)
        return [({}, parent, index) for parent, size in zip(parents, counts, strict=True) for index in range(size)]


class Plan(NamedTuple):
    """How to fill rows of some fields: literals first, then (field, expression) in order, "" for a list of items.
    `targets` are the fields that they refer to, else themselves."""

    fields: Mapping[str, FieldSpec]
    targets: Mapping[str, FieldSpec]
    literals: tuple[tuple[str, Any], ...]
    computed: tuple[tuple[str, str], ...]


@cache
def _plan(spec: ServiceSpec, place: tuple[str, ...], preset: frozenset[str]) -> Plan:
    """The plan of an entity's fields, or of the items of a list in it: (entity, list, …)."""
    fields: Mapping[str, FieldSpec] = spec.entities[place[0]].fields
    for name in place[1:]:
        fields = fields[name].items
    literals: list[tuple[str, Any]] = []
    computed: list[tuple[str, str]] = []
    for name, field in fields.items():
        if name not in preset:
            source, literal = _seed_source(field)
            if source or (field.items and field.seed is None):
                computed.append((name, source))
            else:
                literals.append((name, literal))
    targets = {name: spec.field(field.ref) if field.ref else field for name, field in fields.items()}
    return Plan(fields, targets, tuple(literals), tuple(computed))


def _seed_source(field: FieldSpec) -> tuple[str, Any]:
    if field.seed is not None:
        return literal_or_expression(field, field.seed)
    if field.items:
        return "", None
    if field.seed_last:
        return "", _placeholder(field)
    if field.ref:
        entity, _, name = field.ref.rpartition(".")
        return f"pick('{entity}').{name}", None
    if field.nullable:
        return "", None
    return (f"choice({list(field.enum)!r})", None) if field.enum else ("", field.default)


def _placeholder(field: FieldSpec) -> JsonValue:
    if field.nullable:
        return None
    zeros: dict[str, JsonValue] = {"integer": 0, "number": 0, "money": 0, "boolean": False, "list": []}
    return field.enum[0] if field.enum else zeros.get(field.type, "")


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
