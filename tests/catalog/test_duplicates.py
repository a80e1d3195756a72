"""Copies are linked to one canonical tool; what only looks alike is not."""

import random

import pytest

from tdscaling_assets.catalog.duplicates import link_copies, profile, similarity
from tdscaling_assets.schema import Tool, digest

TEXT = "Get the current weather report for a city, with temperature, wind and humidity."


def tool(
    server: str, name: str = "get_weather", says: str = TEXT, takes: str = "city units", **changes: object
) -> Tool:
    names = takes.split()
    return Tool.model_validate(
        {
            "tool_id": f"{server}__{name}",
            "server": server,
            "name": name,
            "description": says,
            "input_schema": {"type": "object", "properties": {one: {"type": "string"} for one in names}},
            "domain": "weather",
            "source": "file:x.json",
            "executor": "simulated",
            "content_hash": digest(name, says, names),
        }
        | changes
    )


def links(*tools: Tool) -> dict[str, str | None]:
    return {one.server: one.canonical_id for one in link_copies(tools)}


def test_exact_copies_link_to_the_first_id() -> None:
    assert links(tool("b"), tool("a"), tool("c")) == {"a": None, "b": "a__get_weather", "c": "a__get_weather"}


@pytest.mark.parametrize(
    ("name", "says", "takes"),
    [
        ("get_weather", TEXT + " Free.", "city units"),
        ("getWeather", TEXT, "city units lang"),
        ("current_get_weather", TEXT, "city units"),
        ("get_weathers", TEXT.replace("current", "present"), "city units"),
    ],
)
def test_a_near_copy_of_another_server_links(name: str, says: str, takes: str) -> None:
    linked = link_copies([tool("a"), tool("b", name, says, takes)])
    assert [one.canonical_id is None for one in linked].count(False) == 1


@pytest.mark.parametrize(
    ("name", "says", "takes"),
    [
        ("delete_weather", TEXT.replace("Get", "Delete"), "city units"),
        ("get_weather", "Read the sky of yesterday from our archive of photos.", "city units"),
        ("get_weather", TEXT, "latitude longitude altitude"),
        ("get_weather", "", "city units"),
    ],
)
def test_what_only_looks_alike_stays_apart(name: str, says: str, takes: str) -> None:
    assert links(tool("a"), tool("b", name, says, takes)) == {"a": None, "b": None}


def test_two_products_are_no_copies() -> None:
    one = tool("GitLab", "create_issue", "Create a new issue in a GitLab project", "title")
    other = tool("Linear", "create_issue", "Create a new issue in a Linear project", "title")
    assert similarity(profile(one), profile(other)) > 0.8
    assert links(one, other) == {"GitLab": None, "Linear": None}


def test_a_description_that_many_names_share_says_nothing() -> None:
    nothing = "Description not available for this one"
    others = [tool(f"s{n}", f"word{chr(97 + n)}_x", nothing, f"p{n}") for n in range(6)]
    pair = [tool("a", "list_items", nothing, "x y z"), tool("b", "list_items", nothing, "x y w")]
    assert set(links(*others, *pair).values()) == {None}


def test_tools_of_one_server_are_no_near_copies() -> None:
    linked = link_copies([tool("a"), tool("a", "get_weathers", TEXT + " Now.")])
    assert [one.canonical_id for one in linked] == [None, None]


def test_the_tool_that_runs_is_canonical_then_the_one_with_an_output_schema() -> None:
    assert links(tool("a"), tool("b", output_schema={"type": "object"}))["a"] == "b__get_weather"
    assert links(tool("b", output_schema={}), tool("c", executor="builtin"))["b"] == "c__get_weather"


def test_links_lead_to_canonical_tools_and_never_in_chains_in_any_order() -> None:
    tools = [tool(f"s{n:02}", says=TEXT + " More." * (n // 2)) for n in range(40)]
    linked = link_copies(tools)
    canonical = {one.tool_id for one in linked if one.canonical_id is None}
    assert 1 < len(canonical) < 20
    assert {one.canonical_id for one in linked} - {None} <= canonical
    random.Random(1).shuffle(tools)
    assert sorted(link_copies(tools), key=lambda one: one.tool_id) == linked


def test_absent_tools_are_nobodys_original() -> None:
    assert links(tool("a", present=False), tool("b")) == {"a": None, "b": None}
