"""Who is inside with a token that was taken back is put out; the room of a deleted event is closed."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.types import now_utc
from events import service, tokens
from events.directory import PinDirectory
from events.door_watch import DoorWatch
from events.fields import parse_wishes
from events.models import Event
from events.tokens import Holder
from rooms import commands as c
from rooms import events as e
from rooms.errors import Refused
from rooms.live import LiveRooms
from rooms.modes import Role, Via
from tests.support.outage import outage

NOW = now_utc()


class Evening:
    """An event with two tokens, whose people are inside by browser, telephone or both."""

    def __init__(self, sessions: sessionmaker[Session], *, permanent: int = 0) -> None:
        self.sessions, self.live, self.directory = sessions, LiveRooms(), PinDirectory(sessions)
        with sessions.begin() as session:
            account = create_account(session, email="a@example.org", now=NOW).account
            wishes = parse_wishes({"name": "Results", "access_type": 3, "permanent_room": permanent})
            self.event = service.create_event(session, account_id=account.id, wishes=wishes, now=NOW)
            made = tokens.issue(session, self.event, [Holder(name="Ann"), Holder(name="Bob")], now=NOW)
            self.ann, self.bob = ((one.token.id, one.token.seat_id, str(one.pin)) for one in made)
        self.directory.refresh()
        self.room_id = str(self.event.id)
        self.live.open(self.room_id, name="Results")
        self.happened: list[e.RoomEvent] = []
        self.live.subscribe(lambda _room, events: self.happened.extend(events))
        self.watch = DoorWatch(self.live, self.directory)

    def join(self, seat: str, via: Via = Via.WEB) -> None:
        self.apply(c.Join(participant_id=seat, name="N", role=Role.PARTICIPANT, via=via, rejoin_key=seat))

    def apply(self, command: c.RoomCommand) -> None:
        self.live.apply(self.room_id, command, now_s=1.0)

    def revoke(self, token_id: int) -> None:
        with self.sessions.begin() as session:
            row = tokens.entry(session, self.stored(session), token_id=token_id).token
            tokens.revoke(session, self.stored(session), row, now=NOW)

    def stored(self, session: Session) -> Event:
        return session.get_one(Event, self.event.id)

    def inside(self) -> set[str]:
        self.directory.refresh()
        self.watch.look(now_s=2.0)
        room = self.live.get(self.room_id)
        return set() if room is None else set(room.people())


@pytest.mark.parametrize("via", [(Via.WEB,), (Via.PHONE,), (Via.WEB, Via.PHONE), (Via.PHONE, Via.WEB)])
def test_a_token_that_is_taken_back_puts_its_person_out_and_nobody_else(
    sessions: sessionmaker[Session], via: tuple[Via, ...]
) -> None:
    evening = Evening(sessions)
    (ann_id, ann, ann_pin), (_, bob, _) = evening.ann, evening.bob
    evening.join(ann, via[0])
    if via[1:] == (Via.PHONE,):
        evening.apply(c.LinkPhone(participant_id=ann, rejoin_key="+331 participant"))
    elif via[1:]:
        evening.apply(c.Connection(participant_id=ann, connected=True))
    evening.join(bob)
    assert evening.inside() == {ann, bob}
    evening.revoke(ann_id)
    assert evening.inside() == {bob}
    assert evening.directory.lookup(ann_pin) is None
    assert e.Kicked(participant_id=ann, actor=c.ORGANISER, revoked=True) in evening.happened
    with pytest.raises(Refused, match="put out"):
        evening.join(ann)
    with pytest.raises(Refused, match="put out a moment"):
        evening.apply(c.UndoKick(participant_id=ann, by=c.ORGANISER))


def test_who_passed_the_door_in_that_moment_is_found_at_the_next_look(
    sessions: sessionmaker[Session],
) -> None:
    evening = Evening(sessions)
    evening.revoke(evening.ann[0])
    assert evening.inside() == set()
    evening.join(evening.ann[1])
    assert evening.inside() == set()


def test_nobody_is_put_out_while_the_database_is_away_and_at_once_when_it_is_back(
    sessions: sessionmaker[Session], engine: Engine
) -> None:
    evening = Evening(sessions)
    ann_id, ann, _ = evening.ann
    evening.join(ann)
    evening.revoke(ann_id)
    with outage(engine):
        assert evening.inside() == {ann}
    assert evening.inside() == set()


@pytest.mark.parametrize("permanent", [0, 1])
def test_the_room_of_a_deleted_event_is_closed(sessions: sessionmaker[Session], permanent: int) -> None:
    evening = Evening(sessions, permanent=permanent)
    evening.join(evening.ann[1])
    assert evening.inside() == {evening.ann[1]}
    with sessions.begin() as session:
        service.delete_event(session, evening.stored(session), now=NOW)
    assert evening.inside() == set()
    assert isinstance(evening.happened[-1], e.Ended)
    assert evening.live.get(evening.room_id) is None


def test_a_room_that_no_event_belongs_to_is_left_alone(sessions: sessionmaker[Session]) -> None:
    evening = Evening(sessions)
    evening.live.open("999999", name="Other")
    evening.live.apply(
        "999999", c.Join(participant_id="x", name="N", role=Role.PARTICIPANT, via=Via.WEB), now_s=1.0
    )
    evening.inside()
    room = evening.live.get("999999")
    assert room is not None
    assert "x" in room
