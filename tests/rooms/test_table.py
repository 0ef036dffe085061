"""The table of the handbook, row by row: who speaks and who hears what."""

from __future__ import annotations

import pytest

from rooms import commands as c
from rooms.modes import AudioMode, Hear, Role
from rooms.room import Room
from tests.rooms.support import do, join, make_room

ROOM, MUSIC, SILENCE = Hear.ROOM, Hear.MUSIC, Hear.SILENCE

# stage, (presenter speaks, hears), (participant speaks, hears)
TABLE = [
    ("before the start", (True, ROOM), (False, MUSIC)),
    (AudioMode.PRESENTERS_ONLY, (True, ROOM), (False, MUSIC)),
    (AudioMode.LISTEN_ONLY, (True, ROOM), (False, ROOM)),
    (AudioMode.QA, (True, ROOM), (False, ROOM)),
    (AudioMode.DISCUSSION, (True, ROOM), (True, ROOM)),
]


def sound(room: Room, who: str) -> tuple[bool, Hear]:
    audio = room.audio(who)
    return audio.speak, audio.hear


@pytest.mark.parametrize(("stage", "presenter", "participant"), TABLE)
def test_row(stage: str, presenter: tuple[bool, Hear], participant: tuple[bool, Hear]) -> None:
    room = make_room(started=stage != "before the start")
    if isinstance(stage, AudioMode):
        do(room, c.SetMode(mode=stage, by="p1"))
    assert sound(room, "p1") == presenter
    assert sound(room, "a1") == sound(room, "a2") == participant


@pytest.mark.parametrize("mode", AudioMode)
def test_before_the_start_the_chosen_mode_does_not_count_yet(mode: AudioMode) -> None:
    room = make_room(started=False)
    do(room, c.SetMode(mode=mode, by="p1"))
    assert sound(room, "p1") == (True, ROOM)
    assert sound(room, "a1") == (False, MUSIC)


def test_row_qa_the_one_with_the_floor_speaks() -> None:
    room = make_room(mode=AudioMode.QA)
    do(room, c.GiveFloor(participant_id="a1", by="p1"))
    assert sound(room, "a1") == (True, ROOM)
    assert sound(room, "a2") == (False, ROOM)


@pytest.mark.parametrize("first", AudioMode)
@pytest.mark.parametrize("second", AudioMode)
def test_a_row_does_not_depend_on_the_mode_before(first: AudioMode, second: AudioMode) -> None:
    room = make_room()
    for mode in (first, second):
        do(room, c.SetMode(mode=mode, by="p1"))
    expected = next(row for row in TABLE if row[0] == second)
    assert (sound(room, "p1"), sound(room, "a1")) == expected[1:]


@pytest.mark.parametrize("mode", [None, AudioMode.PRESENTERS_ONLY])
def test_who_waits_can_switch_the_music_off(mode: AudioMode | None) -> None:
    room = make_room(started=mode is not None, mode=mode)
    do(room, c.ToggleMusic(participant_id="a1"))
    assert sound(room, "a1") == (False, SILENCE)
    assert sound(room, "a2") == (False, MUSIC)
    do(room, c.ToggleMusic(participant_id="a1"))
    assert sound(room, "a1") == (False, MUSIC)


def test_the_presenters_music_key_is_for_all_who_wait_and_those_who_come_later() -> None:
    room = make_room(started=False)
    do(room, c.ToggleMusic(participant_id="p1"))
    join(room, "late")
    assert [sound(room, who) for who in ("a1", "a2", "late")] == [(False, SILENCE)] * 3
    assert sound(room, "p1") == (True, ROOM)
    do(room, c.ToggleMusic(participant_id="a1"))
    assert sound(room, "a1") == (False, MUSIC)


def test_the_music_switch_never_takes_the_room_away() -> None:
    room = make_room()
    do(room, c.ToggleMusic(participant_id="a1"))
    assert sound(room, "a1") == (False, ROOM)


@pytest.mark.parametrize("role", Role)
def test_a_muted_person_hears_and_does_not_speak(role: Role) -> None:
    room = make_room(mode=AudioMode.DISCUSSION)
    who = "p1" if role is Role.PRESENTER else "a1"
    do(room, c.ToggleMute(participant_id=who))
    assert sound(room, who) == (False, ROOM)
