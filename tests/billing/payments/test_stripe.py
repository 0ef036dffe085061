"""Stripe, through its own library, against a stateful server that answers as Stripe does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import ledger
from billing.money import Money
from billing.payments import cards, charges
from billing.payments.cashier import Cashier, PaymentRunner
from billing.payments.charges import ConfirmNeeded, Notice
from billing.payments.errors import BadHookError, BadSignatureError, GatewayAwayError, GatewayRefusedError
from billing.payments.gateway import ChargeWish, CheckoutWish, Declined, SavedCard, Unknown
from billing.payments.hooks import HookDesk
from billing.payments.models import Attempt
from billing.payments.stripe_gateway import StripeGateway, _ours, _theirs
from billing.trial_balance import mismatches
from tests.billing.payments.fake_stripe import FakeStripe, create_app
from tests.billing.payments.scene import START
from tests.billing.payments.server import free_socket, serving, url_of

SECRET = "whsec_1"


class Shop:
    def __init__(self, sessions: sessionmaker[Session], fake: FakeStripe, url: str) -> None:
        self.now = START
        self.sessions, self.fake = sessions, fake
        self.notices: list[Notice] = []
        self.gateway = StripeGateway(secret_key="sk_test_1", hook_secret=SECRET, base_url=url)
        self.cashier = Cashier(sessions, [self.gateway], public_url="http://shop.example")
        self.runner = PaymentRunner(sessions, self.cashier, notify=self.notify)
        self.desk = HookDesk(sessions, self.cashier.gateway, self.notify)
        with sessions.begin() as session:
            self.account_id = create_account(session, email="a@example.org", now=START).account.id

    def notify(self, _session: Session, notice: Notice) -> None:
        self.notices.append(notice)

    def deliver(self) -> list[str]:
        events, self.fake.events = self.fake.events, []
        outcomes = []
        for event in events:
            body, headers = self.fake.signed(event, SECRET)
            outcomes += self.desk.receive("stripe", headers, body, now=self.now)
        return outcomes

    def top_up(self, minor: int | None, method: str = "pm_good", *, save_card: bool = False) -> None:
        amount = None if minor is None else Money(minor, "EUR")
        checkout = self.cashier.start(
            self.account_id, amount=amount, email="a@example.org", idem_key=f"k{minor}{method}{save_card}",
            save_card=save_card, now=self.now,
        )  # fmt: skip
        assert checkout.provider_ref is not None
        self.fake.pay(checkout.provider_ref, method)
        assert self.cashier.finish(self.account_id, checkout.public_id, now=self.now).state == "paid"

    def use(self, minor: int) -> None:
        money = Money(minor, "EUR")
        with self.sessions.begin() as session:
            posted = ledger.usage(
                session, self.account_id, 1, rating_version=1, net=money, vat=Money.zero("EUR"),
                vat_country=None, at=self.now,
            )  # fmt: skip
            charges.request_charge(session, self.account_id, money, usage_tx=posted.id, now=self.now)

    @property
    def balance(self) -> tuple[int, int]:
        with self.sessions.begin() as session:
            assert mismatches(session) == []
            found = ledger.balance(session, self.account_id, "EUR")
        return found.posted.minor, found.receivable.minor

    @property
    def attempt(self) -> Attempt:
        with self.sessions.begin() as session:
            return session.get_one(Attempt, 1)


@pytest.fixture
def shop(sessions: sessionmaker[Session]) -> Iterator[Shop]:
    sock = free_socket()
    fake = FakeStripe(lambda: shop.now.timestamp())
    shop = Shop(sessions, fake, url_of(sock))
    with serving(create_app(fake), sock):
        yield shop


def test_a_top_up_with_its_web_hooks(shop: Shop) -> None:
    shop.top_up(5000)
    assert shop.balance == (5000, 0)
    assert set(shop.deliver()) == {"no-concern", "stale"}
    assert shop.balance == (5000, 0)
    form = next(form for _, path, form in shop.fake.requests if path == "/v1/checkout/sessions")
    assert form["line_items"]["0"]["price_data"]["unit_amount"] == "5000"
    assert form["customer_email"] == "a@example.org"
    assert int(form["expires_at"]) - START.timestamp() >= 1800, "Stripe wants half an hour at least"


def test_a_web_hook_alone_is_enough(shop: Shop) -> None:
    checkout = shop.cashier.start(
        shop.account_id, amount=Money(2500, "EUR"), email="a@b.cd", idem_key="k", now=shop.now
    )
    shop.fake.pay(str(checkout.provider_ref))
    assert "paid" in shop.deliver()
    assert shop.balance == (2500, 0)


def test_a_card_is_left_and_pays_a_shortfall(shop: Shop) -> None:
    shop.top_up(None)
    with shop.sessions.begin() as session:
        (card,) = cards.list_cards(session, shop.account_id)
        assert (card.brand, card.last4, card.exp_month, card.exp_year) == ("visa", "4242", 11, 2029)
        assert cards.customer_ref(session, shop.account_id, "stripe").startswith("cus_")
    shop.use(1194)
    assert shop.runner.run_once(shop.now) == {"charge-charged": 1}
    assert shop.balance == (0, 0)
    form = next(form for _, path, form in shop.fake.requests if path == "/v1/payment_intents")
    assert (form["off_session"].lower(), form["confirm"].lower(), form["amount"]) == ("true", "true", "1194")
    assert "stale" in shop.deliver()


def test_a_card_saved_while_topping_up(shop: Shop) -> None:
    shop.top_up(5000, save_card=True)
    with shop.sessions.begin() as session:
        assert len(cards.list_cards(session, shop.account_id)) == 1


def test_a_lost_answer_is_looked_up(shop: Shop) -> None:
    shop.top_up(None, "pm_timeout")
    shop.use(1194)
    assert shop.runner.run_once(shop.now) == {"charge-unknown": 1}
    shop.now += timedelta(days=3)
    shop.fake.keys.clear()  # Stripe forgets keys after a day
    assert shop.runner.run_once(shop.now) == {"charge-charged": 1}
    assert sum(line["amount"] for line in shop.fake.lines) == 1194


def test_three_d_secure_goes_on_with_the_same_intent(shop: Shop) -> None:
    shop.top_up(None, "pm_confirm")
    shop.use(1194)
    assert shop.runner.run_once(shop.now) == {"charge-action": 1}
    (notice,) = shop.notices
    assert isinstance(notice, ConfirmNeeded)
    assert notice.url == f"https://bank.example/{shop.attempt.payment_ref}"
    assert set(shop.deliver()) == {"no-concern", "stale"}, "the first refusal is no decline"
    assert shop.attempt.state == "action"
    shop.fake.confirm_by_owner(shop.attempt.payment_ref, yes=True)
    assert shop.deliver() == ["charged"]
    assert shop.balance == (0, 0)
    assert len([one for one in shop.fake.intents.values() if one["metadata"].get("key")]) == 1


def test_three_d_secure_that_fails_is_a_soft_decline(shop: Shop) -> None:
    shop.top_up(None, "pm_confirm")
    shop.use(1194)
    shop.runner.run_once(shop.now)
    shop.fake.confirm_by_owner(shop.attempt.payment_ref, yes=False)
    assert "declined" in shop.deliver()
    assert shop.attempt.code == "payment_intent_authentication_failure"


def test_three_d_secure_that_nobody_confirms_is_cancelled(shop: Shop) -> None:
    shop.top_up(None, "pm_confirm")
    shop.use(1194)
    shop.runner.run_once(shop.now)
    shop.now += timedelta(days=4)
    assert shop.runner.run_once(shop.now) == {"charge-declined": 1}
    assert shop.fake.intents[shop.attempt.payment_ref]["status"] == "canceled"


def test_cancelling_what_was_paid_meanwhile_finds_the_payment(shop: Shop) -> None:
    shop.top_up(None, "pm_confirm")
    shop.use(1194)
    shop.runner.run_once(shop.now)
    shop.fake.confirm_by_owner(shop.attempt.payment_ref, yes=True)
    shop.now += timedelta(days=4)
    assert shop.runner.run_once(shop.now) == {"charge-charged": 1}


@pytest.mark.parametrize(
    ("method", "code", "state"),
    [
        ("pm_soft", "insufficient_funds", "waiting"),
        ("pm_hard", "stolen_card", "failed"),
        ("pm_gone", "resource_missing", "failed"),
    ],
)
def test_declines(shop: Shop, method: str, code: str, state: str) -> None:
    shop.top_up(None, method)
    shop.use(1194)
    assert shop.runner.run_once(shop.now) == {"charge-declined": 1}
    with shop.sessions.begin() as session:
        charge = session.get_one(charges.Charge, 1)
        assert (charge.reason, charge.state) == (code, state)
    assert set(shop.deliver()) <= {"no-concern", "stale"}


def test_a_server_error_is_unknown(shop: Shop) -> None:
    shop.top_up(None, "pm_500")
    shop.use(1194)
    assert shop.runner.run_once(shop.now) == {"charge-unknown": 1}


def test_refunds_and_their_web_hook(shop: Shop) -> None:
    shop.top_up(5000)
    payment = next(iter(shop.fake.intents))
    shop.deliver()
    row = shop.cashier.refund(
        psp="stripe", payment=payment, amount=Money(2000, "EUR"), key="r1", actor="staff", reason="asked",
        now=shop.now,
    )  # fmt: skip
    assert row.state == "refunded"
    assert shop.deliver() == ["stale"]
    assert shop.balance == (3000, 0)


def test_a_chargeback_lost_and_won(shop: Shop) -> None:
    shop.top_up(5000)
    shop.deliver()
    dispute = shop.fake.dispute(next(iter(shop.fake.intents.values())), fee=1500)
    assert shop.deliver() == ["charged-back"]
    assert shop.balance == (5000, 5000)
    shop.fake.event("charge.dispute.funds_reinstated", dispute)
    assert shop.deliver() == ["won"]
    assert shop.balance == (5000, 0)


def test_a_card_that_stripe_no_longer_has(shop: Shop) -> None:
    shop.top_up(None)
    shop.fake.event("payment_method.detached", shop.fake.method("pm_good"))
    assert "card-gone" in shop.deliver()


def test_removing_a_card_tells_stripe_and_twice_is_no_fault(shop: Shop) -> None:
    shop.top_up(None)
    shop.cashier.remove_card(shop.account_id, 1, now=shop.now)
    assert shop.fake.detached == ["pm_good"]
    card = SavedCard(ref="pm_good", customer="c", brand="visa", last4="1", exp_month=1, exp_year=2030)
    shop.gateway.forget_card(card)


def test_stripes_books_in_our_words(shop: Shop) -> None:
    shop.top_up(5000)
    (line,) = shop.gateway.list_transactions(START - timedelta(hours=1), START + timedelta(hours=1))
    assert (line.kind, line.amount, line.fee) == ("payment", Money(5000, "EUR"), Money(25, "EUR"))
    assert line.payment == next(iter(shop.fake.intents))


@pytest.mark.parametrize("spoil", ["header", "secret", "body", "old", "none", "bytes"])
def test_web_hooks_that_stripe_did_not_sign(shop: Shop, spoil: str) -> None:
    shop.fake.event("payment_method.detached", {"id": "pm_good"})
    secret = "whsec_other" if spoil == "secret" else SECRET
    body, headers = shop.fake.signed(shop.fake.events[0], secret)
    match spoil:
        case "header":
            headers["stripe-signature"] = "t=1,v1="
        case "body":
            body += b" "
        case "old":
            shop.now += timedelta(minutes=6)
        case "none":
            headers = {}
        case "bytes":
            body = b"\xff"
    with pytest.raises(BadSignatureError):
        shop.desk.receive("stripe", headers, body, now=shop.now)
    assert shop.desk.counts["stripe", "bad-signature"] == 1


def test_signed_nonsense(shop: Shop) -> None:
    for event in (
        [],
        {"id": "x"},
        {"id": "e", "type": "refund.created", "created": 1, "data": {"object": {}}},
    ):
        body, headers = shop.fake.signed(event, SECRET)  # type: ignore[arg-type]
        with pytest.raises(BadHookError):
            shop.desk.receive("stripe", headers, body, now=shop.now)
    assert json.loads(body)


@pytest.mark.parametrize(
    ("money", "units"),
    [
        (Money(1234, "EUR"), 1234),
        (Money(500, "JPY"), 500),
        (Money(5, "UGX"), 500),
        (Money(300, "MGA"), 3),
        (Money(1230, "KWD"), 1230),
    ],
)
def test_units_as_stripe_counts_them(money: Money, units: int) -> None:
    assert _theirs(money) == units
    assert _ours(units, money.currency.lower()) == money


def test_amounts_that_stripe_cannot_express() -> None:
    with pytest.raises(GatewayRefusedError):
        _theirs(Money(301, "MGA"))


def test_nobody_there(sessions: sessionmaker[Session]) -> None:  # noqa: ARG001
    gateway = StripeGateway(secret_key="k", hook_secret="h", base_url="http://127.0.0.1:9")
    card = SavedCard(ref="pm", customer="c", brand="v", last4="1", exp_month=1, exp_year=2030)
    wish = ChargeWish(
        card=card,
        amount=Money(100, "EUR"),
        key="k",
        account_id=1,
        description="d",
        return_url="r",
        started_at=START,
    )
    assert isinstance(gateway.charge_saved(wish), Unknown)
    assert isinstance(gateway.refund("pi", Money(1, "EUR"), key="k"), Unknown)
    assert isinstance(gateway.cancel_charge("pi", key="k"), Unknown)
    assert isinstance(gateway.charge_saved(
        ChargeWish(**{**{f: getattr(wish, f) for f in wish.__slots__}, "amount": Money(301, "MGA")})
    ), Declined)  # fmt: skip
    page = CheckoutWish(
        reference="r", amount=Money(100, "EUR"), account_id=1, email="a@b.cd", description="d",
        return_url="r", cancel_url="c", expires_at=START,
    )  # fmt: skip
    with pytest.raises(GatewayAwayError):
        gateway.checkout(page, key="k")
