"""An account whose events live: planned, invited to, registered for, met in, rated, told to other programs.

Everything comes from the real services, so that pages look as they look at a customer's. `fill` puts it into
any account; `pages` and `guest_pages` say which pages show it, by the name of their picture.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from billing.money import Money
from billing.tickets import offers
from billing.tickets.desk import Buyer
from billing.tickets.prices import OfferWishes
from bridge.cdr.models import Cdr, row_of
from bridge.cdr.record import Channel
from contacts import service as contacts
from contacts.fields import ContactFields
from events import invitation_book, registrations, service, skins, tokens, unsubscribe, web_hooks
from events.addresses import read_addresses
from events.doors import Doors
from events.fields import parse_wishes
from events.invitation_book import Guest
from events.invitations import InvitationWriter, MailParts
from events.models import Event, EventSession
from events.registration_form import CustomField, Entry, FieldKind, RegistrationForm
from events.tokens import Holder
from events.web_hook_models import WebHookDelivery
from events.web_hooks import Kind
from mail.models import OutboxMail
from reports import attendance_book, passes, ratings
from reports.passes import Pass
from rooms.gate import Visitor
from rooms.modes import Role
from tests.bridge.cdr.support import ended
from tests.support.billing_house import BillingHouse
from web.services import Services

FIRST = ("Élodie", "Jean-Baptiste", "Amina", "Oliver", "Zoé", "Mateusz", "Ingrid", "Kwame", "Sofía", "Liam",
         "Noémie", "Bartholomew")  # fmt: skip
LAST = ("Martin", "de La Rochefoucauld", "Haddad", "Wrigglesworth", "Lefèvre", "Kowalczyk", "Sørensen",
        "Mensah", "García Fernández", "O’Brien", "Dubois", "Featherstonehaugh")  # fmt: skip
COMPANIES = ("Exemple SARL", "Northwind Traders", "Société nationale des chemins de fer luxembourgeois", "")
AGENTS = (
    ("Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0", "Europe/Paris", "fr"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
     "Safari/537.36", "Europe/London", "en-GB"),
    ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
     "Version/18.5 Mobile/15E148 Safari/604.1", "Europe/Paris", "fr"),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
     "Safari/537.36 Edg/142.0.0.0", "Europe/Berlin", "de"),
    ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
     "Mobile Safari/537.36", "America/New_York", "en-US"),
)  # fmt: skip
LOBBY = "We show what is new, and take your questions."
AGENDA = "14:00 Welcome\n14:05 What changes in 2027\n14:40 Your questions"
COMMENTS = ("Clear and to the point.", "The sound by telephone was excellent.", "A little long.", "", "")
PASTED = (
    "Élodie Martin <elodie.martin@example.org>\nOliver Wrigglesworth <oliver@example.com>; "
    "oliver@example.com\nnot an address\njean@@example.org\nnew.guest@example.net, Second Guest "
    "<second.guest@example.net>"
)
CONTACTS_CSV = (
    "email;first name;last name;company;country\n"
    "noemie.dubois@example.org;Noémie;Dubois;Exemple SARL;FR\n"
    "not-an-address;Kwame;Mensah;;\n"
    "elodie.martin@example.org;Élodie;Martin;Exemple SARL;FR\n"
    "noemie.dubois@example.org;Noémie;Dubois;;FR\n"
    ";Liam;O’Brien;;IE\n"
).encode("utf-16")
_FIELDS = (
    CustomField(id=4, kind=FieldKind.TEXT, label="Company", required=True),
    CustomField(id=5, kind=FieldKind.CHOICE, label="How did you hear of us?",
                options=("A colleague", "Newsletter", "Search engine")),
    CustomField(id=6, kind=FieldKind.CHECKBOX, label="I agree that the event is recorded", required=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """What was made: ids of events and of the last session, and the ways in of people without an account."""

    planned: int
    open_room: int
    long_name: int
    past: int
    session: int
    contact: int
    group: int
    hook: int
    register: str
    waiting: str
    look: int
    branded: str
    presenter: str
    thanks: str
    unsubscribe: str


def pages(life: Lifecycle) -> Mapping[str, str]:
    """Pages of the organiser: name of the picture → path."""
    event = f"/events/{life.planned}"
    return {
        "events": "/events",
        "events-past": "/events?tab=past",
        "event-new": "/events/new",
        "event-edit": f"{event}/edit",
        "event": event,
        "event-past": f"/events/{life.past}",
        "tokens": f"{event}/tokens",
        "registration-form": f"{event}/registration",
        "registrations": f"{event}/registrations",
        "invitations": f"{event}/invitations",
        "contacts": "/contacts",
        "contact": f"/contacts/{life.contact}",
        "group": f"/contacts?group={life.group}",
        "contacts-import": "/contacts/import",
        "looks": "/skins",
        "look": f"/skins/{life.look}",
        "web-hooks": "/web-hooks",
        "web-hook": f"/web-hooks/{life.hook}",
        "statistics": "/statistics",
        "history": "/statistics/history",
        "session": f"/events/{life.past}/sessions/{life.session}",
        "account": "/account",
    }


def guest_pages(life: Lifecycle) -> Mapping[str, str]:
    """Pages of people without an account."""
    return {
        "register": life.register,
        "registered": f"{life.register}?sent=1",
        "join": life.waiting,
        "join-own-look": life.branded,
        "thanks": life.thanks,
        "unsubscribe": life.unsubscribe,
        "sign-in": "/sign-in",
    }


def fill(services: Services, *, account_id: int, now: datetime, audience: int = 500) -> Lifecycle:
    """Put a year of events into an account. `audience`: how many came to the largest one."""
    with services.sessions.begin() as session:
        planned = _event(session, account_id, now, {
            "name": "Product launch: what changes in 2027", "access_type": "3", "duration": "1:00",
            "starts_at": _local(now + timedelta(days=8), 14), "timezone": "Europe/Paris",
            "lobby_enabled": "1", "lobby_description": LOBBY, "agenda": AGENDA,
            "custom_room_url_name": "launch-2027",
        })  # fmt: skip
        open_room = _event(session, account_id, now, {
            "name": "Support clinic", "permanent_room": "1", "room_type": "meeting",
        })  # fmt: skip
        long_name = _event(session, account_id, now, {
            "name": "Journée d’étude annuelle de l’Association européenne pour la formation continue des "
                    "bibliothécaires : catalogage collaboratif et anticonstitutionnellement longs intitulés",
            "access_type": "2", "password": "open sesame", "starts_at": _local(now + timedelta(days=15), 9),
            "timezone": "America/Argentina/ComodRivadavia", "duration": "7:30",
        })  # fmt: skip
        group, contact = _address_book(session, account_id, now)
        _registered(session, planned, now)
        _tokens(session, planned, now)
        _invited(session, planned, now)
        hook = _told(session, account_id, now)
        past, run = _past(session, account_id, now, audience)
        long_name.skin_id = look = _look(session, account_id, now)
        branded = f"/{long_name.url_name}"
        ids = [planned.id, open_room.id, long_name.id, past.id]
        url_name, host_key = planned.url_name, planned.hash_presenter
        past_url, past_event = past.url_name, past.id
    _mailed(services, now)
    services.directory.refresh()
    key = passes.sign(Pass(session_id=run, participant_id=f"p{run}-1"), secret=services.secret)
    way_out = unsubscribe.make(services.secret, account_id=account_id, email="elodie.martin@example.org")
    assert past_event == ids[3]
    return Lifecycle(
        planned=ids[0], open_room=ids[1], long_name=ids[2], past=ids[3], session=run, contact=contact,
        group=group, hook=hook, register=f"/{url_name}/register", waiting=f"/{url_name}",
        look=look, branded=branded,
        presenter=f"/{url_name}?l={host_key}", thanks=f"/{past_url}/thanks?rate={key}",
        unsubscribe=f"/unsubscribe/{way_out}",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """An event that sells tickets: the organiser's list, where guests buy, and what a buyer sees then."""

    tickets: str
    ticket: str
    bought: str


def sell_tickets(house: BillingHouse, *, account_id: int, now: datetime) -> Sold:
    """A paid event of the account, with buyers who paid at the test provider, and one who did not yet."""
    price = Money(4_900, "EUR")
    with house.sessions.begin() as session:
        event = _event(session, account_id, now, {
            "name": "Masterclass: rooms that listen", "access_type": "4", "timezone": "Europe/Paris",
            "starts_at": _local(now + timedelta(days=22), 10), "duration": "2:00",
        })  # fmt: skip
        offers.save(session, event, OfferWishes(price=price, capacity=40), now=now)
        event_id, url_name = event.id, event.url_name
    desk, public_id = house.scene.tickets, ""
    for place, (first, last, email) in enumerate(_people(6)):
        buyer = Buyer(first_name=first, last_name=last, email=email, language="fr", timezone="Europe/Paris")
        checkout = desk.buy(event_id, buyer, key=f"form-{place:024}", price=price, psp="test", now=now)
        if place < 5:
            house.pay(checkout.url)
            public_id = checkout.public_id
            desk.look(public_id, ask=True, now=now)
    return Sold(
        tickets=f"/events/{event_id}/tickets", ticket=f"/{url_name}/ticket", bought=f"/tickets/{public_id}"
    )


def _local(moment: datetime, hour: int) -> str:
    return moment.replace(hour=hour, minute=0).strftime("%Y-%m-%dT%H:%M")


def _event(session: Session, account_id: int, now: datetime, wishes: Mapping[str, Any]) -> Event:
    return service.create_event(session, account_id=account_id, wishes=parse_wishes(dict(wishes)), now=now)


def _people(count: int) -> Sequence[tuple[str, str, str]]:
    """First name, last name, address."""
    found = []
    for number in range(count):
        first, last = FIRST[number % len(FIRST)], LAST[(number * 5 + number // 12) % len(LAST)]
        found.append(
            (first, last, f"person{number}.{first.lower()}@example.org".encode("ascii", "ignore").decode())
        )
    return found


def _address_book(session: Session, account_id: int, now: datetime) -> tuple[int, int]:
    group = contacts.make_group(session, account_id=account_id, name="Customers in France", now=now)
    contacts.make_group(session, account_id=account_id, name="Press", now=now)
    rows = [
        ContactFields(email=email, first_name=first, last_name=last, company=COMPANIES[place % 4],
                      phone="+33 1 23 45 67 89" if place % 3 else "", country="FR")
        for place, (first, last, email) in enumerate(_people(24))
    ]  # fmt: skip
    contacts.save_all(session, account_id=account_id, contacts=rows, now=now)
    found, _total = contacts.find(session, account_id=account_id)
    contacts.add_to_group(session, group, found[:9])
    contacts.set_unsubscribed(session, found[3], on=True, now=now)
    return group.id, found[0].id


def _look(session: Session, account_id: int, now: datetime) -> int:
    """A look of the account's own; its id."""
    wishes = skins.parse_skin({"name": "Exemple SARL", "accent": "#7c2d62", "background": "#faf5f0"})
    skin = skins.create_skin(session, account_id=account_id, wishes=wishes, default=False, now=now)
    session.flush()
    return skin.id


def _registered(session: Session, event: Event, now: datetime) -> None:
    form = RegistrationForm(enabled=True, approval=True, fields=_FIELDS, next_id=7)
    registrations.set_form(session, event, form, now=now)
    for place, (first, last, email) in enumerate(_people(9)):
        answers: dict[str, str | bool] = {"4": COMPANIES[place % 3], "6": True}
        if place % 2:
            answers["5"] = "Newsletter"
        entry = Entry(first_name=first, last_name=last, email=email, answers=answers)
        at = now - timedelta(hours=7 * place + 1)
        found = registrations.register(session, event, entry, language="fr", timezone="Europe/Paris", now=at)
        if place % 3 == 1:
            registrations.approve(session, event, found.registration, now=at)
        elif place == 5:
            registrations.decline(session, event, found.registration, now=at)


def _tokens(session: Session, event: Event, now: datetime) -> None:
    """Tokens in every state."""
    holders = [Holder(name=f"{first} {last}", email=email) for first, last, email in _people(4)]
    holders += [Holder()] * 7
    made = tokens.issue(session, event, holders, now=now)
    for place, how in ((0, "browser"), (1, "phone"), (4, "browser")):
        row = made[place].token
        if how == "browser":
            tokens.claim(session, row, browser=b"b" * 32, now=now - timedelta(hours=place))
        else:
            tokens.note_phone_use(session, seat_id=row.seat_id, at=now - timedelta(hours=3))
    tokens.revoke(session, event, made[6].token, now=now)


def _invited(session: Session, event: Event, now: datetime) -> None:
    pasted = read_addresses(", ".join(f"{first} {last} <{email}>" for first, last, email in _people(11)))
    guests = [
        Guest(email=one.email, name=one.name, language="fr" if place % 2 else "en",
              role="presenter" if place == 0 else "participant")
        for place, one in enumerate(pasted.good)
    ]  # fmt: skip
    invitation_book.invite(session, event, guests, note="We look forward to seeing you.", now=now)


def _mailed(services: Services, now: datetime) -> None:
    """The invitations left, all but a few."""
    url = services.public_url
    parts = MailParts(doors=Doors(public_url=url), public_url=url, secret=services.secret)
    InvitationWriter(services.sessions, parts).run_once(now)
    with services.sessions.begin() as session:
        mails = session.scalars(select(OutboxMail).order_by(OutboxMail.id)).all()
        for place, mail in enumerate(mails):
            state = "failed" if place == len(mails) - 3 else "sending" if place == len(mails) - 1 else "sent"
            mail.state, mail.sent_at = state, now if state == "sent" else None
            mail.error = "550 5.1.1 No such user here" if state == "failed" else None


def _told(session: Session, account_id: int, now: datetime) -> int:
    wanted = [Kind.EVENT_STARTED, Kind.EVENT_ENDED, Kind.PARTICIPANT_JOINED, Kind.REGISTRATION]
    hook = web_hooks.add_hook(
        session, account_id=account_id, url="https://crm.example.com/hooks/tollbridge?tenant=exemple-sarl",
        kinds=wanted, now=now,
    )  # fmt: skip
    web_hooks.add_hook(
        session, account_id=account_id, url="https://billing.example.com/calls", kinds=[Kind.CDR], now=now
    )
    for number, kind in enumerate(wanted * 2):
        data = {"event_id": 17, "name": "Product launch", "number": number}
        at = now - timedelta(minutes=9 * number)
        web_hooks.publish(session, account_id=account_id, kind=kind, key=f"x{number}", data=data, now=at)
    rows = session.scalars(select(WebHookDelivery).where(WebHookDelivery.hook_id == hook.id)).all()
    for place, row in enumerate(rows):
        row.state = ("delivered", "delivered", "failed", "delivered")[place % 4]
        row.tries, row.next_try_at = 8 if row.state == "failed" else 1, None
        row.status = 503 if row.state == "failed" else 200
        row.error = "the server answered 503" if row.state == "failed" else None
    return hook.id


def _past(session: Session, account_id: int, now: datetime, audience: int) -> tuple[Event, int]:
    """A year of events that are over: a large webinar last, smaller ones each month before."""
    dice = random.Random(5)
    run = 6_000_000_000
    sizes = [audience, *(audience * part // 20 for part in (3, 6, 2, 1, 4, 9, 5, 3, 7))]
    first: tuple[Event, int] | None = None
    for place, size in enumerate(sizes):
        begun = (now - timedelta(days=5 + 29 * place)).replace(hour=13, minute=58)
        event = _event(session, account_id, begun - timedelta(days=9), {
            "name": "Autumn town hall" if place == 0 else f"Customer round table no. {len(sizes) - place}",
            "room_type": "meeting" if place % 3 == 2 else "webinar", "timezone": "Europe/Paris",
            "starts_at": begun.strftime("%Y-%m-%dT%H:%M"),
        })  # fmt: skip
        run += 1
        _session(session, event, run, begun, max(2, size), dice)
        service.finish_event(session, event.id, now=begun + timedelta(hours=1))
        first = first or (event, run)
    assert first is not None
    return first


def _session(
    session: Session, event: Event, run: int, begun: datetime, size: int, dice: random.Random
) -> None:
    over = begun + timedelta(minutes=62)
    session.add(
        EventSession(
            id=run, event_id=event.id, node_id="node-1", started_at=begun, last_seen_at=over, ended_at=over,
            total_visitors=size, max_visitors=size * 9 // 10,
        )
    )  # fmt: skip
    legs, entered = [], []
    for place, (first, last, email) in enumerate(_people(size)):
        seat = f"p{run}-{place}"
        came = begun + timedelta(minutes=dice.uniform(0, 9))
        left = over - timedelta(minutes=dice.uniform(0, 30) if place % 5 else 0)
        by_phone, by_web = place % 4 == 3, place % 4 != 3 or place % 8 == 3
        if by_web:
            agent, zone, language = AGENTS[place * place % len(AGENTS)]
            role = Role.PRESENTER if place == 0 else Role.PARTICIPANT
            who = Visitor(
                seat_id=seat, event_id=event.id, room_id=str(event.id), account_id=event.account_id,
                event_name=event.name, role=role, name=f"{first} {last}", email=email, ip="192.0.2.7",
                user_agent=agent, permanent_room=False, capacity=None, room_type=event.room_type,
                timezone=zone, accept_language=language, language="fr",
            )  # fmt: skip
            entered.append(attendance_book.row_of(who, run, now=came))
            legs.append(_leg(event, run, seat, came, left, phone=False))
        if by_phone:
            number = f"+336{dice.randint(10_000_000, 99_999_999)}"
            legs.append(_leg(event, run, seat, came, left, phone=True, caller_e164=number))
    attendance_book.write(session, entered)
    session.execute(insert(cast(Table, Cdr.__table__)), legs)
    for place in range(1, min(size, 40), 3):
        ratings.rate(
            session, event_id=event.id, session_id=run, participant_id=f"p{run}-{place}",
            stars=3 + place % 3, comment=COMMENTS[place % 5], now=over,
        )  # fmt: skip


def _leg(
    event: Event, run: int, seat: str, came: datetime, left: datetime, *, phone: bool, **more: Any
) -> dict[str, Any]:
    if not phone:
        more = {"caller_e164": None, "called_e164": None, "source": "web"}
    facts = ended(
        session_id=str(run), participant_id=seat, account_id=event.account_id, setup_at=came, ring_at=None,
        answer_at=came, join_at=came, leave_at=left, end_at=left, mos_cq=4.2,
        channel=Channel.SIP if phone else Channel.WEBRTC, **more,
    )  # fmt: skip
    return row_of(facts) | {"ingest_at": left}
