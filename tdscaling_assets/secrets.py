"""How a server or an endpoint is reached in, text without the secrets in that out: what it echoes must not reach errors
or tables.

`certain` secrets are the values of headers, and of environment variables, options and URL parts that are named like a
key, and passwords inside URLs; `likely` ones are the other environment values. Errors hide both. What a tool says of
itself or answers, where `production` or `europe` may just be a word, hides the certain ones, and of the likely ones
those that look made up. The rules for names and lengths are our own.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import JsonValue

MASK = "***"
_NAMED_SECRET = re.compile(r"key|token|secret|passw|pwd|auth|credential|cookie|signature", re.IGNORECASE)
_PASSWORD = re.compile(r"://[^\s/?#:@]*:([^\s/?#]+)@")
_OPEN_HEADERS = {"accept", "accept-encoding", "accept-language", "content-type", "user-agent"}
_SCHEMES = {"basic", "bearer", "digest", "token", "apikey"}
_SHORTEST_CERTAIN, _SHORTEST_LIKELY, _SHORTEST_MADE_UP = 2, 4, 8  # characters; hiding every `1` would hide the errors


class Secrets(NamedTuple):
    """What must not be shown of a server, the longest first, so that no part of one is left over."""

    certain: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()

    def mask_error(self, text: str) -> str:
        """The text with every secret replaced."""
        return _mask(text, (*self.certain, *self.likely))

    def mask_record(self, value: JsonValue) -> JsonValue:
        """The JSON value with the secrets in its texts and keys replaced."""
        made_up = tuple(word for word in self.likely if len(word) >= _SHORTEST_MADE_UP and re.search(r"\d", word))
        return _mask_value(value, (*self.certain, *made_up))

    def mask_failure(self, value: JsonValue) -> JsonValue:
        """The JSON value of an error with every secret in its texts and keys replaced."""
        return _mask_value(value, (*self.certain, *self.likely))


def find_secrets(
    headers: Mapping[str, str], env: Mapping[str, str], args: Iterable[str], url: str, variables: Mapping[str, str]
) -> Secrets:
    """The secrets of a server; `variables` are the environment variables that its entry refers to."""
    certain = {part for name, value in headers.items() if name.lower() not in _OPEN_HEADERS for part in _parts(value)}
    args = tuple(args)
    certain |= {*_option_values(args), *_url_values(url)}
    certain |= {word for value in (*args, *env.values(), *variables.values()) for word in _passwords(value)}
    likely: set[str] = set()
    for name, value in [*env.items(), *variables.items()]:
        (certain if _NAMED_SECRET.search(name) else likely).add(value)
    likely -= certain
    return Secrets(_sorted(certain, _SHORTEST_CERTAIN), _sorted(likely, _SHORTEST_LIKELY))


def without_login(url: str) -> str:
    """The URL as it may be shown."""
    return re.sub(r"(?<=://)[^/@]*@", "", url)


def _mask(text: str, secrets: tuple[str, ...]) -> str:
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def _mask_value(value: JsonValue, secrets: tuple[str, ...]) -> JsonValue:
    if isinstance(value, str):
        return _mask(value, secrets)
    if isinstance(value, dict):
        return {_mask(key, secrets): _mask_value(item, secrets) for key, item in value.items()}
    if isinstance(value, list):
        return [_mask_value(item, secrets) for item in value]
    return value


def _parts(value: str) -> Iterator[str]:
    """A header's value, and what follows the scheme in it."""
    yield value
    yield from (part for part in value.split() if part.lower() not in _SCHEMES)


def _option_values(args: Iterable[str]) -> Iterator[str]:
    """The values in `--api-key=…` and `--api-key …`."""
    wanted = False
    for argument in args:
        if wanted and not argument.startswith("-"):
            yield argument
        name, _, value = argument.partition("=")
        wanted = argument.startswith("-") and not value and bool(_NAMED_SECRET.search(name))
        if value and _NAMED_SECRET.search(name):
            yield value


def _url_values(url: str) -> Iterator[str]:
    """The password and user in a URL, and its query's values that are named like a key, as written and decoded."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return
    query = [value for name, value in parse_qsl(parts.query) if _NAMED_SECRET.search(name)]
    for value in (parts.username, parts.password, *query):
        if value:
            yield value
            yield unquote(value)


def _passwords(text: str) -> Iterator[str]:
    """The password of a URL such as a database's, as written and decoded."""
    for password in _PASSWORD.findall(text):
        yield password
        yield unquote(password)


def _sorted(values: set[str], shortest: int) -> tuple[str, ...]:
    long = (value for value in values if len(value.strip()) >= shortest)
    return tuple(sorted(long, key=lambda value: (-len(value), value)))
