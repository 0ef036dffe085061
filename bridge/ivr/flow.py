"""One call from the answer to the hang-up: an engine without I/O.

Whoever drives it tells it what happens (`start`, `on_...`, each with the time) and carries out the
commands that come back, in order; between two calls it arms one timer for `deadline_s()` and calls
`on_deadline` when it rings. Nothing here blocks, sleeps or raises because of what a caller, a room or a
late answer does.

- What is legal when is `bridge.ivr.states.TRANSITIONS`; everything else is ignored.
- `PinMenu` decides about digits, `RoomMenu` about keys in the room, `announce` about room events, `Voice`
  about what is heard now and what next. This module only joins them.
- Keys typed while a PIN is checked belong to the next try: they are kept (at most `type_ahead_max`) and
  typed again if the PIN was wrong, dropped if it was good. A `9` meant for the PIN must not end an event. A
  `#` that arrives first only confirms what a pause already submitted, and is dropped.
- In the room keys are rate-limited, so that 200 keys a second cost the room a few commands a second and
  leave no backlog; what exceeds the rate is counted in `keys_ignored`.
- `LEAVING` always ends: by the goodbye's end, or `goodbye_max_s` later.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from bridge.ivr.announce import announce, arrival
from bridge.ivr.bucket import Bucket
from bridge.ivr.commands import Accepted, CheckPin, Command, Do, HangUp, Join, PinOutcome
from bridge.ivr.pin import TypedAhead
from bridge.ivr.pin_menu import GiveUp, Hush, PinMenu, PinStep, Say, Submit
from bridge.ivr.prompt import Prompt, prompt
from bridge.ivr.room_menu import RoomMenu
from bridge.ivr.settings import IvrSettings
from bridge.ivr.states import TRANSITIONS, Happening, State
from bridge.ivr.voice import Voice
from rooms import events as e
from rooms.modes import Role
from rooms.state import RoomView

__all__ = ["FAREWELLS", "REFUSALS", "TROUBLE", "CallFlow"]

TROUBLE = "server-error"
"""The reason of a call that we could not serve; also what callers hear for a reason that has no prompt."""

FAREWELLS = frozenset({
    "event-ended", "event-full", "event-locked", "event-over", "gateway-off", "kicked", "pin-guessing",
    "pin-timeout", "toll-free-off", "toll-free-spent", TROUBLE, "wrong-pin",
})  # fmt: skip
"""Reasons with a prompt of their own, `bye.<slug>`."""

ANOTHER_NUMBER = frozenset({"toll-free-off", "toll-free-spent"})
"""Reasons whose words send the caller to another number, which follows."""

FAREWELL_OF = {"removed": "kicked", "revoked": "kicked"}
"""Reasons that are said in the words of another."""

REFUSALS = frozenset({
    "already-started", "event-over", "no-questions", "not-in-qa", "not-presenter", "not-started",
    "too-many-for-discussion",
})  # fmt: skip
"""Refusals of the room that have a prompt of their own, `refused.<slug>`."""


class CallFlow:
    """What one caller hears and may do. Not thread-safe: one owner calls it."""

    def __init__(self, *, language: str, settings: IvrSettings) -> None:
        self.language = language
        """The language of the number that was called; the player asks for clips in it."""
        self.state = State.NEW
        self.keys_ignored = 0
        """Keys dropped: pressed faster than anybody can, or while nothing could be done with them."""
        self._settings = settings
        self._voice = Voice(prompt_max_s=settings.prompt_max_s)
        self._pin = PinMenu(settings=settings)
        self._typed_ahead = TypedAhead(keys_max=settings.type_ahead_max)
        self._keys = Bucket(per_s=settings.room_keys_per_s, burst=settings.room_keys_burst)
        self._room: RoomMenu | None = None
        self._accepted: Accepted | None = None
        self._deadline_s: float | None = None
        self._slug = TROUBLE

    def __repr__(self) -> str:
        return f"CallFlow({self.state})"

    @property
    def pin_tries(self) -> int:
        """PINs that failed, for the CDR: looked up and wrong, or too long to be one."""
        return self._pin.tries

    @property
    def role(self) -> Role | None:
        """The caller's role, once a PIN was accepted."""
        return None if self._accepted is None else self._accepted.role

    def start(self, *, now_s: float) -> list[Command]:
        """The call was answered and its sound path is up."""
        return self._handle(Happening.START, now_s=now_s)

    def on_key(self, key: str, *, now_s: float) -> list[Command]:
        """A key went down; anything but one of `0123456789*#` does nothing in the PIN menu and is unknown
        later.
        """
        return self._handle(Happening.KEY, key, now_s=now_s)

    def on_played(self, play_id: int, *, now_s: float) -> list[Command]:
        """The clips of a `Play` were heard to their end."""
        return self._handle(Happening.PLAYED, play_id, now_s=now_s)

    def on_pin_checked(self, outcome: PinOutcome, *, now_s: float) -> list[Command]:
        """The answer to `CheckPin`."""
        return self._handle(Happening.PIN_CHECKED, outcome, now_s=now_s)

    def on_joined(self, view: RoomView, participant_id: str, *, now_s: float) -> list[Command]:
        """The answer to `Join`: the caller is in the room. `view` stays readable until the call is over."""
        return self._handle(Happening.JOINED, view, participant_id, now_s=now_s)

    def on_refused(self, slug: str, *, now_s: float) -> list[Command]:
        """The room refused: `Join` (the call ends) or `Do` (the caller is told)."""
        return self._handle(Happening.REFUSED, slug, now_s=now_s)

    def on_room_event(self, event: e.RoomEvent, *, now_s: float) -> list[Command]:
        """Something happened in the room; see `announce.listeners` for who must be told."""
        return self._handle(Happening.ROOM_EVENT, event, now_s=now_s)

    def on_deadline(self, *, now_s: float) -> list[Command]:
        """The time from `deadline_s` has come. Called too early it does nothing."""
        return self._handle(Happening.DEADLINE, now_s=now_s)

    def deadline_s(self) -> float | None:
        """When to call `on_deadline`; None: not at all."""
        own = self._pin.deadline_s() if self.state is State.PIN else self._deadline_s
        voice = self._voice.deadline_s() if self.state in (State.ROOM, State.SUBMENU) else None
        return min((each for each in (own, voice) if each is not None), default=None)

    def _handle(self, happening: Happening, *args: Any, now_s: float) -> list[Command]:
        before = (self.state, happening)
        handler = _HANDLERS.get(before)
        if handler is None:
            self.keys_ignored += happening is Happening.KEY
            return []
        commands = handler(self, *args, now_s=now_s)
        assert self.state in TRANSITIONS[before], (before, self.state)
        return commands

    # The PIN

    def _start(self, *, now_s: float) -> list[Command]:
        self.state = State.PIN
        return self._pin_step(self._pin.start(now_s=now_s), now_s=now_s)

    def _pin_key(self, key: str, *, now_s: float) -> list[Command]:
        return self._pin_step(self._pin.on_key(key, now_s=now_s), now_s=now_s)

    def _pin_played(self, play_id: int, *, now_s: float) -> list[Command]:
        if self._voice.played(play_id):
            self._pin.on_prompt_done(now_s=now_s)
        return []

    def _pin_deadline(self, *, now_s: float) -> list[Command]:
        return self._pin_step(self._pin.on_deadline(now_s=now_s), now_s=now_s)

    def _pin_step(self, step: PinStep, *, now_s: float) -> list[Command]:
        match step:
            case Say(prompts=prompts):
                return self._voice.say(prompts, now_s=now_s)
            case Hush():
                return self._voice.hush()
            case Submit(pin=pin):
                self.state = State.CHECKING
                self._deadline_s = now_s + self._settings.answer_max_s
                return [*self._voice.hush(), CheckPin(pin=pin)]
            case GiveUp(slug=slug):
                return self._leave(slug, now_s=now_s)
        return []

    def _type_ahead(self, key: str, *, now_s: float) -> list[Command]:  # noqa: ARG002
        if not self._typed_ahead.add(key):
            self.keys_ignored += 1
        return []

    def _pin_checked(self, outcome: PinOutcome, *, now_s: float) -> list[Command]:
        self._deadline_s = None
        if isinstance(outcome, Accepted):
            self._typed_ahead.clear()
            self._accepted = outcome
            self.state = State.JOINING
            self._deadline_s = now_s + self._settings.answer_max_s
            return [Join()]
        if outcome.slug != "wrong-pin":
            return self._leave(outcome.slug, call_instead=outcome.call_instead, now_s=now_s)
        self.state = State.PIN
        commands = self._pin_step(self._pin.on_wrong(now_s=now_s), now_s=now_s)
        while len(self._typed_ahead) and self.state is State.PIN:
            commands += self._pin_key(self._typed_ahead.next(), now_s=now_s)
        return commands

    # Entering

    def _forget_played(self, play_id: int, *, now_s: float) -> list[Command]:  # noqa: ARG002
        self._voice.played(play_id)
        return []

    def _out_of_time(self, *, now_s: float) -> list[Command]:
        assert self._deadline_s is not None
        return self._leave(TROUBLE, now_s=now_s) if now_s >= self._deadline_s else []

    def _joined(self, view: RoomView, participant_id: str, *, now_s: float) -> list[Command]:
        assert self._accepted is not None
        self._deadline_s = None
        if participant_id not in view:  # ended, or kicked, before the news of having joined came
            return self._leave("event-ended", now_s=now_s)
        self.state = State.ROOM
        self._room = RoomMenu(role=self._accepted.role, participant_id=participant_id, view=view)
        welcome = prompt("join.welcome", event=self._accepted.event_name)
        return self._voice.say((welcome, *arrival(view, participant_id)), now_s=now_s)

    def _join_refused(self, slug: str, *, now_s: float) -> list[Command]:
        return self._leave(slug, now_s=now_s)

    # In the room

    def _room_key(self, key: str, *, now_s: float) -> list[Command]:
        if not self._keys.take(now_s=now_s):
            self.keys_ignored += 1
            return []
        menu = self._menu
        reply = menu.on_key(key)
        self._follow_menu(now_s=now_s)
        match reply:
            case Say(prompts=prompts):
                return self._voice.say(prompts, now_s=now_s)
            case Hush():
                self._voice.forget()
                return self._voice.hush()
            case Do():
                return [*self._voice.hush(), reply]

    def _room_played(self, play_id: int, *, now_s: float) -> list[Command]:
        if not self._voice.played(play_id):
            return []
        if self.state is State.SUBMENU:
            self._deadline_s = now_s + self._settings.submenu_s
        return self._voice.next_notice(now_s=now_s)

    def _room_refused(self, slug: str, *, now_s: float) -> list[Command]:
        key = f"refused.{slug}" if slug in REFUSALS else "refused.other"
        return self._voice.say((prompt("tone.error"), prompt(key)), now_s=now_s)

    def _room_event(self, event: e.RoomEvent, *, now_s: float) -> list[Command]:
        menu = self._menu
        me = menu.participant_id
        if isinstance(event, e.Ended):
            return self._leave("event-ended", now_s=now_s)
        if isinstance(event, e.Kicked) and event.participant_id == me:
            return self._leave("revoked" if event.revoked else "kicked", now_s=now_s)
        if isinstance(event, e.Left) and event.participant_id == me:
            return self._leave("event-ended", now_s=now_s)
        notice = announce(event, me=me, view=menu.view)
        if notice is None:
            return []
        if notice.urgent:
            return self._voice.say(notice.prompts, now_s=now_s)
        return self._voice.notify(notice.prompts, now_s=now_s)

    def _room_deadline(self, *, now_s: float) -> list[Command]:
        if self._deadline_s is not None and now_s >= self._deadline_s:
            self._menu.leave_submenu()
            self._follow_menu(now_s=now_s)
        if self._voice.overdue(now_s=now_s):
            return self._voice.next_notice(now_s=now_s)
        return []

    @property
    def _menu(self) -> RoomMenu:
        assert self._room is not None
        return self._room

    def _follow_menu(self, *, now_s: float) -> None:
        # As at the PIN prompt: the time to choose counts from the end of the choices, or their longest end.
        self.state = State.SUBMENU if self._menu.in_submenu else State.ROOM
        longest_s = self._settings.prompt_max_s + self._settings.submenu_s
        self._deadline_s = now_s + longest_s if self._menu.in_submenu else None

    # Leaving

    def _leave(self, slug: str, *, now_s: float, call_instead: str | None = None) -> list[Command]:
        self.state = State.LEAVING
        self._slug = slug
        self._deadline_s = now_s + self._settings.goodbye_max_s
        self._typed_ahead.clear()
        self._voice.forget()
        said = FAREWELL_OF.get(slug, slug)
        if said in ANOTHER_NUMBER and call_instead is None:
            said = "gateway-off"  # there is no number to name, so the browser is the way in
        reason = prompt(f"bye.{said if said in FAREWELLS else TROUBLE}")
        numbers: tuple[Prompt, ...] = ()
        if call_instead is not None:
            # Twice: nobody has a pen in hand the first time.  That takes longer than a goodbye.
            numbers = (prompt("city.number", digits=call_instead),) * 2
            self._deadline_s = now_s + max(self._settings.goodbye_max_s, self._settings.prompt_max_s)
        return self._voice.say((reason, *numbers, prompt("bye")), now_s=now_s, interruptible=False)

    def _goodbye_played(self, play_id: int, *, now_s: float) -> list[Command]:  # noqa: ARG002
        return self._hang_up() if self._voice.played(play_id) else []

    def _goodbye_deadline(self, *, now_s: float) -> list[Command]:
        assert self._deadline_s is not None
        return self._hang_up() if now_s >= self._deadline_s else []

    def _hang_up(self) -> list[Command]:
        self.state = State.OVER
        self._deadline_s = None
        return [HangUp(slug=self._slug)]


_Handler: TypeAlias = Callable[..., list[Command]]

_IN_ROOM: dict[Happening, _Handler] = {
    Happening.KEY: CallFlow._room_key,
    Happening.PLAYED: CallFlow._room_played,
    Happening.REFUSED: CallFlow._room_refused,
    Happening.ROOM_EVENT: CallFlow._room_event,
    Happening.DEADLINE: CallFlow._room_deadline,
}

_HANDLERS: dict[tuple[State, Happening], _Handler] = {
    (State.NEW, Happening.START): CallFlow._start,
    (State.PIN, Happening.KEY): CallFlow._pin_key,
    (State.PIN, Happening.PLAYED): CallFlow._pin_played,
    (State.PIN, Happening.DEADLINE): CallFlow._pin_deadline,
    (State.CHECKING, Happening.KEY): CallFlow._type_ahead,
    (State.CHECKING, Happening.PLAYED): CallFlow._forget_played,
    (State.CHECKING, Happening.PIN_CHECKED): CallFlow._pin_checked,
    (State.CHECKING, Happening.DEADLINE): CallFlow._out_of_time,
    (State.JOINING, Happening.PLAYED): CallFlow._forget_played,
    (State.JOINING, Happening.JOINED): CallFlow._joined,
    (State.JOINING, Happening.REFUSED): CallFlow._join_refused,
    (State.JOINING, Happening.DEADLINE): CallFlow._out_of_time,
    **{(State.ROOM, happening): handler for happening, handler in _IN_ROOM.items()},
    **{(State.SUBMENU, happening): handler for happening, handler in _IN_ROOM.items()},
    (State.LEAVING, Happening.PLAYED): CallFlow._goodbye_played,
    (State.LEAVING, Happening.DEADLINE): CallFlow._goodbye_deadline,
}
assert _HANDLERS.keys() == TRANSITIONS.keys()
