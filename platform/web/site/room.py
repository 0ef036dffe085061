"""The room page: `GET /rooms/{url_name}`, for whoever has a ticket of the event; others go to the entrance.

The page carries the frame, the words and the numbers to dial. Everything about the room itself comes over
the live socket (docs/live-socket.md), so that this page is as fast for 500 people as for two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from events.agenda import Item, agenda_of
from events.fields import DEFAULT_SETTINGS, asks_for_token
from events.models import Event
from events.service import find_event
from events.skins import Look, look_of
from rooms.modes import Role
from web.access import AllServices, Reader
from web.errors import not_found
from web.join_routes import good_ticket, ticket_of
from web.site.dialin import numbers_json, zone_countries
from web.site.render import render

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomPage:
    """What room.html shows. `event_pin`: the telephone PIN a presenter may hand out, or None. `lobby`:
    those who wait see more than that they wait. `now_ms`: this moment, Unix milliseconds.
    `invite`: presenters may copy what their guests need.
    """

    event_name: str
    role: str
    socket_path: str
    join_path: str
    look: Look
    lobby: bool
    lobby_description: str
    agenda: Sequence[Item]
    starts_at: datetime | None
    timezone: str
    duration_min: int
    now_ms: int
    invite: bool
    event_pin: str | None
    gateways: list[dict[str, Any]]
    zone_countries: Mapping[str, str]


@router.get("/rooms/{url_name}")
def room(request: Request, url_name: str, services: AllServices, session: Reader) -> Response:
    event = find_event(session, url_name)
    if event is None:
        raise not_found("page")
    ticket = good_ticket(session, event, ticket_of(dict(request.cookies), event.id, services))
    if ticket is None or event.url_name != url_name:
        # A ticket is for the event; the entrance knows its address and finds the name on the ticket.
        return RedirectResponse(f"/{event.url_name}", status_code=303)
    page = RoomPage(
        event_name=event.name,
        role=ticket.role.value,
        socket_path=f"/rooms/{event.url_name}/socket",
        join_path=f"/{event.url_name}",
        look=look_of(session, event),
        lobby=event.lobby_enabled,
        lobby_description=event.lobby_description if event.lobby_enabled else "",
        agenda=agenda_of(event) if event.lobby_enabled else [],
        starts_at=None if event.permanent_room else event.starts_at,
        timezone=event.timezone,
        duration_min=event.duration_min,
        now_ms=int(services.now().timestamp() * 1000),
        invite=bool({**DEFAULT_SETTINGS, **event.settings}["room_invite_button_enabled"]),
        event_pin=_event_pin(event) if ticket.role is Role.PRESENTER else None,
        gateways=numbers_json(services.gateways),
        zone_countries=zone_countries(services.gateways),
    )
    return render(request, "room.html", page)


def _event_pin(event: Event) -> str | None:
    """The PIN that lets participants in by telephone. None for events with tokens: it would bypass them."""
    if asks_for_token(event.access_type):
        return None
    return next((pin.pin for pin in event.pins if pin.role == Role.PARTICIPANT and pin.joinable), None)
