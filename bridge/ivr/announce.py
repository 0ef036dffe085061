"""What one caller is told about a room event, and who has to be told at all.

Everything said here is private. Whoever acted hears a confirmation; the person acted upon hears what
happened and which key helps; others hear it only if it changes what they can do. An event about nobody on
this line is silence.

`listeners` is the switchboard's shortcut: in a room of two thousand most events concern one person, and
only that person's flow needs to be asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bridge.ivr.keypad import MAIN_MENU, Action, key_of
from bridge.ivr.prompt import Prompt, prompt
from rooms import events as e
from rooms.modes import AudioMode, Hear, MutedBy, Role
from rooms.state import RoomView

__all__ = [
    "Notice", "announce", "arrival", "hear_prompts", "listeners", "mode_for_me", "mode_name", "mute_prompts",
    "room_tone",
]  # fmt: skip

TONE_MODES = frozenset({AudioMode.DISCUSSION, AudioMode.PRESENTERS_ONLY})
"""Modes in which few enough people talk that a tone for each arrival helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something to say to one caller."""

    prompts: tuple[Prompt, ...]
    urgent: bool
    """It answers this caller's own key, or is about what this caller may do right now: it cuts short what is
    being said. Other notices wait their turn."""


def mode_name(mode: AudioMode) -> Prompt:
    """The mode, for somebody who chooses modes."""
    return prompt(f"mode.is.{mode}")


def mode_for_me(mode: AudioMode, role: Role) -> Prompt:
    """What a mode means for a person of this role."""
    if role is Role.PRESENTER:
        return mode_name(mode)
    if mode is AudioMode.QA:
        return prompt("mode.you.qa", key=_key(role, Action.QUESTION))
    return prompt(f"mode.you.{mode}")


def mute_prompts(view: RoomView, me: str) -> list[Prompt]:
    """Who muted this person and how to undo it; nothing when they could not be heard anyway, or are not
    muted.
    """
    muted_by = view.muted_by(me)
    if muted_by is None:
        return []
    role = view.role(me)
    may_speak = role is Role.PRESENTER or view.floor_holder == me or view.mode is AudioMode.DISCUSSION
    if muted_by is MutedBy.MODE and not may_speak:
        return []
    return [prompt(f"where.muted-{muted_by}", key=_key(role, Action.MUTE))]


def hear_prompts(view: RoomView, me: str) -> list[Prompt]:
    """How to switch the music off, for a person who hears it now."""
    if view.audio(me).hear is not Hear.MUSIC:
        return []
    return [prompt("music.can-switch", key=_key(view.role(me), Action.MUSIC))]


def arrival(view: RoomView, me: str) -> tuple[Prompt, ...]:
    """What a person hears about the room on entering it, after the welcome."""
    role = view.role(me)
    parts: list[Prompt] = []
    if not view.started:
        if role is Role.PRESENTER:
            parts.append(prompt("join.press-to-start", key=_key(role, Action.START)))
        else:
            parts.append(prompt("join.wait"))
    elif role is Role.PARTICIPANT or view.mode is not AudioMode.LISTEN_ONLY:
        parts.append(mode_for_me(view.mode, role))
    parts += hear_prompts(view, me)
    parts += mute_prompts(view, me)
    position = view.question_position(me)
    if position is not None:
        parts.append(prompt("question.position", n=position))
    parts.append(prompt("join.press-for-help", key=_key(role, Action.HELP)))
    return tuple(parts)


def room_tone(event: e.RoomEvent, view: RoomView) -> str | None:
    """Name of the tone that everybody who hears the room hears with this event, or None.

    It is mixed into the room's sound, so that nobody's words are cut.
    """
    if not (view.tones and view.started and view.mode in TONE_MODES):
        return None
    return {e.Joined: "join", e.Left: "leave"}.get(type(event))


def announce(event: e.RoomEvent, *, me: str, view: RoomView) -> Notice | None:
    """What `me`, who is in the room, hears about an event; None: nothing."""
    teller = _TELLERS.get(type(event))
    return None if teller is None or me not in view else teller(event, me, view)


def listeners(event: e.RoomEvent) -> frozenset[str] | None:
    """Whose flows must get an event: these people, or, when None, everybody in the room."""
    if isinstance(event, e.Started | e.Stopped | e.ModeChanged):
        return None
    if isinstance(event, e.Ended):
        return event.participant_ids
    if isinstance(event, e.Locked | e.Unlocked):
        return frozenset({event.actor})
    if isinstance(event, e.QuestionAsked):
        return None if event.position == 1 else frozenset({event.participant_id})
    if isinstance(event, e.Joined | e.Left | e.Muted | e.Unmuted | e.Kicked):
        return frozenset({event.participant_id})
    if isinstance(event, e.FloorGiven | e.FloorTaken):
        return frozenset({event.participant_id, event.actor})
    if isinstance(event, e.QuestionWithdrawn | e.MusicSwitched):
        return frozenset({event.participant_id})
    return frozenset()


def _key(role: Role, action: Action) -> str:
    return key_of(MAIN_MENU[role], action)


def _urgent(*prompts: Prompt) -> Notice:
    return Notice(prompts=prompts, urgent=True)


def _notice(*prompts: Prompt) -> Notice:
    return Notice(prompts=prompts, urgent=False)


def _muted(event: e.Muted, me: str, view: RoomView) -> Notice | None:
    if event.participant_id != me:
        return None
    if event.by is MutedBy.SELF:
        return _urgent(prompt("mute.on"))
    return _notice(prompt("mute.by-presenter", key=_key(view.role(me), Action.MUTE)))


def _unmuted(event: e.Unmuted, me: str, _view: RoomView) -> Notice | None:
    if event.participant_id != me:
        return None
    if event.actor != me:
        return _notice(prompt("mute.off-by-presenter" if event.audible else "mute.off-unheard"))
    return _urgent(prompt("mute.off" if event.audible else "mute.off-unheard"))


def _mode_changed(event: e.ModeChanged, me: str, view: RoomView) -> Notice | None:
    role = view.role(me)
    if event.actor == me:
        parts = [prompt(f"mode.set.{event.mode}")]
        if not view.started:
            parts.append(prompt("mode.from-start"))
        return _urgent(*parts)
    touched = event.mode is not event.previous or me in event.muted or me in event.unmuted
    if not touched or (role is Role.PARTICIPANT and not view.started):
        return None
    parts = [mode_for_me(event.mode, role), *hear_prompts(view, me)]
    if me in event.muted and role is Role.PRESENTER:
        parts.append(prompt("mute.by-mode", key=_key(role, Action.MUTE)))
    else:
        parts += mute_prompts(view, me)
    return _notice(*parts)


def _started(event: e.Started, me: str, view: RoomView) -> Notice | None:
    if event.actor == me:
        return _urgent(prompt("start.done"), prompt("headcount", n=view.headcount))
    role = view.role(me)
    if role is Role.PRESENTER:
        return _notice(prompt("start.done"))
    return _urgent(prompt("start.now"), mode_for_me(view.mode, role), *hear_prompts(view, me))


def _stopped(event: e.Stopped, me: str, view: RoomView) -> Notice | None:
    role = view.role(me)
    if role is Role.PRESENTER:
        again = prompt("join.press-to-start", key=_key(role, Action.START))
        return _urgent(again) if event.actor == me else _notice(again)
    return _urgent(prompt("join.wait"), *hear_prompts(view, me))


def _locked(event: e.Locked, me: str, _view: RoomView) -> Notice | None:
    return _urgent(prompt("lock.on")) if event.actor == me else None


def _unlocked(event: e.Unlocked, me: str, _view: RoomView) -> Notice | None:
    return _urgent(prompt("lock.off")) if event.actor == me else None


def _question_asked(event: e.QuestionAsked, me: str, view: RoomView) -> Notice | None:
    role = view.role(me)
    if event.participant_id == me:
        return _urgent(
            prompt("question.position", n=event.position),
            prompt("question.can-withdraw", key=_key(role, Action.QUESTION)),
        )
    first_in_qa = event.position == 1 and view.mode is AudioMode.QA and view.floor_holder is None
    if role is Role.PRESENTER and first_in_qa:
        return _notice(prompt("question.new", key=_key(role, Action.FLOOR)))
    return None


def _question_withdrawn(event: e.QuestionWithdrawn, me: str, _view: RoomView) -> Notice | None:
    return _urgent(prompt("question.withdrawn")) if event.participant_id == me else None


def _floor_given(event: e.FloorGiven, me: str, view: RoomView) -> Notice | None:
    if event.participant_id == me:
        return _urgent(prompt("floor.yours"))
    if event.actor == me:
        return _urgent(prompt("floor.given", key=_key(view.role(me), Action.FLOOR)))
    return None


def _floor_taken(event: e.FloorTaken, me: str, view: RoomView) -> Notice | None:
    if event.participant_id == me:
        if event.reason is e.FloorEnd.RETURNED:
            return _urgent(prompt("floor.returned"))
        if event.reason in (e.FloorEnd.TAKEN, e.FloorEnd.PASSED_ON):
            return _urgent(prompt("floor.ended"))
    elif event.actor == me and event.reason is e.FloorEnd.TAKEN:
        waiting = (prompt("questions.waiting", n=view.question_count),) if view.question_count else ()
        return _urgent(prompt("floor.taken"), *waiting)
    return None


def _music_switched(event: e.MusicSwitched, me: str, _view: RoomView) -> Notice | None:
    if event.participant_id != me:
        return None
    word = "on" if event.on else "off"
    return _urgent(prompt(f"music.everyone-{word}" if event.everyone else f"music.{word}"))


_TELLERS: dict[type[e.RoomEvent], Callable[[Any, str, RoomView], Notice | None]] = {
    e.Muted: _muted,
    e.Unmuted: _unmuted,
    e.ModeChanged: _mode_changed,
    e.Started: _started,
    e.Stopped: _stopped,
    e.Locked: _locked,
    e.Unlocked: _unlocked,
    e.QuestionAsked: _question_asked,
    e.QuestionWithdrawn: _question_withdrawn,
    e.FloorGiven: _floor_given,
    e.FloorTaken: _floor_taken,
    e.MusicSwitched: _music_switched,
}
