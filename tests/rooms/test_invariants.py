"""Any commands in any order: the room stays one that the rules describe."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from rooms import commands as c
from rooms import events as e
from rooms.errors import REASONS, Refused
from rooms.modes import Audio, AudioMode, Hear, MutedBy, Role, Via
from rooms.room import Room

PEOPLE = ["p1", "p2", "a1", "a2", "a3", "a4", "a5"]
WHO = st.sampled_from(PEOPLE)
BY = st.sampled_from([*PEOPLE, c.ORGANISER])
LIMIT = 4


def expected(room: Room, who: str) -> Audio:
    """The handbook's table, written down a second time as an oracle."""
    role, muted = room.role(who), room.muted_by(who) is not None
    waits = role is Role.PARTICIPANT and (not room.started or room.mode is AudioMode.PRESENTERS_ONLY)
    speaks = (
        role is Role.PRESENTER
        or (room.started and room.mode is AudioMode.DISCUSSION)
        or (room.started and room.mode is AudioMode.QA and room.floor_holder == who)
    )
    hear = Hear.ROOM if not waits else Hear.MUSIC if room.music_on(who) else Hear.SILENCE
    return Audio(speak=speaks and not muted, hear=hear)


class AnyRoom(RuleBasedStateMachine):
    @initialize(mode=st.sampled_from(AudioMode))
    def begin(self, mode: AudioMode) -> None:
        self.room = Room("r", name="Demo", mode=mode, discussion_limit=LIMIT, capacity=4)
        self.mirror: dict[str, Audio] = {}
        self.now_s = 0.0

    def give(self, command: c.RoomCommand) -> list[e.RoomEvent]:
        self.now_s += 1
        before = (self.room.state(), self.room.audio_plan(), self.room.questions())
        try:
            events = self.room.apply(command, now_s=self.now_s)
        except Refused as refused:
            slug, events = refused.slug, []
            assert slug in REASONS
        if not events:
            assert (self.room.state(), self.room.audio_plan(), self.room.questions()) == before
        for event in events:
            if isinstance(event, e.Left):
                del self.mirror[event.participant_id]
            elif isinstance(event, e.Ended):
                self.mirror.clear()
            elif isinstance(event, e.AudioChanged):
                assert event is events[-1]
                for who in event.participant_ids:
                    assert self.mirror.get(who) != self.room.audio(who), "reported without a change"
                    self.mirror[who] = self.room.audio(who)
        return events

    @rule(who=WHO, redial=st.booleans())
    def join(self, who: str, redial: bool) -> None:
        role = Role.PRESENTER if who.startswith("p") else Role.PARTICIPANT
        key = who if redial else None
        self.give(c.Join(participant_id=who, name=who, role=role, via=Via.PHONE, rejoin_key=key))

    @rule(who=WHO)
    def leave(self, who: str) -> None:
        self.give(c.Leave(participant_id=who))

    @rule(
        who=WHO, by=BY, kind=st.sampled_from([c.Mute, c.Unmute, c.Kick, c.UndoKick, c.GiveFloor, c.TakeFloor])
    )
    def about_someone(self, who: str, by: str, kind: type) -> None:
        self.give(kind(participant_id=who, by=by))

    @rule(by=BY, kind=st.sampled_from([c.GiveFloor, c.TakeFloor]))
    def about_the_next(self, by: str, kind: type) -> None:
        self.give(kind(participant_id=None, by=by))

    @rule(who=WHO, kind=st.sampled_from([c.ToggleMute, c.ToggleMusic, c.AskQuestion]))
    def own_key(self, who: str, kind: type) -> None:
        events = self.give(kind(participant_id=who))
        if who in self.room and kind is not c.AskQuestion:
            assert events, "a key is always answered"

    @rule(by=BY, kind=st.sampled_from([c.Start, c.Stop, c.Lock, c.Unlock, c.ToggleLock]))
    def about_the_room(self, by: str, kind: type) -> None:
        self.give(kind(by=by))

    @rule(by=BY, on=st.booleans())
    def music(self, by: str, on: bool) -> None:
        self.give(c.SetMusic(by=by, on=on))

    @rule(
        who=WHO,
        on=st.booleans(),
        kind=st.sampled_from([c.Connection, c.WebSound, c.LinkPhone, c.UnlinkPhone]),
    )
    def devices(self, who: str, on: bool, kind: type) -> None:
        values = {c.Connection: {"connected": on}, c.WebSound: {"on": on}}.get(kind, {})
        self.give(kind(participant_id=who, **values))

    @rule(by=BY, mode=st.sampled_from(AudioMode))
    def choose_mode(self, by: str, mode: AudioMode) -> None:
        self.give(c.SetMode(mode=mode, by=by))

    @rule(who=WHO, talking=st.booleans())
    def talk(self, who: str, talking: bool) -> None:
        self.give(c.SetTalking(participant_id=who, talking=talking))

    @rule(by=BY, sure=st.integers(0, 9))
    def end(self, by: str, sure: int) -> None:
        if sure == 0:
            self.give(c.End(by=by))

    @invariant()
    def the_plan_is_the_tables(self) -> None:
        plan = self.room.audio_plan()
        assert plan == {who: expected(self.room, who) for who in self.room.people()}
        assert plan == self.mirror, "a change was not reported"

    @invariant()
    def at_most_one_floor_and_its_holder_is_here(self) -> None:
        holders = [p.id for p in self.room.state().participants if p.floor]
        assert holders == ([self.room.floor_holder] if self.room.floor_holder else [])
        if holders:
            assert self.room.mode is AudioMode.QA
            assert self.room.role(holders[0]) is Role.PARTICIPANT
            assert self.room.question_position(holders[0]) is None

    @invariant()
    def a_snapshot_is_never_stale(self) -> None:
        room = self.room
        for shown in room.state().participants:
            assert shown.role is room.role(shown.id)
            assert shown.muted_by is room.muted_by(shown.id)
            assert shown.muted == (shown.muted_by is not None)
            assert shown.floor == (room.floor_holder == shown.id)
            assert shown.question == room.question_position(shown.id)

    @invariant()
    def the_queue_is_orderly(self) -> None:
        queue = self.room.questions()
        assert len(set(queue)) == len(queue) == self.room.question_count
        assert [self.room.question_position(who) for who in queue] == list(range(1, len(queue) + 1))
        assert {p.id: p.question for p in self.room.state().participants if p.question} == {
            who: place for place, who in enumerate(queue, 1)
        }

    @invariant()
    def who_is_here_has_a_device_and_sound_by_one_of_them(self) -> None:
        for shown in self.room.state().participants:
            assert shown.devices
            assert shown.sound is None or shown.sound in shown.devices
            if Via.PHONE in shown.devices:
                assert shown.sound is Via.PHONE

    @invariant()
    def who_talks_may_speak(self) -> None:
        assert all(self.room.audio(p.id).speak for p in self.room.state().participants if p.talking)

    @invariant()
    def discussion_stays_small(self) -> None:
        if self.room.mode is AudioMode.DISCUSSION:
            assert self.room.headcount - self.room.presenter_count <= LIMIT

    @invariant()
    def nobody_is_muted_for_good(self) -> None:
        if self.room.ended:
            return
        for who in self.room.people():
            muted_by = self.room.muted_by(who)
            if muted_by is not None:
                assert muted_by in MutedBy
                assert self.give(c.ToggleMute(participant_id=who)), "own key undoes any mute"
                assert self.room.muted_by(who) is None
                self.give(c.Mute(participant_id=who, by=who))
                self.give(c.Unmute(participant_id=who, by=c.ORGANISER))
                assert self.room.muted_by(who) is None
                break


AnyRoom.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAnyRoom = AnyRoom.TestCase
