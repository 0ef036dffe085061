"""Pages about tickets: the price in an event's form, buying, how a payment stands, the organiser's list."""

from __future__ import annotations

import re

import pytest

from billing.tickets import offers
from events import repository
from tests.web.site.conftest import post
from tests.web.site.tickets.conftest import FORM, Shop
from web.joining import JoinRefusedError, Knock, admit

EVIL = '"><script>alert(1)</script>'


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"price": "0"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "1000.01"}, "price"),
        ({"price": "1e9"}, "price"),
        ({"price": "ten"}, "price"),
        ({"price": ""}, "price"),
        ({"price": "1,000"}, "price"),
        ({"price": "0.10"}, "price"),
        ({"price": "7.5", "currency": "JPY"}, "price"),
        ({"price": "100001", "currency": "RUB"}, "price"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"capacity": "-1"}, "capacity"),
        ({"capacity": "many"}, "capacity"),
        ({"price": EVIL}, "price"),
    ],
)
def test_prices_that_cannot_be(shop: Shop, changes: dict[str, str], field: str) -> None:
    answer = shop.plan(**changes)
    assert answer.status_code == 422, answer.headers
    assert EVIL not in answer.text
    assert f'id="f-ticket-{field}-error"' in answer.text
    with shop.house.sessions() as session:
        assert offers.of(session, shop.event_id) is None, "nothing is saved"


def test_an_organiser_sets_a_price_and_changes_it(shop: Shop) -> None:
    assert shop.plan(price="100000", currency="rub", capacity="30").status_code == 303
    form = shop.ann.get(f"/events/{shop.event_id}/edit").text
    assert 'value="100000.00"' in form
    assert 'value="RUB"' in form
    assert 'value="30"' in form
    page = f"/events/{shop.event_id}/edit"
    assert post(shop.ann, page, {**FORM, "ticket[price]": "9,50"}, page=page).status_code == 303
    with shop.house.sessions() as session:
        offer = offers.of(session, shop.event_id)
    assert offer is not None
    assert (str(offer.price), offer.capacity) == ("9.50 EUR", None)
    copied = post(shop.ann, f"/events/{shop.event_id}/copy", {}, page="/events/new")
    number = int(copied.headers["location"].split("/")[2])
    with shop.house.sessions() as session:
        assert offers.of_many(session, [number])[number].price == offer.price


def test_the_way_from_the_event_to_a_ticket(shop: Shop) -> None:
    shop.plan(name=f"Talk {EVIL}")
    entrance = shop.buyer.get(f"/{shop.url}").text
    assert "€25.00" in entrance
    assert f'href="/{shop.url}/ticket"' in entrance
    page, form = shop.form()
    assert EVIL not in form
    assert "€25.00" in form
    answer = shop.buy(page)
    assert answer.headers["location"].endswith("/go")
    back = shop.pay(answer)
    state = shop.buyer.get(back)
    assert "€25.00" in state.text
    assert "z•••@example.org" in state.text
    (ticket,), (mail,) = shop.tickets(), shop.mails()
    token = re.search(r"\?t=(\w{6})", mail.body_text)
    assert token is not None
    assert token[1] not in state.text, "the way in goes to the mail address alone"
    assert (ticket.state, mail.recipient) == ("valid", "zoe@example.org")
    assert "+33 (0)9 75" not in mail.body_text, "this scene has no numbers"
    assert 'data-state="paid"' in state.text
    again = shop.buyer.get(back)  # the address is replayed
    assert again.status_code == 200
    assert shop.buyer.get(page).headers["location"] == back, "the back button shows the ticket, no new form"
    assert (len(shop.tickets()), len(shop.mails())) == (1, 1)
    inside = shop.buyer.get(f"/{shop.url}?t={token[1]}").text
    assert "buy-a-ticket" not in inside


def test_a_declined_and_a_given_up_payment(shop: Shop) -> None:
    shop.plan()
    back = shop.pay(shop.buy(), outcome="decline")
    assert 'data-state="declined"' in shop.buyer.get(back).text
    answer = shop.buy()
    waiting = answer.headers["location"].removesuffix("/go")
    assert 'data-state="waiting"' in shop.buyer.get(waiting).text
    assert 'data-state="cancelled"' in shop.buyer.get(f"{waiting}?cancelled=1").text
    assert shop.buyer.get(f"{waiting}/state").json() == {"state": "waiting"}
    assert shop.mails() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"first_name": ""},
        {"last_name": "x" * 101},
        {"first_name": "see www.example.com"},
        {"email": "zoe"},
        {"email": "zoe@example.org, eve@example.org"},
        {"email": f"{EVIL}@example.org"},
    ],
)
def test_buyers_that_cannot_be(shop: Shop, changes: dict[str, str]) -> None:
    shop.plan()
    answer = shop.buy(**changes)
    assert answer.status_code == 422
    assert EVIL not in answer.text
    assert shop.tickets() == []


def test_html_in_names_stays_text(shop: Shop) -> None:
    shop.plan()
    shop.buyer.get(shop.pay(shop.buy(first_name=EVIL, last_name="=1+1")))
    (mail,) = shop.mails()
    assert EVIL not in (mail.body_html or "")
    listed = shop.ann.get(f"/events/{shop.event_id}/tickets")
    assert listed.status_code == 200
    assert EVIL not in listed.text
    table = shop.ann.get(f"/events/{shop.event_id}/tickets/tickets.csv").text
    assert ",'=1+1," in table, "a spreadsheet runs nothing"


def test_another_price_than_the_buyer_saw(shop: Shop) -> None:
    shop.plan()
    page, _ = shop.form()
    answer = shop.buy(page, price="1.00 EUR")
    assert answer.status_code == 409
    assert shop.tickets() == []


def test_sold_out_and_a_second_ticket(shop: Shop) -> None:
    shop.plan(capacity="1")
    shop.buyer.get(shop.pay(shop.buy()))
    answer = shop.buyer.get(shop.form()[0])
    assert "Sold out" in answer.text
    fields = {"price": "25.00 EUR", "first_name": "A", "last_name": "B", "email": "a@example.org"}
    answer = post(shop.buyer, f"/{shop.url}/ticket", fields, page="/sign-in")
    assert answer.status_code == 409
    answer = post(shop.buyer, f"/{shop.url}/ticket", {**fields, "email": "ZOE@example.org"}, page="/sign-in")
    assert answer.status_code == 409
    assert len(shop.tickets()) == 1


def test_an_organiser_mails_again_and_refunds(shop: Shop) -> None:
    shop.plan()
    shop.buyer.get(back := shop.pay(shop.buy()))
    pages = f"/events/{shop.event_id}/tickets"
    listed = shop.ann.get(pages).text
    assert "zoe@example.org" in listed
    assert re.search(r"•{6}\d{3}", listed), "the PIN is masked"
    (ticket,) = shop.tickets()
    assert post(shop.ann, f"{pages}/{ticket.id}/mail", {}, page=pages).headers["location"].endswith("mailed")
    assert len(shop.mails()) == 2
    form = f"{pages}/{ticket.id}/refund"
    assert post(shop.ann, form, {"reason": " ", "how": "provider"}, page=form).status_code == 422
    assert post(shop.ann, form, {"reason": "Ill", "how": "outside"}, page=form).headers["location"].endswith(
        "state"
    )
    assert post(shop.ann, form, {"reason": "Ill", "how": "provider"}, page=form).status_code == 303
    assert [one.state for one in shop.tickets()] == ["refunded"]
    assert shop.ann.get(form).status_code == 404
    assert 'data-state="refunded"' in shop.buyer.get(back).text
    balance = shop.ann.get("/billing").text
    assert "25.00" not in balance, "tickets are no part of the wallet"


def test_others_see_nothing(shop: Shop) -> None:
    shop.plan()
    back = shop.pay(shop.buy())
    shop.buyer.get(back)
    (ticket,) = shop.tickets()
    pages = f"/events/{shop.event_id}/tickets"
    for path in (pages, f"{pages}/tickets.csv", f"{pages}/{ticket.id}/refund"):
        assert shop.bob.get(path).status_code == 404
        assert shop.buyer.get(path).headers["location"].startswith("/sign-in")
    for action in ("mail", "refund"):
        form = {"reason": "x", "how": "provider"}
        assert post(shop.bob, f"{pages}/{ticket.id}/{action}", form, page="/events/new").status_code == 404
    for guess in ("x", "1", back[-24:-1], "%00", "." * 24):
        assert shop.buyer.get(f"/tickets/{guess}").status_code == 404, guess
    public_id = back.rpartition("/")[2]
    assert shop.ann.get(f"/billing/top-ups/{public_id}").status_code == 404, "it is no top-up"
    assert [one.state for one in shop.tickets()] == ["valid"]


def test_events_that_sell_nothing(shop: Shop) -> None:
    shop.plan(access_type="1", price="rubbish")
    answer = shop.buyer.get(shop.form()[0])
    assert answer.status_code == 410
    assert "buy-a-ticket" not in shop.buyer.get(f"/{shop.url}").text
    assert shop.buyer.get("/nowhere/ticket").status_code == 404


def test_a_paid_event_gives_nothing_away(shop: Shop) -> None:
    """Neither the shared PIN nor the listeners' link nor a registration is a way past the till."""
    shop.plan()
    overview = shop.ann.get(f"/events/{shop.event_id}").text
    assert "PIN for guests" not in overview
    with shop.house.sessions() as session:
        event = repository.get_any(session, shop.event_id)
        assert event is not None
        link, pins = event.hash_listener, [pin.pin for pin in event.pins if pin.role == "participant"]
    shop.house.services.directory.refresh()
    assert shop.house.services.directory.lookup(pins[0]) is None
    for knock in (
        Knock(name="Eve", link=link), Knock(name="Eve", pin=pins[0]), Knock(name="Eve", password="x"),
        Knock(name="Eve"),
    ):  # fmt: skip
        with pytest.raises(JoinRefusedError):
            admit(event, knock, old=None, unix_s=0.0)


def test_in_french(shop: Shop) -> None:
    shop.plan()
    page, _ = shop.form()
    text = shop.buyer.get(f"{page}&lang=fr").text
    assert "Acheter un billet" in text
    assert "25,00\u00a0€" in text
    shop.buyer.get(shop.pay(shop.buy(page)))
    assert shop.mails()[0].subject.startswith("Votre billet")


def test_zero_bytes_are_no_error_of_ours(shop: Shop) -> None:
    shop.plan()
    assert shop.buyer.get("/tickets/%00/go").status_code == 404
    assert shop.buyer.get("/tickets/a%00b/state").status_code == 404
    assert shop.buyer.get("/a%00b/ticket").status_code == 404
    page, _ = shop.form()
    fields = {"price": "25.00 EUR", "first_name": "a\x00b", "last_name": "c", "email": "a\x00@example.org"}
    answer = post(shop.buyer, f"/{shop.url}/ticket", {**fields, "key": "form-\x00"}, page=page)
    assert answer.status_code == 422
