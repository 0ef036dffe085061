"""Roles, audio modes and the table that says who speaks and who hears what.

Theory.  What a person may do follows from three things only: the room's *stage* (not started yet, or
started in one of four audio modes), their *role*, and whether they hold the *floor*.  `rights()` reads it
from `TABLE`, which is the table of the handbook row by row.  Two personal switches come on top and never
widen a right: being muted takes speech away, switching the hold music off turns music into silence.

    stage             presenters             participants
    before the start  speak to each other    music
    presenters_only   speak to each other    music
    qa                speak, hear            hear; the floor holder speaks
    listen_only       speak, hear            hear
    discussion        speak, hear            speak, hear
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What the PIN (or the login) made of a person."""

    PRESENTER = "presenter"
    PARTICIPANT = "participant"


class AudioMode(StrEnum):
    """The four ways a started event can sound."""

    PRESENTERS_ONLY = "presenters_only"
    QA = "qa"
    LISTEN_ONLY = "listen_only"
    DISCUSSION = "discussion"


class Via(StrEnum):
    """The way a person's sound reaches us."""

    PHONE = "phone"
    WEB = "web"


class Hear(StrEnum):
    """What a person's earpiece carries."""

    ROOM = "room"
    MUSIC = "music"
    SILENCE = "silence"


class MutedBy(StrEnum):
    """Who switched a microphone off; the muted person is told, and a mode's mute can end with the mode."""

    SELF = "self"
    PRESENTER = "presenter"
    MODE = "mode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Audio:
    """What the mixer must do for one person: take their sound into the room or not, and what to play."""

    speak: bool
    hear: Hear


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """What stage and role allow, before mute and music switch."""

    speak: bool
    hear_room: bool


_SPEAKS_AND_HEARS = Rights(speak=True, hear_room=True)
_HEARS = Rights(speak=False, hear_room=True)
_WAITS = Rights(speak=False, hear_room=False)

#: (stage, role) → rights; stage None is "before the start".
TABLE: dict[tuple[AudioMode | None, Role], Rights] = {
    (None, Role.PRESENTER): _SPEAKS_AND_HEARS,
    (None, Role.PARTICIPANT): _WAITS,
    (AudioMode.PRESENTERS_ONLY, Role.PRESENTER): _SPEAKS_AND_HEARS,
    (AudioMode.PRESENTERS_ONLY, Role.PARTICIPANT): _WAITS,
    (AudioMode.QA, Role.PRESENTER): _SPEAKS_AND_HEARS,
    (AudioMode.QA, Role.PARTICIPANT): _HEARS,
    (AudioMode.LISTEN_ONLY, Role.PRESENTER): _SPEAKS_AND_HEARS,
    (AudioMode.LISTEN_ONLY, Role.PARTICIPANT): _HEARS,
    (AudioMode.DISCUSSION, Role.PRESENTER): _SPEAKS_AND_HEARS,
    (AudioMode.DISCUSSION, Role.PARTICIPANT): _SPEAKS_AND_HEARS,
}

_AUDIO: dict[tuple[bool, Hear], Audio] = {
    (speak, hear): Audio(speak=speak, hear=hear) for speak in (False, True) for hear in Hear
}


def rights(*, stage: AudioMode | None, role: Role, floor: bool) -> Rights:
    """Rights of one person; `stage` is None before the start, `floor` counts in Q&A alone."""
    if floor and stage is AudioMode.QA:
        return _SPEAKS_AND_HEARS
    return TABLE[stage, role]


def audio_of(*, stage: AudioMode | None, role: Role, floor: bool, muted: bool, music_on: bool) -> Audio:
    """The sound of one person, rights and personal switches taken together.

    Returns one of six shared instances, so that two people's sounds compare by identity.
    """
    granted = rights(stage=stage, role=role, floor=floor)
    if granted.hear_room:
        hear = Hear.ROOM
    else:
        hear = Hear.MUSIC if music_on else Hear.SILENCE
    return _AUDIO[granted.speak and not muted, hear]
