"""Routes: rooms, as organisers plan them.

Arguments are in the order in which they are made: who asks, then the body, which may take its time over the
network, and only then a transaction. Otherwise a slow client would hold the lock for which all writers
queue.
"""

from __future__ import annotations

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from billing.tickets import offers
from events import service
from events.fields import Status, parse_wishes
from rooms.commands import ORGANISER, End
from web import ticket_wishes, views
from web.access import (
    AllServices,
    Caller,
    EventRead,
    EventWritten,
    Page,
    Reader,
    RoomText,
    Writer,
    parse_id,
    transaction,
)
from web.bodies import Fields
from web.openapi import body_of, errors_of
from web.schemas import (
    CONFERENCE_EXAMPLE,
    Conference,
    ConferenceAnswer,
    ConferenceLists,
    ConferenceWishes,
    Deleted,
    RoomAnswer,
)
from web.services import Services

router = APIRouter(prefix="/v1/conferences", tags=["conferences"])


@router.get("", summary="All rooms", responses=errors_of(401, 503))
def list_all(caller: Caller, services: AllServices, session: Reader, page: Page = 1) -> ConferenceLists:
    """One page of the active and one of the inactive rooms, newest first."""
    return ConferenceLists(
        active_conferences=_list(services, session, caller.id, Status.ACTIVE, page),
        inactive_conferences=_list(services, session, caller.id, Status.INACTIVE, page),
    )


@router.get("/active", summary="Active rooms", responses=errors_of(401, 503))
def list_active(caller: Caller, services: AllServices, session: Reader, page: Page = 1) -> list[Conference]:
    """Rooms that can still be joined, newest first."""
    return _list(services, session, caller.id, Status.ACTIVE, page)


@router.get("/inactive", summary="Inactive rooms", responses=errors_of(401, 503))
def list_inactive(caller: Caller, services: AllServices, session: Reader, page: Page = 1) -> list[Conference]:
    """Rooms whose event is over, newest first."""
    return _list(services, session, caller.id, Status.INACTIVE, page)


@router.post(
    "",
    status_code=201,
    summary="New room",
    responses=errors_of(400, 401, 413, 415, 422, 503),
    openapi_extra=body_of(ConferenceWishes, example=CONFERENCE_EXAMPLE),
)
def create(caller: Caller, services: AllServices, fields: Fields, session: Writer) -> RoomAnswer:
    """Plan an event, or open a permanent room. Callers can use the PINs at once."""
    event = service.create_event(
        session, account_id=caller.id, wishes=parse_wishes(fields), now=services.now()
    )
    offer = ticket_wishes.save(session, services, event, fields, now=services.now())
    return RoomAnswer(room=views.conference(event, public_url=services.public_url, offer=offer))


@router.get("/{room}", summary="One room", responses=errors_of(401, 404, 503))
def read(event: EventRead, session: Reader, services: AllServices) -> ConferenceAnswer:
    """Everything about a room, PINs included."""
    offer = offers.of(session, event.id)
    return ConferenceAnswer(conference=views.conference(event, public_url=services.public_url, offer=offer))


@router.put(
    "/{room}",
    summary="Change a room",
    responses=errors_of(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=body_of(ConferenceWishes, example={"name": "Results of 2026", "lobby_enabled": True}),
)
def update(
    _caller: Caller, fields: Fields, event: EventWritten, session: Writer, services: AllServices
) -> ConferenceAnswer:
    """Change the fields that are sent and leave the others. PINs stay."""
    wishes = parse_wishes(fields, default_zone=event.timezone)
    service.update_event(session, event, wishes=wishes, now=services.now())
    offer = ticket_wishes.save(session, services, event, fields, now=services.now())
    return ConferenceAnswer(conference=views.conference(event, public_url=services.public_url, offer=offer))


@router.post(
    "/{room}/copy",
    status_code=201,
    summary="Copy a room",
    responses=errors_of(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=body_of(ConferenceWishes, example={"name": "Results, again"}, required=False),
)
def copy(
    _caller: Caller, fields: Fields, event: EventWritten, session: Writer, services: AllServices
) -> RoomAnswer:
    """A new room like this one, with its own address, PINs and secrets; fields that are sent take the place
    of the copied ones. The date and the guests are not copied.
    """
    wishes = parse_wishes(fields, default_zone=event.timezone)
    made = service.copy_event(session, event, wishes=wishes, now=services.now())
    ticket_wishes.copied(session, services, event, made)
    offer = ticket_wishes.save(session, services, made, fields, now=services.now())
    return RoomAnswer(room=views.conference(made, public_url=services.public_url, offer=offer))


@router.delete("/{room}", summary="Delete a room", responses=errors_of(401, 404, 503))
async def delete(caller: Caller, services: AllServices, room: RoomText) -> Deleted:
    """The room is gone, its PINs let nobody in, and whoever is in it is disconnected. Call records stay."""
    event_id = parse_id(room, digits_max=9, what="conference")
    await run_in_threadpool(_delete, services, caller.id, event_id)
    if services.live.get(str(event_id)) is not None:
        services.live.apply(str(event_id), End(by=ORGANISER), now_s=services.clock())
    return Deleted(conference="OK")


def _delete(services: Services, account_id: int, event_id: int) -> None:
    with transaction(services) as session:
        event = service.get_event(session, account_id=account_id, event_id=event_id)
        service.delete_event(session, event, now=services.now())


def _list(
    services: Services, session: Reader, account_id: int, status: Status, page: int
) -> list[Conference]:
    events = service.list_events(session, account_id=account_id, status=status, page=page)
    sold = offers.of_many(session, [event.id for event in events])
    return [
        views.conference(event, public_url=services.public_url, offer=sold.get(event.id)) for event in events
    ]
