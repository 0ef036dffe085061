"""What a room page gets besides the room itself: me, my sound, settings, and the card for callers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from events.fields import asks_for_token
from events.personal_pins import grouped
from rooms.gate import Visitor
from rooms.modes import Role
from rooms.people import UNDO_KICK_S
from rooms.room import Room
from rooms.seats import SEAT_GRACE_S
from web.nearest import nearest_first
from web.services import Gateway, Services


@dataclass(slots=True, kw_only=True)
class DoorFacts:
    """What was read of the event when the page connected; settings that change come from the directory."""

    url_name: str
    room_pin: str
    access_type: int
    pins: Mapping[str, str]
    gateway: bool
    toll_free: bool


def me_json(room: Room, visitor: Visitor) -> dict[str, Any]:
    """The person themselves: their own name and number are not hidden from them."""
    card = room.card(visitor.seat_id)
    return {
        "id": card.id,
        "name": card.name,
        "email": visitor.email,
        "role": card.role,
        "number": card.number,
    }


def sound_json(room: Room, seat_id: str) -> dict[str, Any]:
    """What the person may say, what they hear, and by which device."""
    audio = room.audio(seat_id)
    return {"speak": audio.speak, "hear": audio.hear, "via": room.card(seat_id).sound}


def settings_json(services: Services, visitor: Visitor, facts: DoorFacts) -> dict[str, bool]:
    """The switches that presenters have in the room."""
    card = services.directory.event(visitor.event_id)
    if card is None:
        return {"gateway": facts.gateway, "toll_free": facts.toll_free}
    return {"gateway": card.gateway_enabled, "toll_free": card.toll_free_enabled}


def dial_in_json(
    services: Services, visitor: Visitor, facts: DoorFacts, *, accept_language: str | None
) -> dict[str, Any]:
    """The card for callers: numbers, nearest first, and PINs in threes.

    The PIN that all listeners share lets callers past the invitations of an event with tokens, so there it is
    shown to presenters only.
    """
    presenter = visitor.role is Role.PRESENTER
    listener_pin = facts.pins.get(Role.PARTICIPANT)
    presenter_pin = facts.pins.get(Role.PRESENTER)
    return {
        "url": f"{services.public_url}/{facts.url_name}",
        "room_pin": grouped(facts.room_pin),
        "pin": grouped(listener_pin)
        if listener_pin and (presenter or not asks_for_token(facts.access_type))
        else None,
        "presenter_pin": grouped(presenter_pin) if presenter_pin and presenter else None,
        "numbers": [
            number_json(gateway)
            for gateway in nearest_first(services.gateways, timezone=None, accept_language=accept_language)
        ],
    }


def number_json(gateway: Gateway, *, pin: str | None = None) -> dict[str, str]:
    """One number; with a PIN its link dials both: two pauses let the greeting begin, # ends the PIN."""
    shown = {
        "code": gateway.code,
        "city": gateway.location,
        "country": gateway.country,
        "number": gateway.number,
        "display": gateway.display,
        "language": gateway.language,
    }
    if pin is not None:
        shown["tel"] = f"tel:{gateway.number},,{pin}%23"
    return shown


def limits_json(room: Room) -> dict[str, Any]:
    """Numbers that the page needs to say things in time."""
    return {
        "undo_kick_s": UNDO_KICK_S,
        "grace_s": SEAT_GRACE_S,
        "discussion": room.discussion_limit,
        "capacity": room.capacity,
    }
