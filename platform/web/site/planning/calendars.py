"""Calendars: one event as a file, all events as a feed; and a copy of an event."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse, Response

from events import feeds, ical, service
from events.errors import UnknownEventError
from events.fields import EventWishes
from web import ticket_wishes
from web.access import AllServices, Reader, parse_id, transaction
from web.errors import not_found
from web.site.i18n import N_
from web.site.render import notices
from web.site.security import PostedForm, SignedIn

router = APIRouter(include_in_schema=False)
notices(
    copied=N_("This is the copy. Give it a date; guests are not copied."),
    feed_renewed=N_("The calendar has a new address; the old one opens nothing."),
)
_FILE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex"}


@router.get("/events/{event_id}/event.ics")
def event_file(visitor: SignedIn, services: AllServices, session: Reader, event_id: str) -> Response:
    number = parse_id(event_id, digits_max=9, what="event")
    event = service.get_event(session, account_id=visitor.account_id, event_id=number)
    if event.starts_at is None:
        raise not_found("date of this event")
    text = ical.calendar_of(event, url=f"{services.public_url}/{event.url_name}")
    named = {"Content-Disposition": f'attachment; filename="event-{event.id}.ics"'}
    return Response(text, media_type=ical.CONTENT_TYPE, headers={**_FILE, **named})


@router.get("/calendar/{key}.ics")
def account_feed(services: AllServices, session: Reader, key: str) -> Response:
    text = feeds.feed(session, key=key[:64], public_url=services.public_url, now=services.now())
    if text is None:
        raise not_found("calendar")
    return Response(text, media_type=ical.CONTENT_TYPE, headers=_FILE)


@router.post("/web-hooks/calendar")
def renew_feed(visitor: SignedIn, _fields: PostedForm, services: AllServices) -> Response:
    with services.sessions.begin() as session:
        feeds.feed_key(session, account_id=visitor.account_id, now=services.now(), renew=True)
    return RedirectResponse("/web-hooks?done=feed_renewed", status_code=303)


@router.post("/events/{event_id}/copy")
def copy(visitor: SignedIn, _fields: PostedForm, services: AllServices, event_id: str) -> Response:
    number = parse_id(event_id, digits_max=9, what="event")
    with transaction(services) as session:
        event = service.get_event(session, account_id=visitor.account_id, event_id=number)
        if event.deleted_at is not None:
            raise UnknownEventError("there is no such event")
        made = service.copy_event(session, event, wishes=EventWishes(), now=services.now())
        ticket_wishes.copied(session, services, event, made)
    return RedirectResponse(f"/events/{made.id}/edit?done=copied", status_code=303)
