"""Paying in by the pages: once, whatever the payer's browser does; and never an amount that cannot be."""

from __future__ import annotations

import re

import httpx

from billing.payments.models import Checkout
from tests.web.site.billing.conftest import Reader, Rooms
from web.site.billing.top_ups import is_web_address
from web.site.limits import Rates
from web.site.security import Limits

GO = re.compile(r'http-equiv="refresh" content="0; url=([^"]+)"')


def fresh_key(reader: Reader) -> str:
    location = reader.get("/billing/top-up").headers["location"]
    return location.partition("key=")[2]


def pay_in(reader: Reader, key: str, amount: str = "5000", **more: str) -> httpx.Response:
    return reader.post("/billing/top-up", {"key": key, "amount": amount, "provider": "test", **more})


def checkouts(rooms: Rooms) -> list[Checkout]:
    return [row for row in rooms.house.scene.rows(Checkout) if row.account_id == rooms.bob.account_id]


def test_from_the_form_to_the_balance(rooms: Rooms) -> None:
    bob = rooms.bob
    asked = pay_in(bob, fresh_key(bob), "5000", save_card="1")
    page = asked.headers["location"].removesuffix("/go")
    assert asked.status_code == 303
    going = bob.text(f"{page}/go")
    target = GO.search(going)
    assert target is not None
    assert "TEST" in bob.text(page)
    assert "Waiting" in bob.text(page)
    assert bob.get(f"{page}/state").json() == {"state": "redirected"}
    rooms.house.pay(target[1].replace("&amp;", "&"), card="good")
    assert bob.get(f"{page}/state").json() == {"state": "paid"}
    assert "€50.00 is paid" in bob.text(page)
    assert bob.get(f"{page}/go").headers["location"] == page
    assert "4242" in bob.text("/billing/cards")
    assert "+€50.00" in bob.text("/billing/transactions")


def test_back_button_and_double_click_pay_once(rooms: Rooms) -> None:
    bob, key = rooms.bob, fresh_key(rooms.bob)
    before = rooms.house.balance(bob.person)
    first, again = pay_in(bob, key), pay_in(bob, key)
    assert first.headers["location"] == again.headers["location"]
    assert len(checkouts(rooms)) == 1
    form = bob.text(f"/billing/top-up?key={key}")
    assert "is not finished yet" in form
    (checkout,) = checkouts(rooms)
    rooms.house.pay(checkout.url)
    bob.text(f"/billing/top-ups/{checkout.public_id}")
    back = bob.get(f"/billing/top-up?key={key}")
    assert back.headers["location"] == f"/billing/top-ups/{checkout.public_id}"
    assert pay_in(bob, key).headers["location"] == f"/billing/top-ups/{checkout.public_id}"
    assert len(checkouts(rooms)) == 1
    assert rooms.house.balance(bob.person) == before + 5000


def test_another_amount_with_the_same_form_is_asked_about(rooms: Rooms) -> None:
    bob, key = rooms.bob, fresh_key(rooms.bob)
    pay_in(bob, key, "5000")
    other = pay_in(bob, key, "10000")
    assert other.status_code == 409
    assert "You began another payment" in other.text
    new = re.search(r'name="key" value="([^"]+)"', other.text)
    assert new is not None
    assert new[1] != key
    assert pay_in(bob, new[1], "10000").status_code == 303
    assert len(checkouts(rooms)) == 2


def test_amounts_that_cannot_be(rooms: Rooms) -> None:
    wrong = ["", "-5", "0", "4.99", "5000.01", "1e9", "NaN", "12.345", "abc", "9" * 40, "<script>", "25,00",
             "€25", "٥٠", "25;00"]  # fmt: skip
    for text in wrong:
        answer = pay_in(rooms.bob, fresh_key(rooms.bob), "other", other_amount=text)
        assert answer.status_code == 422, text
        assert 'aria-invalid="true"' in answer.text, text
    assert pay_in(rooms.bob, fresh_key(rooms.bob), "-5000").status_code == 422
    assert pay_in(rooms.bob, fresh_key(rooms.bob), "123456").status_code == 422
    assert pay_in(rooms.bob, fresh_key(rooms.bob), provider="bitcoin").status_code == 422
    assert checkouts(rooms) == []


def test_amounts_as_people_write_them(rooms: Rooms) -> None:
    typed = {"1,250.50": "en", "25": "en", "1 250,50": "fr", "1\u202f250,5": "fr"}
    for text, language in typed.items():
        rooms.bob.get(f"/billing/top-up?key={'form-' + 'x' * 24}&lang={language}")
        assert pay_in(rooms.bob, fresh_key(rooms.bob), "other", other_amount=text).status_code == 303, text
    assert [row.amount for row in checkouts(rooms)] == [125_050, 2_500, 125_050, 125_050]


def test_a_payment_that_fails(rooms: Rooms) -> None:
    bob = rooms.bob
    page = pay_in(bob, fresh_key(bob)).headers["location"].removesuffix("/go")
    rooms.house.scene.payer.post(checkouts(rooms)[0].url, data={"outcome": "decline", "card": "good"})
    rooms.house.scene.later(hours=2)
    assert "did not go through" in bob.text(page)
    assert "Nothing was charged" in bob.text(page)


def test_a_provider_that_is_away_keeps_the_key(rooms: Rooms) -> None:
    key = fresh_key(rooms.bob)
    gateways = rooms.house.scene.cashier._gateways
    good = gateways["test"]
    gateways["test"] = type(good)(base_url="http://127.0.0.1:9", api_key="x", hook_secret="y")
    away = pay_in(rooms.bob, key)
    assert away.status_code == 503
    assert f'value="{key}"' in away.text
    assert rooms.bob.post("/billing/cards", {"key": key.replace("form-", "form-c")}).status_code == 503
    gateways["test"] = good
    assert pay_in(rooms.bob, key).status_code == 303
    assert len([row for row in checkouts(rooms) if row.kind == "top_up"]) == 1


def test_who_reloads_all_the_time_does_not_reach_the_provider(rooms: Rooms) -> None:
    bob = rooms.bob
    page = pay_in(bob, fresh_key(bob)).headers["location"].removesuffix("/go")
    # Nothing comes back to this allowance while the test runs, however busy the machine is.
    bob.client.app.state.site_limits = Limits(forms=Rates(per_minute=0.01, burst=10))  # type: ignore[attr-defined]
    for _ in range(10):
        assert bob.get(f"{page}/state").json() == {"state": "redirected"}
    rooms.house.pay(checkouts(rooms)[0].url)
    assert bob.get(f"{page}/state").json() == {"state": "redirected"}
    del bob.client.app.state.site_limits  # type: ignore[attr-defined]
    assert bob.get(f"{page}/state").json() == {"state": "paid"}


def test_cards_are_added_chosen_and_removed(rooms: Rooms) -> None:
    bob = rooms.bob
    for behaviour in ("good", "soft"):
        key = re.search(r'name="key" value="([^"]+)"', bob.text("/billing/cards"))
        assert key is not None
        asked = bob.post("/billing/cards", {"key": key[1]})
        assert bob.post("/billing/cards", {"key": key[1]}).headers["location"] == asked.headers["location"]
        rooms.house.pay(checkouts(rooms)[-1].url, card=behaviour)
        assert "Your card is saved" in bob.text(asked.headers["location"].removesuffix("/go"))
    page = bob.text("/billing/cards")
    assert page.index("4242") < page.index("9995")
    other = re.findall(r"/billing/cards/(\d+)/default", page)
    assert len(other) == 1
    assert bob.post(f"/billing/cards/{other[0]}/default").status_code == 303
    assert bob.post(f"/billing/cards/{other[0]}/remove").status_code == 303
    page = bob.text("/billing/cards?done=card_removed")
    assert "4242" in page
    assert "9995" not in page


def test_browsers_are_sent_to_web_addresses_only() -> None:
    assert is_web_address("https://checkout.example/pay")
    for url in ("javascript:alert(1)", "data:text/html,x", "//x", "", "https://x\n"):
        assert not is_web_address(url)
