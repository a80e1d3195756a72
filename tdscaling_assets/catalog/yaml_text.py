"""YAML text in, the JSON value it means out, by the JSON-like schema of YAML 1.2 that OpenAPI asks for.

Under YAML 1.1, PyYAML's own reading, a date would not be text, `on` would be true and `0123` would be 83.
"""

import re

import yaml
from pydantic import JsonValue

_NODES = 5_000_000  # values of one document after its aliases are followed; more is a trap. Our own number
_PREFIX = "tag:yaml.org,2002:"
_SCALARS = (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
    ("merge", r"<<", ["<"]),
)


class UnreadableYamlError(ValueError):
    """Why a text is not YAML that JSON can say, in one line."""


class _Loader(yaml.CSafeLoader):
    """The C parser (20 times as fast as the Python one) with the scalars of JSON."""

    yaml_implicit_resolvers = {}  # noqa: RUF012 - PyYAML's name and way


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_PREFIX + _tag, re.compile(f"^(?:{_pattern})$"), _first)


def parse_yaml(text: str) -> JsonValue:
    """The one document of the text; keys become text (`200:` is "200"). Raises UnreadableYamlError."""
    try:
        value = yaml.load(text, Loader=_Loader)
        plain, nodes = _Plain().convert(value)
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise UnreadableYamlError(" ".join(str(error).split())[:200]) from error
    except RecursionError as error:
        raise UnreadableYamlError("nested too deeply") from error
    if nodes > _NODES:
        raise UnreadableYamlError(f"its aliases unfold to {nodes} values, more than the limit of {_NODES}")
    return plain


class _Plain:
    """Turns what PyYAML built into JSON values, each shared part once, and counts values as if nothing were shared."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[JsonValue, int]] = {}
        self._open: set[int] = set()

    def convert(self, value: object) -> tuple[JsonValue, int]:
        """The JSON value and how many values it has."""
        if value is None or isinstance(value, bool | int | float | str):
            return value, 1
        key = id(value)
        if key not in self._done:
            if key in self._open:
                raise UnreadableYamlError("an alias leads back to itself")
            self._open.add(key)
            self._done[key] = self._container(value)
            self._open.remove(key)
        return self._done[key]

    def _container(self, value: object) -> tuple[JsonValue, int]:
        if isinstance(value, dict):
            pairs = {_key(key): self.convert(item) for key, item in value.items()}
            return {key: item for key, (item, _) in pairs.items()}, 1 + sum(count for _, count in pairs.values())
        if isinstance(value, list):
            items = [self.convert(item) for item in value]
            return [item for item, _ in items], 1 + sum(count for _, count in items)
        raise UnreadableYamlError(f"it holds a {type(value).__name__}, which JSON cannot say")


def _key(key: object) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
