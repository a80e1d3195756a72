"""What crawlers took for parameters is known by what it looks like, and never where somebody vouches for it."""

import pytest

from tdscaling_assets.junk import find_junk
from tdscaling_assets.schema import JsonObject, Tool

TEXT: JsonObject = {"type": "string"}


def tool(
    name: str, *names: str, description: str = "", required: tuple[str, ...] = (), schema: JsonObject = TEXT
) -> Tool:
    return Tool(
        tool_id=name,
        server="shop",
        name=name,
        description=description,
        input_schema={"type": "object", "properties": dict.fromkeys(names, schema), "required": list(required)},
        domain="commerce",
        source="test",
        executor="simulated",
        content_hash=name,
    )


def junk(*tools: Tool) -> set[str]:
    return set().union(*find_junk(tools).values())


@pytest.mark.parametrize("name", ["Update", "the", "True", "returns", "update_order", "update_order_lines"])
def test_words_of_a_sentence_and_tools_names_are_junk(name: str) -> None:
    assert junk(tool("update_order", name, "order_id")) == {name}


def test_the_name_of_another_tool_of_the_server_is_junk() -> None:
    assert junk(tool("update_order", "get_parcel"), tool("get_parcel")) == {"get_parcel"}
    assert junk(tool("update_order", "get_parcel")) == set()


def test_beside_words_of_a_sentence_every_single_word_is_junk() -> None:
    assert junk(tool("update_order", "Update", "order", "orderId")) == {"Update", "order"}
    assert junk(tool("update_order", "order", "orderId")) == set()


def test_beside_its_own_name_the_words_of_a_tools_text_are_junk() -> None:
    found = junk(tool("update_order", "update_order", "order", "colour", description="Updates an order."))
    assert found == {"update_order", "order"}


def test_what_is_required_or_described_is_no_junk() -> None:
    assert junk(tool("update_order", "Update", required=("Update",))) == set()
    assert junk(tool("update_order", "Update", schema={**TEXT, "description": "What to update."})) == set()
