"""Browsers at the desk: which leg carries whose sound, and when a visit is over.

The mixer and the WebRTC process are played; rooms, runs, sessions and records are the real ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from bridge.browsers.desk import BrowserDesk
from bridge.calls.runs import RoomSettings, Runs
from bridge.cdr.models import Cdr
from bridge.cdr.store import CdrStore
from bridge.mixer.client import MixerClient
from events import service
from events.directory import PinDirectory
from events.fields import EventWishes
from events.session_book import SessionBook
from rooms import commands as c
from rooms.errors import Refused
from rooms.gate import Visitor
from rooms.live import LiveRooms
from rooms.modes import AudioMode, Role, Via
from rooms.webrtc.client import WebRtcClient
from rooms.webrtc.protocol import PeerState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class PlayedMixer:
    """Legs and their places, as the mixer would know them."""

    places: dict[int, tuple[int | None, bool, str]] = field(default_factory=dict)
    opened: dict[int, dict[str, Any]] = field(default_factory=dict)
    next_leg: int = 1

    def reserve(self, *, family: str) -> tuple[int, str, int]:
        assert family == "v4"
        leg, self.next_leg = self.next_leg, self.next_leg + 1
        return leg, "127.0.0.1", 40_000 + 2 * leg

    def open(self, leg: int, **media: Any) -> None:
        self.opened[leg] = media

    def place(self, leg: int, *, room: int | None, speak: bool, hear: str) -> None:
        self.places[leg] = (room, speak, hear)

    def close(self, leg: int) -> None:
        self.opened.pop(leg, None)
        self.places.pop(leg, None)


@dataclass
class PlayedWebRtc:
    """Sources and what each peer hears and feeds."""

    sources: dict[int, int] = field(default_factory=dict)
    listening: dict[int, int | None] = field(default_factory=dict)
    speaking: dict[int, int | None] = field(default_factory=dict)

    async def open_source(self, source: int, ip: str, port: int) -> tuple[str, int]:
        await asyncio.sleep(0)
        self.sources[source] = port
        return ip, 50_000 + source

    def close_source(self, source: int) -> None:
        self.sources.pop(source, None)

    def listen(self, peer: int, source: int | None) -> None:
        self.listening[peer] = source

    def speak(self, peer: int, source: int | None) -> None:
        self.speaking[peer] = source

    def close(self, peer: int) -> None:
        self.listening.pop(peer, None)
        self.speaking.pop(peer, None)


@dataclass
class Hall:
    desk: BrowserDesk
    live: LiveRooms
    runs: Runs
    mixer: PlayedMixer
    webrtc: PlayedWebRtc
    cdrs: CdrStore
    sessions: sessionmaker[Session]
    event_id: int
    account_id: int
    peers: dict[str, int] = field(default_factory=dict)
    told: list[tuple[str, int]] = field(default_factory=list)
    """Who entered, and in which session."""

    async def enter(self, seat: str, role: Role = Role.PARTICIPANT) -> None:
        """In, with sound."""
        await self.desk.enter(
            Visitor(
                seat_id=seat,
                event_id=self.event_id,
                room_id=str(self.event_id),
                account_id=self.account_id,
                event_name="Talk",
                role=role,
                name=seat.title(),
                email=None,
                ip="127.0.0.1",
                user_agent="",
                permanent_room=True,
                capacity=None,
                room_type="webinar",
            )
        )
        self.peers[seat] = len(self.peers) + 1
        self.desk.on_webrtc(PeerState(self.peers[seat], "connected"))
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def order(self, command: c.RoomCommand) -> None:
        self.live.apply(str(self.event_id), command, now_s=asyncio.get_running_loop().time())
        await self.settle()

    def hears(self, seat: str) -> tuple[int | None, bool, str] | None:
        """Where the leg is that this seat hears."""
        source = self.webrtc.listening.get(self.peers[seat])
        if source is None:
            return None
        return self.mixer.places[self._leg(source)]

    def source_of(self, seat: str) -> int | None:
        return self.webrtc.listening.get(self.peers[seat])

    def is_heard(self, seat: str) -> bool:
        source = self.webrtc.speaking.get(self.peers[seat])
        return source is not None and self.mixer.places[self._leg(source)][1]

    def _leg(self, source: int) -> int:
        return (self.webrtc.sources[source] - 40_000) // 2


def in_hall(sessions: sessionmaker[Session], folder: Path, story: Callable[[Hall], Any]) -> None:
    @asynccontextmanager
    async def hall() -> AsyncIterator[Hall]:
        with sessions.begin() as session:
            account = create_account(session, email="o@example.org", now=NOW).account
            event = service.create_event(
                session, account_id=account.id, wishes=EventWishes(name="Talk", permanent_room=True), now=NOW
            )
            ids = event.id, account.id
        live, book = LiveRooms(), SessionBook(sessions, node_id="n")
        book.start()
        cdrs = CdrStore(sessions, spool_dir=folder, node_id="n")
        cdrs.start()
        runs = Runs(
            RoomSettings(room_idle_s=60, rejoin_s=60, discussion_limit=25, join_tones=True),
            live=live,
            sessions=book,
            directory=PinDirectory(sessions),
            now=lambda: datetime.now(UTC),
        )
        mixer, webrtc = PlayedMixer(), PlayedWebRtc()
        told: list[tuple[str, int]] = []
        desk = BrowserDesk(
            node_id="n",
            version="1",
            mixer=cast(MixerClient, mixer),
            webrtc=cast(WebRtcClient, webrtc),
            live=live,
            runs=runs,
            cdrs=cdrs,
            now=lambda: datetime.now(UTC),
            entered=lambda visitor, session_id, _now: told.append((visitor.seat_id, session_id)),
        )
        try:
            yield Hall(desk, live, runs, mixer, webrtc, cdrs, sessions, *ids, told=told)
        finally:
            await desk.close()
            runs.close()
            cdrs.stop()
            book.stop()
        assert mixer.opened == {}
        assert webrtc.sources == {}

    async def run() -> None:
        async with hall() as place:
            await story(place)

    asyncio.run(run())


@pytest.fixture
def play(sessions: sessionmaker[Session], tmp_path: Path) -> Callable[[Callable[[Hall], Any]], None]:
    return lambda story: in_hall(sessions, tmp_path / "spool", story)


Play = Callable[[Callable[[Hall], Any]], None]


def test_those_who_wait_share_one_music_and_those_who_listen_one_room(play: Play) -> None:
    async def story(hall: Hall) -> None:
        for seat in ("ada", "ben", "cleo"):
            await hall.enter(seat)
        assert {hall.source_of(seat) for seat in ("ada", "ben", "cleo")} == {hall.source_of("ada")}
        assert hall.hears("ada") == (None, False, "music")
        await hall.enter("pia", Role.PRESENTER)
        await hall.order(c.Start(by="pia"))
        assert {hall.source_of(seat) for seat in ("ada", "ben", "cleo")} == {hall.source_of("ada")}
        assert hall.hears("ada") == (1, False, "room")
        assert not hall.is_heard("ada")
        assert hall.is_heard("pia")
        assert hall.hears("pia") == (1, True, "room")

    play(story)


def test_with_the_floor_a_listener_gets_a_leg_and_keeps_it_for_a_while(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("pia", Role.PRESENTER)
        await hall.enter("ada")
        await hall.enter("ben")
        await hall.order(c.Start(by="pia"))
        await hall.order(c.SetMode(mode=AudioMode.QA, by="pia"))
        shared = hall.source_of("ada")
        await hall.order(c.GiveFloor(participant_id="ada", by="pia"))
        assert hall.is_heard("ada")
        own = hall.source_of("ada")
        assert own != shared == hall.source_of("ben")
        await hall.order(c.TakeFloor(participant_id="ada", by="pia"))
        assert not hall.is_heard("ada")
        assert hall.source_of("ada") == own
        assert hall.hears("ada") == (1, False, "room")

    play(story)


def test_a_telephone_takes_over_and_gives_back(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("pia", Role.PRESENTER)
        await hall.order(c.LinkPhone(participant_id="pia"))
        assert hall.source_of("pia") is None
        assert not hall.is_heard("pia")
        await hall.order(c.UnlinkPhone(participant_id="pia"))
        assert hall.is_heard("pia")

    play(story)


def test_a_connection_that_fails_and_comes_again_finds_its_sound(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("pia", Role.PRESENTER)
        hall.desk.on_webrtc(PeerState(hall.peers["pia"], "closed"))
        await hall.settle()
        room = hall.live.get(str(hall.event_id))
        assert room is not None
        assert room.card("pia").sound is None
        hall.desk.on_webrtc(PeerState(hall.peers["pia"], "connected"))
        await hall.settle()
        assert hall.is_heard("pia")
        assert room.card("pia").sound is Via.WEB

    play(story)


def test_a_lost_page_is_one_entry_and_leaves_only_after_the_grace(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("ada")
        room = hall.live.get(str(hall.event_id))
        assert room is not None
        hall.desk.lost("ada")
        assert room.headcount == 1
        assert not room.card("ada").connected
        hall.desk.back("ada")
        await hall.enter("ada")
        assert room.headcount == 1
        assert room.card("ada").connected
        assert hall.desk.visits_total == 1

    play(story)


def test_who_is_put_out_has_no_sound_and_cannot_come_back(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("pia", Role.PRESENTER)
        await hall.enter("ada")
        await hall.order(c.Kick(participant_id="ada", by="pia"))
        assert hall.peers["ada"] not in hall.webrtc.listening
        with pytest.raises(Refused, match="put out"):
            await hall.enter("ada")
        await hall.order(c.UndoKick(participant_id="ada", by="pia"))
        await hall.enter("ada")

    play(story)


def test_who_was_let_in_by_something_taken_back_cannot_be_called_back(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("pia", Role.PRESENTER)
        await hall.enter("ada")
        await hall.order(c.Kick(participant_id="ada", by=c.ORGANISER, revoked=True))
        assert hall.peers["ada"] not in hall.webrtc.listening
        with pytest.raises(Refused, match="put out"):
            await hall.order(c.UndoKick(participant_id="ada", by="pia"))
        with pytest.raises(Refused, match="put out"):
            await hall.enter("ada")
        assert hall.cdrs.flush(5.0)
        with hall.sessions() as session:
            slugs = session.scalars(select(Cdr.reason_slug).where(Cdr.participant_id == "ada")).all()
        assert slugs == ["revoked"]

    play(story)


def test_each_visit_leaves_one_record_that_says_how_it_ended(play: Play) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("pia", Role.PRESENTER)
        await hall.enter("ada")
        await hall.enter("ben")
        await hall.desk.leave("ada")
        await hall.order(c.End(by="pia"))
        assert hall.desk.visits == 0
        assert hall.cdrs.flush(5.0)
        with hall.sessions() as session:
            rows = {row.participant_id: row for row in session.scalars(select(Cdr))}
        assert {seat: row.reason_slug for seat, row in rows.items()} == {
            "ada": "caller-hung-up",
            "ben": "event-ended",
            "pia": "event-ended",
        }
        assert {(row.channel, row.billable, row.nonbillable_reason) for row in rows.values()} == {
            ("webrtc", False, "not-telephone")
        }
        assert len({row.session_id for row in rows.values()}) == 1

    play(story)


def test_who_enters_is_told_once_with_the_session(
    sessions: sessionmaker[Session], tmp_path: Path
) -> None:
    async def story(hall: Hall) -> None:
        await hall.enter("ann")
        await hall.enter("ann")
        run = hall.runs.of(str(hall.event_id))
        assert run is not None
        assert hall.told == [("ann", run.session_id)]

    in_hall(sessions, tmp_path, story)
