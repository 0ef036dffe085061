"""One telephone call: what its flow orders is carried out, what happens to it is told to its flow.

A call owns a leg of the mixer from the moment it is let in, a `CallFlow` from the answer on, and a place in
a room between `Join` and the end.  It ends in two steps, in either order: the line says that it is over, and
the mixer hands in the leg's final report; then its record is closed.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from bridge.calls.bars import LegBars
from bridge.calls.booth import Booth
from bridge.calls.door import UNPAID, call_instead, is_toll_free, obstacle
from bridge.calls.line import Arrival, Line
from bridge.calls.record import Record
from bridge.calls.runs import Runs
from bridge.calls.tolls import TollCall, Tolls
from bridge.cdr.guard import PinGuard, Ruling, Source
from bridge.cdr.outcome import PinResult, outcome
from bridge.cdr.q850 import CauseSource
from bridge.cdr.record import EndBasis, HangupParty
from bridge.ivr import commands as ivr
from bridge.ivr.flow import CallFlow
from bridge.ivr.pin import Pin
from bridge.ivr.settings import IvrSettings
from bridge.ivr.states import State
from bridge.mixer.client import MixerClient
from bridge.mixer.protocol import LegReport
from bridge.numbers import E164, DialInNumber
from events.directory import PinDirectory, PinEntry
from rooms import events as e
from rooms.commands import Join, Leave, LinkPhone, RoomCommand, SetQuality, SetTalking
from rooms.errors import NoSuchRoom, Refused
from rooms.live import LiveRooms
from rooms.modes import Role, Via
from rooms.room import Room

_log = structlog.get_logger(__name__)

TWO_WAYS_S = 0.6
"""Within this time the same key by another way is the same press."""

REPORT_WAIT_S = 1.0
"""How long a call that is over waits for the mixer's last report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What calls work with; one per switchboard."""

    mixer: MixerClient
    booth: Booth
    live: LiveRooms
    directory: PinDirectory
    guard: PinGuard
    ivr: IvrSettings
    loop: asyncio.AbstractEventLoop
    now: Callable[[], datetime]
    runs: Runs
    tolls: Tolls
    city_instead: Callable[[DialInNumber], DialInNumber | None]
    """The number for callers who cannot come in by a toll-free one."""
    entered: Callable[[Call], None]
    """A call has its place in a room."""
    over: Callable[[Call], None]
    """A call is done with and its record closed."""


class Call:
    def __init__(self, desk: Desk, *, arrival: Arrival, line: Line, leg: int, record: Record) -> None:
        self.arrival = arrival
        self.leg = leg
        self.record = record
        self.room_id: str | None = None
        self.participant_id: str | None = None
        self.probing = False
        self.asked_ns = 0
        """When the line was last asked whether it lives."""
        self._last_key = ("", "", 0.0)
        self._early: list[str] = []
        """Keys pressed while the line was up but its ACK still on the way: part of the PIN."""
        self._desk = desk
        self._line = line
        assert arrival.number is not None, "only calls to a number of ours are let in"
        self._flow = CallFlow(language=arrival.number.language, settings=desk.ivr)
        self._bars = LegBars()
        self._timer: asyncio.TimerHandle | None = None
        self._play: int | None = None
        self._entry: PinEntry | None = None
        self._pin_found = False
        """Whether a PIN of an event was typed, be it one that lets nobody in now."""
        self._pin_result: PinResult | None = None
        self._slug: str | None = None
        """Why we end the call, once we do."""
        self._closing: asyncio.TimerHandle | None = None
        self._close: Callable[[], None] | None = None
        self._done = False

    @property
    def role(self) -> Role | None:
        return None if self._entry is None else self._entry.role

    @property
    def ended(self) -> bool:
        return self._close is not None

    # What happens to the call.

    def answered(self, codec: str) -> None:
        """The line is up and the leg has sound."""
        self.record.media(codec)
        self.record.note(answer_at=self._desk.now(), codec=codec or None)

    def start(self) -> None:
        """Begin to speak with the caller."""
        if self._flow.state is State.NEW and not self.ended:
            self._do(self._flow.start(now_s=self._now_s()))
            for key in self._early:
                self._do(self._flow.on_key(key, now_s=self._now_s()))
            self._early.clear()

    def key(self, key: str, *, via: str) -> None:
        """A key was pressed.

        via: how it came ("sound" or "signal").  Some phones send each press both ways; the second arrival
        of one press is no second press.
        """
        if self.ended:
            return
        now_s = self._now_s()
        last, last_via, at_s = self._last_key
        if key == last and via != last_via and now_s - at_s < TWO_WAYS_S:
            return
        self._last_key = (key, via, now_s)
        if self._flow.state is State.NEW:
            if len(self._early) < self._desk.ivr.type_ahead_max:
                self._early.append(key)
            return
        self._do(self._flow.on_key(key, now_s=now_s))

    def played(self, play: int) -> None:
        """The mixer has sent a prompt to its end; it counts as played when the caller has heard it."""
        if not self.ended:
            self._line.when_heard(lambda: self._heard(play))

    def _heard(self, play: int) -> None:
        if self._play == play:
            self._play = None
        if not self.ended:
            self._do(self._flow.on_played(play, now_s=self._now_s()))

    def talking(self, on: bool) -> None:
        if self.participant_id is not None:
            self._tell_room(SetTalking(participant_id=self.participant_id, talking=on))

    def _tell_room(self, command: RoomCommand) -> None:
        if self.room_id is not None:
            try:
                self._desk.live.apply(self.room_id, command, now_s=self._now_s())
            except (Refused, NoSuchRoom):
                return  # the room ended, or put the caller out, while the mixer's word was on its way

    def room_event(self, event: e.RoomEvent) -> None:
        if isinstance(event, e.Ended) or (
            isinstance(event, e.Kicked) and event.participant_id == self.participant_id
        ):
            self._left_room()
        if not self.ended:
            self._do(self._flow.on_room_event(event, now_s=self._now_s()))

    def hear(self, room: Room, number: int) -> None:
        """Tell the mixer what the room lets this caller say and hear."""
        assert self.participant_id is not None
        audio = room.audio(self.participant_id)
        self._desk.mixer.place(self.leg, room=number, speak=audio.speak, hear=audio.hear.value)

    def hang_up(self, slug: str) -> None:
        """End the call for a reason of ours."""
        if self._slug is None and not self.ended:
            self._slug = slug
            self._line.hang_up(q850=outcome(slug).q850, text=slug)

    def probe(self) -> None:
        """Nothing was heard for long: ask whether the caller is still there."""
        if not self.probing and not self.ended:
            self.probing = True
            self._line.probe()

    def probed(self, alive: bool) -> None:
        self.probing = False
        if not alive:
            self.hang_up("media-timeout")

    def line_over(self, *, sip_status: int, q850: int | None, by_remote: bool, cancelled: bool) -> None:
        """The line is gone, whoever ended it."""
        if self.ended:
            return
        now = self._desk.now()
        if self._timer is not None:
            self._timer.cancel()
        self._leave_room()
        self._desk.tolls.ended(self.record.facts.id)
        answered = self.record.facts.answer_at is not None
        lost = self._slug == "media-timeout"
        if self._slug is not None:
            slug, party, source = self._slug, HangupParty.BRIDGE, CauseSource.BRIDGE
            cause: int | None = outcome(slug).q850
        elif cancelled or not answered:
            slug, party, source = "caller-cancelled", HangupParty.CALLER, CauseSource.SIP_STATUS
            cause = 16
        elif by_remote:
            slug, party = "caller-hung-up", HangupParty.CALLER
            cause = 16 if q850 is None else q850
            source = CauseSource.BYE if q850 is None else CauseSource.REASON_HEADER
        else:
            slug, party, source, cause = "media-timeout", HangupParty.UNKNOWN, CauseSource.SIP_STATUS, 102
            lost = True
        attempts, result = self._flow.pin_tries + self._pin_found, self._pin_result
        if result is None and self._flow.state in (State.PIN, State.CHECKING):
            result = PinResult.BAD if attempts and slug == "wrong-pin" else PinResult.ABANDONED

        def close() -> None:
            self.record.close(
                slug=slug,
                at=now,
                sip_status=200 if answered else sip_status,
                q850=cause,
                cause_source=source,
                party=party,
                basis=EndBasis.MEDIA_TIMEOUT if lost else EndBasis.BYE,
                pin_attempts=attempts,
                pin_result=result,
            )
            self._desk.over(self)

        self._close = close
        self._desk.mixer.close(self.leg)
        if answered:
            self._closing = self._desk.loop.call_later(REPORT_WAIT_S, self._finish)
        else:
            self._finish()

    def report(self, report: LegReport) -> None:
        """Counters of the leg; with the final ones a call that is over can be written down."""
        self.record.report(report)
        quality = self._bars.of(report)
        if self.participant_id is not None and not report.final:
            self._tell_room(SetQuality(participant_id=self.participant_id, quality=quality))
        if report.final and self._close is not None:
            self._finish()

    def _finish(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        if self._close is not None and not self._done:
            self._done = True
            self._close()

    # What the flow orders.

    def _do(self, commands: list[ivr.Command]) -> None:
        for command in commands:
            match command:
                case ivr.Play():
                    self._say(command)
                case ivr.StopPlay():
                    self._stop_play()
                case ivr.CheckPin():
                    self._check_pin(command)
                case ivr.Join():
                    self._join()
                case ivr.Do():
                    self._apply(command)
                case ivr.HangUp():
                    self.hang_up(command.slug)
        self._arm()

    def _stop_play(self) -> None:
        self._desk.mixer.stop_play(self.leg)
        if self._play is not None:
            self._play = None
            self._line.hush()

    def _say(self, command: ivr.Play) -> None:
        self._stop_play()
        play = self._play = command.play_id
        self._desk.booth.play(
            self.leg,
            play,
            command.prompts,
            self._flow.language,
            wanted=lambda: self._play == play and not self.ended,
        )

    def _source(self) -> Source:
        return Source(
            trunk=f"{self.arrival.trunk} {self.arrival.src_ip}",
            caller=self.arrival.caller_e164 or self.arrival.caller_user,
        )

    def _check_pin(self, command: ivr.CheckPin) -> None:
        source = self._source()
        verdict = self._desk.guard.attempt(source, now_s=self._now_s())
        if verdict.ruling is Ruling.BLOCKED:
            _log.warning("pin_attempts_blocked", trunk=self.arrival.trunk)
            outcome_: ivr.PinOutcome = ivr.Rejected(slug="pin-guessing")
            self._desk.loop.call_soon(self._pin_checked, outcome_)
            return
        pin = command.pin
        self._desk.loop.call_later(verdict.delay_s, lambda: self._look_up(pin, source))

    def _look_up(self, pin: Pin, source: Source) -> None:
        entry = self._desk.directory.lookup(pin.reveal())
        if entry is None:
            self._pin_checked(ivr.Rejected(slug="wrong-pin"))
        elif is_toll_free(self.arrival) and entry.event.toll_free_enabled:
            then = lambda: self._decide(entry, source)  # noqa: E731
            self._desk.tolls.ask(entry.account_id, entry.event.event_id, then)
        else:
            self._decide(entry, source)

    def _decide(self, entry: PinEntry, source: Source) -> None:
        """The PIN is right: does it open the door?"""
        if self.ended:
            return
        self._pin_found = True
        self.record.note(account_id=entry.account_id)
        found = obstacle(entry, self.arrival, live=self._desk.live, tolls=self._desk.tolls)
        # Whom a running event turns away is in its session's records: organisers want to see them.
        run = None if found is None else self._desk.runs.of(entry.room_id)
        if run is not None:
            self.record.note(session_id=str(run.session_id))
        if found is not None and found in UNPAID:
            # The PIN was right: nobody is guessing. Who hangs up at the number has been told all the same.
            self._pin_result = outcome(found).pin_result
            self._desk.guard.right(source, now_s=self._now_s())
            instead = call_instead(self.arrival, self._desk.city_instead)
            self._pin_checked(ivr.Rejected(slug=found, call_instead=instead))
            return
        if found is not None:
            self._desk.guard.wrong_for_account(str(entry.account_id), now_s=self._now_s())
            self._pin_checked(ivr.Rejected(slug=found))
            return
        self._desk.guard.right(source, now_s=self._now_s())
        self._entry = entry
        self._pin_checked(ivr.Accepted(role=entry.role, event_name=entry.name))

    def _pin_checked(self, result: ivr.PinOutcome) -> None:
        if self.ended:
            return
        if isinstance(result, ivr.Accepted):
            self._pin_result = PinResult.OK
        self._do(self._flow.on_pin_checked(result, now_s=self._now_s()))

    def _join(self) -> None:
        entry = self._entry
        assert entry is not None
        room = self._desk.runs.room(entry.event)
        participant = entry.seat_id or uuid.uuid4().hex[:16]
        self.room_id, self.participant_id = entry.room_id, participant
        try:
            run = self._desk.runs.enter(entry.event)
            self.record.note(session_id=str(run.session_id))
            self._pay(entry, run.session_id)
            self._desk.entered(self)
            command = self._way_in(entry, participant, present=participant in room)
            self._desk.live.apply(entry.room_id, command, now_s=self._now_s())
        except Refused as refusal:
            self._left_room()
            self._pin_result = outcome(refusal.slug).pin_result or PinResult.OK
            self._do(self._flow.on_refused(refusal.slug, now_s=self._now_s()))
            return
        self.record.note(join_at=self._desk.now(), participant_id=participant)
        self._do(self._flow.on_joined(room, participant, now_s=self._now_s()))

    def _pay(self, entry: PinEntry, session_id: int) -> None:
        """From its answer on the event's account pays for a toll-free call."""
        answered_at = self.record.facts.answer_at
        if not is_toll_free(self.arrival) or answered_at is None:
            return
        self._desk.tolls.entered(
            TollCall(
                key=self.record.facts.id,
                account_id=entry.account_id,
                session_id=session_id,
                event_id=entry.event.event_id,
                called=self.arrival.called_e164,
                caller=self.arrival.caller_e164,
                answered_at=answered_at,
            )
        )

    def _way_in(self, entry: PinEntry, participant: str, *, present: bool) -> Join | LinkPhone:
        """How this caller enters: as somebody new, or as the telephone of somebody who is there already."""
        number, caller = self.arrival.number, self.arrival.caller_e164
        city, country = (number.city_en, number.country) if number else (None, None)
        masked = None if caller is None else E164(caller).masked
        rejoin_key = f"{caller} {entry.role}" if caller else None
        if present:
            return LinkPhone(
                participant_id=participant,
                city=city,
                country=country,
                number_masked=masked,
                rejoin_key=rejoin_key,
            )
        return Join(
            participant_id=participant,
            name=entry.person_name or masked or "Phone caller",
            role=entry.role,
            via=Via.PHONE,
            city=city,
            country=country,
            number_masked=masked,
            rejoin_key=entry.seat_id or rejoin_key,
        )

    def replaced(self) -> None:
        """The person called again with their own PIN; the newer call is their telephone."""
        self._left_room()
        self.hang_up("replaced")

    def _apply(self, command: ivr.Do) -> None:
        if self.room_id is None:
            return
        try:
            self._desk.live.apply(self.room_id, command.command, now_s=self._now_s())
        except Refused as refusal:
            self._do(self._flow.on_refused(refusal.slug, now_s=self._now_s()))
        except NoSuchRoom:
            return  # it ended a moment ago; the flow is about to be told

    def _leave_room(self) -> None:
        """The caller is gone: out of the room."""
        if self.room_id is None or self.participant_id is None:
            return
        room_id, participant = self.room_id, self.participant_id
        self._left_room()
        leave = Leave(participant_id=participant, device=Via.PHONE)
        try:
            self._desk.live.apply(room_id, leave, now_s=self._now_s())
        except NoSuchRoom:
            return

    def _left_room(self) -> None:
        """The room does not count this caller any more."""
        if self.record.facts.join_at is not None and self.record.facts.leave_at is None:
            self.record.note(leave_at=self._desk.now())
        self.room_id = None
        if not self.ended:
            self._desk.mixer.place(self.leg, room=None, speak=False, hear="silence")

    # The one timer.

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._flow.deadline_s()
        if deadline is not None and not self.ended:
            self._timer = self._desk.loop.call_at(deadline, self._ring)

    def _ring(self) -> None:
        self._timer = None
        if not self.ended:
            self._do(self._flow.on_deadline(now_s=self._now_s()))

    def _now_s(self) -> float:
        return self._desk.loop.time()
