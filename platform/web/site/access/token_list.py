"""Pages: the tokens of an event — make, look at, hand out, release, take back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from events import tokens
from events.errors import BadEventError, UnknownEventError, UnknownTokenError
from events.fields import Status, asks_for_token
from events.models import Event
from events.tokens import Holder, TokenEntry
from web.access import AllServices, parse_id, transaction
from web.errors import not_found
from web.site.access.own import csv_response, own_event
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.problems import sentence
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn

router = APIRouter(prefix="/events/{event_id}/tokens", include_in_schema=False)
PAGE_SIZE = 100
notices(
    tokens_made=N_("The tokens are made. Each lets in one person."),
    token_released=N_("The next browser that shows the token gets it."),
    token_revoked=N_("The token and its PIN open nothing any more."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensPage:
    """What access/tokens.html shows. `needed`: whether the event asks for tokens."""

    event: Event
    form: Form
    entries: Sequence[TokenEntry]
    url: str
    words: str
    page: int
    more: bool
    total: int
    needed: bool
    over: bool


@router.get("")
def show(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    event_id: str,
    q: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    return _page(request, visitor, services, event_id, Form(values={"how_many": "10"}), q=q, page=page)


@router.post("")
def make(
    request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices, event_id: str
) -> Response:
    translate = texts(language_of(request)).gettext
    wanted = text_of(fields, "how_many", maximum=8)
    try:
        if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted) <= tokens.MAKE_MAX):
            said = translate(N_("Write a number from 1 to %(most)s.")) % {"most": tokens.MAKE_MAX}
            form = Form(values=fields, errors={"how_many": said})
            return _page(request, visitor, services, event_id, form, status=422)
        with transaction(services) as session:
            event = own_event(session, visitor, event_id)
            tokens.issue(session, event, [Holder()] * int(wanted), now=services.now())
    except BadEventError as exc:
        said = sentence(language_of(request), exc.problems[0].message)
        form = Form(values=fields, errors={"how_many": said})
        return _page(request, visitor, services, event_id, form, status=422)
    return RedirectResponse(f"/events/{event.id}/tokens?done=tokens_made", status_code=303)


@router.post("/{token_id}/{action}")
def act(
    visitor: SignedIn, _fields: PostedForm, services: AllServices, event_id: str, token_id: str, action: str
) -> Response:
    """`release` or `revoke`."""
    if action not in ("release", "revoke"):
        raise not_found("page")
    with transaction(services) as session:
        event = own_event(session, visitor, event_id)
        try:
            number = parse_id(token_id, digits_max=9, what="token")
            row = tokens.entry(session, event, token_id=number).token
        except UnknownTokenError as exc:
            raise UnknownEventError("there is no such token") from exc
        if action == "release":
            tokens.release(session, row)
        else:
            tokens.revoke(session, event, row, now=services.now())
    done = "token_released" if action == "release" else "token_revoked"
    return RedirectResponse(f"/events/{event.id}/tokens?done={done}", status_code=303)


@router.get("/tokens.csv")
def export(visitor: SignedIn, services: AllServices, event_id: str) -> Response:
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
        found = tokens.entries(session, event, page_size=tokens.EVENT_MAX)
    url = f"{services.public_url}/{event.url_name}?t="
    rows = (
        [
            one.token.token,
            one.pin or "",
            one.token.name,
            one.token.sent_to_email or "",
            ""
            if one.token.first_use_date is None
            else one.token.first_use_date.isoformat(timespec="seconds"),
            one.token.first_use_how or "",
            url + one.token.token,
        ]
        for one in reversed(found)
    )
    columns = ("token", "phone_pin", "name", "sent_to_email", "first_use_date", "first_use_how", "link")
    return csv_response(f"tokens-{event.id}", columns, rows)


def _page(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    event_id: str,
    form: Form,
    *,
    q: str = "",
    page: int = 1,
    status: int = 200,
) -> Response:
    words = q.replace("\x00", "").strip()
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
        found = tokens.entries(session, event, page=page, page_size=PAGE_SIZE, words=words)
        total = tokens.count(session, event)
    shown = TokensPage(
        event=event,
        form=form,
        entries=found,
        url=f"{services.public_url}/{event.url_name}?t=",
        words=words,
        page=page,
        more=len(found) == PAGE_SIZE,
        total=total,
        needed=asks_for_token(event.access_type),
        over=event.status == Status.INACTIVE,
    )
    return render(request, "access/tokens.html", shown, status=status)
