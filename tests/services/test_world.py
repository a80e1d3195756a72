"""Calls on packaged services: what businesses refuse, what money adds up to, what a world remembers."""

import random
import subprocess
import sys
from typing import Any

import pytest

from tdscaling_assets.services.spec import load_services
from tdscaling_assets.services.world import CallResult, World


def world(name: str, seed: int = 7) -> World:
    return World([load_services()[name]], seed)


def error_code(result: CallResult) -> Any:
    assert not result.ok
    return result.value["error"]["code"]


def output(result: CallResult) -> Any:
    assert result.ok, result.value
    return result.value


def first(shop: World, entity: str, **equals: str) -> Any:
    return next(row for row in shop.rows("shop", entity) if all(row[name] == value for name, value in equals.items()))


def test_an_unknown_tool_is_an_error_result() -> None:
    assert error_code(world("shop").call("shop", "sell_company", {})) == "unknown_tool"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"order_id": 5}, {"order_id": "ORD-1", "speed": "fast"}],
    ids=["missing", "wrong type", "undeclared"],
)
def test_arguments_are_validated_first(arguments: dict[str, Any]) -> None:
    assert error_code(world("shop").call("shop", "get_order", arguments)) == "invalid_arguments"


@pytest.mark.parametrize(
    "moment",
    ["2025-13-45T09:00:00Z", "tomorrow", "2025-05-05 09:00:00 ", "2025-W30-1T10:00:00Z", "9999-12-31T09:00:00Z"],
)
def test_moments_that_do_not_exist_are_invalid(moment: str) -> None:
    arguments = {"starts_at": moment, "duration_minutes": 30}
    assert error_code(world("calendar").call("calendar", "find_available_rooms", arguments)) == "invalid_arguments"


def test_a_missing_row_is_named_after_its_entity() -> None:
    assert error_code(world("shop").call("shop", "get_order", {"order_id": "ORD-1"})) == "order_not_found"


def test_a_shipped_order_cannot_be_cancelled() -> None:
    shop = world("shop")
    order = first(shop, "order", status="shipped")
    result = shop.call("shop", "cancel_order", {"order_id": order["order_id"], "reason": "changed_mind"})
    assert error_code(result) == "order_already_shipped"


def test_ids_flow_from_one_call_to_the_next() -> None:
    shop = world("shop")
    email = first(shop, "customer")["email"]
    customer = output(shop.call("shop", "find_customer", {"email": email}))["customer"]
    product = first(shop, "product", stock=max(row["stock"] for row in shop.rows("shop", "product")))
    lines = [{"product_id": product["product_id"], "quantity": 3}]
    placed = output(shop.call("shop", "create_order", {"customer_id": customer["customer_id"], "lines": lines}))[
        "order"
    ]
    assert placed["subtotal"] == round(3 * product["unit_price"], 2)
    assert output(shop.call("shop", "get_order", {"order_id": placed["order_id"]}))["order"] == placed
    left = output(shop.call("shop", "get_product", {"product_id": product["product_id"]}))["product"]["stock"]
    assert left == product["stock"] - 3
    output(shop.call("shop", "cancel_order", {"order_id": placed["order_id"], "reason": "changed_mind"}))
    back = output(shop.call("shop", "get_product", {"product_id": product["product_id"]}))["product"]["stock"]
    assert back == product["stock"]


def test_a_refusal_in_the_middle_of_an_order_keeps_all_stock() -> None:
    shop = world("shop")
    plenty = first(shop, "product", stock=max(row["stock"] for row in shop.rows("shop", "product")))
    scarce = first(shop, "product", stock=min(row["stock"] for row in shop.rows("shop", "product")))
    assert scarce["stock"] < 20
    before = shop.digest()
    lines = [{"product_id": plenty["product_id"], "quantity": 1}, {"product_id": scarce["product_id"], "quantity": 3}]
    customer_id = first(shop, "customer")["customer_id"]
    while (result := shop.call("shop", "create_order", {"customer_id": customer_id, "lines": lines})).ok:
        before = shop.digest()
    assert error_code(result) == "insufficient_stock"
    assert shop.digest() == before


def test_an_answer_can_be_changed_without_changing_the_world() -> None:
    shop = world("shop")
    before = shop.digest()
    order_id = first(shop, "order")["order_id"]
    output(shop.call("shop", "get_order", {"order_id": order_id}))["order"]["lines"].clear()
    assert shop.digest() == before


def test_an_argument_can_be_changed_without_changing_the_world() -> None:
    shop = world("shop")
    customer_id = first(shop, "customer")["customer_id"]
    product = first(shop, "product", stock=max(row["stock"] for row in shop.rows("shop", "product")))
    lines = [{"product_id": product["product_id"], "quantity": 1}]
    order = output(shop.call("shop", "create_order", {"customer_id": customer_id, "lines": lines}))["order"]
    lines[0]["quantity"] = 3
    assert output(shop.call("shop", "get_order", {"order_id": order["order_id"]}))["order"] == order


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    shop = world("shop")
    customer_id = first(shop, "customer")["customer_id"]
    product = first(shop, "product", stock=max(row["stock"] for row in shop.rows("shop", "product")))
    lines = [{"product_id": product["product_id"], "quantity": 2.0}]
    order = output(shop.call("shop", "create_order", {"customer_id": customer_id, "lines": lines}))["order"]
    assert str(order["lines"][0]["quantity"]) == "2"


def test_half_a_surrogate_pair_is_no_text() -> None:
    shop = world("shop")
    arguments = {"order_id": first(shop, "order", status="paid")["order_id"], "shipping_address": "\ud800"}
    assert error_code(shop.call("shop", "update_shipping_address", arguments)) == "invalid_arguments"


def test_the_digest_tells_what_the_next_key_will_be() -> None:
    used, fresh = world("database", 3), world("database", 3)
    grants = used.rows("database", "access_grant")
    author = next(row["analyst_id"] for row in grants if (row["role"], row["status"]) == ("author", "active"))
    email = next(row["email"] for row in used.rows("database", "analyst") if row["analyst_id"] == author)
    arguments = {"email": email, "query_name": "One more", "sql": "SELECT 1"}
    saved = next(iter(output(used.call("database", "save_query", arguments)).values()))
    output(used.call("database", "delete_saved_query", {"saved_query_id": saved["saved_query_id"]}))
    assert used.digest() != fresh.digest()


def test_worlds_of_one_seed_do_not_share_changes() -> None:
    one, other = world("shop"), world("shop")
    order = first(one, "order", status="paid")
    output(one.call("shop", "cancel_order", {"order_id": order["order_id"], "reason": "changed_mind"}))
    assert one.digest() != other.digest()
    assert first(other, "order", order_id=order["order_id"])["status"] == "paid"


def test_different_seeds_give_different_worlds() -> None:
    assert len({world("bank", seed).digest() for seed in range(10)}) == 10


def test_the_digest_is_the_same_in_another_process() -> None:
    program = (
        "from tdscaling_assets.services.spec import load_services\n"
        "from tdscaling_assets.services.world import World\n"
        "print(World(list(load_services().values()), 11).digest())"
    )
    run = [sys.executable, "-c", program]
    digests = {
        subprocess.run(run, env={"PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True).stdout
        for salt in ("1", "2")
    }
    assert digests == {World(list(load_services().values()), 11).digest() + "\n"}


def test_one_person_is_known_to_several_services() -> None:
    both = World([load_services()["shop"], load_services()["bank"]], 5)
    shoppers = {row["email"] for row in both.rows("shop", "customer")}
    assert shoppers & {row["email"] for row in both.rows("bank", "holder")}


def test_candidates_are_values_of_the_state() -> None:
    shop = world("shop")
    assert shop.candidates("shop", "find_customer", "email") == [row["email"] for row in shop.rows("shop", "customer")]


def test_candidates_are_those_a_caller_would_plausibly_name() -> None:
    shop = world("shop")
    open_orders = [row["order_id"] for row in shop.rows("shop", "order") if row["status"] in ("paid", "packed")]
    assert shop.candidates("shop", "cancel_order", "order_id") == open_orders


def test_free_parameters_have_no_candidates() -> None:
    assert world("shop").candidates("shop", "create_order", "shipping_address") == []


def test_sampled_dates_lie_near_the_worlds_now() -> None:
    calendar = world("calendar")
    rng = random.Random(1)
    days = {str(calendar.sample("calendar", "list_events", "to_date", rng)) for _ in range(20)}
    assert min(days) > calendar.now[:10]
    assert max(days) < f"{int(calendar.now[:4]) + 1}"


def test_free_texts_are_sampled_from_the_examples_of_the_schema() -> None:
    examples = load_services()["calendar"].operations["create_event"].parameters["title"].examples
    assert world("calendar").sample("calendar", "create_event", "title", random.Random(1)) in examples


def test_a_transfer_moves_exactly_its_amount() -> None:
    bank = world("bank")
    rich = max(bank.rows("bank", "account"), key=lambda row: row["balance_cents"] * (row["status"] == "open"))
    other = next(row for row in bank.rows("bank", "account") if row["status"] == "open" and row != rich)
    arguments = {"account_id": rich["account_id"], "to_account_id": other["account_id"], "amount_cents": 1234}
    assert output(bank.call("bank", "transfer_money", arguments))["balance_cents"] == rich["balance_cents"] - 1234
    received = output(bank.call("bank", "get_account", {"account_id": other["account_id"]}))["account"]
    assert received["balance_cents"] == other["balance_cents"] + 1234


def test_a_fork_starts_in_the_same_state_and_goes_its_own_way() -> None:
    shop = world("shop")
    order = first(shop, "order", status="paid")
    cancelled = {"order_id": order["order_id"], "reason": "changed_mind"}
    before, fork = shop.digest(), shop.fork()
    assert fork.digest() == before
    output(fork.call("shop", "cancel_order", cancelled))
    assert shop.digest() == before != fork.digest()
    output(shop.call("shop", "cancel_order", cancelled))
    assert shop.digest() == fork.digest()
    assert world("shop").fork().digest() == before  # of one that has not been used yet
