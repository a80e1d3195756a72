"""Prompts render strictly, carry private guidance that can be read back, and have a version."""

import jinja2
import pytest

from tdscaling_assets.prompts import LEAK_MARKERS, TEMPLATES, prompt_versions, read_guidance, render, with_guidance
from tdscaling_assets.schema import JsonObject

VALUES = {
    "planner": {},
    "user": {"persona": "A busy owner.", "goal": "Wants a refund."},
    "assistant": {"domain": "retail", "now": "2025-05-20T09:00:00Z"},
    "environment": {"output_schema": '{"type": "object"}'},
    "judge": {},
    "tools": {"tools": ['{"name": "look_up"}']},
    "repair": {"problem": "age: Field required"},
}


@pytest.mark.parametrize("role", TEMPLATES)
def test_every_role_has_a_prompt_that_holds_its_values(role: str) -> None:
    text = render(role, **VALUES[role])
    assert text == text.strip() != ""
    assert all(
        value in text for given in VALUES[role].values() for value in ([given] if isinstance(given, str) else given)
    )
    assert "{{" not in text and "{%" not in text


@pytest.mark.parametrize("role", TEMPLATES)
def test_no_prompt_leaks_by_itself(role: str) -> None:
    text = render(role, **VALUES[role]).lower()
    assert [marker for marker in LEAK_MARKERS if marker in text] == []


@pytest.mark.parametrize(("role", "missing"), [(role, name) for role, values in VALUES.items() for name in values])
def test_a_missing_value_is_an_error(role: str, missing: str) -> None:
    given = {name: value for name, value in VALUES[role].items() if name != missing}
    with pytest.raises(jinja2.UndefinedError, match=missing):
        render(role, **given)


def test_values_are_put_in_as_they_are() -> None:
    assert "O'Neill & <Sons> {{ x }}" in render("user", persona="O'Neill & <Sons> {{ x }}", goal="g")


def test_a_tool_without_output_schema_gets_no_talk_of_one() -> None:
    assert "JSON Schema" in render("environment", output_schema='{"type": "object"}')
    assert "JSON Schema" not in render("environment", output_schema="")


@pytest.mark.parametrize(
    "hint",
    [
        {},
        {"role": "user", "reveals": {"name": "Zoë", "note": 'a "quoted" line\nbreak'}},
        {"report": {"html": "<guidance>"}, "n": 1.5, "none": None, "list": [1, [2]]},
    ],
)
def test_guidance_can_be_read_back(hint: JsonObject) -> None:
    text = with_guidance("You help.", hint)
    assert text.startswith("You help.\n\n")
    assert read_guidance(text) == hint


@pytest.mark.parametrize("text", ["", "You help.", "<guidance>not JSON</guidance>", "<guidance>[1]</guidance>"])
def test_a_prompt_without_guidance_has_none(text: str) -> None:
    assert read_guidance(text) is None


def test_guidance_shows_itself_if_it_is_ever_stored() -> None:
    text = with_guidance("You help.", {"do": "call"}).lower()
    assert any(marker in text for marker in LEAK_MARKERS)


def test_versions_name_every_template_by_its_content() -> None:
    versions = prompt_versions()
    assert sorted(versions) == sorted(TEMPLATES)
    assert len(set(versions.values())) == len(TEMPLATES)
    assert all(len(version) == 12 and int(version, 16) >= 0 for version in versions.values())
