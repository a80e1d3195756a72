"""The tools that a sandbox offers to the assistant, and a call of one over a session → its ExecResult.

All tools of a conversation share its workspace: files survive between calls, nothing else does.
"""

from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files

from pydantic import JsonValue

from tdscaling_assets.sandbox.program import PYTHON, program_bytes
from tdscaling_assets.sandbox.protocol import ExecResult, Session
from tdscaling_assets.schema import JsonObject, Record

Command = tuple[tuple[str, ...], bytes]
"""A command and its standard input."""


class CodeTool(Record):
    """One tool: how it is described to the assistant, and the command that a call of it runs."""

    name: str
    title: str
    description: str
    parameters: Mapping[str, str]
    optional: frozenset[str] = frozenset()
    read_only: bool
    command: Callable[[Mapping[str, str]], Command]

    def input_schema(self) -> JsonObject:
        """All parameters are text."""
        properties: JsonObject = {
            name: {"type": "string", "description": text} for name, text in self.parameters.items()
        }
        required: list[JsonValue] = [name for name in self.parameters if name not in self.optional]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


async def use_tool(session: Session, name: str, arguments: Mapping[str, JsonValue]) -> ExecResult:
    """What a call of the tool gives; the arguments satisfy its schema."""
    tool = next(tool for tool in TOOLS if tool.name == name)
    command, given = tool.command({key: str(value) for key, value in arguments.items()})
    if any("\0" in part for part in command):
        return ExecResult(exit_code=1, stdout="", stderr=f"{name}: an argument has a null character\n")
    return await session.run(command, given)


def _text(name: str) -> str:
    return files("tdscaling_assets.sandbox").joinpath(name).read_text(encoding="utf-8")


@cache
def _workbench(name: str) -> tuple[str, ...]:
    return ("python3", "-I", "-S", "-c", _text("workbench.py"), name)


@cache
def _referee() -> tuple[str, ...]:
    return ("python3", "-I", "-c", _text("referee.py"))


def _clean(text: str) -> str:
    """The text without lone surrogates, which no command line can hold."""
    return program_bytes(text).decode()


TOOLS = (
    CodeTool(
        name="run_python",
        title="Run Python",
        description="Run a Python 3 program in a sandbox without network and return what it printed.",
        parameters={"code": "The program. Print what you want to see."},
        read_only=True,
        command=lambda given: (PYTHON, program_bytes(given["code"])),
    ),
    CodeTool(
        name="write_file",
        title="Write workspace file",
        description="Write a text file into the code workspace, with the folders above it; replaces what was there.",
        parameters={"path": "Path in the workspace.", "content": "The whole text."},
        read_only=False,
        command=lambda given: ((*_workbench("write_file"), _clean(given["path"])), program_bytes(given["content"])),
    ),
    CodeTool(
        name="read_file",
        title="Read workspace file",
        description="Return the text of a file of the code workspace.",
        parameters={"path": "Path in the workspace."},
        read_only=True,
        command=lambda given: ((*_workbench("read_file"), _clean(given["path"])), b""),
    ),
    CodeTool(
        name="list_files",
        title="List workspace files",
        description="List the files of the code workspace below a folder: size in bytes and path, one to a line.",
        parameters={"path": "Folder in the workspace; the whole workspace when left out."},
        optional=frozenset({"path"}),
        read_only=True,
        command=lambda given: ((*_workbench("list_files"), _clean(given.get("path", "."))), b""),
    ),
    CodeTool(
        name="run_shell",
        title="Run shell command",
        description="Run a bash command in the code workspace, in a sandbox without network.",
        parameters={"command": "The command line or script."},
        read_only=False,
        command=lambda given: (("bash", "-c", _clean(given["command"])), b""),
    ),
    CodeTool(
        name="run_tests",
        title="Run workspace tests",
        description="Run pytest on the code workspace and return each test's outcome as JSON.",
        parameters={"path": "File, folder or test id to run; all tests when left out."},
        optional=frozenset({"path"}),
        read_only=True,
        command=lambda given: ((*_referee(), _clean(given.get("path", "."))), b""),
    ),
    CodeTool(
        name="query_sqlite",
        title="Query SQLite database",
        description="Run one SQL statement that only reads on an SQLite database file of the code workspace.",
        parameters={"path": "The database file in the workspace.", "sql": "The statement."},
        read_only=True,
        command=lambda given: ((*_workbench("query_sqlite"), _clean(given["path"]), _clean(given["sql"])), b""),
    ),
)
