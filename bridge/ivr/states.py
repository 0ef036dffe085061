"""The states of a call, and which happening is legal in which.

    NEW ──start──► PIN ◄──wrong PIN── CHECKING ──accepted──► JOINING ──joined──► ROOM ◄──► SUBMENU
                    │                    │                      │                 │          │
                    └──────── gave up, refused, out of time ────┴── ended, kicked ┴──────────┤
                                                                                             ▼
                                                                               LEAVING ──► OVER

A happening that is not in the table is late, early or somebody else's: it changes nothing and says
nothing. The table also names the states each may lead to, which the flow asserts, so that a new branch
cannot invent an edge.
"""

from enum import StrEnum

__all__ = ["TRANSITIONS", "Happening", "State"]


class State(StrEnum):
    """Where a call stands."""

    NEW = "new"
    PIN = "pin"
    CHECKING = "checking"
    JOINING = "joining"
    ROOM = "room"
    SUBMENU = "submenu"
    LEAVING = "leaving"
    OVER = "over"


class Happening(StrEnum):
    """What can happen to a call."""

    START = "start"
    KEY = "key"
    PLAYED = "played"
    PIN_CHECKED = "pin-checked"
    JOINED = "joined"
    REFUSED = "refused"
    ROOM_EVENT = "room-event"
    DEADLINE = "deadline"


_S, _H = State, Happening

TRANSITIONS: dict[tuple[State, Happening], frozenset[State]] = {
    (_S.NEW, _H.START): frozenset({_S.PIN}),
    (_S.PIN, _H.KEY): frozenset({_S.PIN, _S.CHECKING, _S.LEAVING}),
    (_S.PIN, _H.PLAYED): frozenset({_S.PIN}),
    (_S.PIN, _H.DEADLINE): frozenset({_S.PIN, _S.CHECKING, _S.LEAVING}),
    (_S.CHECKING, _H.KEY): frozenset({_S.CHECKING}),
    (_S.CHECKING, _H.PLAYED): frozenset({_S.CHECKING}),
    (_S.CHECKING, _H.PIN_CHECKED): frozenset({_S.PIN, _S.CHECKING, _S.JOINING, _S.LEAVING}),
    (_S.CHECKING, _H.DEADLINE): frozenset({_S.CHECKING, _S.LEAVING}),
    (_S.JOINING, _H.PLAYED): frozenset({_S.JOINING}),
    (_S.JOINING, _H.JOINED): frozenset({_S.ROOM, _S.LEAVING}),
    (_S.JOINING, _H.REFUSED): frozenset({_S.LEAVING}),
    (_S.JOINING, _H.DEADLINE): frozenset({_S.JOINING, _S.LEAVING}),
    (_S.ROOM, _H.KEY): frozenset({_S.ROOM, _S.SUBMENU}),
    (_S.ROOM, _H.PLAYED): frozenset({_S.ROOM}),
    (_S.ROOM, _H.REFUSED): frozenset({_S.ROOM}),
    (_S.ROOM, _H.ROOM_EVENT): frozenset({_S.ROOM, _S.LEAVING}),
    (_S.ROOM, _H.DEADLINE): frozenset({_S.ROOM}),
    (_S.SUBMENU, _H.KEY): frozenset({_S.ROOM, _S.SUBMENU}),
    (_S.SUBMENU, _H.PLAYED): frozenset({_S.SUBMENU}),
    (_S.SUBMENU, _H.REFUSED): frozenset({_S.SUBMENU}),
    (_S.SUBMENU, _H.ROOM_EVENT): frozenset({_S.SUBMENU, _S.LEAVING}),
    (_S.SUBMENU, _H.DEADLINE): frozenset({_S.ROOM, _S.SUBMENU}),
    (_S.LEAVING, _H.PLAYED): frozenset({_S.LEAVING, _S.OVER}),
    (_S.LEAVING, _H.DEADLINE): frozenset({_S.LEAVING, _S.OVER}),
}
"""(state, happening) → the states it may lead to. What is absent is ignored."""
