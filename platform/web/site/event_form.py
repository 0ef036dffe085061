"""The form of an event: from its fields to wishes, and from an event to the fields of its form. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from events.agenda import text_of
from events.errors import BadEventError, FieldProblem
from events.fields import DEFAULT_SETTINGS, AccessType, EventWishes, parse_wishes
from events.models import Event
from events.schedule import format_duration, local
from web.site.formats import filters
from web.site.i18n import N_

#: Text fields that mean "as it is" when they are empty.
_MAY_BE_EMPTY = ("starts_at", "duration", "custom_room_url_name", "password")
DURATIONS_MIN = (15, 30, 45, 60, 90, 120, 150, 180, 240, 300, 360, 480, 720, 1440)
GATEWAY, TOLL_FREE = "phonegateway_enabled", "toll_free_enabled"
#: Those that something in the house reads; each with its explanation. The HTTP API keeps the others.
SWITCHES: tuple[tuple[str, str, str], ...] = (
    (
        "connection_tester_enabled",
        N_("Sound check before entering"),
        N_("Visitors try microphone and speaker before they come in."),
    ),
    (
        "room_invite_button_enabled",
        N_("Invite from the room"),
        N_("Presenters can copy the link and the numbers in the room."),
    ),
)


class TollFreeWithoutGateway(Exception):  # noqa: N818  a question to the organiser, not an error
    """Toll-free numbers were switched on while the phone gateway is off: the page offers to switch it on."""


def wishes_of(fields: Mapping[str, Any], *, default_zone: str) -> EventWishes:
    """The posted form as wishes. Raises BadEventError, TollFreeWithoutGateway."""
    wanted: dict[str, Any] = {
        name: value for name, value in fields.items() if not (name in _MAY_BE_EMPTY and value == "")
    }
    settings = wanted.get("settings")
    settings = dict(settings) if isinstance(settings, Mapping) else {}
    if fields.get("turn_gateway_on") == "1":
        settings[GATEWAY] = "1"
    wanted["settings"] = settings
    wishes = parse_wishes(wanted, default_zone=default_zone)
    if wishes.name is None:
        raise BadEventError([FieldProblem(field="name", message="is required")])
    if wishes.settings.get(TOLL_FREE) and wishes.settings.get(GATEWAY) is False:
        raise TollFreeWithoutGateway
    return wishes


def values_of(event: Event) -> dict[str, Any]:
    """What stands in the form of an event."""
    starts = None if event.starts_at is None else local(event.starts_at, zone=event.timezone)
    settings = {**DEFAULT_SETTINGS, **event.settings}
    return {
        "name": event.name,
        "room_type": event.room_type,
        "permanent_room": "1" if event.permanent_room else "0",
        "access_type": str(int(event.access_type)),
        "custom_room_url_name": event.url_name,
        "starts_at": "" if starts is None else starts.strftime("%Y-%m-%dT%H:%M"),
        "duration": format_duration(event.duration_min),
        "timezone": event.timezone,
        "lobby_enabled": "1" if event.lobby_enabled else "0",
        "lobby_description": event.lobby_description,
        "agenda": text_of(event.agenda),
        "skin_id": str(event.skin_id),
        "settings": {
            name: ("1" if value else "0") if isinstance(value, bool) else value
            for name, value in settings.items()
        },
    }


def values_of_new(*, zone: str, skin_id: int) -> dict[str, Any]:
    """What stands in the form of an event that is to be planned."""
    return {
        "room_type": "webinar",
        "permanent_room": "0",
        "access_type": str(int(AccessType.OPEN)),
        "duration": format_duration(60),
        "timezone": zone,
        "lobby_enabled": "1",
        "skin_id": str(skin_id),
        "settings": {
            name: ("1" if value else "0") if isinstance(value, bool) else value
            for name, value in DEFAULT_SETTINGS.items()
        },
    }


def durations(current: str) -> list[str]:
    """The durations to choose from, the current one among them."""
    known = [format_duration(minutes) for minutes in DURATIONS_MIN]
    return known if current in known or not current else [current, *known]


def duration_text(duration: str, *, language: str) -> str:
    """`1:30` as `1 h 30 min`; anything that is no duration as it is."""
    hours, _, minutes = duration.partition(":")
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit()):
        return duration
    return str(filters(language)["duration"](int(hours[:4]) * 60 + int(minutes[:4])))
