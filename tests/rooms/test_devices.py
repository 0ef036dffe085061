"""One person, one entry: browser, telephone, both, and what happens when one of them goes."""

from __future__ import annotations

import pytest

from rooms import commands as c
from rooms import events as e
from rooms.errors import Refused
from rooms.modes import AudioMode, Hear, Role, Via
from rooms.room import Room
from tests.rooms.support import do, make_room

PARIS = {"city": "Paris", "country": "FR", "number_masked": "+331…78"}


def web_room(**more: object) -> Room:
    """A presenter by telephone, and `w` by browser."""
    room = make_room(participants=0, mode=AudioMode.DISCUSSION, **more)  # type: ignore[arg-type]
    do(room, c.Join(participant_id="w", name="Wanda", role=Role.PARTICIPANT, via=Via.WEB))
    return room


def sound(room: Room, who: str = "w") -> tuple[Via | None, frozenset[Via]]:
    card = room.card(who)
    return card.sound, card.devices


def test_a_browser_has_no_sound_until_it_has_some() -> None:
    room = web_room()
    assert sound(room) == (None, {Via.WEB})
    assert do(room, c.WebSound(participant_id="w", on=True)) == [
        e.SoundChanged(participant_id="w", sound=Via.WEB)
    ]
    assert do(room, c.WebSound(participant_id="w", on=True)) == []
    assert sound(room) == (Via.WEB, {Via.WEB})


def test_a_telephone_becomes_the_sound_and_stays_one_entry() -> None:
    room = web_room()
    do(room, c.WebSound(participant_id="w", on=True))
    happened = do(room, c.LinkPhone(participant_id="w", **PARIS))
    assert happened == [
        e.PhoneLinked(participant_id="w", city="Paris", country="FR", number="+331…78"),
        e.SoundChanged(participant_id="w", sound=Via.PHONE),
    ]
    assert room.headcount == 2
    card = room.card("w")
    assert (card.city, card.country, card.number) == ("Paris", "FR", "+331…78")
    assert sound(room) == (Via.PHONE, {Via.WEB, Via.PHONE})


def test_keys_of_the_telephone_and_clicks_are_the_same_person() -> None:
    room = web_room()
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    do(room, c.ToggleMute(participant_id="w"))
    assert room.card("w").muted
    do(room, c.Unmute(participant_id="w", by="w"))
    assert not room.card("w").muted


def test_when_the_telephone_hangs_up_the_browser_has_the_sound_again() -> None:
    room = web_room()
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    do(room, c.SetTalking(participant_id="w", talking=True))
    assert do(room, c.UnlinkPhone(participant_id="w")) == [
        e.PhoneUnlinked(participant_id="w"),
        e.SoundChanged(participant_id="w", sound=None),
        e.TalkingChanged(participant_id="w", talking=False),
    ]
    assert do(room, c.UnlinkPhone(participant_id="w")) == []
    do(room, c.WebSound(participant_id="w", on=True))
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    do(room, c.UnlinkPhone(participant_id="w"))
    assert sound(room) == (Via.WEB, {Via.WEB})
    assert room.card("w").number is None


def test_of_a_newer_call_nothing_is_known_yet() -> None:
    room = web_room()
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    do(room, c.SetTalking(participant_id="w", talking=True))
    do(room, c.SetQuality(participant_id="w", quality=1))
    assert do(room, c.LinkPhone(participant_id="w", city="London", country="GB", number_masked=None)) == [
        e.PhoneLinked(participant_id="w", city="London", country="GB", number=None),
        e.QualityChanged(participant_id="w", quality=None),
        e.TalkingChanged(participant_id="w", talking=False),
    ]
    assert sound(room) == (Via.PHONE, {Via.WEB, Via.PHONE})


def test_when_the_browser_leaves_the_person_stays_by_telephone() -> None:
    room = web_room()
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    do(room, c.Connection(participant_id="w", connected=False))
    assert do(room, c.Leave(participant_id="w")) == [
        e.ConnectionChanged(participant_id="w", connected=True, web=False)
    ]
    assert sound(room) == (Via.PHONE, {Via.PHONE})
    assert do(room, c.Leave(participant_id="w")) == [], "it had left already"
    happened = do(room, c.UnlinkPhone(participant_id="w"))
    assert isinstance(happened[-1], e.Left)
    assert "w" not in room


def test_a_browser_that_comes_back_finds_the_person_who_stayed_by_telephone() -> None:
    room = web_room()
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    do(room, c.Leave(participant_id="w"))
    assert do(room, c.Connection(participant_id="w", connected=True)) == [
        e.ConnectionChanged(participant_id="w", connected=True, web=True)
    ]
    do(room, c.UnlinkPhone(participant_id="w"))
    assert sound(room) == (None, {Via.WEB})


def test_who_came_by_personal_pin_first_may_add_a_browser() -> None:
    room = make_room(participants=0)
    do(room, c.Join(participant_id="w", name="Wanda", role=Role.PARTICIPANT, via=Via.PHONE))
    do(room, c.Connection(participant_id="w", connected=True))
    assert sound(room) == (Via.PHONE, {Via.WEB, Via.PHONE})
    do(room, c.Leave(participant_id="w"))  # the device they came with
    assert sound(room) == (None, {Via.WEB})
    do(room, c.Leave(participant_id="w", device=Via.WEB))
    assert "w" not in room


def test_a_browser_tells_the_name_that_the_telephone_did_not() -> None:
    room = make_room(participants=0)
    do(room, c.Join(participant_id="w", name="+331…78", role=Role.PARTICIPANT, via=Via.PHONE))
    here = c.Connection(participant_id="w", connected=True, name="Wanda")
    assert do(room, here) == [
        e.Renamed(participant_id="w", name="Wanda", actor="w"),
        e.ConnectionChanged(participant_id="w", connected=True, web=True),
    ]
    do(room, c.Rename(participant_id="w", name="Wanda (Acme)", by="p1"))
    do(room, c.Leave(participant_id="w", device=Via.WEB))
    do(room, here)
    assert room.card("w").name == "Wanda (Acme)", "what a presenter wrote stays"
    do(room, c.Connection(participant_id="w", connected=True, name="Wendy"))
    assert room.card("w").name == "Wendy"


def test_a_lost_page_is_shown_and_comes_back() -> None:
    room = web_room()
    lost = e.ConnectionChanged(participant_id="w", connected=False, web=True)
    assert do(room, c.Connection(participant_id="w", connected=False)) == [lost]
    assert do(room, c.Connection(participant_id="w", connected=False)) == []
    assert not room.card("w").connected
    do(room, c.Connection(participant_id="w", connected=True))
    assert room.card("w").connected
    assert do(room, c.Connection(participant_id="stranger", connected=True)) == []
    assert do(room, c.Connection(participant_id="p1", connected=False)) == [], "p1 has no page"


def test_quality_is_told_when_it_changes_and_belongs_to_the_device() -> None:
    room = web_room()
    do(room, c.WebSound(participant_id="w", on=True))
    assert do(room, c.SetQuality(participant_id="w", quality=3)) == [
        e.QualityChanged(participant_id="w", quality=3)
    ]
    assert do(room, c.SetQuality(participant_id="w", quality=3)) == []
    do(room, c.LinkPhone(participant_id="w", **PARIS))
    assert room.card("w").quality is None
    with pytest.raises(ValueError, match="bars"):
        c.SetQuality(participant_id="w", quality=5)


def test_a_telephone_is_linked_to_people_in_the_room_only() -> None:
    with pytest.raises(Refused) as caught:
        do(web_room(), c.LinkPhone(participant_id="nobody", **PARIS))
    assert caught.value.slug == "not-in-room"


# Removing, and taking it back


def test_who_was_put_out_stays_out_by_every_way() -> None:
    room = web_room()
    do(room, c.LinkPhone(participant_id="w", rejoin_key="+331", **PARIS))
    do(room, c.Kick(participant_id="w", by="p1"))
    for who, key in (("w", None), ("w", "other"), ("x", "+331"), ("x", "w")):
        join = c.Join(participant_id=who, name="Wanda", role=Role.PRESENTER, via=Via.WEB, rejoin_key=key)
        with pytest.raises(Refused) as caught:
            do(room, join)
        assert caught.value.slug == "removed"
    assert isinstance(
        do(room, c.Join(participant_id="y", name="Y", role=Role.PARTICIPANT, via=Via.WEB))[0], e.Joined
    )


def test_a_removal_taken_back_leaves_everything_as_it_was() -> None:
    room = web_room()
    do(room, c.Rename(participant_id="w", name="Dr Wanda", by="p1"))
    do(room, c.AskQuestion(participant_id="w"))
    do(room, c.Join(participant_id="v", name="V", role=Role.PARTICIPANT, via=Via.WEB))
    do(room, c.AskQuestion(participant_id="v"))
    do(room, c.ToggleMute(participant_id="w"))
    do(room, c.Kick(participant_id="w", by="p1"), now_s=100.0)
    assert do(room, c.UndoKick(participant_id="w", by="p1"), now_s=115.0) == [
        e.KickUndone(participant_id="w", actor="p1")
    ]
    do(room, c.Join(participant_id="w", name="Wanda", role=Role.PARTICIPANT, via=Via.WEB), now_s=116.0)
    card = room.card("w")
    assert (card.name, card.muted, card.question) == ("Dr Wanda", True, 1)
    assert room.audio("w").hear is Hear.ROOM


def test_a_caller_put_out_may_redial_after_it_was_taken_back_and_not_before() -> None:
    room = make_room(participants=0)
    call = {"name": "Caller", "role": Role.PARTICIPANT, "via": Via.PHONE, "rejoin_key": "+331 participant"}
    do(room, c.Join(participant_id="c1", **call))  # type: ignore[arg-type]
    do(room, c.Kick(participant_id="c1", by="p1"), now_s=100.0)
    with pytest.raises(Refused) as caught:
        do(room, c.Join(participant_id="c2", **call), now_s=101.0)  # type: ignore[arg-type]
    assert caught.value.slug == "removed"
    do(room, c.UndoKick(participant_id="c1", by="p1"), now_s=102.0)
    joined = do(room, c.Join(participant_id="c3", **call), now_s=103.0)[0]  # type: ignore[arg-type]
    assert isinstance(joined, e.Joined)
    assert joined.rejoined


@pytest.mark.parametrize(("who", "now_s"), [("w", 115.1), ("p1", 101.0), ("nobody", 101.0)])
def test_too_late_or_never_put_out(who: str, now_s: float) -> None:
    room = web_room()
    do(room, c.Kick(participant_id="w", by="p1"), now_s=100.0)
    with pytest.raises(Refused) as caught:
        do(room, c.UndoKick(participant_id=who, by="p1"), now_s=now_s)
    assert caught.value.slug == "nothing-to-undo"


def test_participants_take_nothing_back() -> None:
    room = web_room()
    do(room, c.Join(participant_id="v", name="V", role=Role.PARTICIPANT, via=Via.WEB))
    do(room, c.Kick(participant_id="w", by="p1"))
    for command in (c.UndoKick(participant_id="w", by="v"), c.Stop(by="v"), c.End(by="v", close=False)):
        with pytest.raises(Refused) as caught:
            do(room, command)
        assert caught.value.slug == "not-presenter"


# Stopping, and music


@pytest.mark.parametrize("stop", [c.Stop(by="p1"), c.End(by="p1", close=False)])
def test_a_stop_leaves_everybody_waiting_and_the_event_can_start_again(stop: c.RoomCommand) -> None:
    room = make_room(mode=AudioMode.QA)
    do(room, c.AskQuestion(participant_id="a2"))
    do(room, c.GiveFloor(participant_id="a1", by="p1"))
    do(room, c.SetTalking(participant_id="a1", talking=True))
    happened = do(room, stop)
    assert happened[:2] == [
        e.Stopped(actor="p1"),
        e.FloorTaken(participant_id="a1", actor="p1", reason=e.FloorEnd.STOPPED),
    ]
    assert room.headcount == 3
    assert (room.started, room.ended, room.mode) == (False, False, AudioMode.QA)
    assert room.audio("a1").hear is Hear.MUSIC
    assert room.question_position("a2") == 1
    with pytest.raises(Refused) as caught:
        do(room, stop)
    assert caught.value.slug == "not-started"
    do(room, c.Start(by="p1"))
    assert room.audio("a1").hear is Hear.ROOM


def test_music_by_page_is_ones_own_or_for_everybody() -> None:
    room = make_room(started=False)
    do(room, c.SetMusic(by="a1", on=False))
    assert [room.music_on(who) for who in ("a1", "a2")] == [False, True]
    assert do(room, c.SetMusic(by="a1", on=False)) == []
    do(room, c.SetMusic(by=c.ORGANISER, on=False))
    assert [room.audio(who).hear for who in ("a1", "a2")] == [Hear.SILENCE, Hear.SILENCE]
    do(room, c.SetMusic(by="p1", on=True))
    assert do(room, c.SetMusic(by="p1", on=True)) == []
    assert [room.audio(who).hear for who in ("a1", "a2")] == [Hear.MUSIC, Hear.MUSIC]
