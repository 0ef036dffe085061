"""What the organiser's pages of this folder share: the event of the address, if it is theirs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy.orm import Session
from starlette.responses import Response

from accounts.sign_in import Visitor
from contacts.csv_file import write
from events import service
from events.models import Event
from web.access import parse_id


def own_event(session: Session, visitor: Visitor, event_id: str) -> Event:
    """The visitor's event. Raises UnknownEventError, ApiError 404."""
    number = parse_id(event_id, digits_max=9, what="event")
    return service.get_event(session, account_id=visitor.account_id, event_id=number)


def csv_response(name: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Response:
    """A CSV file to keep."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Cache-Control": "no-store"}
    return Response("".join(write(rows, columns)), media_type="text/csv; charset=utf-8", headers=headers)
