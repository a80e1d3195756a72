"""Small helpers that write variants of a packaged service."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import pytest

from tdscaling_assets.services.spec import ServiceSpec, load_service

Variant = Callable[[str, str, str], ServiceSpec]
Kiosk = Callable[..., ServiceSpec]

KIOSK = """
name: kiosk
title: Kiosk
domain: kiosks
description: Sells newspapers on card.
uses: {payments: charges cards}
entities:
  sale:
    id: "KSK-{n}"
    rows: 3
    fields:
      sale_id: string
      payment_id:
        ref: payments.payment.payment_id
        seed: >-
          plant('payments.payment', merchant_id='kestrel_books', amount_cents=300, status='captured',
          payer_id=pick('payments.payer').payer_id, method_id=pick('payments.payment_method').method_id)
      status: {moves: {sold: [returned], returned: []}, lost: [returned], seed: sold}
operations:
  sell_paper:
    title: Sell paper
    description: Sell a newspaper.
    parameters:
      method_id: {ref: payments.payment_method.method_id, when: row.status == 'active'}
      price_cents: {type: integer, minimum: 50, maximum: 500000, description: Price.}
    effects:
      - call: payments.create_payment
        with: {merchant_id: "'kestrel_books'", method_id: method_id, amount_cents: price_cents, description: "'Paper'"}
        as: charged
      - {create: sale, set: {payment_id: charged.payment.payment_id, status: sold}}
    returns:
      sale: {entity: sale}
  return_paper:
    title: Return paper
    description: Take a newspaper back.
    parameters:
      sale_id: {ref: sale.sale_id}
    given:
      - get: sale
      - {get: payments.payment, key: sale.payment_id}
    effects:
      - call: payments.refund_payment
        with: {payment_id: sale.payment_id, reason: "'requested_by_customer'"}
        as: refunded
        when: payment.status != 'refunded'
      - {update: sale, set: {status: returned}}
    returns:
      sale: {entity: sale}
      refunded_cents: {type: integer, value: "refunded.refund.amount_cents if refunded else 0"}
"""


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    """Load a packaged service with one piece of its text replaced."""

    def load(name: str, old: str, new: str) -> ServiceSpec:
        text = files("tdscaling_assets.services").joinpath("specs", f"{name}.yaml").read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {name}.yaml"
        path = tmp_path / f"{name}.yaml"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")
        return load_service(path)

    return load


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    """A small business that is paid through payments, with one piece of its text replaced."""

    def load(old: str = "", new: str = "") -> ServiceSpec:
        assert old in KIOSK
        path = tmp_path / "kiosk.yaml"
        path.write_text(KIOSK.replace(old, new, 1) if old else KIOSK, encoding="utf-8")
        return load_service(path)

    return load
