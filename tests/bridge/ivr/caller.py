"""A caller at the end of a flow, with a real room behind it: what the tests of the flow share.

`Caller` carries out commands as the switchboard would: it applies `Do` to the room, hands out the room's
events to every caller in it, and remembers what each one heard.
"""

from __future__ import annotations

from bridge.ivr.announce import listeners
from bridge.ivr.commands import (
    Accepted,
    CheckPin,
    Command,
    Do,
    HangUp,
    Join,
    PinOutcome,
    Play,
    Rejected,
    StopPlay,
)
from bridge.ivr.flow import CallFlow
from bridge.ivr.settings import IvrSettings
from bridge.ivr.states import State
from rooms import commands as c
from rooms.errors import Refused
from rooms.events import RoomEvent
from rooms.modes import AudioMode, Role, Via
from rooms.room import Room

PRESENTER_PIN = "918273645"
PARTICIPANT_PIN = "102938475"
EVENT = "Quarterly results"


class Bridge:
    """One room, a clock, and the callers."""

    def __init__(self, *, mode: AudioMode = AudioMode.LISTEN_ONLY, locked: bool = False) -> None:
        self.now_s = 100.0
        self.room = Room("room", name=EVENT, mode=mode)
        self.room.locked = locked
        self.callers: list[Caller] = []

    def call(self, *, settings: IvrSettings | None = None) -> Caller:
        """A new call, answered."""
        caller = Caller(self, f"p{len(self.callers) + 1}", settings or IvrSettings())
        self.callers.append(caller)
        caller.carry_out(caller.flow.start(now_s=self.now_s))
        return caller

    def member(self, role: Role) -> Caller:
        """A new call that is in the room and has heard the welcome."""
        caller = self.call()
        caller.type(f"{PRESENTER_PIN if role is Role.PRESENTER else PARTICIPANT_PIN}#")
        caller.hear_out()
        caller.heard.clear()
        return caller

    def apply(self, command: c.RoomCommand) -> None:
        """A command from a key, or from the HTTP API; raises Refused."""
        for event in self.room.apply(command, now_s=self.now_s):
            self._tell(event)

    def _tell(self, event: RoomEvent) -> None:
        told = listeners(event)
        for caller in self.callers:
            if told is None or caller.id in told:
                caller.carry_out(caller.flow.on_room_event(event, now_s=self.now_s))

    def later(self, seconds: float) -> None:
        """Let time pass, ringing every caller's timer when it is due."""
        until_s = self.now_s + seconds
        while True:
            due = [(d, caller) for caller in self.callers if (d := caller.flow.deadline_s()) is not None]
            if not due or min(d for d, _ in due) > until_s:
                break
            deadline_s, caller = min(due, key=lambda each: each[0])
            self.now_s = max(self.now_s, deadline_s)
            caller.carry_out(caller.flow.on_deadline(now_s=self.now_s))
            next_s = caller.flow.deadline_s()
            assert next_s is None or next_s > self.now_s, "a timer that rings at once rings for ever"
        self.now_s = until_s


class Caller:
    """One telephone."""

    def __init__(self, bridge: Bridge, participant_id: str, settings: IvrSettings) -> None:
        self.bridge = bridge
        self.id = participant_id
        self.flow = CallFlow(language="en", settings=settings)
        self.heard: list[str] = []
        """Keys of all prompts that began to play."""
        self.plays: list[Play] = []
        self.playing: Play | None = None
        self.commands: list[Command] = []
        self.pins_checked = 0
        self.check_at_once = True
        self.hung_up: str | None = None

    @property
    def state(self) -> State:
        return self.flow.state

    def press(self, key: str) -> list[str]:
        """Press a key; keys of the prompts that it made begin."""
        before = len(self.heard)
        self.carry_out(self.flow.on_key(key, now_s=self.bridge.now_s))
        return self.heard[before:]

    def type(self, keys: str, *, gap_s: float = 0.1) -> list[str]:
        """Press keys one after the other."""
        before = len(self.heard)
        for key in keys:
            self.press(key)
            self.bridge.later(gap_s)
        return self.heard[before:]

    def hear_out(self) -> list[str]:
        """Listen until nothing plays; keys of what began meanwhile."""
        before = len(self.heard)
        while self.playing is not None:
            play_id, self.playing = self.playing.play_id, None
            self.carry_out(self.flow.on_played(play_id, now_s=self.bridge.now_s))
        return self.heard[before:]

    def carry_out(self, commands: list[Command]) -> None:
        for command in commands:
            assert self.hung_up is None, f"{command} after the call was over"
            self.commands.append(command)
            match command:
                case Play():
                    self.playing = command
                    self.plays.append(command)
                    self.heard += [prompt.key for prompt in command.prompts]
                case StopPlay():
                    self.playing = None
                case CheckPin():
                    self.pins_checked += 1
                    if self.check_at_once:
                        self.answer_check(command)
                case Join():
                    self._join()
                case Do(command=asked):
                    self._do(asked)
                case HangUp(slug=slug):
                    self.hung_up = slug

    def answer_check(self, command: CheckPin) -> None:
        digits = command.pin.reveal()
        role = {PRESENTER_PIN: Role.PRESENTER, PARTICIPANT_PIN: Role.PARTICIPANT}.get(digits)
        outcome: PinOutcome = Rejected(slug="wrong-pin")
        if role is not None:
            outcome = Accepted(role=role, event_name=EVENT)
        self.carry_out(self.flow.on_pin_checked(outcome, now_s=self.bridge.now_s))

    def _join(self) -> None:
        role = self.flow.role
        assert role is not None
        joining = c.Join(participant_id=self.id, name=self.id, role=role, via=Via.PHONE)
        try:
            self.bridge.apply(joining)
        except Refused as refused:
            self.carry_out(self.flow.on_refused(refused.slug, now_s=self.bridge.now_s))
        else:
            self.carry_out(self.flow.on_joined(self.bridge.room, self.id, now_s=self.bridge.now_s))

    def _do(self, command: c.RoomCommand) -> None:
        try:
            self.bridge.apply(command)
        except Refused as refused:
            self.carry_out(self.flow.on_refused(refused.slug, now_s=self.bridge.now_s))
