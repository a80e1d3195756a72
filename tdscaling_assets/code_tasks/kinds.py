"""What a code step is made of: its kind, the calls that carry it out, and the material that they work on."""

import inspect
import random
from collections.abc import Callable, Sequence

from pydantic import Field, JsonValue

from tdscaling_assets.schema import CODE_SERVER, CODE_TOOL, JsonObject, Record

Rows = Sequence[JsonObject]

WRITE_FILE, READ_FILE = f"{CODE_SERVER}__write_file", f"{CODE_SERVER}__read_file"
RUN_SHELL, RUN_TESTS = f"{CODE_SERVER}__run_shell", f"{CODE_SERVER}__run_tests"
QUERY_SQLITE = f"{CODE_SERVER}__query_sqlite"


class Material(Record):
    """What a code step works on: one field of the rows that an earlier step returned, or facts that the user gives."""

    field: str = ""
    rows: tuple[JsonObject, ...] = ()
    facts: JsonObject = Field(default_factory=dict)

    @property
    def values(self) -> list[JsonValue]:
        """The field of every row."""
        return [row[self.field] for row in self.rows]


class Call(Record):
    """One call of a code step: what it is to do, and how the reference solution does it.

    `fails`: it ends with an error, as tests of broken code do. `beside`: in one message with the call before it.
    """

    tool_id: str
    instruction: str
    arguments: Callable[[Material], JsonObject]
    creates: tuple[str, ...] = ()
    fails: bool = False
    beside: bool = False


class Kind(Record):
    """One kind of code step. The last of its calls prints the result, which `solve` knows.

    `fields` names the fields of rows that it can work on, null where it works on none; `draw` gives the facts that the
    user knows, of operations with these names, where there are no rows, null where it needs some.
    """

    name: str
    family: str
    phrase: str
    calls: tuple[Call, ...]
    solve: Callable[[Material], str]
    fields: Callable[[Rows], list[str]] | None = None
    draw: Callable[[random.Random, Sequence[str]], JsonObject] | None = None

    def wish(self, field: str, noun: str) -> str:
        """The whole step as a user asks for it; `noun` is what the rows are."""
        return _filled(self.phrase, field.replace("_", " "), noun)

    def instruction(self, stage: int, field: str) -> str:
        """The call in words that leave one result open."""
        return _filled(self.calls[stage].instruction, field, "rows")

    @property
    def tool_ids(self) -> tuple[str, ...]:
        """The tools that it takes."""
        return tuple(dict.fromkeys(call.tool_id for call in self.calls))


def source_of(function: Callable[..., object]) -> str:
    """The text of a function of ours, which is the reference solution as well."""
    return inspect.getsource(function)


def python_call(program: Callable[[Material], str], instruction: str, creates: tuple[str, ...] = ()) -> Call:
    """A run of the program."""
    return Call(
        tool_id=CODE_TOOL,
        instruction=instruction,
        arguments=lambda material: {"code": program(material)},
        creates=creates,
    )


def write_call(
    path: str, content: Callable[[Material], str], instruction: str, *, beside: bool = False, new: bool = True
) -> Call:
    """A file written into the workspace."""
    return Call(
        tool_id=WRITE_FILE,
        instruction=instruction,
        arguments=lambda material: {"path": path, "content": content(material)},
        creates=(path,) if new else (),
        beside=beside,
    )


def _filled(template: str, field: str, noun: str) -> str:
    return template.replace("{field}", field).replace("{noun}", noun)
