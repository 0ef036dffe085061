"""Who asks, what is theirs, and the transaction of a request.

One request, one transaction. It is committed when the route has returned and before the response goes out
(`scope="function"`): a failed commit must not follow a 200. After a commit that changed events, the PIN
directory of this process reads the change at once, so that a PIN works when its creator learns it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request, Security
from fastapi.security import APIKeyHeader
from sqlalchemy.orm import Session

from accounts.errors import UnknownKeyError
from accounts.models import Account
from accounts.service import authenticate
from events import service
from events.models import Event, EventSession
from web.errors import not_found
from web.services import Services

PAGE_MAX = 1_000_000
_api_key = APIKeyHeader(
    name="X-Api-Key", auto_error=False, description="The key that `tollbridge account create` printed."
)


def get_services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


AllServices = Annotated[Services, Depends(get_services)]


@contextmanager
def transaction(services: Services) -> Iterator[Session]:
    """A writing transaction; see the module text."""
    with services.sessions.begin() as session:
        yield session
    if session.info.pop(service.CHANGED, False):
        services.directory.refresh()


def get_writer(services: AllServices) -> Iterator[Session]:
    with transaction(services) as session:
        yield session


def get_reader(services: AllServices) -> Iterator[Session]:
    with services.readers() as session:
        yield session


def get_account(services: AllServices, key: Annotated[str | None, Security(_api_key)] = None) -> Account:
    """The account of the API key. Raises UnknownKeyError."""
    if not key:
        raise UnknownKeyError("no API key was sent")
    with services.readers() as session:
        return authenticate(session, key)


Caller = Annotated[Account, Depends(get_account)]
Writer = Annotated[Session, Depends(get_writer, scope="function")]
Reader = Annotated[Session, Depends(get_reader, scope="function")]


def parse_id(text: str, *, digits_max: int, what: str) -> int:
    """A positive number from a path. Anything else names nothing: raises ApiError 404."""
    if not (text.isascii() and text.isdigit() and len(text) <= digits_max):
        raise not_found(what)
    return int(text)


def id_text(name: str, description: str, *, digits_max: int) -> Any:
    """A number in a path: for the description only, because what is no number names nothing (404)."""
    shape: dict[str, Any] = {"pattern": f"^[0-9]{{1,{digits_max}}}$"}
    return Path(alias=name, description=description, json_schema_extra=shape, examples=["1"])


RoomText = Annotated[str, id_text("room", "The room's `id`.", digits_max=9)]
SessionText = Annotated[str, id_text("session_id", "The session's `id`.", digits_max=18)]
Page = Annotated[int, Query(ge=1, le=PAGE_MAX, description=f"Page from 1, {service.PAGE_SIZE} entries each.")]


def get_event_read(caller: Caller, session: Reader, room: RoomText) -> Event:
    event_id = parse_id(room, digits_max=9, what="conference")
    return service.get_event(session, account_id=caller.id, event_id=event_id)


def get_event_written(caller: Caller, session: Writer, room: RoomText) -> Event:
    event_id = parse_id(room, digits_max=9, what="conference")
    return service.get_event(session, account_id=caller.id, event_id=event_id)


EventRead = Annotated[Event, Depends(get_event_read)]
EventWritten = Annotated[Event, Depends(get_event_written)]


def get_run(event: EventRead, session: Reader, session_id: SessionText) -> EventSession:
    return service.get_session(session, event, session_id=parse_id(session_id, digits_max=18, what="session"))


Run = Annotated[EventSession, Depends(get_run)]
