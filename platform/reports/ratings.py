"""What people thought of an event: one rating for each participant of a session. Functions never commit.

Who rates again changes their rating; the same form sent twice is one rating. Only somebody who was in the
session can rate it. Names of callers without a browser come from their mail's pass.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from events.models import EventSession
from reports.errors import BadRatingError
from reports.models import Attendee, EventRating

COMMENT_CHARS_MAX = 2_000
STARS = range(1, 6)


def last_session(session: Session, *, event_id: int, participant_id: str) -> int | None:
    """The latest session of the event that this seat's browser was in."""
    return session.scalar(
        select(Attendee.session_id)
        .where(Attendee.event_id == event_id, Attendee.participant_id == participant_id)
        .order_by(Attendee.first_seen_at.desc(), Attendee.session_id.desc())
        .limit(1)
    )


def belongs(session: Session, *, event_id: int, session_id: int) -> bool:
    """Whether the session is one of this event."""
    row = session.get(EventSession, session_id)
    return row is not None and row.event_id == event_id


def find(session: Session, *, session_id: int, participant_id: str) -> EventRating | None:
    """The rating that this person gave."""
    return session.get(EventRating, (session_id, participant_id))


def rate(
    session: Session,
    *,
    event_id: int,
    session_id: int,
    participant_id: str,
    stars: object,
    comment: object,
    now: datetime,
) -> None:
    """Keep a rating as it was posted. Raises BadRatingError."""
    values = {
        "stars": checked_stars(stars), "comment": checked_comment(comment), "rated_at": now,
    }  # fmt: skip
    row: dict[str, Any] = {
        "session_id": session_id, "participant_id": participant_id, "event_id": event_id, **values
    }  # fmt: skip
    make = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = make(EventRating).values(row)
    session.execute(
        statement.on_conflict_do_update(index_elements=["session_id", "participant_id"], set_=values)
    )


def checked_stars(value: object) -> int:
    """1 to 5. Raises BadRatingError."""
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if text not in {str(number) for number in STARS}:
        raise BadRatingError("stars", "choose one to five stars")
    return int(text)


def checked_comment(value: object) -> str:
    """Text, without what no database takes. Raises BadRatingError."""
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > COMMENT_CHARS_MAX:
        raise BadRatingError("comment", f"at most {COMMENT_CHARS_MAX} characters")
    return value.replace("\x00", "").encode("utf-8", "ignore").decode().strip()
