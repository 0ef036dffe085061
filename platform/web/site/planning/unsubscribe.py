"""The way out of invitations: a page with one button, and one click for mail programs (RFC 8058).

Mail programs post `List-Unsubscribe=One-Click` without cookies, so this form carries no token of ours: what
may be done here is in the address, which only we can make. Looking at the page does nothing, because
programs that check links look at pages, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from events import unsubscribe
from events.invitation_book import unsubscribe as note
from web.access import AllServices
from web.errors import not_found
from web.site.render import render

router = APIRouter(prefix="/unsubscribe", include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsubscribePage:
    """What unsubscribe.html shows."""

    email: str
    done: bool


@router.get("/{token}")
def ask(request: Request, services: AllServices, token: str) -> Response:
    found = unsubscribe.read(services.secret, token)
    if found is None:
        raise not_found("page")
    return render(request, "planning/unsubscribe.html", UnsubscribePage(email=found[1], done=False))


@router.post("/{token}")
def leave(request: Request, services: AllServices, token: str) -> Response:
    found = unsubscribe.read(services.secret, token)
    if found is None:
        raise not_found("page")
    account_id, email = found
    with services.sessions.begin() as session:
        note(session, account_id=account_id, email=email, now=services.now())
    return render(request, "planning/unsubscribe.html", UnsubscribePage(email=email, done=True))
