"""What an organiser may say about an event, checked and in its final form. Pure.

The names are those of the HTTP API; values may be text from a form (`"1"`, `"true"`, `"0:45"`) or typed
values from JSON. Everything that is wrong is reported at once, field by field. Names that we do not know
are ignored, because clients written for a longer API must go on working.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any, TypeVar
from urllib.parse import urlsplit

from events import agenda, schedule
from events.errors import BadEventError, FieldProblem

NAME_LENGTH_MAX = 255
TEXT_LENGTH_MAX = 20_000
PASSWORD_LENGTH_MIN, PASSWORD_LENGTH_MAX = 4, 128
RESERVED_URL_NAMES = frozenset({
    "about", "account", "accounts", "admin", "api", "assets", "billing", "calendar", "contact",
    "clock", "contacts", "docs", "embed", "events", "favicon", "forgot", "healthz", "help", "hooks",
    "imprint", "invoices", "join", "language", "legal", "login", "logout", "look", "metrics", "openapi",
    "password", "payments", "paypal", "privacy", "privatelabel", "reports", "reset", "robots", "rooms",
    "settings", "skins", "sign-in", "sign-out", "sign-up", "signup", "static", "statistics", "stripe",
    "terms", "tickets", "twilio",
    "unsubscribe", "v1", "web-hooks", "webhooks", "well-known",
})  # fmt: skip

DEFAULT_SETTINGS: Mapping[str, bool | str] = {
    "show_on_personal_page": False,
    "thank_you_emails_enabled": True,
    "connection_tester_enabled": True,
    "phonegateway_enabled": True,
    "toll_free_enabled": False,
    "recorder_autostart_enabled": False,
    "room_invite_button_enabled": True,
    "social_media_sharing_enabled": True,
    "encryption_enabled": False,
    "thank_you_page_url": "",
}
DEFAULT_REGISTRATION: Mapping[str, bool | int] = {"enabled": False, "template": 1}

T = TypeVar("T")


class RoomType(StrEnum):
    """A meeting is a small round of equals, a webinar has an audience."""

    MEETING = "meeting"
    WEBINAR = "webinar"


class AccessType(IntEnum):
    """Who may enter through the web. Clients of the older API know the first three."""

    OPEN = 1
    PASSWORD = 2
    TOKEN = 3
    PAID = 4


def asks_for_token(access_type: int) -> bool:
    """Whether participants come in by a token of their own, and by nothing that many share."""
    return access_type in (AccessType.TOKEN, AccessType.PAID)


class Status(StrEnum):
    """`inactive` events are over: their PINs and links let nobody in."""

    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True, kw_only=True)
class EventWishes:
    """The fields that were given; None means "not mentioned". `settings` and `registration` hold given keys
    only.
    """

    name: str | None = None
    room_type: RoomType | None = None
    permanent_room: bool | None = None
    access_type: AccessType | None = None
    password: str | None = field(default=None, repr=False)
    custom_room_url_name: str | None = None
    lobby_enabled: bool | None = None
    lobby_description: str | None = None
    starts_at: datetime | None = None
    duration_min: int | None = None
    timezone: str | None = None
    skin_id: int | None = None
    agenda: list[dict[str, str]] | None = None
    registration: Mapping[str, bool | int] = field(default_factory=dict)
    settings: Mapping[str, bool | str] = field(default_factory=dict)


def parse_wishes(data: Mapping[str, Any], *, default_zone: str = "UTC") -> EventWishes:
    """`data` as wishes. `default_zone` is where a wall-clock `starts_at` is when no `timezone` is given.

    Raises BadEventError with every problem found.
    """
    reader = _Reader(data)
    zone = reader.take("timezone", lambda v: schedule.parse_zone(_text(v, maximum=64)))
    wishes = EventWishes(
        name=reader.take("name", _name),
        room_type=reader.take("room_type", lambda v: _choice(RoomType, v)),
        permanent_room=reader.take("permanent_room", _flag),
        access_type=reader.take("access_type", _access_type),
        password=reader.take("password", _password),
        custom_room_url_name=reader.take("custom_room_url_name", url_name),
        lobby_enabled=reader.take("lobby_enabled", _flag),
        lobby_description=reader.take("lobby_description", lambda v: _text(v, maximum=TEXT_LENGTH_MAX)),
        starts_at=reader.take("starts_at", _start_in(zone or default_zone)),
        duration_min=reader.take("duration", lambda v: schedule.parse_duration(_text(v, maximum=16))),
        timezone=zone,
        skin_id=reader.take("skin_id", lambda v: _integer(v, low=1, high=1_000_000)),
        agenda=reader.take("agenda", agenda.parse_agenda),
        registration=reader.group(
            "registration", {"enabled": _flag, "template": lambda v: _integer(v, low=1, high=1_000)}
        ),
        settings=reader.group(
            "settings",
            {
                name: (_flag if isinstance(default, bool) else _web_address)
                for name, default in DEFAULT_SETTINGS.items()
            },
        ),
    )
    if reader.problems:
        raise BadEventError(reader.problems)
    return wishes


class _Reader:
    """Takes values out of the data and collects what is wrong with them."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self._data = data
        self.problems: list[FieldProblem] = []

    def take(self, name: str, convert: Callable[[Any], T]) -> T | None:
        return self._convert(name, self._data.get(name), convert)

    def group(self, name: str, converters: Mapping[str, Callable[[Any], T]]) -> dict[str, T]:
        given = self._data.get(name)
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self.problems.append(FieldProblem(field=name, message="must be a group of named values"))
            return {}
        found = {
            key: self._convert(f"{name}[{key}]", given.get(key), converter)
            for key, converter in converters.items()
        }
        return {key: value for key, value in found.items() if value is not None}

    def _convert(self, name: str, value: Any, convert: Callable[[Any], T]) -> T | None:
        if value is None:
            return None
        try:
            return convert(value)
        except ValueError as exc:
            self.problems.append(FieldProblem(field=name, message=str(exc)))
            return None


def _text(value: Any, *, maximum: int) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")
    if len(value) > maximum:
        raise ValueError(f"must not be longer than {maximum} characters")
    if any(c == "\x00" or "\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("contains characters that are not text")
    return value


def _name(value: Any) -> str:
    text = " ".join(_text(value, maximum=4 * NAME_LENGTH_MAX).split())
    if not 1 <= len(text) <= NAME_LENGTH_MAX or not text.isprintable():
        raise ValueError(f"must be 1 to {NAME_LENGTH_MAX} printable characters")
    return text


def _password(value: Any) -> str | None:
    text = _text(value, maximum=PASSWORD_LENGTH_MAX)
    if text == "":
        return None
    if len(text) < PASSWORD_LENGTH_MIN:
        raise ValueError(f"must be at least {PASSWORD_LENGTH_MIN} characters")
    return text


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    wanted = str(value).strip().lower() if isinstance(value, str | int) else ""
    if wanted in ("1", "true", "yes", "on"):
        return True
    if wanted in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("must be 0 or 1")


def _start_in(zone: str) -> Callable[[Any], datetime]:
    return lambda value: schedule.parse_start(_text(value, maximum=64), zone=zone)


def _integer(value: Any, *, low: int, high: int) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip()):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"must be a whole number from {low} to {high}")
    return value


def _access_type(value: Any) -> AccessType:
    return AccessType(_integer(value, low=1, high=4))


def _choice(kind: type[RoomType], value: Any) -> RoomType:
    try:
        return kind(value)
    except ValueError as exc:
        raise ValueError("must be one of: " + ", ".join(kind)) from exc


def url_name(value: Any) -> str:
    """A path segment of a room's address. Raises ValueError."""
    text = _text(value, maximum=200).strip().lower()
    if re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{1,58}[a-z0-9])", text) is None:
        raise ValueError("must be 3 to 60 letters, digits and inner hyphens")
    if text in RESERVED_URL_NAMES:
        raise ValueError("is reserved, choose another name")
    return text


def _web_address(value: Any) -> str:
    text = _text(value, maximum=2_000).strip()
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
        good = good and text.isprintable() and " " not in text
    except ValueError:
        good = False
    if text and not good:
        raise ValueError("must be a web address that starts with http:// or https://")
    return text
