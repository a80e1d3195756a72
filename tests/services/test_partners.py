"""Services that share a world: one business calls another, and both remember."""

from collections.abc import Callable
from typing import Any

import pytest

from tdscaling_assets.errors import SpecError
from tdscaling_assets.services.spec import ServiceSpec, service_tools
from tdscaling_assets.services.world import World

Kiosk = Callable[..., ServiceSpec]


def sell(world: World, price_cents: int) -> Any:
    method_id = world.candidates("kiosk", "sell_paper", "method_id")[0]
    return world.call("kiosk", "sell_paper", {"method_id": method_id, "price_cents": price_cents})


def test_a_call_changes_the_partner_s_state_too(kiosk: Kiosk) -> None:
    world = World([kiosk()], 4)
    sale = sell(world, 250).value["sale"]
    payment = world.call("payments", "get_payment", {"payment_id": sale["payment_id"]}).value["payment"]
    assert (payment["amount_cents"], payment["merchant_id"], payment["status"]) == (250, "kestrel_books", "captured")
    assert world.broken_invariants() == []


def test_a_partner_s_refusal_refuses_the_call_and_nothing_remains(kiosk: Kiosk) -> None:
    world = World([kiosk()], 4)
    before = world.digest()
    refused = sell(world, 450_000)
    assert refused.value["error"]["code"] == "amount_above_limit"
    assert world.digest() == before


def test_a_step_can_depend_on_what_the_partner_did_meanwhile(kiosk: Kiosk) -> None:
    world = World([kiosk()], 4)
    sale = world.rows("kiosk", "sale")[0]
    world.call("payments", "refund_payment", {"payment_id": sale["payment_id"], "reason": "duplicate"})
    assert world.call("kiosk", "return_paper", {"sale_id": sale["sale_id"]}).value["refunded_cents"] == 0


def test_planted_rows_belong_to_the_partner(kiosk: Kiosk) -> None:
    world = World([kiosk()], 4)
    planted = {row["payment_id"] for row in world.rows("kiosk", "sale")}
    assert len(planted) == 3
    assert planted <= {row["payment_id"] for row in world.rows("payments", "payment")}


def test_a_service_brings_its_partners_and_naming_them_changes_nothing(kiosk: Kiosk) -> None:
    alone = kiosk()
    assert World([alone], 4).digest() == World([alone.partner("payments"), alone], 4).digest()


def test_a_tool_that_destroys_through_its_partner_says_so(kiosk: Kiosk) -> None:
    hints = {tool["name"]: tool["annotations"]["destructiveHint"] for tool in service_tools(kiosk())}
    assert hints == {"sell_paper": False, "return_paper": True}


def test_a_move_that_is_not_listed_is_an_error_of_the_spec(kiosk: Kiosk) -> None:
    world = World([kiosk("moves: {sold: [returned], returned: []}", "moves: {sold: [], returned: []}")], 4)
    sale_id = world.rows("kiosk", "sale")[0]["sale_id"]
    error = world.call("kiosk", "return_paper", {"sale_id": sale_id}).value["error"]
    assert error["code"] == "internal_error"
    assert "operation return_paper: sale.status goes from sold to returned" in error["message"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("uses: {payments: charges cards}\n", "", r"'payments\.payment' is of a service that it does not"),
        ("uses: {payments: charges cards}", "uses: {paymints: x}", r"uses 'paymints', which is no service"),
        (
            "call: payments.create_payment",
            "call: payments.pay",
            r"operation sell_paper: there is no payments\.pay to",
        ),
        ("amount_cents: price_cents, ", "", r"payments\.create_payment needs 'amount_cents'"),
        ("amount_cents: price_cents", "amount: price_cents", r"payments\.create_payment has no parameter 'amount'"),
        (
            "{update: sale, set: {status: returned}}",
            "{update: payment, set: {status: refunded}}",
            r"it changes rows of",
        ),
        (
            "    given:\n      - get: sale\n",
            "    given:\n      - get: sale\n      - call: payments.create_payout\n",
            "given",
        ),
        (
            "call: payments.refund_payment\n"
            "        with: {payment_id: sale.payment_id, reason: \"'requested_by_customer'\"}\n"
            "        as: refunded\n        when: payment.status != 'refunded'\n"
            "      - {update: sale, set: {status: returned}}",
            "call: payments.get_payment\n        with: {payment_id: sale.payment_id}\n        as: refunded",
            r"operation return_paper: effects change nothing",
        ),
        ("get: payments.payment,", "get: payments.charge,", r"there is no entity 'payments\.charge'; write one of"),
    ],
)
def test_a_wrong_junction_says_where_and_what_to_write(kiosk: Kiosk, old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        kiosk(old, new)
    assert str(raised.value).startswith("kiosk.yaml")
