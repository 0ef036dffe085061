"""What stands between a right PIN and the room.

Callers of a toll-free number need one thing more than others: somebody who pays for them.  Where nobody does
they are told another number, the nearest city's, as it is dialled where they are.
"""

from __future__ import annotations

from collections.abc import Callable

from bridge.calls.line import Arrival
from bridge.calls.tolls import Tolls
from bridge.numbers import DialInNumber, NumberClass, as_dialled
from events.directory import PinEntry
from events.fields import Status
from rooms.live import LiveRooms
from rooms.modes import Role

UNPAID = frozenset({"toll-free-off", "toll-free-spent"})
"""Obstacles that only callers of toll-free numbers meet. `bridge.cdr.record` says who is billed."""


def is_toll_free(arrival: Arrival) -> bool:
    """Whether the event's account pays for the call, and not the caller."""
    return arrival.number is not None and arrival.number.number_class is NumberClass.TOLL_FREE


def obstacle(entry: PinEntry, arrival: Arrival, *, live: LiveRooms, tolls: Tolls) -> str | None:
    """Why a right PIN does not open the door now; None when it does."""
    if entry.status is not Status.ACTIVE:
        return "event-over"
    if not entry.gateway_enabled:
        return "gateway-off"
    room = live.get(entry.room_id)
    if room is not None and room.locked and entry.role is Role.PARTICIPANT:
        return "event-locked"
    if not is_toll_free(arrival):
        return None
    if not entry.event.toll_free_enabled:
        return "toll-free-off"
    called, caller = arrival.called_e164, arrival.caller_e164
    paid = tolls.may_enter(entry.account_id, called=called, caller=caller)
    return None if paid else "toll-free-spent"


def call_instead(
    arrival: Arrival, city_instead: Callable[[DialInNumber], DialInNumber | None]
) -> str | None:
    """The city number for this caller, in groups of digits as it is dialled where they are."""
    if arrival.number is None:
        return None
    city = city_instead(arrival.number)
    return None if city is None else as_dialled(city.number, arrival.number.country)
