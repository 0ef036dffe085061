"""What goes over the wire: the names and types of answers and bodies, as the OpenAPI page tells them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class ErrorEntry(BaseModel):
    name: str = Field(description="The field at fault, or the slug of a refusal.")
    message: str = Field(description="One sentence.")


class ErrorAnswer(BaseModel):
    """Every answer other than success."""

    message: str = Field(description="One sentence for people.")
    errors: list[ErrorEntry] = Field(description="One entry per field or reason; may be empty.")


class RoleHashes(BaseModel):
    """Secrets with which links let people in, one per role."""

    listener: str
    presenter: str
    host: str


class AgendaItem(BaseModel):
    """One line of an agenda."""

    time: str = Field("", description="`hh:mm` on the clocks of `timezone`, or empty.")
    title: str = Field(min_length=1, max_length=200, description="What comes.")


class TicketOffer(BaseModel):
    """What a ticket of a paid room costs."""

    price: str = Field(description="Decimal text.")
    currency: str = Field(description="ISO 4217.")
    capacity: int | None = Field(description="How many there are; null: no limit.")
    sold: int


class TicketWishes(BaseModel):
    """What a ticket shall cost, when `access_type` is 4."""

    price: str | None = Field(
        None, description="More than 0 and at most 1000, in RUB 100000; required for a new paid room."
    )
    currency: str | None = Field(None, description="ISO 4217; default: the account's.")
    capacity: int | None = Field(None, ge=0, le=50_000, description="How many there are; 0: no limit.")


class Conference(BaseModel):
    """A room: a webinar or a meeting, planned or permanent."""

    id: int = Field(description="Number of the room; the `room` of all paths.")
    room_type: str = Field(description="`meeting` or `webinar`.")
    room_pin: int = Field(description="Nine digits with which the room is found on the web.")
    name: str
    name_url: str = Field(description="Last part of `room_url`.")
    starts_at: str | None = Field(description="Planned start, ISO 8601, on the clocks of `timezone`.")
    ends_at: str | None = Field(description="Planned end, ISO 8601, on the clocks of `timezone`.")
    access_type: int = Field(description="1 open, 2 password, 3 token, 4 ticket that is paid for.")
    lobby_enabled: bool
    lobby_description: str = Field(description="Message for those who wait.")
    registration_enabled: int = Field(description="1 when people register before the event.")
    registration: dict[str, Any] = Field(description="`enabled` and `template`.")
    status: str = Field(description="`active`, or `inactive` when the event is over.")
    timezone: str
    timezone_offset: int = Field(description="Seconds that `timezone` is ahead of UTC at the start.")
    permanent_room: bool
    access_role_hashes: RoleHashes
    room_url: str
    embed_room_url: str
    phone_presenter_pin: int = Field(description="Digits that let a caller in as presenter.")
    phone_listener_pin: int = Field(
        description="Digits that let a caller in as participant; nobody when `access_type` is 3 or 4."
    )
    skin_id: int = Field(description="Look of its pages and mails; one of `conferences/skins`.")
    agenda: list[AgendaItem] = Field(description="What comes when.")
    state: str = Field(
        description="`scheduled`, `waiting` (the waiting room is open), `live`, or `ended` when `status` is "
        "`inactive`."
    )
    recorder_list: list[str]
    settings: dict[str, Any] = Field(
        description="Switches; `phonegateway_enabled` decides whether callers get in."
    )
    created_at: str
    updated_at: str
    ticket: TicketOffer | None = Field(None, description="What a ticket costs, when `access_type` is 4.")


class RoomAnswer(BaseModel):
    room: Conference


class ConferenceAnswer(BaseModel):
    conference: Conference


class ConferenceLists(BaseModel):
    active_conferences: list[Conference]
    inactive_conferences: list[Conference]


class Deleted(BaseModel):
    conference: str = Field(description="`OK`.")


class Registration(BaseModel):
    enabled: bool | None = Field(None, description="Whether people register before the event.")
    template: int | None = Field(None, ge=1, le=1_000, description="Number of the registration form.")


class SettingsWishes(BaseModel):
    phonegateway_enabled: bool | None = Field(
        None, description="Whether callers are let in; default 1. With tokens each has a PIN of its own."
    )
    toll_free_enabled: bool | None = Field(
        None, description="Whether callers may use the toll-free numbers at the organiser's cost; default 0."
    )
    thank_you_emails_enabled: bool | None = Field(
        None, description="Whether guests are thanked by mail afterwards; default 1."
    )
    thank_you_page_url: str | None = Field(
        None, examples=["https://example.com/thanks"], description="Where browsers go when the event is over."
    )
    recorder_autostart_enabled: bool | None = Field(None, description="Kept and answered; default 0.")
    connection_tester_enabled: bool | None = Field(None, description="Kept and answered; default 1.")
    room_invite_button_enabled: bool | None = Field(
        None, description="Whether presenters can copy link and numbers in the room; default 1."
    )
    social_media_sharing_enabled: bool | None = Field(None, description="Kept and answered; default 1.")
    show_on_personal_page: bool | None = Field(None, description="Kept and answered; default 0.")
    encryption_enabled: bool | None = Field(None, description="Kept and answered; default 0.")


class ConferenceWishes(BaseModel):
    """Fields of a new or changed room. As a form, groups are written `settings[phonegateway_enabled]=1`."""

    name: str | None = Field(None, min_length=1, max_length=255, description="Required for a new room.")
    room_type: Literal["webinar", "meeting"] | None = Field(
        None, description="`webinar` (default) or `meeting` (up to 25 participants)."
    )
    permanent_room: bool | None = Field(
        None, description="1: can be used again and again; 0 (default): once."
    )
    access_type: int | None = Field(
        None, ge=1, le=4, description="1 open (default), 2 password, 3 token, 4 ticket that is paid for."
    )
    password: str | None = Field(
        None, min_length=4, max_length=128, description="Required when `access_type` is 2."
    )
    custom_room_url_name: str | None = Field(
        None,
        pattern="^[a-z0-9][a-z0-9-]{1,58}[a-z0-9]$",
        description="Last part of `room_url`; default: made from `name`.",
    )
    lobby_enabled: bool | None = Field(None, description="Whether there is a waiting room.")
    lobby_description: str | None = Field(None, max_length=20_000, description="Message for those who wait.")
    starts_at: str | None = Field(
        None,
        examples=["2027-03-01T10:00"],
        description="`2026-12-01T10:00` on the clocks of `timezone`, or with an offset.",
    )
    duration: str | None = Field(
        None,
        pattern="^([1-9]|1[0-9]|2[0-3]):[0-5][0-9]$",
        description="`h:mm`, from `0:01` to `24:00`; default `1:00`.",
    )
    timezone: str | None = Field(
        None, examples=["Europe/Paris"], description="One of `time_zone_list`; default `UTC`."
    )
    skin_id: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="One of `conferences/skins`; another number means the account's default.",
    )
    agenda: list[AgendaItem] | None = Field(
        None, description="What comes when; as text: one line each, `10:00 Welcome`. Empty: none."
    )
    registration: Registration | None = Field(None, description="Whether and how people register.")
    ticket: TicketWishes | None = Field(None, description="For a paid room.")
    settings: SettingsWishes | None = Field(None, description="Switches.")


CONFERENCE_EXAMPLE: dict[str, Any] = {
    "name": "Results",
    "room_type": "webinar",
    "permanent_room": False,
    "access_type": 1,
    "starts_at": "2027-03-01T10:00",
    "duration": "1:30",
    "timezone": "Europe/Paris",
    "settings": {"phonegateway_enabled": True},
}


class LiveParticipant(BaseModel):
    """One person in the room. Telephone numbers in names are masked."""

    id: str
    name: str
    role: str = Field(description="`presenter` or `participant`.")
    via: str = Field(description="The way they came: `phone` or `web`.")
    devices: list[str] = Field(description="What they have now: `phone`, `web` or both.")
    sound: str | None = Field(description="The device that carries their sound; null: none yet.")
    connected: bool = Field(description="False: the web page is lost and may come back.")
    quality: int | None = Field(description="How well the sound arrives, 0 to 4 bars.")
    city: str | None = Field(description="City whose number was dialled.")
    country: str | None = Field(description="Country of the number that was dialled, ISO 3166.")
    number: str | None = Field(description="The caller's number, masked.")
    music: bool = Field(description="Whether they want hold music while they wait.")
    muted: bool
    muted_by: str | None = Field(description="`self`, `presenter` or `mode`.")
    talking: bool
    floor: bool = Field(description="Has the floor (Q&A).")
    question: int | None = Field(description="Place in the question queue, from 1.")
    joined_at: str = Field(description="ISO 8601, UTC.")


class LiveRoom(BaseModel):
    """The room as it is now."""

    open: bool = Field(description="Whether the room runs; false when nobody is or was in it.")
    mode: str = Field(description="`presenters_only`, `qa`, `listen_only` or `discussion`.")
    started: bool = Field(description="Whether those who waited were brought in.")
    locked: bool = Field(description="Whether only presenters may enter.")
    music: bool = Field(description="Whether newcomers hear hold music while they wait.")
    participants: list[LiveParticipant]


LiveOrder = Literal[
    "set_mode", "mute", "unmute", "give_floor", "take_floor", "lock", "unlock", "start", "stop", "end",
    "kick", "undo_kick", "rename", "music",
]  # fmt: skip


class LiveCommand(BaseModel):
    """An order to the room, the same as a presenter's key."""

    command: LiveOrder = Field(
        description="`set_mode`, `mute`, `unmute`, `give_floor`, `take_floor`, `lock`, `unlock`, "
        "`start`, `stop`, `end`, `kick`, `undo_kick`, `rename` or `music`."
    )
    participant_id: str | None = Field(
        None,
        description="Whom it is about: needed for `mute`, `unmute`, `kick`, `undo_kick` and `rename`; "
        "`give_floor` without it means "
        "the first in the queue, `take_floor` without it whoever has it.",
    )
    mode: Literal["presenters_only", "qa", "listen_only", "discussion"] | None = Field(
        None, description="For `set_mode`."
    )
    name: str | None = Field(None, description="For `rename`.")
    on: bool | None = Field(None, description="For `music`: for everybody who waits.")
    close: bool | None = Field(None, description="For `end`: 0 leaves the room open, the same as `stop`.")


class SessionEntry(BaseModel):
    """One run of a room."""

    id: int
    total_visitors: int = Field(description="People who entered.")
    max_visitors: int = Field(description="People at the same time, at most.")
    start_date: str
    end_date: str | None = Field(description="Null while it runs.")


class GatewayEntry(BaseModel):
    """A dial-in number."""

    code: str = Field(description="Our name for the number; never changes.")
    location: str = Field(description="City.")
    value: str = Field(description="The number, E.164.")
    geo: str = Field(description="Country, ISO 3166.")
    display: str = Field(description="The number as it is printed.")
    language: str = Field(description="Language of the prompts that callers hear.")


class Skin(BaseModel):
    """A look of rooms."""

    id: int = Field(description="The `skin_id` of a room.")
    name: str
    default: bool = Field(description="Whether new rooms get it when they name none.")
    accent: str = Field(description="Colour of buttons and links, `#rrggbb`.")
    background: str = Field(description="Colour behind the logo, `#rrggbb`.")


class Pong(BaseModel):
    ping: str = Field(description="`pong`.")


class HealthAnswer(BaseModel):
    status: str = Field(description="`ok` or `failing`.")
    version: str
    checks: dict[str, str] = Field(description="Part → `ok`, or what is wrong.")
