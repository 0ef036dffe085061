"""Routes: the room as it runs. They work on the event loop's thread, which owns the live rooms."""

from __future__ import annotations

from fastapi import APIRouter

from web import views
from web.access import AllServices, Caller, EventRead
from web.bodies import Fields
from web.live_commands import parse_command
from web.openapi import body_of, errors_of
from web.schemas import LiveCommand, LiveRoom
from web.services import Services

router = APIRouter(prefix="/v1/conferences/{room}/live", tags=["live room"])


@router.get("", summary="The room now", responses=errors_of(401, 404, 503))
async def read(event: EventRead, services: AllServices) -> LiveRoom:
    """Mode, lock, and everybody in the room. A room that nobody is in answers as it would be when opened."""
    return _view(services, str(event.id))


@router.post(
    "",
    summary="Give an order",
    responses=errors_of(400, 401, 404, 409, 413, 415, 422, 503),
    openapi_extra=body_of(LiveCommand, example={"command": "set_mode", "mode": "discussion"}),
)
async def command(
    _caller: Caller,
    fields: Fields,
    event: EventRead,
    services: AllServices,
) -> LiveRoom:
    """The same orders as a presenter's keys, by the same way. Answers with the room as it is afterwards.

    409 with the reason's slug as `name` when the room does not allow it now, 404 when the participant is
    not there.
    """
    order = parse_command(fields)
    services.live.apply(str(event.id), order, now_s=services.clock())
    return _view(services, str(event.id))


def _view(services: Services, room_id: str) -> LiveRoom:
    room = services.live.get(room_id)
    state = None if room is None else room.state()
    return views.live_room(state, now=services.now(), now_s=services.clock())
