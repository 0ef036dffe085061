"""Buying tickets: one token and one mail for one payment, whatever is repeated, late, or killed between."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from billing import ledger, reconciliation
from billing.calls import BillableCall
from billing.ledger_errors import InsufficientFundsError
from billing.money import Money
from billing.payments import checkouts, refunds
from billing.payments.errors import NotPossibleError
from billing.payments.gateway import CheckoutPaid, Declined
from billing.payments.models import Checkout, Refund
from billing.tickets import checks, listing, offers
from billing.tickets.errors import (
    HasTicketError,
    NotOnSaleError,
    PriceChangedError,
    SoldOutError,
    TicketStateError,
    UnknownTicketError,
)
from billing.tickets.models import Ticket
from billing.tickets.prices import OfferWishes
from events import service
from events.errors import BadEventError
from events.fields import AccessType, EventWishes
from events.models import EventPin
from tests.billing.payments.scene import START, Killed
from tests.billing.tickets.box_office import PRICE, BoxOffice


def refund(office: BoxOffice, ticket_id: int) -> str:
    scene = office.scene
    return scene.tickets.refund(
        scene.account_id, office.event_id, ticket_id, actor="user 1", reason="You could not come.",
        now=scene.now,
    ).state  # fmt: skip


def test_a_payment_brings_a_token_a_pin_and_a_mail(office: BoxOffice) -> None:
    ticket = office.bought()
    (token,), (mail,) = office.tokens, office.mails
    assert ticket.token_id == token.id
    assert (token.name, token.sent_to_email) == ("Bob Byer", "bob@example.org")
    (pin,) = [row.pin for row in office.scene.rows(EventPin) if row.seat_id == token.seat_id]
    assert mail.recipient == "bob@example.org"
    assert f"?t={token.token}" in mail.body_text
    assert f"?t={token.token}" in mail.body_html
    assert token.token in mail.body_text
    assert "€25.00" in mail.body_text
    assert "<b>good</b>" not in mail.body_html, "what organisers type is no HTML"
    assert mail.attachments[0]["method"] == "REQUEST"
    assert pin not in mail.body_text, "there is no number to call in this house"
    assert office.owed == 2500 == office.scene.provider_took
    assert office.told == ["payment.succeeded"]


@pytest.mark.parametrize("hooks", ["once", "twice", "reversed", "late"])
def test_messages_in_any_order_change_nothing_twice(office: BoxOffice, hooks: str) -> None:
    checkout = office.buy()
    office.scene.choose(checkout, hooks=hooks)
    office.back(checkout)
    for _ in range(3):
        office.scene.later(minutes=40)
        office.scene.deliver()
        office.scene.run()
        office.back(checkout)
    assert office.states == ["valid"]
    assert (len(office.tokens), len(office.mails), office.owed) == (1, 1, 2500)


def test_the_page_was_closed_and_the_web_hook_completes_it(office: BoxOffice) -> None:
    office.scene.choose(office.buy())
    assert office.states == ["open"]
    office.scene.deliver()
    assert office.states == ["valid"]
    assert (len(office.tokens), len(office.mails)) == (1, 1)


def test_neither_the_buyer_nor_the_web_hook_comes_back(office: BoxOffice) -> None:
    office.scene.choose(office.buy())
    office.scene.later(hours=2)
    office.scene.run()
    assert office.states == ["valid"]
    assert (len(office.tokens), len(office.mails)) == (1, 1)


@pytest.mark.parametrize("step", ["checkout-written", "checkout-called", "checkout-asked"])
def test_killed_between_two_steps(office: BoxOffice, step: str) -> None:
    office.scene.die_at = step
    if step == "checkout-asked":
        checkout = office.buy()
        office.scene.choose(checkout)
        with pytest.raises(Killed):
            office.back(checkout)
    else:
        with pytest.raises(Killed):
            office.buy()
        checkout = office.buy()  # the buyer presses again
        office.scene.choose(checkout)
    office.scene.deliver()
    office.back(checkout)
    assert office.states == ["valid"]
    assert (len(office.tokens), len(office.mails), office.owed) == (1, 1, 2500)


def test_a_payment_that_fails_gives_nothing(office: BoxOffice) -> None:
    checkout = office.buy()
    office.scene.choose(checkout, "decline")
    assert office.back(checkout) == "open"
    office.scene.deliver()
    assert (office.tokens, office.mails, office.owed) == ([], [], 0)
    assert office.told == []
    with office.sessions.begin() as session:
        assert listing.rows(session, office.event_id) == []


def test_somebody_corrects_their_address_before_paying(office: BoxOffice) -> None:
    first = office.buy("bbo@example.org")
    second = office.buy("bob@example.org")
    assert first.public_id == second.public_id
    office.scene.choose(second)
    office.back(second)
    assert [mail.recipient for mail in office.mails] == ["bob@example.org"]
    office.buy("eve@example.org")
    assert [ticket.email for ticket in office.tickets] == ["bob@example.org"], "what is paid is not changed"


def test_two_tabs_the_second_payment_goes_back(office: BoxOffice) -> None:
    one, two = office.buy(key="form-1"), office.buy(key="form-2")
    office.scene.choose(one)
    office.scene.choose(two)
    assert (office.back(one), office.back(two)) == ("valid", "refunding")
    assert (len(office.tokens), office.owed) == (1, 5000)
    office.scene.run()
    office.scene.deliver()
    assert office.states == ["valid", "refunded"]
    assert office.tickets[1].reason == "duplicate"
    assert office.owed == 2500 == office.scene.provider_took
    assert [mail.key for mail in office.mails] == ["ticket-1-1", "ticket-refund-2"]
    assert "second payment" in office.mails[1].body_text
    assert office.told == ["payment.succeeded", "payment.succeeded", "payment.refunded"]


def test_who_has_a_ticket_pays_no_second_and_is_mailed_again(office: BoxOffice) -> None:
    office.bought()
    for minutes, mails in ((1, 1), (10, 2), (1, 2)):
        office.scene.later(minutes=minutes)
        with pytest.raises(HasTicketError):
            office.buy(key=f"form-again-{minutes}-{mails}")
        assert len(office.mails) == mails
    assert len(office.tokens) == 1
    assert len(office.tickets) == 1


def test_the_last_place(office: BoxOffice) -> None:
    office.offer(capacity=1)
    one, two = office.buy("a@example.org", key="form-1"), office.buy("b@example.org", key="form-2")
    office.scene.choose(two)
    office.scene.choose(one)
    assert office.back(two) == "valid"
    assert office.back(one) == "refunding"
    assert office.tickets[0].reason == "sold-out"
    with pytest.raises(SoldOutError):
        office.buy("c@example.org", key="form-3")
    office.scene.run()
    assert office.states == ["refunded", "valid"]
    assert office.owed == 2500
    office.offer(capacity=2)
    office.bought("d@example.org", key="form-4")
    with pytest.raises(BadEventError):
        office.offer(capacity=1)


def test_the_event_ends_while_somebody_pays(office: BoxOffice) -> None:
    checkout = office.buy()
    with office.sessions.begin() as session:
        event = service.get_event(session, account_id=office.scene.account_id, event_id=office.event_id)
        service.delete_event(session, event, now=office.scene.now)
    office.scene.choose(checkout)
    assert office.back(checkout) == "refunding"
    office.scene.run()
    assert office.states == ["refunded"]
    assert (office.tokens, office.owed) == ([], 0)
    with pytest.raises(NotOnSaleError):
        office.buy(key="form-2")


def test_the_price_is_that_of_the_moment_of_buying(office: BoxOffice) -> None:
    checkout = office.buy()
    office.offer(price=Money(9900, "EUR"))
    office.scene.choose(checkout)
    assert office.back(checkout) == "valid"
    assert office.tickets[0].amount == 2500
    with pytest.raises(PriceChangedError) as caught:
        office.buy("c@example.org", key="form-2", price=PRICE)
    assert caught.value.price == Money(9900, "EUR")


def test_an_event_that_is_not_paid_sells_nothing(office: BoxOffice) -> None:
    with office.sessions.begin() as session:
        event = service.get_event(session, account_id=office.scene.account_id, event_id=office.event_id)
        wishes = EventWishes(access_type=AccessType.TOKEN)
        service.update_event(session, event, wishes=wishes, now=office.scene.now)
    with pytest.raises(NotOnSaleError):
        office.buy()


def test_a_refund_by_hand(office: BoxOffice) -> None:
    ticket = office.bought()
    assert refund(office, ticket.id) == "refunded"
    office.scene.deliver()
    assert (office.tokens, office.owed, office.scene.provider_took) == ([], 0, 0)
    assert office.tickets[0].refunded == 2500
    assert "You could not come." in office.mails[1].body_text
    with pytest.raises(TicketStateError):
        refund(office, ticket.id)
    assert office.bought(key="form-2").state == "valid", "they may buy anew"


def test_a_refund_that_is_killed_is_carried_on(office: BoxOffice) -> None:
    ticket = office.bought()
    office.scene.die_at = "refund-called"
    with pytest.raises(Killed):
        refund(office, ticket.id)
    assert (office.states, office.tokens) == (["refunding"], [])
    office.scene.later(minutes=3)
    office.scene.run()
    office.scene.deliver()
    assert office.states == ["refunded"]
    assert len(office.scene.rows(Refund)) == 1
    assert office.scene.provider_took == 0


def test_what_was_paid_out_is_not_refunded(office: BoxOffice) -> None:
    ticket = office.bought()
    with office.sessions.begin() as session:
        for _ in range(2):
            ledger.pay_out_tickets(
                session, office.scene.account_id, PRICE, idem="bank-1", actor="staff", reason="SEPA 1",
                at=office.scene.now,
            )  # fmt: skip
    assert office.owed == 0
    with pytest.raises(NotPossibleError):
        refund(office, ticket.id)
    assert office.states == ["valid"]
    with office.sessions.begin() as session, pytest.raises(InsufficientFundsError):
        ledger.pay_out_tickets(
            session, office.scene.account_id, PRICE, idem="bank-2", actor="staff", reason="SEPA 2",
            at=office.scene.now,
        )  # fmt: skip


def test_a_chargeback_takes_the_token_away_and_winning_gives_it_back(office: BoxOffice) -> None:
    office.bought()
    payment = office.scene.gateway.list_transactions(START, START.replace(year=2030))
    ref = next(iter(payment)).ref
    line = office.scene.till.dispute(ref, fee=1500)
    office.scene.deliver()
    assert (office.states, office.tokens) == (["disputed"], [])
    assert office.owed == 0
    office.scene.till.win(line["id"])
    office.scene.deliver()
    assert office.states == ["valid"]
    assert (len(office.tokens), office.owed) == (1, 2500)


def test_who_bought_again_during_a_dispute_gets_the_first_price_back(office: BoxOffice) -> None:
    office.bought(key="form-1")
    ref = next(iter(office.scene.gateway.list_transactions(START, START.replace(year=2030)))).ref
    line = office.scene.till.dispute(ref, fee=1500)
    office.scene.deliver()
    office.bought(key="form-2")
    office.scene.till.win(line["id"])
    office.scene.deliver()
    assert (office.states, len(office.tokens)) == (["refunding", "valid"], 1)
    office.scene.run()
    office.scene.deliver()
    assert (office.states, len(office.tokens), office.owed) == (["refunded", "valid"], 1, 2500)
    with pytest.raises(HasTicketError):
        office.buy(key="form-3")


def test_tickets_of_others_do_not_exist(office: BoxOffice) -> None:
    ticket = office.bought()
    desk, now = office.scene.tickets, office.scene.now
    for account, event in ((office.scene.account_id + 1, office.event_id), (office.scene.account_id, 999)):
        with pytest.raises(UnknownTicketError):
            desk.mail_again(account, event, ticket.id, now=now)
        with pytest.raises(UnknownTicketError):
            desk.refund(account, event, ticket.id, actor="x", reason="x", now=now)
    for guess in ("", "x", "1", office.tokens[0].token, "../" * 20):
        with pytest.raises(UnknownTicketError):
            desk.look(guess, ask=True, now=now)


def test_the_books_agree_with_the_providers(office: BoxOffice) -> None:
    office.bought("a@example.org", key="form-1")
    ticket = office.bought("b@example.org", key="form-2")
    refund(office, ticket.id)
    office.scene.later(hours=3)
    with office.sessions.begin() as session:
        found = reconciliation.provider_mismatches(
            session, office.scene.gateway, start=START, now=office.scene.now
        )
    assert found == []


def test_the_list_and_its_sums(office: BoxOffice) -> None:
    office.bought("a@example.org", key="form-1")
    ticket = office.bought("b@example.org", key="form-2")
    refund(office, ticket.id)
    with office.sessions.begin() as session:
        rows = listing.rows(session, office.event_id)
        (sums,) = listing.totals(session, office.event_id)
        found = listing.rows(session, office.event_id, words="a@exam")
        owed = listing.owed(session, office.scene.account_id)
    assert [row.ticket.state for row in rows] == ["refunded", "valid"]
    assert [row.ticket.email for row in found] == ["a@example.org"]
    assert (sums.tickets, sums.taken.minor, sums.refunded.minor) == (1, 2500, 2500)
    assert owed == [PRICE]
    pin = rows[1].pin
    assert pin is not None
    assert set(pin[:-3]) == {"•"}
    assert rows[0].pin is None


def test_nothing_is_sold_without_a_price(office: BoxOffice) -> None:
    with office.sessions.begin() as session:
        wishes = EventWishes(name="Other", access_type=AccessType.PAID)
        event = service.create_event(
            session, account_id=office.scene.account_id, wishes=wishes, now=office.scene.now
        )
        with pytest.raises(BadEventError):
            offers.save(session, event, OfferWishes(), now=office.scene.now)


def test_fast_forward_over_every_order_of_news(office: BoxOffice) -> None:
    """The buyer, the web hook and the runner learn of it in each order."""
    news = {
        "buyer": lambda checkout: office.back(checkout),
        "hook": lambda _: office.scene.deliver(),
        "runner": lambda _: office.scene.run(),
    }
    for number, order in enumerate(itertools.permutations(news)):
        email = f"b{number}@example.org"
        checkout = office.buy(email, key=f"form-{number}")
        office.scene.choose(checkout)
        for name in order:
            news[name](checkout)
    assert set(office.states) == {"valid"}
    assert len(office.tokens) == len(office.mails) == len(office.tickets) == 6
    assert office.owed == 6 * 2500


def test_what_does_not_agree_is_told(office: BoxOffice) -> None:
    ticket = office.bought()
    office.buy("c@example.org", key="form-2")
    with office.sessions.begin() as session:
        assert checks.mismatches(session) == []
        row = session.get_one(Ticket, ticket.id)
        row.token_id = None
    with office.sessions.begin() as session:
        assert [one.check for one in checks.mismatches(session)] == ["ticket-without-way"]
        session.get_one(Ticket, ticket.id).state = "stuck"
        session.get_one(Checkout, ticket.checkout_id).payment_ref = "other"
    with office.sessions.begin() as session:
        assert {one.check for one in checks.mismatches(session)} == {"ticket-unposted", "ticket-stuck"}
        session.get_one(Ticket, ticket.id).state = "open"
    with office.sessions.begin() as session:
        found = reconciliation.reconcile(session, calls=NoCalls(), now=office.scene.now)
    assert [one.check for one in found] == ["ticket-unknown"]


class NoCalls:
    """Nobody telephoned."""

    def billable_between(self, *_: object) -> Iterator[BillableCall]:
        return iter(())

    def get_many(self, *_: object) -> list[BillableCall]:
        return []

    def of_session(self, *_: object) -> list[BillableCall]:
        return []


def test_a_declined_refund_is_marked_by_hand(office: BoxOffice) -> None:
    ticket = office.bought()
    scene = office.scene
    with office.sessions.begin() as session:
        scene.sales.send_back(
            session, session.get_one(Ticket, ticket.id), actor="user 1", reason="Ill", now=scene.now
        )
        (row,) = session.scalars(select(Refund))
        refunds.record(session, row.id, Declined(code="too_old", soft=False), now=scene.now,
                       by_kind=scene.sales.by_kind)  # fmt: skip
    assert (office.states, office.tokens, office.owed) == (["stuck"], [], 2500)
    scene.tickets.refunded_outside(
        scene.account_id, office.event_id, ticket.id, reason="by bank transfer", now=scene.now
    )
    assert (office.states, office.owed) == (["refunded"], 2500)
    assert office.tickets[0].reason == "outside: by bank transfer"
    assert len(office.mails) == 2


def test_another_amount_than_was_asked_for(office: BoxOffice) -> None:
    checkout = office.buy()
    paid = CheckoutPaid(reference=checkout.public_id, ref="x", payment="p_1", amount=Money(1, "EUR"))
    with office.sessions.begin() as session:
        assert (
            checkouts.apply(
                session, checkout.id, paid, now=office.scene.now, by_kind=office.scene.sales.by_kind
            )
            == "paid"
        )
    assert (office.states, office.tokens, office.mails, office.owed) == (["stuck"], [], [], 1)
