"""PayPal against a stateful server that answers as PayPal does: one capture per order, whoever asks first."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import ledger
from billing.money import Money
from billing.payments.cashier import Cashier, PaymentRunner
from billing.payments.errors import (
    BadHookError,
    BadSignatureError,
    GatewayAwayError,
    GatewayRefusedError,
    NotPossibleError,
)
from billing.payments.gateway import CheckoutClosed, CheckoutOpen, Declined
from billing.payments.hooks import HookDesk
from billing.payments.models import Checkout
from billing.payments.paypal_gateway import PayPalGateway, _ours, _theirs
from tests.billing.payments.fake_paypal import FakePayPal, create_app
from tests.billing.payments.scene import START
from tests.billing.payments.server import free_socket, serving, url_of


class Shop:
    def __init__(self, sessions: sessionmaker[Session], url: str) -> None:
        self.now = START
        self.sessions = sessions
        self.fake = FakePayPal(self.clock)
        self.gateway = PayPalGateway(client_id="id", secret="secret", webhook_id="WID", base_url=url)
        self.cashier = Cashier(sessions, [self.gateway], public_url="http://shop.example")
        self.runner = PaymentRunner(sessions, self.cashier, notify=lambda *_: None)
        self.desk = HookDesk(sessions, self.cashier.gateway, lambda *_: None)
        with sessions.begin() as session:
            self.account_id = create_account(session, email="a@example.org", now=START).account.id

    def clock(self) -> datetime:
        return self.now

    def start(self, minor: int = 2500) -> Checkout:
        return self.cashier.start(
            self.account_id, amount=Money(minor, "EUR"), email="a@b.cd", idem_key="k", now=self.now
        )

    def receive(self, message: tuple[bytes, dict[str, str]]) -> list[str]:
        return self.desk.receive("paypal", message[1], message[0], now=self.now)

    def finish(self, checkout: Checkout) -> str:
        return self.cashier.finish(self.account_id, checkout.public_id, now=self.now).state

    @property
    def wallet(self) -> int:
        with self.sessions.begin() as session:
            return ledger.balance(session, self.account_id, "EUR").posted.minor


@pytest.fixture
def shop(sessions: sessionmaker[Session]) -> Iterator[Shop]:
    sock = free_socket()
    shop = Shop(sessions, url_of(sock))
    with serving(create_app(shop.fake), sock):
        yield shop
    shop.gateway.close()


def test_the_payer_comes_back_and_we_capture(shop: Shop) -> None:
    checkout = shop.start()
    ref = str(checkout.provider_ref)
    assert checkout.url == f"https://paypal.example/{ref}"
    assert shop.fake.orders[ref]["purchase_units"][0]["amount"] == {"currency_code": "EUR", "value": "25.00"}
    assert shop.finish(checkout) == "redirected", "not approved yet"
    shop.fake.approve(ref)
    assert shop.finish(checkout) == "paid"
    assert shop.wallet == 2500
    assert shop.fake.tokens == 1, "one login serves many requests"


def test_the_payer_does_not_come_back_and_the_runner_captures(shop: Shop) -> None:
    checkout = shop.start()
    assert shop.receive(shop.fake.approve(str(checkout.provider_ref))) == ["open"]
    assert shop.wallet == 0, "no provider call inside the web hook's transaction"
    assert shop.runner.run_once(shop.now) == {"checkout-paid": 1}
    assert shop.wallet == 2500


def test_captures_told_by_web_hook_in_any_order(shop: Shop) -> None:
    checkout = shop.start()
    ref = str(checkout.provider_ref)
    approved = shop.fake.approve(ref)
    _, order = shop.fake.capture(ref)
    done = shop.fake.hook("PAYMENT.CAPTURE.COMPLETED", order["purchase_units"][0]["payments"]["captures"][0])
    assert shop.receive(done) == ["paid"]
    assert shop.receive(done) == ["duplicate"]
    assert shop.receive(approved) == ["stale"]
    assert shop.finish(checkout) == "paid"
    assert shop.wallet == 2500


def test_a_capture_made_by_somebody_else_is_found(shop: Shop) -> None:
    checkout = shop.start()
    ref = str(checkout.provider_ref)
    shop.fake.approve(ref)
    shop.fake.capture(ref)
    shop.fake.orders[ref]["status"] = "APPROVED"
    shop.fake.decline = "ORDER_ALREADY_CAPTURED"
    assert shop.finish(checkout) == "paid"


@pytest.mark.parametrize(
    ("issue", "state"), [("INSTRUMENT_DECLINED", "failed"), ("ORDER_NOT_APPROVED", "redirected")]
)
def test_captures_that_are_refused(shop: Shop, issue: str, state: str) -> None:
    checkout = shop.start()
    shop.fake.approve(str(checkout.provider_ref))
    shop.fake.decline = issue
    assert shop.finish(checkout) == state
    assert shop.wallet == 0


def test_orders_that_end(shop: Shop) -> None:
    checkout = shop.start()
    ref = str(checkout.provider_ref)
    finish = lambda: shop.gateway.finish_checkout(ref, reference="r", key="k")  # noqa: E731
    assert isinstance(finish(), CheckoutOpen)
    shop.fake.orders[ref]["status"] = "VOIDED"
    assert isinstance(finish(), CheckoutClosed)
    del shop.fake.orders[ref]
    assert finish() == CheckoutClosed(reference="r", ref=ref, reason="expired")


def test_refunds_ours_and_theirs(shop: Shop) -> None:
    checkout = shop.start()
    shop.fake.approve(str(checkout.provider_ref))
    shop.finish(checkout)
    with shop.sessions.begin() as session:
        payment = session.get_one(Checkout, checkout.id).payment_ref
    row = shop.cashier.refund(
        psp="paypal", payment=payment, amount=Money(1000, "EUR"), key="r1", actor="staff", reason="r",
        now=shop.now,
    )  # fmt: skip
    links = [{"rel": "up", "href": f"https://api.example/v2/payments/captures/{payment}"}]
    ours = {"id": row.provider_ref, "amount": {"currency_code": "EUR", "value": "10.00"}, "custom_id": "r1",
            "links": links}  # fmt: skip
    assert shop.receive(shop.fake.hook("PAYMENT.CAPTURE.REFUNDED", ours)) == ["stale"]
    theirs = {**ours, "id": "REF99", "custom_id": ""}
    assert shop.receive(shop.fake.hook("PAYMENT.CAPTURE.REFUNDED", theirs)) == ["refunded"]
    assert shop.wallet == 500
    taken = {"id": "REV1", "amount": {"currency_code": "EUR", "value": "5.00"}, "links": links}
    assert shop.receive(shop.fake.hook("PAYMENT.CAPTURE.REVERSED", taken)) == ["charged-back"]
    assert isinstance(shop.gateway.refund("CAP0", Money(1, "EUR"), key="x"), Declined)


def test_its_books_in_our_words(shop: Shop) -> None:
    checkout = shop.start()
    shop.fake.approve(str(checkout.provider_ref))
    shop.finish(checkout)
    shop.gateway.refund("CAPX", Money(500, "EUR"), key="y")
    paid, refund = shop.gateway.list_transactions(START - timedelta(hours=1), START + timedelta(hours=1))
    assert (paid.kind, paid.amount, paid.fee) == ("payment", Money(2500, "EUR"), Money(49, "EUR"))
    assert (refund.kind, refund.amount, refund.payment) == ("refund", Money(-500, "EUR"), "CAPX")


@pytest.mark.parametrize("spoil", ["body", "headers", "json"])
def test_web_hooks_that_paypal_did_not_sign(shop: Shop, spoil: str) -> None:
    body, headers = shop.fake.hook("CHECKOUT.ORDER.APPROVED", {"id": "x"})
    match spoil:
        case "body":
            body = body.replace(b"   ", b" ")
        case "headers":
            headers.pop("paypal-transmission-sig")
        case "json":
            body = b"{"
    with pytest.raises(BadSignatureError):
        shop.receive((body, headers))


def test_signed_nonsense(shop: Shop) -> None:
    with pytest.raises(BadHookError):
        shop.receive(shop.fake.hook("PAYMENT.CAPTURE.COMPLETED", {"id": "x"}))
    assert shop.receive(shop.fake.hook("BILLING.PLAN.CREATED", {})) == ["no-concern"]


def test_a_token_that_was_revoked_is_fetched_again(shop: Shop) -> None:
    checkout = shop.start()
    shop.fake.valid_token = "other"
    assert shop.finish(checkout) == "redirected"
    shop.fake.approve(str(checkout.provider_ref))
    assert shop.finish(checkout) == "paid"


def test_what_paypal_cannot_do(shop: Shop) -> None:
    with pytest.raises(NotPossibleError):
        shop.cashier.start(shop.account_id, amount=None, email="a@b.cd", idem_key="c", now=shop.now)
    with pytest.raises(GatewayRefusedError):
        _theirs(Money(100, "RUB"))
    with pytest.raises(GatewayRefusedError):
        _theirs(Money(150, "HUF"))
    assert _theirs(Money(15000, "HUF"))["value"] == "150"
    assert _ours(_theirs(Money(500, "JPY"))) == Money(500, "JPY")


def test_wrong_credentials_and_nobody_there(shop: Shop) -> None:
    wrong = PayPalGateway(
        client_id="id", secret="wrong", webhook_id="W", base_url=str(shop.gateway._client.base_url)
    )
    nobody = PayPalGateway(client_id="id", secret="secret", webhook_id="W", base_url="http://127.0.0.1:9")
    for gateway in (wrong, nobody):
        with pytest.raises(GatewayAwayError):
            gateway.finish_checkout("x", reference="r", key="k")
        gateway.close()
