"""The programs of the workspace's tools: `python3 -c <this text> TOOL ARGUMENT...`, run in the sandbox like any other.

It takes nothing from the workspace but data: the interpreter is started so that it neither imports from there nor reads
the environment. It uses the standard library only, each tool the modules that it needs, as a start takes as long as its
imports. Paths are relative to the workspace, links are followed only within it, and what is no regular file is not
opened. Errors go to stderr, with exit code 1.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator

MOST_BYTES = 262_144
MOST_ENTRIES = 1000
MOST_ROWS = 200


def write_file(path: str) -> None:
    """Standard input → the file, with the folders above it."""
    place = _place(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
    content = sys.stdin.buffer.read()
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOFOLLOW, 0o644), "wb") as file:
        _check_regular(file.fileno())
        file.truncate()
        file.write(content)
    print(f"{len(content)} bytes written")


def read_file(path: str) -> None:
    """The file → standard output."""
    with os.fdopen(os.open(_place(path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
        _check_regular(file.fileno())
        sys.stdout.buffer.write(file.read(MOST_BYTES))


def list_files(path: str) -> None:
    """One line for each file below the folder, sorted: its size in bytes and its path; links name their target."""
    root = _place(path)
    os.close(os.open(root, os.O_RDONLY | os.O_DIRECTORY))
    lines = sorted(_entries(root))
    for shown, size, target in lines[:MOST_ENTRIES]:
        print(f"{size}\t{_printable(shown)}{f' -> {_printable(target)}' if target else ''}")
    if len(lines) > MOST_ENTRIES:
        print(f"and {len(lines) - MOST_ENTRIES} more")


def query_sqlite(path: str, sql: str) -> None:
    """One statement that only reads → `columns`, `rows` and `truncated` as JSON."""
    import json
    import sqlite3
    from urllib.parse import quote

    place = _place(path)
    with os.fdopen(os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
        _check_regular(file.fileno())
    reads = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
    base = sqlite3.connect(f"file:{quote(place)}?mode=ro", uri=True)
    base.text_factory = lambda value: value.decode("utf-8", "replace")
    base.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in reads else sqlite3.SQLITE_DENY)
    try:
        cursor = base.execute(sql)
        rows = cursor.fetchmany(MOST_ROWS + 1)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise ValueError(str(error)) from error
    answer = {
        "columns": [column[0] for column in cursor.description or ()],
        "rows": [[_json_value(value) for value in row] for row in rows[:MOST_ROWS]],
        "truncated": len(rows) > MOST_ROWS,
    }
    print(json.dumps(answer, ensure_ascii=False))


def _place(path: str) -> str:
    """Where the path leads, links followed; refused when that is not in the workspace."""
    workspace = os.getcwd()  # noqa: PTH109
    place = os.path.realpath(path)
    if os.path.commonpath([workspace, place]) != workspace:
        raise PermissionError(1, "not in the workspace")
    return place


def _check_regular(descriptor: int) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(22, "not a regular file")


def _entries(root: str) -> Iterator[tuple[str, int, str]]:
    """Path, size and, for a link, target of all below the folder that is no folder itself."""
    for folder, _, _ in os.walk(root):
        for entry in os.scandir(folder):
            if not entry.is_dir(follow_symlinks=False):
                target = os.readlink(entry.path) if entry.is_symlink() else ""  # noqa: PTH115
                yield os.path.relpath(entry.path), entry.stat(follow_symlinks=False).st_size, target


def _printable(name: str) -> str:
    """The name on one line, escaped where it is not plain."""
    return name if name.isprintable() else ascii(name)


def _json_value(value: object) -> object:
    if isinstance(value, float) and value - value != 0:
        return None  # JSON knows no infinity
    return value.hex() if isinstance(value, bytes) else value


def main(name: str, *arguments: str) -> None:
    """Run the tool of that name; its error as one line."""
    tools: tuple[Callable[..., None], ...] = (write_file, read_file, list_files, query_sqlite)
    try:
        next(tool for tool in tools if tool.__name__ == name)(*arguments)
    except OSError as error:
        sys.exit(f"{name}: {arguments[0]}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{name}: {arguments[0]}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
