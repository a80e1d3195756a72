"""JSON that a model or a tool wrote is read, or is no JSON; nothing that it can write raises."""

import json

import pytest

from tdscaling_assets.schema import MOST_NESTED, decode_json, parse_json, parse_object, parse_value

UNREADABLE = {
    "no JSON": '{"a": 1',
    "more than one value": "{} {}",
    "an integer that is too long": '{"a": ' + "7" * 5000 + "}",
    "a number that is too large": '{"a": 1e999}',
    "not a number": '{"a": NaN}',
    "infinity": '{"a": -Infinity}',
    "lists without an end": "[" * 8000,
    "objects that are too deep": '{"a":' * (MOST_NESTED + 1) + "1" + "}" * (MOST_NESTED + 1),
    "a line break inside a string": '{"a": "1\n2"}',
    "other spaces than JSON has": "\u00a0{}",
    "nothing": " ",
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_no_json(text: str) -> None:
    assert parse_object(text) is None
    assert parse_value(text) == text
    assert parse_json(text, 7) == 7


@pytest.mark.parametrize("value", [{"a": [1, 2.5, None]}, [{}] * 300, 10**400, "text", None, 1e-999])
def test_what_can_be_read_is_as_json_reads_it(value: object) -> None:
    assert parse_json(f"\n {json.dumps(value)} ", "no JSON") == value


def test_the_deepest_value_is_read() -> None:
    text = "[" * MOST_NESTED + "]" * MOST_NESTED
    assert parse_json(text) == json.loads(text)


def test_a_value_is_read_from_where_it_begins_to_where_it_ends() -> None:
    assert decode_json('say {"a": 1} now', 4) == ({"a": 1}, 12)
    assert decode_json('say {"a": 1} now', 5) == ("a", 8)
    assert decode_json("say", 3) == (None, 0)
    assert decode_json('"1\n2"', 0, strict=False) == ("1\n2", 5)
