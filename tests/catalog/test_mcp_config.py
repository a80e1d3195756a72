"""A client configuration becomes servers; an entry that cannot be used is refused alone, and no secret is shown."""

import json
from pathlib import Path

import pytest

from tdscaling_assets.catalog.files import read_mcp_config
from tdscaling_assets.errors import ConfigError
from tdscaling_assets.remote.config import McpServer, RefusedServer


def read(folder: Path, entry: object, **environment: str) -> McpServer | RefusedServer:
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"a": entry}}))
    (server,) = read_mcp_config(path, environment)
    return server


def test_a_configuration_is_read_in_order_of_names(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    content = {
        "b": {"command": "run", "args": ["-v"], "disabled": False, "type": "stdio", "timeout": 5},
        "a": {"url": "http://x", "headers": {"k": "v"}, "transport": "streamable-http"},
    }
    path.write_text(json.dumps({"mcpServers": content}))
    assert read_mcp_config(path, {}) == (
        McpServer(name="a", url="http://x", headers={"k": "v"}, cwd=tmp_path),
        McpServer(name="b", command="run", args=("-v",), cwd=tmp_path, timeout=5),
    )


def test_references_to_the_environment_are_replaced_everywhere(tmp_path: Path) -> None:
    entry = {
        "command": "${BIN}/run",
        "args": ["--in=${env:HOME}", "${MISSING:-fall back}", "$PLAIN ${not a name}", "${EMPTY:-}"],
        "env": {"TOKEN": "${TOKEN}"},
    }
    server = read(tmp_path, entry, BIN="/opt", HOME="/me", TOKEN="tok-7g2q", EMPTY="")
    assert isinstance(server, McpServer)
    assert server.command == "/opt/run"
    assert server.args == ("--in=/me", "fall back", "$PLAIN ${not a name}", "")
    assert server.env == {"TOKEN": "tok-7g2q"}
    assert "tok-7g2q" not in repr(server)
    assert "tok-7g2q" in server.secrets().certain


def test_references_in_urls_and_headers_are_replaced(tmp_path: Path) -> None:
    entry = {"url": "https://${HOST:-localhost}/mcp", "headers": {"Authorization": "Bearer ${KEY}"}}
    server = read(tmp_path, entry, KEY="s3cret")
    assert isinstance(server, McpServer)
    assert (server.url, server.headers) == ("https://localhost/mcp", {"Authorization": "Bearer s3cret"})
    assert {"s3cret", "Bearer s3cret"} <= set(server.secrets().certain)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({}, "either a `command`"),
        ({"command": "a", "url": "b"}, "either a `command`"),
        ("run", "either a `command`"),
        ({"command": "run", "disabled": True}, "is disabled: skipped"),
        ({"command": "run", "env": {"A": "${NO_SUCH}"}}, "needs the environment variable NO_SUCH, which is not set"),
        ({"url": "http://x", "type": "sse"}, "speaks SSE"),
        ({"url": "http://x", "type": "carrier-pigeon"}, "give stdio, http or streamable-http"),
        ({"url": "http://x", "type": "stdio"}, "but no `command`"),
        ({"command": "run", "timeout": 60_000}, "give seconds"),
        ({"command": "run", "timeout": 0}, "give seconds"),
        ({"command": 3}, "has in command a int"),
        ({"url": "http://x", "headers": "Bearer s3cret"}, "has in headers a str"),
        ({"url": "http://x", "headers": {"a": ["s3cret"]}}, "has in headers.a a list"),
        ({"url": "http://x", "headers": {"a": "${input:key}"}}, "asks a person for 'key'"),
    ],
)
def test_an_entry_that_cannot_be_used_is_refused_alone(tmp_path: Path, entry: object, sentence: str) -> None:
    refused = read(tmp_path, entry, OTHER="s3cret")
    assert isinstance(refused, RefusedServer)
    assert sentence in refused.reason
    assert "'a'" in refused.reason
    assert "s3cret" not in refused.reason


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("rubbish", "expected JSON such as"),
        ("{}", "expected JSON such as"),
        ('{"mcpServers": {}}', "has no servers"),
        ('{"tools": [{"name": "x"}]}', "list it under `file` instead of `mcp_config`"),
        ("openapi: 3.0.0\npaths: {}\n", "list it under `openapi` instead of `mcp_config`"),
    ],
)
def test_another_file_is_refused_with_what_to_write(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "mcp.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as refusal:
        read_mcp_config(path, {})
    assert sentence in str(refusal.value)
