"""What people in a room notice: muting, modes, lock, floor, questions, the end."""

from __future__ import annotations

import pytest

from rooms import commands as c
from rooms import events as e
from rooms.errors import Refused
from rooms.modes import AudioMode, MutedBy, Role, Via
from rooms.room import Room
from rooms.state import RoomView
from tests.rooms.support import do, join, make_room


def refused(room: Room, command: c.RoomCommand) -> str:
    before = (room.state(), room.audio_plan(), room.questions())
    with pytest.raises(Refused) as caught:
        do(room, command)
    assert (room.state(), room.audio_plan(), room.questions()) == before
    return caught.value.slug


# Muting


def test_who_muted_whom_is_told() -> None:
    room = make_room(mode=AudioMode.DISCUSSION)
    assert do(room, c.ToggleMute(participant_id="a1"))[0] == e.Muted(
        participant_id="a1", by=MutedBy.SELF, actor="a1"
    )
    assert do(room, c.Mute(participant_id="a2", by="p1"))[0] == e.Muted(
        participant_id="a2", by=MutedBy.PRESENTER, actor="p1"
    )
    assert (room.muted_by("a1"), room.muted_by("a2")) == (MutedBy.SELF, MutedBy.PRESENTER)
    assert [(p.muted, p.muted_by) for p in room.state().participants] == [
        (False, None),
        (True, MutedBy.SELF),
        (True, MutedBy.PRESENTER),
    ]


@pytest.mark.parametrize("by", ["a1", "p1", "p2", c.ORGANISER])
def test_nobody_is_muted_for_good(by: str) -> None:
    room = make_room(presenters=2, mode=AudioMode.DISCUSSION)
    do(room, c.Mute(participant_id="a1", by="p1"))
    if by != "p1":
        do(room, c.Leave(participant_id="p1"))
    happened = do(room, c.Unmute(participant_id="a1", by=by))
    assert happened[0] == e.Unmuted(participant_id="a1", actor=by, audible=True)
    assert room.audio("a1").speak


def test_a_participant_mutes_nobody_else() -> None:
    room = make_room(mode=AudioMode.DISCUSSION)
    assert refused(room, c.Mute(participant_id="a2", by="a1")) == "not-presenter"
    assert refused(room, c.Unmute(participant_id="p1", by="a1")) == "not-presenter"


def test_unmuting_in_a_mode_that_forbids_speaking_says_so_and_counts_later() -> None:
    room = make_room(mode=AudioMode.LISTEN_ONLY)
    do(room, c.ToggleMute(participant_id="a1"))
    happened = do(room, c.ToggleMute(participant_id="a1"))
    assert happened == [e.Unmuted(participant_id="a1", actor="a1", audible=False)]
    assert not room.audio("a1").speak


def test_asking_for_what_is_so_already_changes_nothing() -> None:
    room = make_room()
    assert do(room, c.Unmute(participant_id="a1", by="p1")) == []
    do(room, c.Mute(participant_id="a1", by="a1"))
    assert do(room, c.Mute(participant_id="a1", by="p1")) == []
    assert room.muted_by("a1") is MutedBy.SELF
    assert do(room, c.Unlock(by="p1")) == []
    assert do(room, c.TakeFloor(participant_id=None, by="p1")) == []
    assert do(room, c.Leave(participant_id="stranger")) == []


# Modes


def test_a_new_mode_mutes_the_other_presenters_until_they_unmute() -> None:
    room = make_room(presenters=3)
    changed = do(room, c.SetMode(mode=AudioMode.QA, by="p1"))[0]
    assert changed == e.ModeChanged(
        mode=AudioMode.QA,
        previous=AudioMode.LISTEN_ONLY,
        actor="p1",
        muted=frozenset({"p2", "p3"}),
        unmuted=frozenset(),
    )
    assert [room.audio(who).speak for who in ("p1", "p2", "p3")] == [True, False, False]
    do(room, c.ToggleMute(participant_id="p2"))
    assert room.audio("p2").speak
    do(room, c.SetMode(mode=AudioMode.DISCUSSION, by="p2"))
    assert room.muted_by("p1") is MutedBy.MODE
    assert room.muted_by("p3") is MutedBy.MODE, "a presenter's mute does not end with the mode"


def test_the_only_presenter_is_not_muted_by_the_organisers_program() -> None:
    room = make_room()
    do(room, c.SetMode(mode=AudioMode.QA, by=c.ORGANISER))
    assert room.audio("p1").speak


def test_choosing_the_same_mode_again_mutes_no_presenter_but_is_answered() -> None:
    room = make_room(presenters=2, mode=AudioMode.QA)
    changed = do(room, c.SetMode(mode=AudioMode.QA, by="p1"))[0]
    assert isinstance(changed, e.ModeChanged)
    assert (changed.previous, changed.muted) == (AudioMode.QA, frozenset())


def test_listen_only_mutes_all_participants_and_discussion_lets_them_speak_again() -> None:
    room = make_room(participants=4, mode=AudioMode.DISCUSSION)
    do(room, c.ToggleMute(participant_id="a1"))
    do(room, c.Mute(participant_id="a2", by="p1"))
    changed = do(room, c.SetMode(mode=AudioMode.LISTEN_ONLY, by="p1"))[0]
    assert isinstance(changed, e.ModeChanged)
    assert changed.muted == {"a3", "a4"}
    assert all(p.muted for p in room.state().participants if p.role is Role.PARTICIPANT)
    do(room, c.Mute(participant_id="a4", by="p1"))
    changed = do(room, c.SetMode(mode=AudioMode.DISCUSSION, by="p1"))[0]
    assert isinstance(changed, e.ModeChanged)
    assert changed.unmuted == {"a3"}
    assert [room.muted_by(f"a{n}") for n in (1, 2, 3, 4)] == [
        MutedBy.SELF,
        MutedBy.PRESENTER,
        None,
        MutedBy.PRESENTER,
    ]


def test_discussion_is_refused_beyond_its_limit() -> None:
    room = make_room(participants=25)
    assert refused(room, c.SetMode(mode=AudioMode.DISCUSSION, by="p1")) == "too-many-for-discussion"
    do(room, c.Leave(participant_id="a1"))
    do(room, c.SetMode(mode=AudioMode.DISCUSSION, by="p1"))
    assert room.headcount == 25
    with pytest.raises(Refused, match="full"):
        join(room, "a26")
    join(room, "p2", Role.PRESENTER)
    assert room.headcount == 26, "presenters are never kept out"


@pytest.mark.parametrize(
    "command",
    [
        c.SetMode(mode=AudioMode.QA, by="a1"),
        c.Start(by="a1"),
        c.End(by="a1"),
        c.Lock(by="a1"),
        c.Unlock(by="a1"),
        c.ToggleLock(by="a1"),
        c.GiveFloor(participant_id="a1", by="a1"),
        c.TakeFloor(participant_id=None, by="a1"),
        c.Kick(participant_id="a2", by="a1"),
        c.Rename(participant_id="a2", name="x", by="a1"),
    ],
)
def test_presenters_commands_are_refused_to_participants(command: c.RoomCommand) -> None:
    assert refused(make_room(started=False), command) == "not-presenter"


def test_a_command_from_nobody_is_refused() -> None:
    assert refused(make_room(), c.Lock(by="ghost")) == "not-in-room"


# Entering


def test_locked_only_presenters_enter() -> None:
    room = make_room()
    assert do(room, c.ToggleLock(by="p1")) == [e.Locked(actor="p1")]
    with pytest.raises(Refused) as caught:
        join(room, "late")
    assert caught.value.slug == "event-locked"
    join(room, "p2", Role.PRESENTER)
    assert do(room, c.ToggleLock(by="p2")) == [e.Unlocked(actor="p2")]
    join(room, "late")


def test_capacity_counts_participants() -> None:
    room = make_room(presenters=2, participants=3, capacity=3)
    with pytest.raises(Refused) as caught:
        join(room, "a4")
    assert caught.value.slug == "event-full"
    join(room, "p3", Role.PRESENTER)


def test_nobody_is_in_the_room_twice() -> None:
    room = make_room()
    with pytest.raises(Refused) as caught:
        join(room, "a1")
    assert caught.value.slug == "already-in-room"


def test_starting_moves_all_in_and_happens_once() -> None:
    room = make_room(started=False)
    happened = do(room, c.Start(by="p1"))
    assert happened == [e.Started(actor="p1"), e.AudioChanged(participant_ids=frozenset({"a1", "a2"}))]
    assert refused(room, c.Start(by="p1")) == "already-started"


def test_the_name_is_one_clean_line_and_may_be_changed_live() -> None:
    room = make_room()
    happened = do(room, c.Rename(participant_id="a1", name="  Ann\n\x00 Other ", by="p1"))
    assert happened == [e.Renamed(participant_id="a1", name="Ann Other", actor="p1")]
    assert room.state().participants[1].name == "Ann Other"
    with pytest.raises(ValueError, match="printable"):
        c.Rename(participant_id="a1", name="\n", by="p1")


# Questions and floor


def test_the_queue_keeps_order_and_tells_places() -> None:
    room = make_room(participants=3, mode=AudioMode.QA)
    for who, place in (("a2", 1), ("a1", 2), ("a3", 3)):
        assert do(room, c.AskQuestion(participant_id=who)) == [
            e.QuestionAsked(participant_id=who, position=place)
        ]
    assert do(room, c.AskQuestion(participant_id="a2")) == [e.QuestionWithdrawn(participant_id="a2")]
    assert room.questions() == ("a1", "a3")
    assert room.question_position("a3") == 2
    assert {p.id: p.question for p in room.state().participants} == {"p1": None, "a1": 1, "a2": None, "a3": 2}


@pytest.mark.parametrize("started", [True, False])
@pytest.mark.parametrize("mode", AudioMode)
def test_one_may_always_ask(mode: AudioMode, started: bool) -> None:
    room = make_room(mode=mode, started=started)
    assert do(room, c.AskQuestion(participant_id="a1"))
    assert refused(room, c.AskQuestion(participant_id="p1")) == "is-presenter"


def test_one_participant_at_a_time_has_the_floor() -> None:
    room = make_room(participants=3, mode=AudioMode.QA)
    do(room, c.ToggleMute(participant_id="a1"))
    for who in ("a1", "a2"):
        do(room, c.AskQuestion(participant_id=who))
    happened = do(room, c.GiveFloor(participant_id=None, by="p1"))
    assert happened[0] == e.FloorGiven(participant_id="a1", actor="p1")
    assert room.audio("a1").speak, "giving the floor unmutes"
    assert room.questions() == ("a2",)
    happened = do(room, c.GiveFloor(participant_id="a3", by="p1"))
    assert happened[:2] == [
        e.FloorTaken(participant_id="a1", actor="p1", reason=e.FloorEnd.PASSED_ON),
        e.FloorGiven(participant_id="a3", actor="p1"),
    ]
    assert happened[-1] == e.AudioChanged(participant_ids=frozenset({"a1", "a3"}))
    assert room.questions() == ("a2",), "who was not called keeps their place"
    assert [p.id for p in room.state().participants if p.floor] == ["a3"]
    happened = do(room, c.TakeFloor(participant_id="a3", by="p1"))
    assert happened[0] == e.FloorTaken(participant_id="a3", actor="p1", reason=e.FloorEnd.TAKEN)
    assert not room.audio("a3").speak


def test_the_holder_may_give_the_floor_back_and_asks_no_question_meanwhile() -> None:
    room = make_room(mode=AudioMode.QA)
    do(room, c.GiveFloor(participant_id="a1", by="p1"))
    assert refused(room, c.AskQuestion(participant_id="a1")) == "has-floor"
    assert refused(room, c.TakeFloor(participant_id=None, by="a2")) == "not-presenter"
    happened = do(room, c.TakeFloor(participant_id=None, by="a1"))
    assert happened[0] == e.FloorTaken(participant_id="a1", actor="a1", reason=e.FloorEnd.RETURNED)


def test_the_floor_is_for_qa_and_for_participants() -> None:
    room = make_room(mode=AudioMode.LISTEN_ONLY)
    assert refused(room, c.GiveFloor(participant_id="a1", by="p1")) == "not-in-qa"
    do(room, c.SetMode(mode=AudioMode.QA, by="p1"))
    assert refused(room, c.GiveFloor(participant_id="p1", by="p1")) == "is-presenter"
    assert refused(room, c.GiveFloor(participant_id=None, by="p1")) == "no-questions"
    assert refused(room, c.GiveFloor(participant_id="ghost", by="p1")) == "not-in-room"
    assert (
        refused(make_room(started=False, mode=AudioMode.QA), c.GiveFloor(participant_id="a1", by="p1"))
        == "not-started"
    )


@pytest.mark.parametrize("how", ["leave", "kick", "mode"])
def test_the_floor_is_free_when_its_holder_is_gone_or_qa_is_over(how: str) -> None:
    room = make_room(mode=AudioMode.QA)
    do(room, c.GiveFloor(participant_id="a1", by="p1"))
    command: c.RoomCommand = {
        "leave": c.Leave(participant_id="a1"),
        "kick": c.Kick(participant_id="a1", by="p1"),
        "mode": c.SetMode(mode=AudioMode.LISTEN_ONLY, by="p1"),
    }[how]
    assert any(isinstance(event, e.FloorTaken) for event in do(room, command))
    assert room.floor_holder is None


def test_who_leaves_leaves_the_queue_and_the_others_move_up() -> None:
    room = make_room(participants=3, mode=AudioMode.QA)
    for who in ("a1", "a2", "a3"):
        do(room, c.AskQuestion(participant_id=who))
    room.state()
    do(room, c.Leave(participant_id="a1"))
    assert {p.id: p.question for p in room.state().participants} == {"p1": None, "a2": 1, "a3": 2}


# Talking


def test_a_talker_who_is_muted_or_leaves_stops_talking_for_everyone() -> None:
    room = make_room(mode=AudioMode.DISCUSSION)
    for who in ("a1", "a2"):
        assert do(room, c.SetTalking(participant_id=who, talking=True)) == [
            e.TalkingChanged(participant_id=who, talking=True)
        ]
    assert e.TalkingChanged(participant_id="a1", talking=False) in do(
        room, c.Mute(participant_id="a1", by="p1")
    )
    assert do(room, c.Leave(participant_id="a2"))[0] == e.TalkingChanged(participant_id="a2", talking=False)
    assert not any(p.talking for p in room.state().participants)


def test_the_mixers_late_word_about_someone_muted_or_gone_is_no_news() -> None:
    room = make_room(mode=AudioMode.DISCUSSION)
    do(room, c.ToggleMute(participant_id="a1"))
    assert do(room, c.SetTalking(participant_id="a1", talking=True)) == []
    assert do(room, c.SetTalking(participant_id="gone", talking=True)) == []


# Leaving


def test_a_kick_removes_and_says_so() -> None:
    room = make_room()
    assert do(room, c.Kick(participant_id="a1", by="p1")) == [
        e.Kicked(participant_id="a1", actor="p1"),
        e.Left(participant_id="a1", role=Role.PARTICIPANT, reason=e.LeaveReason.KICKED),
    ]
    assert "a1" not in room
    assert refused(room, c.Kick(participant_id="a1", by="p1")) == "not-in-room"


def test_the_end_is_for_everybody_and_for_good() -> None:
    room = make_room(mode=AudioMode.DISCUSSION)
    do(room, c.SetTalking(participant_id="a1", talking=True))
    assert do(room, c.End(by="p1")) == [
        e.TalkingChanged(participant_id="a1", talking=False),
        e.Ended(actor="p1", participant_ids=frozenset({"p1", "a1", "a2"})),
    ]
    assert room.headcount == 0
    with pytest.raises(Refused) as caught:
        join(room, "late")
    assert caught.value.slug == "event-over"
    assert do(room, c.Leave(participant_id="a1")) == []


def test_a_redial_finds_everything_as_it_was() -> None:
    room = make_room(participants=0, mode=AudioMode.QA)
    for who in ("a1", "a2", "a3"):
        join(room, who, rejoin_key=f"key-{who}")
        do(room, c.AskQuestion(participant_id=who))
    do(room, c.ToggleMute(participant_id="a2"))
    do(room, c.ToggleMusic(participant_id="a2"))
    do(room, c.Leave(participant_id="a2"), now_s=100.0)
    assert room.questions() == ("a1", "a3")
    happened = join(room, "b2", rejoin_key="key-a2", now_s=399.0)
    assert isinstance(happened[0], e.Joined)
    assert happened[0].rejoined
    assert happened[1] == e.QuestionAsked(participant_id="b2", position=2)
    assert (room.muted_by("b2"), room.music_on("b2")) == (MutedBy.SELF, False)
    assert room.questions() == ("a1", "b2", "a3")


@pytest.mark.parametrize("why", ["too late", "another role"])
def test_a_redial_starts_afresh(why: str) -> None:
    room = make_room(participants=0)
    join(room, "a1", rejoin_key="key")
    do(room, c.ToggleMute(participant_id="a1"))
    do(room, c.Leave(participant_id="a1"), now_s=100.0)
    role = Role.PRESENTER if why == "another role" else Role.PARTICIPANT
    joined = join(room, "b1", role, rejoin_key="key", now_s=401.0 if why == "too late" else 101.0)[0]
    assert isinstance(joined, e.Joined)
    assert not joined.rejoined
    assert room.muted_by("b1") is None


def test_tones_are_a_setting_and_off_for_listen_only() -> None:
    room = make_room(mode=AudioMode.QA)
    assert room.tones
    do(room, c.SetMode(mode=AudioMode.LISTEN_ONLY, by="p1"))
    assert not room.tones
    assert not make_room(mode=AudioMode.QA, tones=False).tones


def test_a_room_can_be_read_without_being_changed() -> None:
    view: RoomView = make_room(mode=AudioMode.QA, participants=2)  # mypy holds Room to the protocol
    assert (view.headcount, view.presenter_count, view.question_count) == (3, 1, 0)
    assert (view.started, view.locked, view.ended, view.floor_holder) == (True, False, False, None)


def test_no_participant_passes_for_the_organiser() -> None:
    with pytest.raises(ValueError, match="no participant id"):
        c.Join(participant_id=c.ORGANISER, name="x", role=Role.PARTICIPANT, via=Via.WEB)


def test_a_key_in_a_large_room_concerns_one_leg() -> None:
    room = make_room(participants=2000, mode=AudioMode.QA)
    happened = do(room, c.GiveFloor(participant_id="a7", by="p1"))
    assert happened[-1] == e.AudioChanged(participant_ids=frozenset({"a7"}))
    before = room.state().participants
    do(room, c.ToggleMute(participant_id="a9"))
    after = room.state().participants
    assert sum(a is not b for a, b in zip(before, after, strict=True)) == 1
