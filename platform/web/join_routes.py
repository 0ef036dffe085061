"""Route: `POST /{url_name}/join`, as JSON from the page's script or as a plain form.

JSON is answered with JSON. A form is answered with a redirect: into the room, or back to the page of the
event with the reason, `?refused=wrong-password`, so that joining works without script.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from events import repository
from rooms.modes import Role
from web import seat_tokens
from web.access import AllServices
from web.bodies import read_fields
from web.join_limits import JoinLimits
from web.joining import REASONS, JoinRefusedError, Knock, admit
from web.origins import is_cross_site
from web.seat_tokens import BadTicketError, Ticket, cookie_name
from web.services import Services

router = APIRouter(include_in_schema=False)


def limits_of(request: Request) -> JoinLimits:
    """The one engine of this application."""
    state = request.app.state
    if not hasattr(state, "join_limits"):
        state.join_limits = JoinLimits()
    limits: JoinLimits = state.join_limits
    return limits


def ticket_of(cookies: dict[str, str], event_id: int, services: Services) -> Ticket | None:
    """The good ticket that a browser has for this event; for pages that want to know who comes."""
    text = cookies.get(cookie_name(event_id))
    if text is None:
        return None
    try:
        ticket = seat_tokens.read(text, secret=services.secret, unix_s=services.now().timestamp())
    except BadTicketError:
        return None
    return ticket if ticket.event_id == event_id else None


@router.post("/{url_name}/join")
async def join(
    url_name: str,
    request: Request,
    fields: Annotated[dict[str, Any], Depends(read_fields)],
    services: AllServices,
    limits: Annotated[JoinLimits, Depends(limits_of)],
) -> Response:
    """Fields: `name`, `email`, and what proves the role: `l`, `pin`, `password`."""
    wants_json = request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"
    ip = "" if request.client is None else request.client.host
    event_key = url_name.lower()[:80]
    proof = False
    try:
        if is_cross_site(request.headers, public_url=services.public_url):
            raise JoinRefusedError("cross-site")
        wait_s = limits.knock(ip=ip, event=event_key, now_s=services.clock())
        if wait_s > 0:
            return _refuse(JoinRefusedError("too-many-tries"), event_key, wants_json, wait_s=wait_s)
        knock = Knock(
            name=_text(fields, "name") or "",
            email=_text(fields, "email"),
            link=_text(fields, "l"),
            pin=_text(fields, "pin"),
            password=_text(fields, "password"),
        )
        proof = bool(knock.password or knock.pin or knock.link)
        if proof:
            limits.guess(ip=ip, event=event_key, now_s=services.clock())
        ticket = await run_in_threadpool(_admit, services, event_key, knock, dict(request.cookies))
    except JoinRefusedError as refusal:
        if proof and not refusal.guess:
            limits.take_back(ip=ip, event=event_key)
        return _refuse(refusal, event_key, wants_json)
    if proof:
        limits.take_back(ip=ip, event=event_key)
    if proof and ticket.role is Role.PRESENTER:
        limits.forgive(ip=ip, event=event_key)
    room = f"/rooms/{quote(event_key)}"
    answer: Response
    if wants_json:
        answer = JSONResponse({"room": room, "name": ticket.name, "role": ticket.role})
    else:
        answer = RedirectResponse(room, status_code=303)
    answer.set_cookie(
        cookie_name(ticket.event_id),
        seat_tokens.sign(ticket, secret=services.secret),
        max_age=seat_tokens.VALID_S,
        path="/",
        secure=services.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )
    return answer


def _admit(services: Services, url_name: str, knock: Knock, cookies: dict[str, str]) -> Ticket:
    with services.readers() as session:
        event = repository.get_by_url_name(session, url_name)
        if event is None:
            raise JoinRefusedError("no-such-event")
        old = ticket_of(cookies, event.id, services)
        return admit(event, knock, old=old, unix_s=services.now().timestamp())


def _refuse(
    refusal: JoinRefusedError, url_name: str, wants_json: bool, *, wait_s: float | None = None
) -> Response:
    headers = {} if wait_s is None else {"Retry-After": str(int(wait_s) + 1)}
    if not wants_json and refusal.slug != "no-such-event":
        where = f"/{quote(url_name)}?{urlencode({'refused': refusal.slug})}"
        return RedirectResponse(where, status_code=303, headers=headers)
    status, sentence = REASONS[refusal.slug]
    body = {"message": sentence, "errors": [{"name": refusal.slug, "message": sentence}]}
    return JSONResponse(body, status_code=status, headers=headers)


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value[:1_000] if isinstance(value, str) else None
