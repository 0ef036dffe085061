"""What other programs are told of people in rooms: once each, no more than a presenter sees, and never late
for the room.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from events import news as news_module
from events.news import ParticipantNews
from events.web_hook_models import WebHookDelivery
from events.web_hooks import Kind, add_hook
from rooms import commands as c
from rooms.live import LiveRooms
from rooms.modes import Role, Via
from tests.events.planning import NOW, new_account, new_event
from tests.support.outage import outage

HEARD = (Kind.PARTICIPANT_JOINED, Kind.PARTICIPANT_LEFT)


class Evening:
    """A live room of a real event, and an address that hears of its people."""

    def __init__(self, sessions: sessionmaker[Session], *kinds: Kind) -> None:
        self.sessions, self.now = sessions, NOW
        account = new_account(sessions)
        self.room = str(new_event(sessions, account))
        with sessions.begin() as session:
            add_hook(session, account_id=account, url="https://hooks.example.org/", kinds=kinds, now=NOW)
        self.live, self.news = LiveRooms(), ParticipantNews(sessions, now=self.clock)
        self.live.subscribe(self.news)
        self.live.open(self.room, name="Talk")

    def clock(self) -> Any:
        self.now += timedelta(seconds=1)
        return self.now

    def do(self, *commands: c.RoomCommand) -> None:
        for command in commands:
            self.live.apply(self.room, command, now_s=1.0)

    def join(self, who: str, name: str, *, via: Via = Via.WEB, role: Role = Role.PARTICIPANT) -> None:
        self.do(c.Join(participant_id=who, name=name, role=role, via=via, number_masked="+331…89"))

    def told(self) -> list[dict[str, Any]]:
        self.news.run_once()
        with self.sessions() as session:
            bodies = session.scalars(select(WebHookDelivery.body).order_by(WebHookDelivery.id))
            return [json.loads(body) for body in bodies]


@pytest.fixture
def evening(sessions: sessionmaker[Session]) -> Evening:
    return Evening(sessions, *HEARD)


def test_coming_and_going_are_told(evening: Evening) -> None:
    evening.join("pia", "Pia", role=Role.PRESENTER)
    evening.join("ann", "Ann")
    evening.do(c.Leave(participant_id="ann"))
    came, also, left = evening.told()
    assert [came["type"], also["type"], left["type"]] == [
        "participant.joined", "participant.joined", "participant.left",
    ]  # fmt: skip
    about = {"event_id": int(evening.room), "event_name": "Quarterly results"}
    assert came["data"] == {**about, "participant_id": "pia", "name": "Pia", "role": "presenter"}
    assert left["data"] == {
        **about, "participant_id": "ann", "name": "Ann", "role": "participant", "reason": "left",
    }  # fmt: skip
    assert left["at"] > came["at"]
    assert len(evening.told()) == 3


@pytest.mark.parametrize("name", ["+33 1 23 45 67 89", "Ann 0123456789", "(0)20 7946-0001"])
def test_numbers_in_names_are_masked(evening: Evening, name: str) -> None:
    evening.join("ann", name, via=Via.PHONE)
    evening.do(c.Leave(participant_id="ann"))
    digits = "".join(char for char in name if char.isdigit())
    for message in evening.told():
        shown = message["data"]["name"]
        assert "…" in shown
        assert digits not in "".join(char for char in json.dumps(message["data"]) if char.isdigit())
        assert set(message["data"]) <= {
            "event_id", "event_name", "participant_id", "name", "role", "reason",
        }  # fmt: skip


def test_who_leaves_is_told_by_the_last_name(evening: Evening) -> None:
    evening.join("ann", "Ann")
    evening.do(c.Rename(participant_id="ann", name="Ann 0123456789", by="ann"), c.Leave(participant_id="ann"))
    names = [message["data"]["name"] for message in evening.told()]
    assert names == ["Ann", "Ann 0123…89"]


def test_one_person_with_two_devices_comes_and_goes_once(evening: Evening) -> None:
    evening.join("ann", "Ann")
    evening.do(
        c.LinkPhone(participant_id="ann"),
        c.Connection(participant_id="ann", connected=False),
        c.Leave(participant_id="ann", device=Via.WEB),
        c.Leave(participant_id="ann", device=Via.PHONE),
    )
    assert [message["type"] for message in evening.told()] == ["participant.joined", "participant.left"]


def test_put_out_and_the_end_are_reasons(evening: Evening) -> None:
    for who in ("ann", "bob", "cat"):
        evening.join(who, who.title())
    evening.do(c.Kick(participant_id="ann", by=c.ORGANISER), c.End(by=c.ORGANISER))
    left = {
        message["data"]["name"]: message["data"]["reason"]
        for message in evening.told()
        if message["type"] == "participant.left"
    }
    assert left == {"Ann": "kicked", "Bob": "ended", "Cat": "ended"}


def test_coming_back_is_told_again(evening: Evening) -> None:
    for _ in range(2):
        evening.join("ann", "Ann")
        evening.do(c.Leave(participant_id="ann"))
    assert len(evening.told()) == 4


def test_who_did_not_ask_is_not_told(sessions: sessionmaker[Session]) -> None:
    evening = Evening(sessions, Kind.CDR)
    evening.join("ann", "Ann")
    assert evening.told() == []


def test_rooms_that_are_no_events_are_nobodys_news(evening: Evening) -> None:
    for room in ("lobby", "999999"):
        evening.live.open(room, name="R")
        join = c.Join(participant_id="x", name="X", role=Role.PARTICIPANT, via=Via.WEB)
        evening.live.apply(room, join, now_s=1.0)
    assert evening.told() == []


def test_an_absent_database_holds_nobody_up_and_loses_nothing(evening: Evening, engine: Engine) -> None:
    with outage(engine):
        evening.join("ann", "Ann")
        with pytest.raises(OperationalError):
            evening.news.run_once()
        evening.join("bob", "Bob")
    assert [message["data"]["name"] for message in evening.told()] == ["Ann", "Bob"]
    assert evening.news.dropped == 0


def test_too_many_are_dropped_and_counted(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news_module, "BACKLOG_MAX", 2)
    for number in range(5):
        evening.join(f"p{number}", f"P {number}")
    assert [message["data"]["name"] for message in evening.told()] == ["P 0", "P 1"]
    assert evening.news.dropped == 3


def test_one_that_cannot_be_written_takes_no_other_with_it(
    evening: Evening, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell = news_module.tell

    def stumbling(session: Session, **about: Any) -> int:
        if about["data"]["name"] == "Bob":
            raise ValueError("a bug")
        return tell(session, **about)

    monkeypatch.setattr(news_module, "tell", stumbling)
    for who in ("ann", "bob", "cat"):
        evening.join(who, who.title())
    assert [message["data"]["name"] for message in evening.told()] == ["Ann", "Cat"]
    assert evening.news.dropped == 1
    assert len(evening.told()) == 2
