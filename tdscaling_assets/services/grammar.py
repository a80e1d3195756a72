"""The service format as records: what a `specs/*.yaml` file may say. docs/services.md explains it by example.

Texts under `seed`, `set`, `where`, `refuse`, `value` and the like are expressions (expressions.py); messages are
texts with `{expressions}`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Discriminator, Field, JsonValue, PrivateAttr, Tag

from tdscaling_assets.schema import JsonObject, Record

FieldType = Literal["string", "integer", "number", "boolean", "money", "date", "datetime", "email", "phone", "list"]
FIELD_TYPES: tuple[FieldType, ...] = get_args(FieldType)


class Typed(Record):
    """What fields, parameters and returned values have in common. `ref` is `entity.field`, or `service.entity.field`
    of a partner, and gives the type."""

    type: FieldType = "string"
    description: str = ""
    enum: tuple[str, ...] = ()
    ref: str = ""
    minimum: float | None = None
    maximum: float | None = None
    of: FieldType | None = None


class FieldSpec(Typed):
    """A field of an entity. `seed` gives its first value, `seed_last` one computed after all rows exist; a list is
    `of` one scalar type, or has `items` (fields of each object) and `count` (how many to seed).

    A state has `moves` in place of `enum`: each state and those that may follow it. `lost` are the states in which
    something is gone for good; a tool that sets one is destructive."""

    moves: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    lost: tuple[str, ...] = ()
    nullable: bool = False
    default: JsonValue = None
    items: "dict[str, FieldEntry]" = Field(default_factory=dict)
    count: int | str = 0
    seed: JsonValue = None
    seed_last: str = ""


class ParameterSpec(Typed):
    """A parameter. `when` narrows a `ref` to the rows a caller would plausibly name; `examples` serve free text of at
    most `max_length` characters, `from_now` (days) dates; a list has `items` (or `of`) and its length limits."""

    optional: bool = False
    default: JsonValue = None
    when: str = ""
    examples: tuple[JsonValue, ...] = ()
    max_length: int = 500
    from_now: tuple[int, int] = (1, 21)
    items: "dict[str, ParameterSpec]" = Field(default_factory=dict)
    min_items: int = 1
    max_items: int = 3


class ReturnSpec(Typed):
    """A key of an operation's output: an `entity` row, a `list` of rows (either with `fields` only), or a typed
    `value`. Without `value` it is the variable of the same name. `items` are the fields of a list of objects."""

    type: FieldType = "string"
    entity: str = ""
    rows: str = Field("", alias="list")
    fields: tuple[str, ...] = ()
    value: str = ""
    nullable: bool = False
    items: "dict[str, FieldEntry]" = Field(default_factory=dict)


def _field(value: Any) -> Any:
    if isinstance(value, dict) and isinstance(value.get("moves"), dict):
        return {"enum": list(value["moves"]), **value}
    return {"type": value} if isinstance(value, str) else value


FieldEntry = Annotated[FieldSpec, BeforeValidator(_field)]


class EntitySpec(Record):
    """A kind of row. Its first field is the key, made from `id` (`{n}` a counter, `{code}` a record locator).

    Seeded rows: `rows` of them; or those of `table` (a random `rows` of it when fewer); or `rows` for `each` row of
    another entity, maybe a partner's, for which `when` holds (there `parent` and `index` are defined).
    """

    id: str
    first: int = 1001
    rows: int | str | None = None
    each: str = ""
    when: str = ""
    table: tuple[JsonObject, ...] = ()
    fields: dict[str, FieldEntry]

    @cached_property
    def key(self) -> str:
        """The name of the key field."""
        return next(iter(self.fields))

    @cached_property
    def key_pattern(self) -> str:
        """A regular expression of what keys look like, "" where `table` gives them."""
        if self.table and self.key in self.table[0]:
            return ""
        escaped = re.escape(self.id).replace("\\-", "-")  # JavaScript refuses an escaped hyphen
        return f"^{escaped.replace(re.escape('{n}'), '[0-9]+').replace(re.escape('{code}'), '[A-Z0-9]{6}')}$"


class Get(Record):
    """Load one row, maybe a partner's, by key (`key`, else the argument of the key's name) or by another field (`by`);
    refuses with `<entity>_not_found`, unless `optional`: then the variable is null."""

    get: str
    name: str = Field("", alias="as")
    key: str = ""
    by: str = ""
    optional: bool = False

    @property
    def noun(self) -> str:
        """The entity's name without its service."""
        return self.get.rpartition(".")[2]


class Find(Record):
    """Load the rows whose `match` fields equal the arguments of the same name (those given) and for which `where`
    holds; `sort` by fields (`-field` descending), at most `limit`."""

    find: str
    name: str = Field(alias="as")
    match: tuple[str, ...] = ()
    where: str = ""
    sort: tuple[str, ...] = ()
    limit: str = ""


class Let(Record):
    """Name values, in order."""

    let: dict[str, JsonValue]


class Refuse(Record):
    """Fail the call with an error when the expression is true."""

    refuse: str
    code: str = Field(pattern=r"^[a-z][a-z0-9_]+$")
    message: str


class Each(Record):
    """Do steps for each element; with `collect`, build a list of objects of that name from `value`."""

    each: str
    elements: str = Field(alias="in")
    do: "tuple[Step, ...]" = ()
    collect: str = ""
    value: dict[str, JsonValue] = Field(default_factory=dict)


class Create(Record):
    """Add a row; fields not set take their default, else null."""

    create: str
    name: str = Field("", alias="as")
    set: dict[str, JsonValue]


class Update(Record):
    """Change fields of the row in this variable, and rebind the variable to the new row."""

    update: str
    set: dict[str, JsonValue]
    when: str = ""


class Delete(Record):
    """Remove the row in this variable."""

    delete: str


class Call(Record):
    """Call a partner's operation (`service.operation`) `with` arguments, those that are null left out; its output gets
    the name, null unless `when` holds. Its refusal refuses this call too."""

    call: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict, alias="with")
    name: str = Field("", alias="as")
    when: str = ""

    @property
    def service(self) -> str:
        """The partner's name."""
        return self.call.partition(".")[0]

    @property
    def operation(self) -> str:
        """The operation's name."""
        return self.call.partition(".")[2]


STEPS = ("get", "find", "let", "refuse", "each", "create", "update", "delete", "call")


def _step_kind(value: Any) -> str | None:
    if isinstance(value, dict):
        return next((kind for kind in STEPS if kind in value), None)
    return type(value).__name__.lower()


Step = Annotated[
    Annotated[Get, Tag("get")]
    | Annotated[Find, Tag("find")]
    | Annotated[Let, Tag("let")]
    | Annotated[Refuse, Tag("refuse")]
    | Annotated[Each, Tag("each")]
    | Annotated[Create, Tag("create")]
    | Annotated[Update, Tag("update")]
    | Annotated[Delete, Tag("delete")]
    | Annotated[Call, Tag("call")],
    Discriminator(
        _step_kind,
        custom_error_type="unknown_step",
        custom_error_message=f"a step must start with one of {', '.join(STEPS)}",
    ),
]


class Program(Record):
    """A program that a sandbox runs on the state: a function of programs.py writes it, `with` these values."""

    run: str
    arguments: dict[str, JsonValue] = Field(alias="with")


class OperationSpec(Record):
    """A tool: `given` loads rows and refuses, `effects` change state, `returns` is the output.

    With a `program`, the output is what the program prints, as JSON. `destructive` needs to be said only where
    `moves` and `delete` do not; `read_only`, where stated, must agree with whether there are effects."""

    title: str
    description: str
    read_only: bool | None = None
    destructive: bool = False
    idempotent: bool = False
    parameters: dict[str, ParameterSpec]
    given: tuple[Step, ...] = ()
    effects: tuple[Step, ...] = ()
    program: Program | None = None
    returns: dict[str, ReturnSpec]

    @property
    def is_read_only(self) -> bool:
        """Whether the operation has no effects."""
        return not self.effects


class InvariantSpec(Record):
    """What must hold after every call: of the whole state, or of `each` row of an entity (`row`)."""

    name: str
    each: str = ""
    holds: str


class ServiceSpec(Record):
    """One business service. `uses` names its partners, whose rows it may read and whose operations it may call, each
    with what it uses them for: a verb phrase such as `charges cards`."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    domain: str
    description: str
    uses: dict[str, str] = Field(default_factory=dict)
    data: JsonObject = Field(default_factory=dict)
    entities: dict[str, EntitySpec]
    operations: dict[str, OperationSpec]
    invariants: tuple[InvariantSpec, ...] = ()

    _partners: dict[str, "ServiceSpec"] = PrivateAttr(default_factory=dict)

    def __hash__(self) -> int:
        return hash(self.name)  # so that what is compiled from a spec can be cached by it

    def with_partners(self, services: Mapping[str, "ServiceSpec"]) -> Self:
        """The spec with the services that it uses; KeyError when one is missing."""
        joined = self.model_copy()
        joined._partners = {name: services[name] for name in self.uses}
        return joined

    def partner(self, name: str) -> "ServiceSpec":
        """The service itself, or one that it uses; KeyError for any other."""
        return self if name == self.name else self._partners[name]

    def economy(self) -> Iterator["ServiceSpec"]:
        """Every service that this one stands on, those below first, and then itself; some may come twice."""
        for partner in self._partners.values():
            yield from partner.economy()
        yield self

    def table(self, entity: str) -> str:
        """The state's name for the rows of an entity: `service.entity`."""
        return entity if "." in entity else f"{self.name}.{entity}"

    def entity(self, name: str) -> EntitySpec:
        """The entity of that name, or a partner's as `service.entity`; KeyError when there is none."""
        service, _, entity = self.table(name).partition(".")
        return self.partner(service).entities[entity]

    def field(self, ref: str) -> FieldSpec:
        """The field that `entity.field` or `service.entity.field` names; KeyError when there is none."""
        entity, _, name = ref.rpartition(".")
        return self.entity(entity).fields[name]


FieldSpec.model_rebuild()
EntitySpec.model_rebuild()
ReturnSpec.model_rebuild()
Each.model_rebuild()
OperationSpec.model_rebuild()

GRAMMAR_KEYS = sorted(
    {
        field.alias or name
        for record in (
            *(FieldSpec, ParameterSpec, ReturnSpec, EntitySpec, OperationSpec, InvariantSpec, ServiceSpec, Program),
            *(Get, Find, Let, Refuse, Each, Create, Update, Delete, Call),
        )
        for name, field in record.model_fields.items()
    }
)
"""Every key of the format."""
