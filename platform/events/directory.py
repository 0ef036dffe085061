"""All telephone PINs in memory, so that a caller is let in while the database is away.

A PIN is looked up by a keyed digest (BLAKE2b under a key made at start): the time a lookup takes tells
nothing about how many digits were right, and neither PINs nor anything from which they could be had stay in
this memory.

The copy is kept up to date in three ways: `refresh()` right after a change made by this process, a thread
that asks the database every `poll_s` for events changed since the last revision seen (so that a change made
by another process counts within that time), and `mark_over()`, which ends an event at once when the
database cannot be asked. When the database is away the last copy goes on being used.

In an event with tokens only presenters and tokens have a PIN that opens: the shared PIN of participants is
not known here.

Events that are over stay for a while, so that their callers hear "the event is over" and not "wrong PIN".
Memory is about 800 bytes an event, and 300 a visitor's own PIN.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby

import structlog
from sqlalchemy.orm import Session, sessionmaker

from database.errors import is_outage
from database.types import now_utc
from events import repository
from events.fields import RoomType, Status, asks_for_token
from events.token_text import is_token_seat
from rooms.modes import Role

POLL_S = 1.0
"""How long a change made by another process may take to count, in seconds."""

REMEMBER_OVER = timedelta(days=30)
"""How long the PINs of an event that is over are recognised after a restart."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCard:
    """What the telephone side knows about an event."""

    event_id: int
    room_id: str
    account_id: int
    name: str
    status: Status
    permanent_room: bool
    gateway_enabled: bool
    room_type: RoomType
    capacity: int | None
    toll_free_enabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PinEntry:
    """What a PIN opens: an event, in a role; with a `seat_id`, as one web visitor, `person_name`."""

    event: EventCard
    role: Role
    seat_id: str | None = None
    person_name: str | None = None

    @property
    def event_id(self) -> int:
        return self.event.event_id

    @property
    def room_id(self) -> str:
        return self.event.room_id

    @property
    def account_id(self) -> int:
        return self.event.account_id

    @property
    def name(self) -> str:
        return self.event.name

    @property
    def status(self) -> Status:
        return self.event.status

    @property
    def gateway_enabled(self) -> bool:
        return self.event.gateway_enabled

    @property
    def room_type(self) -> RoomType:
        return self.event.room_type

    @property
    def capacity(self) -> int | None:
        return self.event.capacity


def _card(row: repository.ChangedPin) -> EventCard:
    return EventCard(
        event_id=row.event_id,
        room_id=str(row.event_id),
        account_id=row.account_id,
        name=row.name,
        status=Status(row.status),
        permanent_room=row.permanent_room,
        gateway_enabled=bool(row.settings.get("phonegateway_enabled", True)),
        room_type=RoomType(row.room_type),
        capacity=row.capacity,
        toll_free_enabled=bool(row.settings.get("toll_free_enabled", False)),
    )


def _opens_nothing(row: repository.ChangedPin) -> bool:
    """Whether this PIN was taken back, or would let participants without a token into an event that asks for
    one. PINs of events that are over are known, so that their callers hear just that.
    """
    if not row.joinable and row.status == Status.ACTIVE:
        return True
    if not asks_for_token(row.access_type) or row.role == Role.PRESENTER:
        return False
    return row.seat_id is None or not is_token_seat(row.seat_id)


def _taken_back(row: repository.ChangedPin) -> bool:
    """Whether this is the PIN of a token that the organiser took back while the event goes on."""
    if row.joinable or row.status != Status.ACTIVE or row.seat_id is None:
        return False
    return is_token_seat(row.seat_id)


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose a PIN is."""

    event_id: int
    role: Role
    seat_id: str | None
    person_name: str | None


class PinDirectory:
    """See the module text. All methods may be called from any thread; `lookup` never touches the database."""

    def __init__(self, sessions: sessionmaker[Session], *, poll_s: float = POLL_S) -> None:
        self._sessions = sessions
        self._poll_s = poll_s
        self._key = secrets.token_bytes(32)
        self._entries: dict[bytes, _Owner] = {}
        self._cards: dict[int, EventCard] = {}
        self._digests: dict[int, tuple[bytes, ...]] = {}
        self._revoked: dict[int, frozenset[str]] = {}
        self._revision = 0
        self._reading = threading.Lock()
        self._changing = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._away = False

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def database_away(self) -> bool:
        """Whether the last attempt to read failed, so that the copy may be old."""
        return self._away

    def start(self) -> None:
        """Read everything once (an absent database is no error) and begin to poll."""
        assert self._thread is None
        self._stopping.clear()
        self.refresh()
        self._thread = threading.Thread(target=self._poll, name="pin-directory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the polling; the copy can still be read."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def lookup(self, pin: str) -> PinEntry | None:
        """What `pin` opens, events that are over included (see `status`), or None."""
        wanted = self._digest(pin)
        with self._changing:
            found = self._entries.get(wanted)
            event = None if found is None else self._cards.get(found.event_id)
        if found is None or event is None:
            return None
        return PinEntry(event=event, role=found.role, seat_id=found.seat_id, person_name=found.person_name)

    def event(self, event_id: int) -> EventCard | None:
        """The card of an event that has a PIN in this directory."""
        with self._changing:
            return self._cards.get(event_id)

    def revoked(self, event_id: int) -> frozenset[str]:
        """Seats of the event whose token was taken back."""
        with self._changing:
            return self._revoked.get(event_id, frozenset())

    def mark_over(self, event_id: int) -> None:
        """Treat the event as over from now on, unless its room is permanent; the database may learn it
        later.
        """
        with self._changing:
            event = self._cards.get(event_id)
            if event is not None and not event.permanent_room:
                self._cards[event_id] = replace(event, status=Status.INACTIVE)

    def refresh(self) -> bool:
        """Read what changed since the last time. False when the database is away; other errors are raised."""
        with self._reading:
            try:
                with self._sessions() as session:
                    self._read(session)
            except Exception as exc:
                if not is_outage(exc):
                    raise
                if not self._away:
                    _log.warning("pin_directory_database_away", events=len(self._cards))
                self._away = True
                return False
            if self._away:
                _log.info("pin_directory_database_back", events=len(self._cards))
            self._away = False
            return True

    def _read(self, session: Session) -> None:
        latest = repository.current_revision(session)
        if latest == self._revision:
            return
        restored = latest < self._revision  # somebody put an older copy of the database in place
        changed = repository.changed_since(
            session, revision=0 if restored else self._revision, over_since=now_utc() - REMEMBER_OVER
        )
        fresh = [
            (
                rows[0].revision,
                _card(rows[0]),
                [
                    (
                        self._digest(row.pin),
                        _Owner(row.event_id, Role(row.role), row.seat_id, row.person_name),
                        row.joinable,
                    )
                    for row in rows
                    if row.pin is not None and row.role is not None and not _opens_nothing(row)
                ],
                frozenset(row.seat_id for row in rows if row.seat_id is not None and _taken_back(row)),
            )
            for rows in (list(group) for _, group in groupby(changed, key=lambda row: row.event_id))
        ]
        with self._changing:
            if restored:
                self._entries, self._cards, self._digests, self._revision = {}, {}, {}, 0
                self._revoked = {}
            for revision, event, pins, revoked in fresh:
                self._take(event, pins)
                self._revoked.pop(event.event_id, None)
                if revoked:
                    self._revoked[event.event_id] = revoked
                self._revision = max(self._revision, revision)

    def _take(self, event: EventCard, pins: list[tuple[bytes, _Owner, bool | None]]) -> None:
        for digest in self._digests.pop(event.event_id, ()):
            owner = self._entries.get(digest)
            if owner is not None and owner.event_id == event.event_id:
                del self._entries[digest]
        owned = []
        for digest, owner, joinable in pins:
            if joinable or digest not in self._entries:  # a PIN given out again belongs to the living
                self._entries[digest] = owner
                owned.append(digest)
        self._digests[event.event_id] = tuple(owned)
        self._cards[event.event_id] = event

    def _digest(self, pin: str) -> bytes:
        return hashlib.blake2b(pin.encode("utf-8", "replace"), key=self._key, digest_size=16).digest()

    def _poll(self) -> None:
        while not self._stopping.wait(self._poll_s):
            try:
                self.refresh()
            except Exception:
                _log.exception("pin_directory_refresh_failed")
