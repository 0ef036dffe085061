"""What goes over the wire about sessions that took place: the names and types, as the OpenAPI page tells
them.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from web.schemas import SessionEntry


class SessionAttendee(BaseModel):
    """One person, in short."""

    id: str = Field(description="The person's seat; the same in all lists of this session.")
    login: str = Field(description="Name, or the masked number of a caller nobody knows.")
    email: str | None
    start_date: str
    end_date: str


class PdfState(BaseModel):
    """A report."""

    status: str = Field(description="`FINISHED`.")
    progress: int = Field(description="100.")
    url: str = Field(description="Good for 24 hours, without a key.")


class WholeSession(SessionEntry):
    """One run of a room, with its people."""

    attendees: list[SessionAttendee]
    pdf: dict[str, PdfState] = Field(description="Language → report.")


class AttendeeEntry(BaseModel):
    """One person who was in a session."""

    uid: str
    role: str | None = Field(description="`listener` or `presenter`; null for callers with a shared PIN.")
    nickname: str
    email: str | None
    device: str | None = Field(description="The browser's User-Agent; null for a telephone.")
    rating: str | None = Field(description="`1` to `5`.")
    rating_comment: str | None
    start_date: str = Field(description="First moment in the room.")
    end_date: str = Field(description="Last moment in the room.")
    user_ip: str | None
    present_s: float = Field(description="Seconds in the room; browser and phone at once count once.")
    browser_s: float
    phone_s: float
    device_type: str = Field(description="`computer`, `phone`, `tablet` or `other`.")
    browser: str | None
    system: str | None
    country: str | None = Field(description="ISO 3166, from the browser's time zone or the caller's number.")
    phone_number: str | None = Field(description="Masked.")


class SessionRegistration(BaseModel):
    """One registration for the event of a session."""

    id: int
    visitor_nickname: str
    email: str
    registration_date: str
    registration_confirmed: str | None
    session_id: int | None = Field(description="This session, when the person was in it.")
    status: str
    fields: dict[str, str]
