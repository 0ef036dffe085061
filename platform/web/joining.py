"""The door of an event: what a visitor must show, and the ticket they get.

Theory. What lets somebody in, first match counts:

1. what the database had to be asked about (`Proof`, made by `web.join_routes`): a *token*, which brings its
   person to the token's seat, or a *personal link*, `?l=` and a hash made by the organiser's own program;
2. a *role link* (`?l=` and one of the event's `access_role_hashes`): host and presenter enter as presenters,
   listener as participant, without a password: the link is the secret;
3. the presenter *PIN*, typed by a presenter who has no link; the shared listener PIN opens what it opens on
   the telephone;
4. a *ticket* of the same event that the browser still has, in the role that it says;
5. the event's *password* (access type 2, kept as Argon2id);
6. nothing, when the event is open.

Participants of events with tokens (access types 3 and 4) come in by 1 and by 4 alone: what many share, the
listener link and the listener PIN, would let people past the tokens. Their tickets count only while the token
does.

Whoever enters again with the same ticket and the same role is the same seat. Another role is another seat,
because nobody changes role while in a room.

Rules about the room itself (locked, full, removed) are the room's: they are told when the page connects.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from sqlalchemy.orm import Session

from events import service
from events.fields import AccessType, Status, asks_for_token
from events.models import Event
from events.passwords import password_matches
from rooms.commands import checked_name
from rooms.modes import Role
from web.seat_tokens import Ticket, new_seat_id

NAME_CHARS_MAX = 100
EMAIL_CHARS_MAX = 254

T = TypeVar("T")


class JoinRefusedError(Exception):
    """Nobody is let in like this. `guess`: a wrong secret was shown, which counts as a guess. `since`: when
    the token was used first.
    """

    def __init__(self, slug: str, *, guess: bool = False, since: datetime | None = None) -> None:
        super().__init__(REASONS[slug][1])
        self.slug = slug
        self.status = REASONS[slug][0]
        self.guess = guess
        self.since = since


#: Slug → HTTP status and one English sentence. Pages have their own words.
REASONS: dict[str, tuple[int, str]] = {
    "bad-email": (422, "This is no mail address."),
    "bad-name": (422, "Tell us a name to show to the others."),
    "cross-site": (403, "This form was not sent from our page."),
    "event-over": (410, "The event is over."),
    "no-such-event": (404, "There is no such event."),
    "password-required": (403, "This event has a password."),
    "token-required": (403, "This event lets in people with a personal invitation only."),
    "token-revoked": (403, "The organiser took this token or link back."),
    "token-used": (403, "This token is in use in another browser."),
    "too-many-tries": (429, "Too many tries; wait a moment."),
    "wrong-link": (403, "This link is not one of this event."),
    "wrong-password": (403, "The password is wrong."),
    "wrong-pin": (403, "The PIN is wrong."),
    "wrong-token": (403, "There is no such token in this event."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """What a visitor shows at the door. `link`: the value of `?l=`, `token`: that of `?t=`, or as typed."""

    name: str
    email: str | None = None
    link: str | None = None
    pin: str | None = None
    password: str | None = None
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a token or a personal link opened: a seat, and who it was made for."""

    seat_id: str
    role: Role
    name: str
    email: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRoom:
    """An event that somebody looked for. `room_pin` in groups of three."""

    event_id: int
    url_name: str
    name: str
    room_pin: str
    over: bool


def find_room(session: Session, text: str) -> FoundRoom | None:
    """The event that somebody means who types its address, room PIN (spaces or not) or number; None: none."""
    event = service.find_event(session, text)
    if event is None:
        return None
    pin = event.room_pin
    return FoundRoom(
        event_id=event.id,
        url_name=event.url_name,
        name=event.name,
        room_pin=" ".join(pin[at : at + 3] for at in range(0, len(pin), 3)),
        over=event.status != Status.ACTIVE,
    )


def check_open(event: Event) -> None:
    """Raises JoinRefusedError for an event that nobody may enter any more."""
    if event.deleted_at is not None:
        raise JoinRefusedError("no-such-event")
    if event.status != Status.ACTIVE:
        raise JoinRefusedError("event-over")


def admit(
    event: Event, knock: Knock, *, old: Ticket | None, unix_s: float, proof: Proof | None = None
) -> Ticket:
    """The ticket for this visitor; the event's shared PINs are loaded. `old`: a good ticket of the browser.

    Takes some 30 ms of CPU when a password is looked at. Raises JoinRefusedError.
    """
    check_open(event)
    name, email = checked_person(knock, proof)
    if old is not None and old.event_id != event.id:
        old = None
    role = _role(event, knock, old=old) if proof is None else proof.role
    same = old is not None and old.role is role
    known = old.seat_id if old is not None and same else new_seat_id()
    return Ticket(
        seat_id=known if proof is None else proof.seat_id,
        event_id=event.id,
        role=role,
        name=name,
        email=email,
        issued_s=int(unix_s),
    )


def checked_person(knock: Knock, proof: Proof | None = None) -> tuple[str, str | None]:
    """Name and mail address as typed, or else as the proof has them. Raises JoinRefusedError."""
    made_for = (None, None) if proof is None else (proof.name, proof.email)
    return _name(knock.name or made_for[0] or ""), _email(knock.email or made_for[1])


def _role(event: Event, knock: Knock, *, old: Ticket | None) -> Role:
    token_event = asks_for_token(event.access_type)
    if knock.link:
        roles = {
            event.hash_host: Role.PRESENTER,
            event.hash_presenter: Role.PRESENTER,
            event.hash_listener: Role.PARTICIPANT,
        }
        found = _matching(knock.link, roles)
        if found is None:
            raise JoinRefusedError("wrong-link", guess=True)
        if not (token_event and found is Role.PARTICIPANT):
            return found
    if knock.pin:
        digits = "".join(char for char in knock.pin if char.isascii() and char.isdigit())
        shared = {
            pin.pin: Role(pin.role) for pin in event.pins if not (token_event and _is_listener(pin.role))
        }
        found = _matching(digits, shared)
        if found is None:
            raise JoinRefusedError("wrong-pin", guess=True)
        return found
    if old is not None:
        return old.role
    if token_event:
        raise JoinRefusedError("token-required")
    if event.access_type == AccessType.PASSWORD:
        if not knock.password:
            raise JoinRefusedError("password-required")
        if event.password_hash is None or not password_matches(knock.password, event.password_hash):
            raise JoinRefusedError("wrong-password", guess=True)
    return Role.PARTICIPANT


def _is_listener(role: str) -> bool:
    return role == Role.PARTICIPANT


def _matching(shown: str, secrets: dict[str, T]) -> T | None:
    """The value whose secret was shown; every secret is compared, in constant time."""
    found = None
    for secret, value in secrets.items():
        if hmac.compare_digest(shown.encode("utf-8", "replace"), secret.encode()):
            found = value
    return found


def _name(text: str) -> str:
    try:
        return checked_name(text)[:NAME_CHARS_MAX].rstrip()
    except ValueError as exc:
        raise JoinRefusedError("bad-name") from exc


def _email(text: str | None) -> str | None:
    wanted = (text or "").strip()
    if not wanted:
        return None
    local, at, domain = wanted.rpartition("@")
    good = bool(local and at and "." in domain.strip(".")) and wanted.isprintable() and " " not in wanted
    if not good or len(wanted) > EMAIL_CHARS_MAX:
        raise JoinRefusedError("bad-email")
    return wanted
