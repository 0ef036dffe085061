"""Who is signed in, and which posts are let through.

Dependencies of routes:

    MaybeSignedIn   the visitor, or None
    SignedIn        the visitor; others are sent to the sign-in page and come back afterwards
    PostedForm      the fields of a form that one of our pages made (CSRF), not too many a minute
    Staff(role)     a visitor with that role; for others the page does not exist

The order of arguments is as in web.conferences: who asks, then the body, only then a transaction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import quote, urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from accounts import sign_in
from accounts.sign_in import Visitor
from accounts.users import Role
from web.access import AllServices
from web.bodies import BODY_BYTES_MAX, LONG_BODY_BYTES_MAX, read_fields
from web.errors import ApiError, not_found
from web.services import Services
from web.site import csrf
from web.site.limits import Delays, Rates

SIGN_IN = "/sign-in"
HOME = "/events"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often forms may be sent, for one application."""

    forms: Rates = field(default_factory=lambda: Rates(per_minute=60, burst=60))
    guesses: Delays = field(default_factory=Delays)
    guesses_of_address: Delays = field(default_factory=lambda: Delays(free=20))
    resets: Delays = field(default_factory=lambda: Delays(free=3, first_s=60.0))


def limits_of(request: Request) -> Limits:
    """The limits of this application; made with the first request."""
    state = request.app.state
    if not hasattr(state, "site_limits"):
        state.site_limits = Limits()
    limits: Limits = state.site_limits
    return limits


def address_of(request: Request) -> str:
    """The IP address that a request comes from."""
    return request.client.host if request.client is not None else ""


def is_secure(services: Services) -> bool:
    """Whether cookies travel over https only."""
    return services.public_url.startswith("https:")


def set_session(response: Response, token: str, services: Services) -> None:
    """Give the browser the cookie of a session."""
    response.set_cookie(
        csrf.SESSION_COOKIE,
        token,
        max_age=int(sign_in.LONGEST.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure(services),
    )


def drop_session(response: Response, services: Services) -> None:
    """Take the cookie away."""
    response.delete_cookie(csrf.SESSION_COOKIE, httponly=True, samesite="lax", secure=is_secure(services))


def safe_next(text: str) -> str:
    """Where to go after signing in: a path of ours, never another site; the events otherwise."""
    if not text.startswith("/") or text.startswith(("//", "/\\")) or not text.isprintable() or "\\" in text:
        return HOME
    try:
        parts = urlsplit(text)
    except ValueError:
        return HOME
    away = parts.scheme or parts.netloc or parts.path in (SIGN_IN, "/sign-out")
    return HOME if away or len(text) > 1_000 else text


def too_many(wait_s: float) -> ApiError:
    return ApiError(429, "too many tries, wait a moment", headers={"Retry-After": str(math.ceil(wait_s))})


def get_visitor(request: Request, services: AllServices) -> Visitor | None:
    token = request.cookies.get(csrf.SESSION_COOKIE)
    if not token:
        return None
    now = services.now()
    with services.readers() as session:
        found = sign_in.visitor(session, token, now=now)
    if found is not None and found.stale:
        with services.sessions.begin() as session:
            sign_in.touch(session, found.session_id, now=now)
    request.state.visitor = found
    return found


MaybeSignedIn = Annotated[Visitor | None, Depends(get_visitor)]


def get_signed_in(request: Request, visitor: MaybeSignedIn) -> Visitor:
    if visitor is not None:
        return visitor
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    wanted = path if request.method == "GET" else HOME
    raise ApiError(303, "sign in first", headers={"Location": f"{SIGN_IN}?next={quote(wanted, safe='')}"})


SignedIn = Annotated[Visitor, Depends(get_signed_in)]


def staff(role: Role) -> Callable[[Visitor], Visitor]:
    """A dependency: the visitor has this role. Raises ApiError 404."""

    def get_staff(visitor: SignedIn) -> Visitor:
        if not visitor.may(role):
            raise not_found("page")
        return visitor

    return get_staff


async def read_posted(request: Request, services: AllServices) -> dict[str, Any]:
    return await _posted(request, services, await _counted(request, services, BODY_BYTES_MAX))


async def read_long_posted(request: Request, services: AllServices) -> dict[str, Any]:
    return await _posted(request, services, await _counted(request, services, LONG_BODY_BYTES_MAX))


async def _counted(request: Request, services: Services, bytes_max: int) -> dict[str, Any]:
    if not limits_of(request).forms.take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    return await read_fields(request, bytes_max=bytes_max)


async def _posted(request: Request, services: Services, fields: dict[str, Any]) -> dict[str, Any]:
    if not csrf.is_good(request, fields.pop(csrf.FIELD, None), secret=services.secret):
        # Nobody has looked yet who it is; the page of the error says where they can go back to.
        await run_in_threadpool(get_visitor, request, services)
        raise ApiError(403, "the form does not come from one of our pages, or is too old")
    return fields


PostedForm = Annotated[dict[str, Any], Depends(read_posted)]
LongPostedForm = Annotated[dict[str, Any], Depends(read_long_posted)]
"""A form with a text of up to 4 MiB in it."""
