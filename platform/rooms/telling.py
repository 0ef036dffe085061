"""People and events of a room as JSON values, as much of them as the viewer may see.

Theory.  There are two kinds of viewers. Presenters see telephone numbers, always masked; participants see
none, not even masked ones, because the country code and two digits are enough to know a colleague again.
A caller without a name is shown by their masked number, so a name that looks like a number, whole or
masked, is null for participants; the page then shows where the call comes from. A whole number in a name is
masked for presenters, too.

Every event is an object with `type`, its class name in snake case, and its fields under the same names, but
`participant` for `participant_id`; sets are sorted lists. docs/live-socket.md lists them all.
"""

from __future__ import annotations

import re
from dataclasses import fields
from functools import cache
from typing import Any

from rooms import events as e
from rooms.modes import Role
from rooms.state import ParticipantState, RoomState

_NUMBER = re.compile(r"\+?\d(?:[ ().\-/]{0,2}\d){6,}")
_MASKED = re.compile(r"\+?\d[\d ]{0,4}[…*xX•]+ ?\d{2,}")
_NAMES = {"participant_id": "participant"}


def shown_name(name: str, *, viewer: Role) -> str | None:
    """The name as this kind of viewer sees it; None for a participant's view of a number."""
    if viewer is Role.PRESENTER:
        return _NUMBER.sub(lambda match: _mask(match[0]), name)
    return None if _NUMBER.search(name) or _MASKED.search(name) else name


def _mask(number: str) -> str:
    digits = re.sub(r"[^\d+]", "", number)
    return f"{digits[:4]}…{digits[-2:]}"


def person_json(person: ParticipantState, *, viewer: Role, unix_offset_s: float) -> dict[str, Any]:
    """One person. Places in the queue and the floor are told once for the room, not here."""
    return {
        "id": person.id,
        "name": shown_name(person.name, viewer=viewer),
        "role": person.role,
        "via": person.via,
        "devices": sorted(person.devices),
        "sound": person.sound,
        "connected": person.connected,
        "quality": person.quality,
        "city": person.city,
        "country": person.country,
        "number": person.number if viewer is Role.PRESENTER else None,
        "muted_by": person.muted_by,
        "music": person.music_on,
        "talking": person.talking,
        "joined_at": _unix_ms(person.joined_at_s, unix_offset_s),
    }


def state_json(state: RoomState, *, viewer: Role, unix_offset_s: float) -> dict[str, Any]:
    """The whole room."""
    return {
        "name": state.name,
        "mode": state.mode,
        "started": state.started,
        "started_at": None if state.started_at_s is None else _unix_ms(state.started_at_s, unix_offset_s),
        "locked": state.locked,
        "ended": state.ended,
        "music": state.music_on,
        "floor": state.floor,
        "questions": list(state.questions),
        "people": [
            person_json(person, viewer=viewer, unix_offset_s=unix_offset_s) for person in state.participants
        ],
    }


def event_json(event: e.RoomEvent, *, viewer: Role, unix_offset_s: float) -> dict[str, Any] | None:
    """One event; None for one that is about the mixer's work and not about what can be seen."""
    if isinstance(event, e.AudioChanged):
        return None
    if isinstance(event, e.Joined):
        person = ParticipantState(
            id=event.participant_id,
            name=event.name,
            role=event.role,
            via=event.via,
            city=event.city,
            muted=event.muted_by is not None,
            muted_by=event.muted_by,
            talking=False,
            floor=False,
            question=None,
            joined_at_s=event.joined_at_s,
            country=event.country,
            number=event.number,
            devices=frozenset({event.via}),
            sound=e.sound_on_joining(event.via),
            music_on=event.music_on,
        )
        shown = person_json(person, viewer=viewer, unix_offset_s=unix_offset_s)
        return {"type": "joined", "person": shown, "rejoined": event.rejoined}
    told: dict[str, Any] = {"type": event_type(type(event).__name__)}
    for field in fields(event):
        name = field.name
        value = getattr(event, name)
        told[_NAMES.get(name, name)] = sorted(value) if isinstance(value, frozenset) else value
    if isinstance(event, e.PhoneLinked) and viewer is not Role.PRESENTER:
        told["number"] = None
    if isinstance(event, e.Started):
        told["started_at"] = _unix_ms(told.pop("at_s"), unix_offset_s)
    if isinstance(event, e.Renamed):
        told["name"] = shown_name(event.name, viewer=viewer)
    return told


@cache
def event_type(kind: str) -> str:
    """The `type` of an event of this class: `ModeChanged` is `mode_changed`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind).lower()


def _unix_ms(moment_s: float, unix_offset_s: float) -> int:
    return round((moment_s + unix_offset_s) * 1000)
