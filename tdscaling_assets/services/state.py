"""The rows of a world, copy-on-write: a draft shares every table and row it does not touch."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import JsonValue

from tdscaling_assets.errors import SpecError
from tdscaling_assets.schema import JsonObject, digest
from tdscaling_assets.services import generators
from tdscaling_assets.services.grammar import EntitySpec, FieldSpec, FieldType

_PYTHON_TYPES: dict[FieldType, type] = {"boolean": bool, "list": list}  # of those that are not text or numbers

Row = dict[str, Any]  # one row: field → JSON value; never changed in place


@dataclass
class State:
    """Tables (`service.entity`) of rows by key, and the last number given to a key of each. `now` is the world's
    moment."""

    now: str
    seed: int
    tables: dict[str, dict[str, Row]] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    owned: set[str] = field(default_factory=set)  # tables this state may change
    digests: dict[str, str] = field(default_factory=dict)  # of tables that have not changed since

    def draft(self) -> "State":
        """A state that can be changed without changing this one."""
        return State(self.now, self.seed, dict(self.tables), dict(self.numbers), set(), dict(self.digests))

    def rows(self, table: str, **equals: JsonValue) -> list[Row]:
        """The rows of a table whose fields equal the given values, in order of creation."""
        found = list(self._table(table).values())
        for name, value in equals.items():
            found = [row for row in found if row[name] == value]
        return found

    def get(self, table: str, key: str) -> Row | None:
        """The row of that key, or None."""
        return self._table(table).get(key)

    def put(self, table: str, key: str, row: Row) -> None:
        """Add or replace a row."""
        self._own(table)[key] = row

    def remove(self, table: str, key: str) -> None:
        """Remove a row."""
        del self._own(table)[key]

    def next_key(self, table: str, spec: EntitySpec, step: int = 1) -> str:
        """A new key, `step` numbers after the last."""
        number = self.numbers.get(table, spec.first) + step
        self.numbers[table] = number
        return spec.id.format(n=number, code=generators.code(number) if "{code}" in spec.id else "")

    def digest(self) -> str:
        """16 hex digits of all rows and of the numbers that keys have come to."""
        for name in self.tables.keys() - self.digests.keys():
            self.digests[name] = digest(self.tables[name])
        return digest(self.digests, self.numbers)

    def _table(self, table: str) -> dict[str, Row]:
        if table not in self.tables:
            raise LookupError(f"no rows are called {table!r}; known are {', '.join(self.tables)}")
        return self.tables[table]

    def _own(self, table: str) -> dict[str, Row]:
        if table not in self.owned:
            self.tables[table] = dict(self._table(table))
            self.owned.add(table)
        self.digests.pop(table, None)
        return self.tables[table]


def coerce(field: FieldSpec, target: FieldSpec, value: Any, entity: str, name: str) -> Any:
    """The value as the field stores it: money has 2 decimals, integers are whole. `target` is the field that it refers
    to, else itself.

    SpecError when the value has another type than the field.
    """
    if value is None:
        if field.nullable:
            return None
        raise SpecError(f"{entity}.{name} is null; give it a value or declare `nullable: true`")
    kind = target.type
    if kind in ("money", "number", "integer"):
        if type(value) not in (int, float) or (kind == "integer" and value != int(value)):
            raise SpecError(f"{entity}.{name} is {value!r}; write an expression whose value is {kind}")
        return int(value) if kind == "integer" else round(float(value), 2 if kind == "money" else 6) + 0.0
    expected = _PYTHON_TYPES.get(kind, str)
    if type(value) is not expected or (target.enum and value not in target.enum):
        allowed = f"one of {', '.join(target.enum)}" if target.enum else f"a {expected.__name__}"
        raise SpecError(f"{entity}.{name} is {value!r}; write an expression whose value is {allowed}")
    return value


def copy_json(value: Any) -> Any:
    """A copy of a JSON value that shares no container with it."""
    if isinstance(value, dict):
        return {key: copy_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copy_json(item) for item in value]
    return value


def literal_or_expression(field: FieldSpec, value: JsonValue) -> tuple[str, JsonValue]:
    """How a spec's `seed` or `set` value is meant: ("", literal) or (expression, None).

    Texts are expressions, except a bare value of the field's enum."""
    if isinstance(value, str) and value not in field.enum:
        return value, None
    return "", value


def as_object(row: Row) -> JsonObject:
    """The row as a JSON object of its own."""
    copied: JsonObject = copy_json(row)
    return copied
