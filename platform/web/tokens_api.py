"""Routes: the tokens of a room, and links that let one person in by themselves."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from events import autologin, tokens
from events.autologin import AutologinRole, AutologinWishes
from events.models import Event
from events.tokens import Holder, TokenEntry
from web.access import AllServices, Caller, EventRead, EventWritten, Page, Reader, Writer
from web.bodies import Fields
from web.errors import bad_fields
from web.openapi import body_of, errors_of
from web.views import iso

router = APIRouter(prefix="/v1/conferences/{room}", tags=["access"])


class TokenItem(BaseModel):
    """A token: it lets in one browser, and by its own PIN one telephone, which are the same person."""

    token: str = Field(description="Six characters.")
    sent_to_email: str | None = Field(description="Who got it.")
    first_use_date: str | None = Field(description="ISO 8601, on the clocks of the room; null: not used yet.")
    first_use_how: str | None = Field(description="`web` or `phone`.")
    phone_pin: int | None = Field(description="The token's own PIN; null when it was taken back.")
    room_url: str = Field(description="Link that brings the token along.")
    revoked: bool = Field(description="Whether the organiser took it back.")


class TokenList(BaseModel):
    access_tokens: list[TokenItem]


class TokenWishes(BaseModel):
    how_many: int = Field(ge=1, le=tokens.MAKE_MAX, description="How many new ones.")


class AutologinBody(BaseModel):
    email: str = Field(description="Mail address.", examples=["ann@example.org"])
    nickname: str = Field(min_length=1, description="Name to show in the room.")
    role: Literal["host", "presenter", "listener"] = Field(description="What they may do in the room.")
    password: str | None = Field(None, description="For a listener when `access_type` is 2.")
    token: str | None = Field(
        None, description="For a listener when `access_type` is 3: one nobody used yet."
    )


class AutologinAnswer(BaseModel):
    autologin_hash: str = Field(description="Let the person go to `room_url?l=` and this.")


@router.get("/tokens", summary="Tokens", responses=errors_of(401, 404, 503))
def list_tokens(event: EventRead, session: Reader, services: AllServices, page: Page = 1) -> TokenList:
    """The tokens of the room, newest first."""
    found = tokens.entries(session, event, page=page)
    return TokenList(access_tokens=[_item(event, one, services.public_url) for one in found])


@router.post(
    "/tokens",
    status_code=201,
    summary="New tokens",
    responses=errors_of(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=body_of(TokenWishes, example={"how_many": 5}),
)
def make_tokens(
    _caller: Caller, fields: Fields, event: EventWritten, session: Writer, services: AllServices
) -> TokenList:
    """Make tokens. Their PINs work on the telephone when the answer arrives."""
    wanted = fields.get("how_many")
    text = str(wanted) if isinstance(wanted, str | int) and not isinstance(wanted, bool) else ""
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and 1 <= int(text) <= tokens.MAKE_MAX):
        raise bad_fields(("how_many", f"must be a whole number from 1 to {tokens.MAKE_MAX}"))
    made = tokens.issue(session, event, [Holder()] * int(text), now=services.now())
    return TokenList(access_tokens=[_item(event, one, services.public_url) for one in made])


@router.post(
    "/room/autologin_hash",
    status_code=201,
    summary="Link for one person",
    responses=errors_of(400, 401, 404, 413, 415, 422, 503),
    openapi_extra=body_of(
        AutologinBody, example={"email": "ann@example.org", "nickname": "Ann", "role": "presenter"}
    ),
)
def make_autologin(
    _caller: Caller, fields: Fields, event: EventWritten, session: Writer, services: AllServices
) -> AutologinAnswer:
    """A hash that lets one person in with name and mail address filled in. The first browser keeps it."""
    role = fields.get("role")
    if role not in list(AutologinRole):
        raise bad_fields(("role", "must be one of: " + ", ".join(AutologinRole)))
    wishes = AutologinWishes(
        email=_text(fields, "email") or "",
        nickname=_text(fields, "nickname") or "",
        role=AutologinRole(role),
        password=_text(fields, "password"),
        token=_text(fields, "token"),
    )
    return AutologinAnswer(autologin_hash=autologin.make(session, event, wishes, now=services.now()))


def _item(event: Event, one: TokenEntry, public_url: str) -> TokenItem:
    row = one.token
    return TokenItem(
        token=row.token,
        sent_to_email=row.sent_to_email,
        first_use_date=None if row.first_use_date is None else iso(row.first_use_date, zone=event.timezone),
        first_use_how=row.first_use_how,
        phone_pin=None if one.pin is None else int(one.pin),
        room_url=f"{public_url}/{event.url_name}?t={row.token}",
        revoked=row.revoked_at is not None,
    )


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value.strip()[:1_000] if isinstance(value, str) else None
