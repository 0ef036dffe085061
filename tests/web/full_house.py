"""An application with every part that the HTTP API has, and something of each thing in its database.

For tests that try all routes: whatever has a number has the number 1, or is named by `Full.names`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing.deck_shelf import DeckShelf
from billing.invoices.seller import SellerDetails
from bridge.cdr.billable import CdrCalls
from bridge.cdr.models import Cdr
from contacts import service as contacts
from contacts.fields import parse_contact
from database.engine import make_sessions
from database.types import now_utc
from events import registrations, service, tokens, web_hooks
from events.directory import PinDirectory
from events.fields import parse_wishes
from events.registration_form import RegistrationForm, arrange, check, form_of
from events.tokens import Holder
from rooms.feed import RoomFeed
from rooms.live import LiveRooms
from tests.billing.payments.scene import open_scene
from tests.reports.past import a_webinar
from web.app import create_app
from web.billing_parts import BillingParts
from web.services import Gateway, Services

SELLER = SellerDetails(name="S", address=("A",), country="FR", vat_number="FR40303265045")
PARIS = Gateway(
    code="fr-paris", location="Paris", number="+33975129519", display="+33 (0)9 75 12 95 19",
    country="FR", language="fr",
)  # fmt: skip


@dataclass(frozen=True)
class Full:
    """`names`: what stands in the paths of things that exist, by parameter."""

    app: FastAPI
    api_key: str
    names: dict[str, str]
    services: Services


@contextmanager
def full_house(engine: Engine, sessions: sessionmaker[Session]) -> Iterator[Full]:
    readers = make_sessions(engine, read_only=True)
    live = LiveRooms()
    with open_scene(sessions) as scene:
        services = Services(
            sessions=sessions,
            readers=readers,
            live=live,
            feed=RoomFeed(live),
            directory=PinDirectory(readers),
            registry=CollectorRegistry(),
            version="1.2.3",
            public_url="https://events.example",
            gateways=(PARIS,),
            billing=BillingParts(
                cashier=scene.cashier, hooks=scene.desk, decks=DeckShelf(), calls=CdrCalls(), seller=SELLER
            ),
        )
        with sessions.begin() as session:
            key, names = _furnish(session)
        yield Full(app=create_app(services), api_key=key, names=names, services=services)


def another(full: Full) -> FastAPI:
    """A second application over the same parts; it needs metrics of its own."""
    return create_app(dataclasses.replace(full.services, registry=CollectorRegistry()))


def _furnish(session: Session) -> tuple[str, dict[str, str]]:
    now = now_utc()
    made = create_account(session, email="one@example.org", now=now)
    account_id = made.account.id
    wishes = parse_wishes({"name": "Results", "access_type": "3", "timezone": "Europe/Paris"})
    event = service.create_event(session, account_id=account_id, wishes=wishes, now=now)
    form = arrange(RegistrationForm(), [{"kind": "text", "label": "Company"}], enabled=True, approval=False)
    registrations.set_form(session, event, form, now=now)
    entry = check(form_of(event.registration), {"1": "Ann", "2": "M", "3": "ann@example.org", "4": "Acme"})
    registrations.register(session, event, entry, language="fr", timezone="UTC", now=now)
    tokens.issue(session, event, [Holder()], now=now)
    run = a_webinar(session, event)
    contacts.save(session, account_id=account_id, fields=parse_contact({"email": "b@example.org"}), now=now)
    hook = web_hooks.add_hook(
        session, account_id=account_id, url="https://hooks.example.org/", kinds=web_hooks.OFFERED, now=now
    )
    web_hooks.publish_test(session, hook, now=now)
    (delivery,), _total = web_hooks.deliveries(session, hook)
    call = session.scalars(select(Cdr.id)).first() or ""
    names = {
        "room": str(event.id), "session_id": str(run), "hook": str(hook.id), "delivery": str(delivery.id),
        "country": "fr", "lang": "en", "status": "all", "cdr_id": call,
    }  # fmt: skip
    return made.api_key, names
