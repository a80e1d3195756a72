"""What a server returns becomes a JSON value: structure first, else its texts; long and foreign content is marked."""

import json

import pytest
from mcp.types import CallToolResult
from pydantic import JsonValue

from tdscaling_assets.measures import observation_failed
from tdscaling_assets.remote.results import RemoteResult, cut, read_result
from tdscaling_assets.secrets import Secrets, find_secrets

LONG = 1_000


def read(*parts: dict[str, object], structured: JsonValue = None, error: bool = False) -> RemoteResult:
    result = {"content": list(parts), "isError": error}
    given = result | ({} if structured is None else {"structuredContent": structured})
    return read_result(CallToolResult.model_validate(given), Secrets(), LONG)


def text(content: str) -> dict[str, object]:
    return {"type": "text", "text": content}


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ((text('{"a": 1}'),), {"a": 1}),
        ((text('{"a":'), text("1}")), {"a": 1}),
        ((text("[1, 2]"),), [1, 2]),
        ((text("7"),), 7),
        ((text("one"), text("two")), "one\ntwo"),
        ((text('{"a": 1}'), text('{"b": 2}')), '{"a": 1}\n{"b": 2}'),
        ((text('{"a": NaN}'),), '{"a": NaN}'),
        ((text('{"a": 1e999}'),), '{"a": 1e999}'),
        ((), ""),
    ],
)
def test_texts_are_joined_and_read_as_json_where_they_are_one_value(
    parts: tuple[dict[str, object], ...], value: JsonValue
) -> None:
    assert read(*parts) == RemoteResult(ok=True, value=value)


def test_structured_content_comes_before_text() -> None:
    assert read(text("seven"), structured={"n": 7}).value == {"n": 7}


@pytest.mark.parametrize(
    ("part", "mark"),
    [
        ({"type": "image", "data": "QUJDRA==", "mimeType": "image/png"}, "[image of type image/png, 4 bytes]"),
        ({"type": "audio", "data": "QUJD", "mimeType": "audio/wav"}, "[audio of type audio/wav, 3 bytes]"),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "mimeType": "text/csv", "text": "abc"}},
            "[resource of type text/csv, 3 characters]",
        ),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "blob": "QUI="}},
            "[resource of type unknown, 2 bytes]",
        ),
        ({"type": "resource_link", "uri": "file:///a", "name": "a", "size": 9}, "[link of type unknown, 9 bytes]"),
    ],
)
def test_other_content_is_named_with_its_type_and_size(part: dict[str, object], mark: str) -> None:
    assert read(text("Here:"), part).value == f"Here:\n{mark}"


@pytest.mark.parametrize(
    ("structured", "content"),
    [(None, "no"), ({"error": {"code": "x", "message": "no"}}, ""), ({"reason": "no"}, ""), (None, '"Error: no"')],
)
def test_an_error_is_known_as_one_in_what_is_stored(structured: JsonValue, content: str) -> None:
    result = read(text(content), structured=structured, error=True)
    assert not result.ok and observation_failed(json.dumps(result.value))
    assert "no" in json.dumps(result.value)


def test_what_looks_like_an_error_is_one_although_the_server_does_not_say_so() -> None:
    assert read(text("Error: no such repository")) == RemoteResult(ok=False, value="Error: no such repository")


def test_a_long_text_is_cut_with_a_mark() -> None:
    assert read(text("x" * (LONG + 5))).value == "x" * LONG + " [… 5 more characters]"
    assert read(text("x" * LONG)).value == "x" * LONG


def test_a_long_list_loses_its_end_and_says_so() -> None:
    rows: list[JsonValue] = [{"id": number} for number in range(1_000)]
    value = read(structured={"rows": rows, "name": "all"}).value
    assert isinstance(value, dict) and value["name"] == "all" and isinstance(value["rows"], list)
    *kept, mark = value["rows"]
    assert kept == rows[: len(kept)] and len(kept) > 2
    assert mark == f"[… {1_000 - len(kept)} more items]"
    assert len(json.dumps(value)) <= LONG


def test_what_no_list_makes_long_becomes_a_cut_text() -> None:
    value = cut({f"name {number}": number for number in range(1_000)}, LONG)
    assert isinstance(value, str) and value.endswith("more characters]") and len(value) < LONG + 40


def test_a_secret_is_masked_before_the_text_is_cut() -> None:
    secrets = Secrets(certain=("sk-12345",))
    result = CallToolResult.model_validate({"content": [text("x" * (LONG - 4) + "sk-12345")]})
    assert "sk-1" not in str(read_result(result, secrets, LONG).value)


def test_the_password_of_a_database_address_is_a_secret() -> None:
    secrets = find_secrets({}, {"PLACE": "postgres://u:pa%20ss@db/x"}, ["mysql://me:w0rd@h"], "", {})
    assert {"pa%20ss", "pa ss", "w0rd"} <= set(secrets.certain)
    assert secrets.mask_record("as u with w0rd") == "as u with ***"
