"""Route: `POST /{url_name}/join`, as JSON from the page's script or as a plain form.

JSON is answered with JSON. A form is answered with a redirect: into the room, or back to the page of the
event with the reason, `?refused=wrong-password`, so that joining works without script.

A browser that shows a token or a personal link gets a cookie with a key of its own, `tb_browser`; the key's
digest is kept with the token, which is how the same browser may come back and another may not.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from events import autologin, repository, tokens
from events.errors import RevokedTokenError, TokenError, UsedTokenError
from events.fields import asks_for_token
from events.models import Event
from rooms.modes import Role
from web import seat_tokens
from web.access import AllServices, transaction
from web.bodies import read_fields
from web.join_limits import JoinLimits
from web.joining import REASONS, JoinRefusedError, Knock, Proof, admit, check_open, checked_person
from web.origins import is_cross_site
from web.seat_tokens import BadTicketError, Ticket, cookie_name
from web.services import Services

router = APIRouter(include_in_schema=False)
BROWSER_COOKIE = "tb_browser"
BROWSER_COOKIE_S = 400 * 24 * 3600
_BROWSER_KEY = re.compile(r"[A-Za-z0-9_-]{32}")


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
    """Fields: `name`, `email`, and what proves the role: `t` (token), `l`, `pin`, `password`."""
    wants_json = request.headers.get("content-type", "").split(";")[0].strip().lower() == "application/json"
    ip = "" if request.client is None else request.client.host
    event_key = url_name.lower()[:80]
    proof = False
    browser_key = _browser_key(request) or secrets.token_urlsafe(24)
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
            token=_text(fields, "t") or _text(fields, "token"),
        )
        proof = bool(knock.password or knock.pin or knock.link or knock.token)
        if proof:
            limits.guess(ip=ip, event=event_key, now_s=services.clock())
        ticket = await run_in_threadpool(
            _admit, services, event_key, knock, dict(request.cookies), browser_key
        )
    except JoinRefusedError as refusal:
        if proof and not refusal.guess:
            limits.take_back(ip=ip, event=event_key)
        return _refuse(refusal, event_key, wants_json)
    if proof:
        limits.take_back(ip=ip, event=event_key)
    if proof and ticket.role is Role.PRESENTER:
        limits.forgive(ip=ip, event=event_key)
    secure = services.public_url.startswith("https://")
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
        secure=secure,
        httponly=True,
        samesite="lax",
    )
    if knock.token or knock.link:
        answer.set_cookie(
            BROWSER_COOKIE,
            browser_key,
            max_age=BROWSER_COOKIE_S,
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )
    return answer


def good_ticket(session: Session, event: Event, ticket: Ticket | None) -> Ticket | None:
    """The ticket, unless the event lets in by token and the ticket has none that is good."""
    if ticket is None or not asks_for_token(event.access_type) or ticket.role is Role.PRESENTER:
        return ticket
    return ticket if tokens.lets_in(session, event_id=event.id, seat_id=ticket.seat_id) else None


def _admit(
    services: Services, url_name: str, knock: Knock, cookies: dict[str, str], browser_key: str
) -> Ticket:
    unix_s = services.now().timestamp()
    with services.readers() as session:
        event = repository.get_by_url_name(session, url_name)
        if event is None:
            raise JoinRefusedError("no-such-event")
        old = good_ticket(session, event, ticket_of(cookies, event.id, services))
        personal = knock.link and autologin.find(
            session, event_id=event.id, secret=knock.link, now=services.now()
        )
        if not knock.token and not personal:
            return admit(event, knock, old=old, unix_s=unix_s)
    check_open(event)
    proof = _proof(services, event, knock, browser=_browser_digest(browser_key, event.id))
    return admit(event, knock, old=old, unix_s=unix_s, proof=proof)


def _proof(services: Services, event: Event, knock: Knock, *, browser: bytes) -> Proof:
    """What a token or a personal link opens; noted as used by this browser. Raises JoinRefusedError."""
    now = services.now()
    try:
        with transaction(services) as session:
            if knock.token:
                seat = tokens.use(session, event_id=event.id, text=knock.token, browser=browser, now=now)
                proof = Proof(seat_id=seat.seat_id, role=Role.PARTICIPANT, name=seat.name, email=seat.email)
            else:
                found = autologin.use(
                    session, event_id=event.id, secret=knock.link or "", browser=browser, now=now
                )
                if found is None:
                    raise JoinRefusedError("wrong-link", guess=True)
                proof = Proof(seat_id=found.seat_id, role=found.role, name=found.name, email=found.email)
            checked_person(knock, proof)  # who cannot come in does not use the token up
            return proof
    except UsedTokenError as exc:
        raise JoinRefusedError("token-used", since=exc.since) from exc
    except RevokedTokenError as exc:
        raise JoinRefusedError("token-revoked", guess=True) from exc
    except TokenError as exc:
        raise JoinRefusedError("wrong-token", guess=True) from exc


def _browser_key(request: Request) -> str | None:
    key = request.cookies.get(BROWSER_COOKIE, "")
    return key if _BROWSER_KEY.fullmatch(key) else None


def _browser_digest(key: str, event_id: int) -> bytes:
    """What is kept with a token; another one in each event, so that events cannot be joined by it."""
    return hashlib.blake2b(f"{event_id}:{key}".encode(), digest_size=32, person=b"tollbridge-brows").digest()


def _refuse(
    refusal: JoinRefusedError, url_name: str, wants_json: bool, *, wait_s: float | None = None
) -> Response:
    headers = {} if wait_s is None else {"Retry-After": str(int(wait_s) + 1)}
    if not wants_json and refusal.slug != "no-such-event":
        query = {"refused": refusal.slug}
        if refusal.since is not None:
            query["since"] = str(int(refusal.since.timestamp()))
        where = f"/{quote(url_name)}?{urlencode(query)}"
        return RedirectResponse(where, status_code=303, headers=headers)
    status, sentence = REASONS[refusal.slug]
    body: dict[str, Any] = {"message": sentence, "errors": [{"name": refusal.slug, "message": sentence}]}
    if refusal.since is not None:
        body["first_use_date"] = refusal.since.isoformat(timespec="seconds")
    return JSONResponse(body, status_code=status, headers=headers)


def _text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return value[:1_000] if isinstance(value, str) else None
