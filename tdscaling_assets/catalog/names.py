"""A server and a tool name in, ids out that are unique and legal for function-calling APIs."""

import hashlib
import re
from collections.abc import Container, Iterator

NAME_LIMIT = 64  # characters; the shortest limit among function-calling APIs
_HASH = 8  # hex digits that tell shortened names apart
_ILLEGAL = re.compile(r"[^A-Za-z0-9_-]+")


def legal_id(server: str, name: str) -> str:
    """`server__name` in the characters and length of function-calling APIs; a hash stands for what had to go."""
    parts = [_ILLEGAL.sub("_", part).strip("_") for part in (server, name)]
    full = "__".join(part for part in parts if part)
    if all(parts) and len(full) <= NAME_LIMIT:
        return full
    return _shorten(full or "tool", _name_hash(server, name))


def free_id(server: str, name: str, content_hash: str, taken: Container[str]) -> str:
    """The legal id, with a hash of the name, else of the content, else of a count where it is taken."""
    return next(wanted for wanted in _wishes(server, name, content_hash) if wanted not in taken)


def _wishes(server: str, name: str, content_hash: str) -> Iterator[str]:
    wanted = legal_id(server, name)
    yield wanted
    yield _shorten(wanted, _name_hash(server, name))
    yield _shorten(wanted, content_hash)
    count = 1
    while True:
        count += 1
        yield _shorten(wanted, _name_hash(content_hash, str(count)))


def _name_hash(server: str, name: str) -> str:
    return hashlib.sha256(f"{server}\n{name}".encode()).hexdigest()


def _shorten(text: str, full_hash: str) -> str:
    return f"{text[: NAME_LIMIT - _HASH - 1]}_{full_hash[:_HASH]}"
