"""Callers of a toll-free number: nobody pays, somebody pays, the money is used up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from billing import ledger
from billing.money import Money
from bridge.ivr.prompt import prompt
from database.engine import create_engine, make_sessions
from database.types import now_utc
from events.models import Event
from tests.phones.caller import PARIS, Caller, Office
from tests.phones.ear import Ear
from tests.support.product import Product, Room

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

FREE = "+33800123456"
NUMBERS = f"""\
numbers:
  - id: fr-free
    number: "{FREE}"
    country: FR
    language: fr
    city: {{en: France, fr: France}}
    display: "+33 800 123 456"
    number_class: tollfree
  - id: fr-paris
    number: "{PARIS}"
    country: FR
    language: fr
    city: {{en: Paris, fr: Paris}}
    display: "+33 (9) 7512-9519"
    number_class: city
"""
INSTEAD = prompt("city.number", digits="09 75 12 95 19")


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, ear: Ear) -> Iterator[Product]:
    """A product with a toll-free number, and the sample rates: 0.041 a minute."""
    ear.library.clip(INSTEAD, "fr")
    folder: Path = tmp_path_factory.mktemp("product")
    numbers = folder / "numbers.yaml"
    numbers.write_text(NUMBERS, encoding="utf-8")
    with Product(folder, prompt_cache=ear.folder, numbers_file=str(numbers)) as running:
        yield running


def asks(caller: Caller, room: Room) -> None:
    """Call free of charge and type the PIN."""
    caller.dial(FREE)
    caller.press(f"{room.listener_pin}#")


def pay_in(product: Product, room: Room, minor: int) -> None:
    """Money for the account of a room."""
    engine = create_engine(product.database_url)
    with make_sessions(engine).begin() as session:
        event = session.get(Event, int(room.id))
        assert event is not None
        ledger.top_up(
            session, event.account_id, Money(minor, "EUR"), psp="test", payment_ref="p1", at=now_utc()
        )
    engine.dispose()


def test_toll_free_calls_are_as_welcome_as_they_are_paid_for(product: Product, office: Office) -> None:
    room = product.new_room("Free")
    host = office.caller("host")
    host.dial(PARIS)
    host.enter(room, room.presenter_pin)

    ann, hasty = office.caller("ann"), office.caller("hasty")
    asks(hasty, room)
    asks(ann, room)
    hasty.hears_prompt(prompt("bye.toll-free-off"))
    hasty.hang_up()
    ann.hears_prompt(prompt("bye.toll-free-off"), INSTEAD, INSTEAD, whole=True)
    ann.hears_prompt(prompt("bye"))
    ann.hung_up_on()
    records = room.finished_cdrs(2)
    assert {one["reason_slug"] for one in records} == {"caller-hung-up", "toll-free-off"}
    assert {(one["pin_result"], one["billable"]) for one in records} == {("off", False)}

    product.send("PUT", room.path, {"settings": {"toll_free_enabled": True}})
    pay_in(product, room, 4)
    bob = office.caller("bob")
    bob.dial(FREE)
    bob.enter(room, room.listener_pin)
    # The sample rates give the first five seconds away.
    product.wait_for(lambda: "toll_free_entry_closed" in product.text, "the end of the money")

    eve = office.caller("eve")
    asks(eve, room)
    eve.hears_prompt(prompt("bye.toll-free-spent"), INSTEAD)
    eve.hang_up()
    told = next(one for one in room.finished_cdrs(3) if one["pin_result"] == "spent")
    assert not told["billable"]
    assert bob.state()["name"], "who is in stays in"
    bob.hang_up()
    assert sum(one["billable"] for one in room.finished_cdrs(4)) == 1
