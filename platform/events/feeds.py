"""An account's events as a calendar to subscribe to, under an address that cannot be guessed and can be
changed. No function commits.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from events import ical
from events.models import Event
from events.plan_models import CalendarFeed

SHOWN_BEFORE = timedelta(days=90)
EVENTS_MAX = 2_000


def feed_key(session: Session, *, account_id: int, now: datetime, renew: bool = False) -> str:
    """The secret part of the address; made when it is asked for first. `renew`: the old one opens nothing."""
    row = session.get(CalendarFeed, account_id)
    if row is None:
        row = CalendarFeed(account_id=account_id, key=secrets.token_urlsafe(24), created_at=now)
        session.add(row)
    elif renew:
        row.key, row.created_at = secrets.token_urlsafe(24), now
    session.flush()
    return row.key


def feed(session: Session, *, key: str, public_url: str, now: datetime) -> str | None:
    """The calendar of that key; None: there is none. Deleted events are in it as cancelled ones."""
    account_id = session.scalar(select(CalendarFeed.account_id).where(CalendarFeed.key == key))
    if account_id is None:
        return None
    query = (
        select(Event)
        .where(
            Event.account_id == account_id,
            Event.permanent_room.is_(False),
            Event.starts_at > now - SHOWN_BEFORE,
        )
        .order_by(Event.starts_at)
        .limit(EVENTS_MAX)
    )
    events = session.scalars(query).all()
    urls = {
        event.id: public_url if event.deleted_at is not None else f"{public_url}/{event.url_name}"
        for event in events
    }
    return ical.feed_of(events, name="Tollbridge", url_of=urls)
