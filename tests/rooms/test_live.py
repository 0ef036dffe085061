"""The registry: one path for all commands, observers that cannot hurt each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rooms import commands as c
from rooms import events as e
from rooms.errors import NoSuchRoom, Refused
from rooms.live import LiveRooms
from rooms.modes import Role, Via

P1 = c.Join(participant_id="p1", name="Ann", role=Role.PRESENTER, via=Via.PHONE)


def test_open_finds_the_room_again_until_it_is_closed() -> None:
    live = LiveRooms()
    room = live.open("r", name="Demo", capacity=3)
    assert live.open("r", name="Other") is room
    assert live.get("r") is room
    live.close("r")
    assert live.get("r") is None
    with pytest.raises(NoSuchRoom):
        live.apply("r", P1, now_s=0)


def test_every_observer_hears_everything_even_when_another_fails() -> None:
    live = LiveRooms()
    live.open("r", name="Demo")
    heard: list[e.RoomEvent] = []

    def broken(_room_id: str, _events: Sequence[e.RoomEvent]) -> None:
        raise RuntimeError("broken observer")

    live.subscribe(broken)
    unsubscribe = live.subscribe(lambda _room, events: heard.extend(events))
    live.apply("r", P1, now_s=0)
    assert [type(event) for event in heard] == [e.Joined, e.AudioChanged]
    assert live.observer_failures == 1
    with pytest.raises(Refused):
        live.apply("r", P1, now_s=0)
    assert len(heard) == 2
    unsubscribe()
    live.apply("r", c.Lock(by="p1"), now_s=0)
    assert len(heard) == 2


def test_a_command_given_by_an_observer_is_told_after_what_caused_it() -> None:
    live = LiveRooms()
    live.open("r", name="Demo")
    heard: list[type[e.RoomEvent]] = []

    def starts(room_id: str, events: Sequence[e.RoomEvent]) -> None:
        if any(isinstance(event, e.Joined) for event in events):
            live.apply(room_id, c.Start(by=c.ORGANISER), now_s=0)

    live.subscribe(starts)
    live.subscribe(lambda _room, events: heard.extend(map(type, events)))
    live.apply("r", P1, now_s=0)
    assert heard == [e.Joined, e.AudioChanged, e.Started]


def test_an_ended_room_is_forgotten_after_its_observers_saw_it() -> None:
    live = LiveRooms()
    ended = live.open("r", name="Demo")
    seen: list[bool] = []
    live.subscribe(lambda room_id, _events: seen.append(live.get(room_id) is ended))
    live.apply("r", c.End(by=c.ORGANISER), now_s=0)
    assert seen == [True]
    assert live.get("r") is None
    assert not live.open("r", name="Demo").ended


def test_empty_rooms_are_closed_after_a_while() -> None:
    live = LiveRooms()
    live.open("r", name="Demo")
    live.apply("r", P1, now_s=0)
    assert live.close_empty(now_s=1000, idle_s=60) == []
    live.apply("r", c.Leave(participant_id="p1"), now_s=1000)
    assert live.close_empty(now_s=1059, idle_s=60) == []
    assert live.close_empty(now_s=1060, idle_s=60) == ["r"]
    live.open("never used", name="Demo")
    assert live.close_empty(now_s=2000, idle_s=60) == []
    assert live.close_empty(now_s=2060, idle_s=60) == ["never used"]
