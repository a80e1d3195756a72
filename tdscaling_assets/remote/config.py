"""The `mcpServers` of a client configuration in, servers out; an entry that cannot be used is refused alone.

`${VAR}` and `${VAR:-default}` stand for environment variables, as MCP clients have it. No sentence holds a value of a
header, of an environment variable or of anything that was put in for a `${VAR}`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import Field, JsonValue, ValidationError

from tdscaling_assets.errors import ConfigError
from tdscaling_assets.schema import JsonObject, Record
from tdscaling_assets.secrets import Secrets, find_secrets

_LONGEST = 3_600  # seconds; a larger time-out was written in milliseconds, as some clients have it. Our own number
_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
_ASKED = re.compile(r"\$\{input:([^}]*)\}")
_FIELDS = ("command", "args", "env", "cwd", "url", "headers", "timeout")
_TRANSPORTS: dict[str, Literal["command", "url"]] = {"stdio": "command", "http": "url", "streamablehttp": "url"}


class McpServer(Record):
    """How to reach one server: `command` (stdio), else `url` (streamable HTTP). Mirrors an `mcpServers` entry.

    `timeout` in seconds, None for the source's. Values that may be secret are not in its repr.
    """

    name: str
    command: str = ""
    args: tuple[str, ...] = Field((), repr=False)
    env: dict[str, str] = Field(default_factory=dict, repr=False)
    cwd: Path = Path()
    url: str = Field("", repr=False)
    headers: dict[str, str] = Field(default_factory=dict, repr=False)
    timeout: float | None = Field(None, gt=0, le=_LONGEST)
    variables: dict[str, str] = Field(default_factory=dict, repr=False)  # what its `${VAR}` stood for

    def secrets(self) -> Secrets:
        """What must not be shown of this server."""
        return find_secrets(self.headers, self.env, self.args, self.url, self.variables)


class RefusedServer(Record):
    """An entry that is not visited, and why."""

    name: str
    reason: str


def read_servers(
    servers: JsonValue, path: Path, environment: Mapping[str, str]
) -> tuple[McpServer | RefusedServer, ...]:
    """The servers of the configuration at `path`, by name; a stdio server starts in its folder by default.

    Raises ConfigError when it lists no server.
    """
    if not isinstance(servers, dict) or not servers:
        raise ConfigError(
            f'{path} has no servers: it must be JSON such as {{"mcpServers": {{"name": {{"command": …}}}}}}'
        )
    read: list[McpServer | RefusedServer] = []
    for name in sorted(servers):
        try:
            read.append(_read_server(path, name, servers[name], environment))
        except ConfigError as error:
            read.append(RefusedServer(name=name, reason=str(error)))
    return tuple(read)


def _read_server(path: Path, name: str, entry: JsonValue, environment: Mapping[str, str]) -> McpServer:
    where = f"server {name!r} in {path}"
    if isinstance(entry, dict) and entry.get("disabled") is True:
        raise ConfigError(f"{where} is disabled: skipped")
    if not isinstance(entry, dict) or ("command" in entry) == ("url" in entry):
        raise ConfigError(f"{where} needs either a `command` (stdio) or a `url` (streamable HTTP)")
    _check_transport(where, entry)
    used: dict[str, str] = {}
    known: dict[str, object] = {key: _expand(where, entry[key], environment, used) for key in _FIELDS if key in entry}
    known |= {"name": name, "cwd": path.parent.resolve() / str(known.get("cwd") or ""), "variables": used}
    try:
        return McpServer.model_validate(known)
    except ValidationError as error:
        raise ConfigError(f"{where} {_fault(error)}") from None  # its context would show values


def _check_transport(where: str, entry: JsonObject) -> None:
    for key in ("type", "transport"):
        wanted = entry.get(key)
        if wanted is None:
            continue
        spelt = str(wanted).lower().replace("-", "").replace("_", "")
        if spelt == "sse":
            raise ConfigError(
                f"{where} speaks SSE, which MCP has replaced and which is not read: give its streamable HTTP `url`"
            )
        if spelt not in _TRANSPORTS:
            raise ConfigError(f"{where} has {key} {wanted!r}: give stdio, http or streamable-http")
        if _TRANSPORTS[spelt] not in entry:
            raise ConfigError(f"{where} has {key} {wanted!r} but no `{_TRANSPORTS[spelt]}`: correct one of them")


def _expand(where: str, value: JsonValue, environment: Mapping[str, str], used: dict[str, str]) -> JsonValue:
    """The value with its references replaced; the variables are added to `used`."""
    if isinstance(value, dict):
        return {key: _expand(where, item, environment, used) for key, item in value.items()}
    if isinstance(value, list):
        return [_expand(where, item, environment, used) for item in value]
    if not isinstance(value, str):
        return value
    if asked := _ASKED.search(value):
        raise ConfigError(
            f"{where} asks a person for {asked[1]!r}: write an environment variable, such as ${{API_KEY}}"
        )

    def replacement(match: re.Match[str]) -> str:
        variable, default = match[1], match[2]
        if found := environment.get(variable):
            used[variable] = found
            return found
        if default is None:
            raise ConfigError(f"{where} needs the environment variable {variable}, which is not set: set it and rerun")
        return str(default)

    return _REFERENCE.sub(replacement, value)


def _fault(error: ValidationError) -> str:
    """Which field is wrong and what it should be; of the value only its type, because it may be secret."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["loc"] == ("timeout",):
        return f"has timeout {first['input']!r}: give seconds, above 0 and at most {_LONGEST}"
    return f"has in {place} a {type(first['input']).__name__}: {first['msg'].lower()}"
