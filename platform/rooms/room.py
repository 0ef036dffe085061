"""The live room: commands in, events out, no I/O, no clock.

Theory.  A room is a stage (not started, or a mode), a lock, people, a floor and a queue.  Every command is
checked completely before anything is changed, so `Refused` leaves no trace.  What the mixer needs is kept
up to date by the room itself: each command marks the people whose sound it may have touched, and only
those are computed anew and, if different, named in `AudioChanged`.  A key press in a room of two thousand
is therefore O(1); choosing a mode, starting, and the presenters' music key are O(people).

Rules that the table in `rooms.modes` does not tell (docs/rooms.md gives the reasons):

- *Muted* and *may speak* are two things.  Anyone may always switch their own microphone, whoever muted it;
  any presenter and the organiser may switch anybody's.  So nobody is muted for good.
- Choosing another mode mutes all presenters but the one who chose it, unless there is one presenter only;
  they unmute themselves.  Choosing listen only mutes all participants; discussion ends such mutes again.
- The floor exists in Q&A only.  Giving it unmutes, ends the question, and takes it from the previous holder.
- A presenter is never kept out of a room by lock or size.
- Who was put out stays out, by every key that would bring them back, unless it is undone within seconds.
- A person leaves with the last of their devices (`rooms.devices`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rooms import commands as c
from rooms import events as e
from rooms.devices import RoomDevices
from rooms.errors import Refused
from rooms.modes import AudioMode, MutedBy, Role, Via, audio_of, rights
from rooms.people import Departure, Person, Removal
from rooms.questions import QuestionQueue


class Room(RoomDevices):
    """One live room. Not thread-safe: one owner applies commands one after the other."""

    def apply(self, command: c.RoomCommand, *, now_s: float) -> list[e.RoomEvent]:
        """Carry out one command.

        `now_s` is monotonic seconds.  Returns what happened, in order; empty when it was so already.
        Raises `Refused`, in which case nothing has changed.
        """
        if self.ended and not isinstance(command, c.Leave | c.SetTalking):
            raise Refused("event-over")
        happened = _HANDLERS[type(command)](self, command, now_s)
        happened += self._settle()
        return happened

    def _join(self, cmd: c.Join, now_s: float) -> list[e.RoomEvent]:
        if cmd.participant_id in self._people:
            raise Refused("already-in-room")
        key = cmd.rejoin_key
        if key is None and cmd.via is Via.WEB:
            key = cmd.participant_id  # a seat comes back under its own id
        if cmd.participant_id in self._removals or key in self._removals:
            raise Refused("removed")
        if cmd.role is Role.PARTICIPANT:
            if self.locked:
                raise Refused("event-locked")
            if self.capacity is not None and self.headcount - self.presenter_count >= self.capacity:
                raise Refused("event-full")
            if self.mode is AudioMode.DISCUSSION and self.headcount >= self.discussion_limit:
                raise Refused("event-full")
        person = Person(
            id=cmd.participant_id,
            name=cmd.name,
            role=cmd.role,
            via=cmd.via,
            city=cmd.city,
            rejoin_key=key,
            joined_at_s=now_s,
            music_on=self._music_default,
            joined_name=cmd.name,
            devices=frozenset({cmd.via}),
            country=cmd.country,
            number=cmd.number_masked,
        )
        back = None if key is None else self._departures.take(key, role=cmd.role, now_s=now_s)
        if back is not None:
            person.muted_by = back.muted_by
            person.music_on = back.music_on
            if back.joined_name == cmd.name:  # a name that others gave stays, one newly typed counts
                person.name = back.name
        happened: list[e.RoomEvent] = [
            e.Joined(
                participant_id=person.id,
                name=person.name,
                role=person.role,
                via=person.via,
                city=person.city,
                rejoined=back is not None,
                country=person.country,
                number=person.number,
                muted_by=person.muted_by,
                music_on=person.music_on,
                joined_at_s=person.joined_at_s,
            )
        ]
        self._people[person.id] = person
        if person.role is Role.PRESENTER:
            self._presenters.add(person.id)
        if back is not None and back.question_number is not None:
            position = self._queue.add(person.id, number=back.question_number)
            happened.append(e.QuestionAsked(participant_id=person.id, position=position))
            self._queue_moved()
        self.empty_since_s = None
        self._touched.add(person.id)
        return happened

    def _leave(self, cmd: c.Leave, now_s: float) -> list[e.RoomEvent]:
        person = self._people.get(cmd.participant_id)
        device = None if person is None else cmd.device or person.via
        if person is None or device not in person.devices:
            return []
        if len(person.devices) > 1:
            return self._device_gone(person, device)
        return self._remove(person, reason=e.LeaveReason.LEFT, now_s=now_s)

    def _unlink_phone(self, cmd: c.UnlinkPhone, now_s: float) -> list[e.RoomEvent]:
        return self._leave(c.Leave(participant_id=cmd.participant_id, device=Via.PHONE), now_s)

    def _kick(self, cmd: c.Kick, now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        self._presenter_or_refuse(cmd.by)
        kicked = e.Kicked(participant_id=person.id, actor=cmd.by, revoked=cmd.revoked)
        return [kicked, *self._remove(person, reason=e.LeaveReason.KICKED, now_s=now_s, final=cmd.revoked)]

    def _undo_kick(self, cmd: c.UndoKick, now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        removal = self._removals.undo(cmd.participant_id, now_s=now_s)
        if removal is None:
            raise Refused("nothing-to-undo")
        if removal.rejoin_key is not None:
            self._departures.remember(removal.rejoin_key, removal.departure)
        return [e.KickUndone(participant_id=removal.participant_id, actor=cmd.by)]

    def _mute(self, cmd: c.Mute, _now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        self._own_or_presenter(person, cmd.by)
        # A person's decision outranks a mode's, so that the mute outlives the mode.
        if person.muted_by not in (None, MutedBy.MODE):
            return []
        person.muted_by = MutedBy.SELF if cmd.by == person.id else MutedBy.PRESENTER
        self._touched.add(person.id)
        return [e.Muted(participant_id=person.id, by=person.muted_by, actor=cmd.by)]

    def _unmute(self, cmd: c.Unmute, _now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        self._own_or_presenter(person, cmd.by)
        if person.muted_by is None:
            return []
        person.muted_by = None
        self._touched.add(person.id)
        return [e.Unmuted(participant_id=person.id, actor=cmd.by, audible=self._may_speak(person))]

    def _toggle_mute(self, cmd: c.ToggleMute, now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        if person.muted_by is None:
            return self._mute(c.Mute(participant_id=person.id, by=person.id), now_s)
        return self._unmute(c.Unmute(participant_id=person.id, by=person.id), now_s)

    def _set_mode(self, cmd: c.SetMode, _now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        if cmd.mode is AudioMode.DISCUSSION and self.headcount > self.discussion_limit:
            raise Refused("too-many-for-discussion")
        previous, self.mode = self.mode, cmd.mode
        happened: list[e.RoomEvent] = []
        if cmd.mode is not AudioMode.QA and self._floor is not None:
            happened.append(self._drop_floor(actor=cmd.by, reason=e.FloorEnd.MODE))
        to_mute: list[str] = []
        to_unmute: list[str] = []
        if cmd.mode is not previous and len(self._presenters) > 1:
            to_mute += self._presenters - {cmd.by}
        participants = [p.id for p in self._people.values() if p.role is Role.PARTICIPANT]
        if cmd.mode is AudioMode.LISTEN_ONLY:
            to_mute += participants
        elif cmd.mode is AudioMode.DISCUSSION:
            to_unmute += participants
        changed = e.ModeChanged(
            mode=cmd.mode,
            previous=previous,
            actor=cmd.by,
            muted=self._switch(to_mute, was=None, becomes=MutedBy.MODE),
            unmuted=self._switch(to_unmute, was=MutedBy.MODE, becomes=None),
        )
        self._touched.update(self._people)
        return [changed, *happened]

    def _toggle_music(self, cmd: c.ToggleMusic, _now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        if person.role is Role.PARTICIPANT:
            person.music_on = not person.music_on
            self._touched.add(person.id)
            return [e.MusicSwitched(participant_id=person.id, on=person.music_on, everyone=False)]
        return self._music_for_all(by=person.id, on=not self._music_default)

    def _set_music(self, cmd: c.SetMusic, now_s: float) -> list[e.RoomEvent]:
        if cmd.by != c.ORGANISER:
            person = self._person(cmd.by)
            if person.role is Role.PARTICIPANT:
                toggle = c.ToggleMusic(participant_id=person.id)
                return [] if person.music_on == cmd.on else self._toggle_music(toggle, now_s)
        if self._music_default == cmd.on and all(each.music_on == cmd.on for each in self._people.values()):
            return []
        return self._music_for_all(by=cmd.by, on=cmd.on)

    def _music_for_all(self, *, by: str, on: bool) -> list[e.RoomEvent]:
        self._music_default = on
        for each in self._people.values():
            each.music_on = on
        self._touched.update(self._people)
        return [e.MusicSwitched(participant_id=by, on=on, everyone=True)]

    def _start(self, cmd: c.Start, now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        if self.started:
            raise Refused("already-started")
        self.started, self.started_at_s = True, now_s
        self._touched.update(self._people)
        return [e.Started(actor=cmd.by, at_s=now_s)]

    def _stop(self, cmd: c.Stop, _now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        if not self.started:
            raise Refused("not-started")
        self.started, self.started_at_s = False, None
        self._touched.update(self._people)
        happened: list[e.RoomEvent] = [e.Stopped(actor=cmd.by)]
        if self._floor is not None:
            happened.append(self._drop_floor(actor=cmd.by, reason=e.FloorEnd.STOPPED))
        return happened

    def _end(self, cmd: c.End, now_s: float) -> list[e.RoomEvent]:
        if not cmd.close:
            return self._stop(c.Stop(by=cmd.by), now_s)
        self._presenter_or_refuse(cmd.by)
        everyone = frozenset(self._people)
        talkers = [person.id for person in self._people.values() if person.talking]
        happened: list[e.RoomEvent] = [e.TalkingChanged(participant_id=who, talking=False) for who in talkers]
        self.ended = True
        self.empty_since_s = now_s
        self._floor = None
        self._queue = QuestionQueue()
        for forgotten in (self._people, self._presenters, self._audio, self._touched, self._cards):
            forgotten.clear()
        return [*happened, e.Ended(actor=cmd.by, participant_ids=everyone)]

    def _lock(self, cmd: c.Lock, _now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        if self.locked:
            return []
        self.locked = True
        return [e.Locked(actor=cmd.by)]

    def _unlock(self, cmd: c.Unlock, _now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        if not self.locked:
            return []
        self.locked = False
        return [e.Unlocked(actor=cmd.by)]

    def _toggle_lock(self, cmd: c.ToggleLock, now_s: float) -> list[e.RoomEvent]:
        if self.locked:
            return self._unlock(c.Unlock(by=cmd.by), now_s)
        return self._lock(c.Lock(by=cmd.by), now_s)

    def _ask_question(self, cmd: c.AskQuestion, _now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        if person.role is Role.PRESENTER:
            raise Refused("is-presenter")
        if person.id == self._floor:
            raise Refused("has-floor")
        self._queue_moved()
        if self._queue.remove(person.id) is not None:
            self._touched.add(person.id)
            return [e.QuestionWithdrawn(participant_id=person.id)]
        position = self._queue.add(person.id)
        self._touched.add(person.id)
        return [e.QuestionAsked(participant_id=person.id, position=position)]

    def _give_floor(self, cmd: c.GiveFloor, _now_s: float) -> list[e.RoomEvent]:
        self._presenter_or_refuse(cmd.by)
        if not self.started:
            raise Refused("not-started")
        if self.mode is not AudioMode.QA:
            raise Refused("not-in-qa")
        chosen = cmd.participant_id if cmd.participant_id is not None else self._queue.first()
        if chosen is None:
            raise Refused("no-questions")
        person = self._person(chosen)
        if person.role is Role.PRESENTER:
            raise Refused("is-presenter")
        if person.id == self._floor and person.muted_by is None:
            return []
        happened: list[e.RoomEvent] = []
        if self._floor is not None and self._floor != person.id:
            happened.append(self._drop_floor(actor=cmd.by, reason=e.FloorEnd.PASSED_ON))
        self._queue_moved()
        self._queue.remove(person.id)
        self._floor = person.id
        person.muted_by = None
        self._touched.add(person.id)
        return [*happened, e.FloorGiven(participant_id=person.id, actor=cmd.by)]

    def _take_floor(self, cmd: c.TakeFloor, _now_s: float) -> list[e.RoomEvent]:
        by_holder = self._floor is not None and cmd.by == self._floor
        if not by_holder:
            self._presenter_or_refuse(cmd.by)
        if cmd.participant_id is not None:
            self._person(cmd.participant_id)
        if self._floor is None or cmd.participant_id not in (None, self._floor):
            return []
        reason = e.FloorEnd.RETURNED if by_holder else e.FloorEnd.TAKEN
        return [self._drop_floor(actor=cmd.by, reason=reason)]

    def _rename(self, cmd: c.Rename, _now_s: float) -> list[e.RoomEvent]:
        person = self._person(cmd.participant_id)
        self._own_or_presenter(person, cmd.by)
        if person.name == cmd.name:
            return []
        person.name = cmd.name
        self._touched.add(person.id)
        return [e.Renamed(participant_id=person.id, name=person.name, actor=cmd.by)]

    def _set_talking(self, cmd: c.SetTalking, _now_s: float) -> list[e.RoomEvent]:
        person = self._people.get(cmd.participant_id)
        # The mixer's word may be older than a mute or a leave: then it is not news.
        if person is None or person.talking == cmd.talking or not self._audio[person.id].speak:
            return []
        person.talking = cmd.talking
        self._touched.add(person.id)
        return [e.TalkingChanged(participant_id=person.id, talking=person.talking)]

    # Parts

    def _presenter_or_refuse(self, by: str) -> None:
        if by != c.ORGANISER and self._person(by).role is not Role.PRESENTER:
            raise Refused("not-presenter")

    def _own_or_presenter(self, person: Person, by: str) -> None:
        if by != person.id:
            self._presenter_or_refuse(by)

    def _may_speak(self, person: Person) -> bool:
        return rights(stage=self._stage, role=person.role, floor=person.id == self._floor).speak

    def _switch(
        self, candidates: Iterable[str], *, was: MutedBy | None, becomes: MutedBy | None
    ) -> frozenset[str]:
        switched = frozenset(who for who in candidates if self._people[who].muted_by is was)
        for who in switched:
            self._people[who].muted_by = becomes
        return switched

    def _drop_floor(self, *, actor: str, reason: e.FloorEnd) -> e.FloorTaken:
        assert self._floor is not None
        holder, self._floor = self._floor, None
        self._touched.add(holder)
        return e.FloorTaken(participant_id=holder, actor=actor, reason=reason)

    def _remove(
        self, person: Person, *, reason: e.LeaveReason, now_s: float, final: bool = False
    ) -> list[e.RoomEvent]:
        happened: list[e.RoomEvent] = []
        if person.talking:
            happened.append(e.TalkingChanged(participant_id=person.id, talking=False))
        if person.id == self._floor:
            happened.append(self._drop_floor(actor=person.id, reason=e.FloorEnd.LEFT))
        self._queue_moved()
        number = self._queue.remove(person.id)
        if number is not None:
            happened.append(e.QuestionWithdrawn(participant_id=person.id))
        kept = Departure(
            role=person.role,
            joined_name=person.joined_name,
            name=person.name,
            muted_by=person.muted_by,
            music_on=person.music_on,
            question_number=number,
            left_at_s=now_s,
        )
        if reason is e.LeaveReason.KICKED:
            keys = (person.id, person.rejoin_key, person.phone_key)
            removal = Removal(
                participant_id=person.id,
                keys=frozenset(key for key in keys if key is not None),
                rejoin_key=person.rejoin_key,
                departure=kept,
                final=final,
            )
            self._removals.add(removal)
        elif person.rejoin_key is not None:
            self._departures.remember(person.rejoin_key, kept)
        del self._people[person.id], self._audio[person.id]
        self._presenters.discard(person.id)
        self._cards.pop(person.id, None)
        self._touched.discard(person.id)
        if not self._people:
            self.empty_since_s = now_s
        happened.append(e.Left(participant_id=person.id, role=person.role, reason=reason))
        return happened

    def _settle(self) -> list[e.RoomEvent]:
        """Compute the sound of the people touched; silence those who lost the word while talking."""
        happened: list[e.RoomEvent] = []
        changed: set[str] = set()
        stage = self._stage
        for who in self._touched:
            person = self._people[who]
            now = audio_of(
                stage=stage,
                role=person.role,
                floor=who == self._floor,
                muted=person.muted_by is not None,
                music_on=person.music_on,
            )
            self._cards.pop(who, None)
            if self._audio.get(who) is now:
                continue
            self._audio[who] = now
            changed.add(who)
            if person.talking and not now.speak:
                person.talking = False
                happened.append(e.TalkingChanged(participant_id=who, talking=False))
        self._touched.clear()
        if changed:
            happened.append(e.AudioChanged(participant_ids=frozenset(changed)))
        return happened

    def _queue_moved(self) -> None:
        """Places are about to change: snapshots of those who wait are stale."""
        for who in self._queue:
            self._cards.pop(who, None)


_Handler = Callable[[Room, Any, float], list[e.RoomEvent]]

_HANDLERS: dict[type[c.RoomCommand], _Handler] = {
    c.Join: Room._join,
    c.Leave: Room._leave,
    c.Mute: Room._mute,
    c.Unmute: Room._unmute,
    c.ToggleMute: Room._toggle_mute,
    c.SetMode: Room._set_mode,
    c.ToggleMusic: Room._toggle_music,
    c.SetMusic: Room._set_music,
    c.Start: Room._start,
    c.Stop: Room._stop,
    c.End: Room._end,
    c.Lock: Room._lock,
    c.Unlock: Room._unlock,
    c.ToggleLock: Room._toggle_lock,
    c.AskQuestion: Room._ask_question,
    c.GiveFloor: Room._give_floor,
    c.TakeFloor: Room._take_floor,
    c.Kick: Room._kick,
    c.UndoKick: Room._undo_kick,
    c.LinkPhone: Room._link_phone,
    c.UnlinkPhone: Room._unlink_phone,
    c.Connection: Room._connection,
    c.WebSound: Room._web_sound,
    c.SetQuality: Room._set_quality,
    c.Rename: Room._rename,
    c.SetTalking: Room._set_talking,
}
