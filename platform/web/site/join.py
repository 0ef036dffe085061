"""The entrance: the page of an event's own address, where visitors say who they are and try their sound.

`GET /join` asks for the number of an event; `GET /{url_name}` is the event's page. Entering itself is a form
that posts to `/{url_name}/join` (web.joining), which sends people back here with `?refused=<slug>` when it
does not let them in, so that all of it works without scripts; with scripts it is asked as JSON and the page
stays. Whoever has a good ticket of the event already finds their name in the form. `?l=` carries the secret
of a role or of a personal link, `?t=` a token; they stay fields of the form and decide nothing here but which
words the page uses.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from billing.tickets import offers
from billing.tickets.offers import Offer
from events import autologin
from events.agenda import Item, agenda_of
from events.fields import DEFAULT_SETTINGS, AccessType, Status, asks_for_token
from events.models import Event
from events.service import find_event
from events.skins import Look, look_of
from events.token_text import parse_token
from rooms.modes import Role
from web.access import AllServices, Reader
from web.errors import not_found
from web.join_routes import good_ticket, ticket_of
from web.site.dialin import numbers_json, zone_countries
from web.site.i18n import N_
from web.site.render import render

router = APIRouter(include_in_schema=False)
#: The page of an event's own address. Its path fits anything: add it after all other routes.
last_router = APIRouter(include_in_schema=False)

REFUSALS: Mapping[str, str] = {
    "bad-email": N_("Please give a mail address like name@example.org."),
    "bad-name": N_("Please give a name that others can read."),
    "cross-site": N_("This form has expired. Please try again."),
    "event-full": N_("The event is full. Try again when somebody has left."),
    "event-locked": N_("The event is locked: only presenters may enter now."),
    "event-over": N_("The event is over."),
    "password-required": N_("This event has a password."),
    "removed": N_("A presenter removed you from this event."),
    "token-required": N_("This event is for invited people. Type the token from your invitation."),
    "token-revoked": N_("The organiser took this token back. Please ask for another."),
    "token-used": N_("This token is in use in another browser."),
    "too-many-tries": N_("Too many tries. Please wait a minute."),
    "wrong-link": N_("This link is not one of this event. You may enter as a participant."),
    "wrong-password": N_("The password is not right."),
    "wrong-pin": N_("The PIN is not right."),
    "wrong-token": N_("There is no such token in this event. Look at your invitation again."),
}
OTHER_REFUSAL = N_("That did not work. Please try again.")
"""What `?refused=` may say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FindPage:
    """What join_find.html shows."""

    typed: str
    missing: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinPage:
    """What join.html shows. `key` is the secret from `?l=`, `token` the one from `?t=`. `since`: when a token
    was used first. `registration`: whether people can register for the event. `sale`: tickets to be bought.
    `now_ms`: this moment, Unix milliseconds.
    """

    event_name: str
    url_name: str
    look: Look
    starts_at: datetime | None
    timezone: str
    duration_min: int
    lobby_description: str
    agenda: Sequence[Item]
    state: str
    now_ms: int
    sound_check: bool
    over: bool
    needs_password: bool
    needs_token: bool
    token: str
    registration: bool
    is_webinar: bool
    presenter: bool
    key: str
    name: str
    email: str
    refused: str | None
    since: datetime | None
    refusals: Mapping[str, str]
    gateways: list[dict[str, Any]]
    zone_countries: Mapping[str, str]
    sale: Offer | None


@router.get("/join")
def find(request: Request, session: Reader, room: str = "") -> Response:
    typed = room.strip()[:200]
    event = find_event(session, typed) if typed else None
    if event is not None:
        return RedirectResponse(f"/{event.url_name}", status_code=303)
    page = FindPage(typed=typed, missing=bool(typed))
    return render(request, "join_find.html", page, status=404 if typed else 200)


@last_router.get("/{url_name}")
def entrance(request: Request, url_name: str, services: AllServices, session: Reader) -> Response:
    event = find_event(session, url_name)
    if event is None:
        raise not_found("page")
    if event.url_name != url_name:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"/{event.url_name}{query}", status_code=303)
    key = request.query_params.get("l", "")[:64]
    refused = request.query_params.get("refused")
    access = AccessType(event.access_type)
    ticket = good_ticket(session, event, ticket_of(dict(request.cookies), event.id, services))
    token = parse_token(request.query_params.get("t", "")) or ""
    now = services.now()
    personal = autologin.find(session, event_id=event.id, secret=key, now=now) if key else None
    by_ticket = ticket is not None and ticket.role is Role.PRESENTER and not key
    presenter = by_ticket or _is_presenter(event, key)
    if personal is not None:
        presenter = personal.role == Role.PRESENTER
    inside = presenter or ticket is not None or personal is not None
    page = JoinPage(
        event_name=event.name,
        url_name=event.url_name,
        starts_at=None if event.permanent_room else event.starts_at,
        timezone=event.timezone,
        duration_min=event.duration_min,
        lobby_description=event.lobby_description if event.lobby_enabled else "",
        look=look_of(session, event),
        agenda=agenda_of(event),
        state=event.state,
        now_ms=int(now.timestamp() * 1000),
        sound_check=bool({**DEFAULT_SETTINGS, **event.settings}["connection_tester_enabled"]),
        over=event.status == Status.INACTIVE,
        needs_password=access is AccessType.PASSWORD and not inside and not key and not token,
        needs_token=asks_for_token(access) and not inside,
        token=token,
        registration=bool(event.registration.get("enabled"))
        and access is not AccessType.PAID
        and not inside
        and not token,
        sale=offers.of(session, event.id) if offers.on_sale(event) and not inside and not token else None,
        is_webinar=event.room_type == "webinar",
        presenter=presenter,
        key=key,
        name=personal.name if personal is not None else "" if ticket is None else ticket.name,
        email=personal.email if personal is not None else "" if ticket is None else ticket.email or "",
        refusals={**REFUSALS, "": OTHER_REFUSAL},
        since=_moment(request.query_params.get("since", "")),
        refused=REFUSALS.get(refused, OTHER_REFUSAL) if refused else None,
        gateways=numbers_json(services.gateways),
        zone_countries=zone_countries(services.gateways),
    )
    return render(request, "join.html", page, status=410 if page.over else 200)


def _moment(text: str) -> datetime | None:
    """Unix seconds from an address; anything else is None."""
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        return None
    return datetime.fromtimestamp(int(text), UTC)


def _is_presenter(event: Event, key: str) -> bool:
    """Whether the secret of `?l=` is a presenter's or the host's."""
    given = key.encode("utf-8", "replace")
    host = hmac.compare_digest(given, event.hash_host.encode())
    return hmac.compare_digest(given, event.hash_presenter.encode()) or host
