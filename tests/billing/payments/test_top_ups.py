"""Top-ups: paid once, whatever the payer, the provider and the network do."""

from __future__ import annotations

from decimal import Decimal

import pytest

from billing.money import Money
from billing.payments import amounts, cards, checkouts
from billing.payments.errors import (
    BadAmountError,
    BadKeyError,
    GatewayAwayError,
    KeyReusedError,
    NotPossibleError,
    UnknownPaymentError,
)
from billing.payments.models import Checkout, Hook
from billing.payments.test_gateway.pages import BANNER
from tests.billing.payments.scene import Killed, Scene


def test_a_top_up_is_in_the_wallet_when_the_payer_comes_back(scene: Scene) -> None:
    checkout = scene.start(5000)
    assert checkout.state == "redirected"
    assert BANNER in scene.payer.get(checkout.url).text
    answer = scene.choose(checkout)
    assert answer.headers["location"] == f"http://shop.example/billing/top-ups/{checkout.public_id}"
    assert scene.finish(checkout).state == "paid"
    assert scene.balance == (5000, 0)


def test_or_when_only_the_web_hook_comes(scene: Scene) -> None:
    checkout = scene.start(5000)
    assert scene.choose(checkout, "timeout").status_code == 504
    assert scene.deliver() == 2
    assert scene.balance == (5000, 0)
    assert scene.finish(checkout).state == "paid"


def test_or_when_neither_comes_and_the_runner_asks(scene: Scene) -> None:
    checkout = scene.start(5000)
    scene.choose(checkout, "timeout")
    scene.later(minutes=66)
    assert scene.run() == {"checkout-paid": 1}
    assert scene.balance == (5000, 0)


@pytest.mark.parametrize("manner", ["once", "twice", "late", "reversed"])
def test_web_hooks_in_any_manner_pay_once(scene: Scene, manner: str) -> None:
    checkout = scene.start(5000)
    scene.choose(checkout, hooks=manner)
    assert scene.finish(checkout).state == "paid"
    for _ in range(3):
        scene.deliver()
        scene.later(minutes=1)
    scene.run()
    assert scene.balance == (5000, 0)
    assert scene.transactions("top_up") == 1
    assert len(scene.rows(Hook)) == 2
    assert scene.desk.counts["test", "duplicate"] == (1 if manner == "twice" else 0)


def test_the_back_button_does_not_pay_twice(scene: Scene) -> None:
    first = scene.start(5000, key="form-1")
    again = scene.start(5000, key="form-1")
    assert (again.public_id, again.url) == (first.public_id, first.url)
    scene.choose(first)
    scene.choose(first)
    scene.finish(first)
    assert scene.start(5000, key="form-1").state == "paid"
    assert "closed" in scene.payer.get(first.url).text
    scene.deliver()
    assert scene.balance == (5000, 0)
    assert scene.provider_took == 5000


def test_a_key_belongs_to_one_request_of_one_account(scene: Scene) -> None:
    scene.start(5000, key="k")
    with pytest.raises(KeyReusedError):
        scene.start(6000, key="k")
    with pytest.raises(KeyReusedError):
        scene.start(5000, key="k", save_card=True)
    for bad in ("", "x" * 201, "ä", "a\nb"):
        with pytest.raises(BadKeyError):
            scene.start(5000, key=bad)


@pytest.mark.parametrize(
    ("money", "sentence"),
    [
        (Money(499, "EUR"), "at least 5.00 EUR"),
        (Money(0, "EUR"), "at least"),
        (Money(-5000, "EUR"), "at least"),
        (Money(500_001, "EUR"), "at most 5000.00 EUR"),
        (Money(10**15, "EUR"), "at most"),
        (Money(5000, "USD"), "pays in EUR"),
    ],
)
def test_amounts_that_cannot_be_paid(scene: Scene, money: Money, sentence: str) -> None:
    with pytest.raises(BadAmountError, match=sentence):
        scene.cashier.start(scene.account_id, amount=money, email="a@b.cd", idem_key="k", now=scene.now)
    assert scene.rows(Checkout) == []


@pytest.mark.parametrize(
    ("text", "locale", "minor"),
    [("25", "en", 2500), ("1,250.50", "en", 125050), ("1 250,50", "fr", 125050), (" 7,5 ", "fr", 750)],
)
def test_amounts_are_read_as_people_type_them(text: str, locale: str, minor: int) -> None:
    assert amounts.parse(text, "EUR", locale=locale) == Money(minor, "EUR")


@pytest.mark.parametrize(
    "text", ["", "abc", "1.005", "NaN", "Infinity", "1e9", "12,34,56.7", "9" * 40, "--5"]
)
def test_amounts_that_nobody_types(text: str) -> None:
    with pytest.raises(BadAmountError):
        amounts.parse(text, "EUR", locale="en")


def test_amounts_finer_than_the_currency_are_refused() -> None:
    with pytest.raises(BadAmountError):
        amounts.of(Decimal("10.5"), "JPY")
    with pytest.raises(BadAmountError):
        amounts.of(Decimal("NaN"), "EUR")


@pytest.mark.parametrize("currency", ["EUR", "USD", "JPY", "KWD", "RUB", "CHF"])
def test_every_choice_may_be_paid(currency: str) -> None:
    offered = amounts.choices(currency, provider_minimum=Money(50, currency))
    for money in (*offered.choices, offered.least, offered.most):
        amounts.check(money, currency=currency)


@pytest.mark.parametrize(("outcome", "state"), [("decline", "failed"), ("pay", "paid")])
def test_what_the_provider_decided_stays(scene: Scene, outcome: str, state: str) -> None:
    checkout = scene.start(5000)
    scene.choose(checkout, outcome)
    assert scene.finish(checkout).state == state
    scene.deliver()
    scene.later(hours=3)
    scene.run()
    assert scene.finish(checkout).state == state


def test_three_d_secure_on_the_page(scene: Scene) -> None:
    for answer, state in (("yes", "paid"), ("no", "failed")):
        checkout = scene.start(5000, key=answer)
        assert "bank asks" in scene.choose(checkout, "confirm").text
        scene.payer.post(f"{checkout.url}/confirm", data={"answer": answer, "card": "good", "hooks": "once"})
        assert scene.finish(checkout).state == state
    assert scene.balance == (5000, 0)


def test_nobody_comes(scene: Scene) -> None:
    checkout = scene.start(5000)
    scene.later(minutes=64)
    assert scene.run() == {}
    scene.later(minutes=2)
    assert scene.run() == {"checkout-expired": 1}
    assert scene.run() == {}
    assert scene.finish(checkout).state == "expired"
    assert scene.balance == (0, 0)


def test_money_that_comes_after_we_gave_up_counts(scene: Scene) -> None:
    checkout = scene.start(5000)
    scene.choose(checkout, hooks="late")
    with scene.sessions.begin() as session:
        row = session.get_one(Checkout, checkout.id)
        row.state = "expired"
    scene.later(minutes=2)
    assert scene.deliver() == 2
    assert scene.balance == (5000, 0)
    assert scene.finish(checkout).state == "paid"


@pytest.mark.parametrize("step", ["checkout-written", "checkout-called"])
def test_death_while_opening_the_page(scene: Scene, step: str) -> None:
    scene.die_at = step
    with pytest.raises(Killed):
        scene.start(5000, key="k")
    checkout = scene.start(5000, key="k")
    assert checkout.state == "redirected"
    assert len(scene.books.find("checkout")) == 1
    scene.choose(checkout)
    assert scene.finish(checkout).state == "paid"
    assert scene.balance == (5000, 0)


def test_death_before_the_page_was_opened_expires(scene: Scene) -> None:
    scene.die_at = "checkout-written"
    with pytest.raises(Killed):
        scene.start(5000, key="k")
    scene.later(minutes=66)
    assert scene.run() == {"checkout-expired": 1}


def test_death_after_asking_leaves_the_payment_to_the_web_hook(scene: Scene) -> None:
    checkout = scene.start(5000)
    scene.choose(checkout)
    scene.die_at = "checkout-asked"
    with pytest.raises(Killed):
        scene.finish(checkout)
    assert scene.balance == (0, 0)
    scene.deliver()
    assert scene.balance == (5000, 0)


def test_an_absent_provider_is_told_to_the_payer_and_may_be_tried_again(scene: Scene) -> None:
    good = scene.cashier.gateway("test")
    assert good is not None
    scene.cashier._gateways["test"] = type(scene.gateway)(
        base_url="http://127.0.0.1:9", api_key="x", hook_secret="y"
    )
    with pytest.raises(GatewayAwayError):
        scene.start(5000, key="k")
    scene.cashier._gateways["test"] = good
    assert scene.start(5000, key="k").state == "redirected"


def test_another_accounts_top_up_is_not_found(scene: Scene) -> None:
    checkout = scene.start(5000)
    with pytest.raises(UnknownPaymentError):
        scene.cashier.finish(scene.account_id + 1, checkout.public_id, now=scene.now)
    with pytest.raises(UnknownPaymentError):
        scene.cashier.finish(scene.account_id, "nothing", now=scene.now)


def test_unknown_providers_and_missing_abilities(scene: Scene) -> None:
    with pytest.raises(NotPossibleError):
        scene.cashier.start(
            scene.account_id,
            amount=Money(5000, "EUR"),
            email="a@b.cd",
            idem_key="k",
            psp="bitcoin",
            now=scene.now,
        )


def test_cards_come_from_checkouts_and_go(scene: Scene) -> None:
    scene.with_card("good")
    checkout = scene.start(5000, save_card=True)
    scene.choose(checkout, card="confirm")
    scene.finish(checkout)
    scene.deliver()
    with scene.sessions.begin() as session:
        first, second = cards.list_cards(session, scene.account_id)
    assert (first.brand, first.last4, first.is_default) == ("visa", "4242", True)
    assert (second.brand, second.last4, second.is_default) == ("amex", "3220", False)
    scene.cashier.set_default_card(scene.account_id, second.id, now=scene.now)
    with pytest.raises(UnknownPaymentError):
        scene.cashier.remove_card(scene.account_id + 1, second.id, now=scene.now)
    scene.cashier.remove_card(scene.account_id, second.id, now=scene.now)
    with scene.sessions.begin() as session:
        (left,) = cards.list_cards(session, scene.account_id)
        assert left.is_default
        assert left.last4 == "4242"
        with pytest.raises(UnknownPaymentError):
            cards.set_default(session, scene.account_id, second.id)
        assert not cards.is_expired(left, at=scene.now)
        assert cards.is_expired(left, at=scene.now.replace(year=2030, month=1))


def test_the_tables_have_no_room_for_a_card_number() -> None:
    names = {column.name for table in (Checkout, cards.Card) for column in table.__table__.columns}
    assert not names & {"number", "pan", "cvc", "cvv", "holder", "name"}
    assert cards.Card.__table__.c.last4.type.length == 4


def test_keys_are_checked_before_anything_is_written() -> None:
    assert checkouts.check_key("a" * 200) == "a" * 200
