"""Names that people give to one thing become one key; words that name nothing become none."""

import pytest

from tdscaling_assets.entities import (
    Act,
    entity_key,
    entity_of,
    field_key,
    is_natural,
    is_reference,
    own_keys,
    parameter_keys,
    parse_act,
)
from tdscaling_assets.schema import Tool
from tdscaling_assets.text import identifier_words

CANCEL_ORDER = Act("cancel", ("order",), 4)


def act(name: str, description: str = "") -> Act:
    return parse_act(
        Tool(
            tool_id=name,
            server="shop",
            name=name,
            description=description,
            input_schema={"type": "object"},
            domain="commerce",
            source="test",
            executor="simulated",
            content_hash=name,
        )
    )


# ── acts ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "verb", "nouns"),
    [
        ("cancelOrder", "cancel", ("order",)),
        ("get_user_orders_by_id", "get", ("user_order", "order")),
        ("orders-list", "list", ("order",)),
        ("get_repository", "get", ("repo",)),
        ("get_user_shipping_address_book", "get", ("shipping_address_book", "address_book", "book")),
        ("lists_all_projects", "list", ("project",)),
        ("get_order_details", "get", ("order",)),
    ],
)
def test_a_name_says_what_is_done_to_what(name: str, verb: str, nouns: tuple[str, ...]) -> None:
    assert act(name)[:2] == (verb, nouns)


def test_the_description_says_what_the_name_does_not() -> None:
    assert act("lookup", "Find customers by email.")[:2] == ("lookup", ("customer",))
    assert act("invoice", "Returns the invoice.")[:2] == ("get", ("invoice",))


def test_verbs_are_in_the_order_of_a_life() -> None:
    stages = [act(f"{verb}_order").stage for verb in ("create", "search", "get", "update", "cancel")]
    assert stages == [0, 1, 2, 3, 4]


def test_a_tool_without_a_known_verb_has_no_stage() -> None:
    assert act("frobnicate_order").stage is None


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["order_id", "orderId", "Order ID", "order-ids", "orderIds", "orderIdentifier"])
def test_all_spellings_of_a_name_are_one_key(name: str) -> None:
    assert entity_key(identifier_words(name)) == "order_id"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("orders[].id", "order_id"),
        ("order.id", "order_id"),
        ("id", "order_id"),
        ("result.data[].id", "order_id"),
        ("customer.items[].id", "customer_item_id"),
        ("orders[].customerId", "customer_id"),
        ("email", "email"),
    ],
)
def test_a_bare_id_field_is_typed_by_what_holds_it_else_by_the_noun(path: str, key: str) -> None:
    assert field_key(path, CANCEL_ORDER) == key


def test_a_bare_id_parameter_is_typed_by_the_noun_of_its_tool() -> None:
    assert parameter_keys("id", Act("get", ("user_order", "order"), 2)) == ("user_order_id", "order_id")


def test_who_creates_a_thing_chooses_its_name() -> None:
    assert parameter_keys("name", Act("create", ("order",), 0)) == ()
    assert parameter_keys("name", CANCEL_ORDER) == ("order_name",)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("from_account_id", ("from_account_id", "account_id")),
        ("to_account", ("to_account", "account", "to_account_id", "account_id")),
        ("assignee_id", ("assignee_id", "user_id")),
        ("access_token", ("access_token", "token")),
        ("parent_work_order_id", ("parent_work_order_id", "work_order_id", "order_id")),
    ],
)
def test_a_role_word_does_not_hide_the_entity(name: str, keys: tuple[str, ...]) -> None:
    assert parameter_keys(name, CANCEL_ORDER) == keys


@pytest.mark.parametrize("word", ["query", "limit", "status", "description", "page", "created_at", "price_cents"])
def test_generic_words_and_measures_have_no_key(word: str) -> None:
    assert field_key(word, CANCEL_ORDER) == ""
    assert parameter_keys(word, CANCEL_ORDER) == ()


def test_the_entity_of_a_key_is_what_it_refers_to() -> None:
    assert [entity_of(key) for key in ("order_id", "order_name", "order", "email")] == [
        "order",
        "order",
        "order",
        "email",
    ]


def test_a_name_is_no_reference_and_an_email_is_one_everywhere() -> None:
    assert [is_reference(key) for key in ("order_id", "owner_email", "order_name")] == [True, True, False]
    assert [is_natural(key) for key in ("order_id", "owner_email", "order_name")] == [False, True, False]


def test_a_parameter_tells_a_tool_the_thing_itself_but_not_by_its_role() -> None:
    page = Act("read", ("page",), 2)
    assert own_keys("parent_task_id", ("parent_task_id", "task_id"), page) == ("parent_task_id",)
    assert own_keys("url", ("url",), page) == ("url", "page_url")
