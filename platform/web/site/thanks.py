"""After an event: where a browser goes when it left or the event is over, and what its owner thought of it.

`GET /{url_name}/thanks` leads on to the event's own thank-you page when its organiser has set one, anywhere
on the web; nothing in the request can change where that is. Otherwise it is a page of ours, where a
participant may give stars and a comment. Who that is says the ticket in the cookie or, from the thank-you
mail, a signed pass in `?rate=`. Stars are kept for the last session that this seat was in; whoever sends
them again changes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from events.fields import Status
from events.models import Event
from events.service import find_event
from events.skins import Look, look_of
from reports import passes, ratings
from reports.errors import BadRatingError
from reports.passes import Pass
from rooms.modes import Role
from web.access import AllServices, Reader, transaction
from web.errors import not_found
from web.join_routes import ticket_of
from web.services import Services
from web.site.forms import Form
from web.site.i18n import N_, language_of, texts
from web.site.render import notices, render
from web.site.security import PostedForm

#: Their path fits an event of any address: add them after all other routes.
last_router = APIRouter(include_in_schema=False)
notices(rated=N_("Thank you, your rating is kept."))
SENTENCES: Mapping[str, str] = {
    "stars": N_("Please choose one to five stars."),
    "comment": N_("That is too long: 2,000 characters at most."),
}
STARS = {1: N_("Poor"), 2: N_("Fair"), 3: N_("Good"), 4: N_("Very good"), 5: N_("Excellent")}


@dataclass(frozen=True, slots=True, kw_only=True)
class ThanksPage:
    """What thanks.html shows. `may_rate`: we know who this is and that they were there; `key`: their pass."""

    event_name: str
    look: Look
    url_name: str
    over: bool
    may_rate: bool
    key: str
    form: Form
    stars: Mapping[int, str]
    comment_max: int


@last_router.get("/{url_name}/thanks")
def show(request: Request, url_name: str, services: AllServices, session: Reader) -> Response:
    event = _event(session, url_name)
    key = request.query_params.get("rate", "")
    elsewhere = own_page(event)
    if elsewhere is not None and not key:
        return RedirectResponse(elsewhere, status_code=303, headers={"Cache-Control": "no-store"})
    who = _who(request, services, session, event, key)
    given = None if who is None else ratings.find(
        session, session_id=who.session_id, participant_id=who.participant_id
    )  # fmt: skip
    values = {} if given is None else {"stars": str(given.stars), "comment": given.comment}
    look = look_of(session, event)
    return _page(request, event, look, Form(values=values), key=key, may_rate=who is not None)


@last_router.post("/{url_name}/thanks")
def rate(request: Request, url_name: str, fields: PostedForm, services: AllServices) -> Response:
    key = str(fields.get("rate", ""))
    with services.readers() as session:
        event = _event(session, url_name)
        who = _who(request, services, session, event, key)
        look = look_of(session, event)
    if who is None:
        raise not_found("page")
    try:
        with transaction(services) as session:
            ratings.rate(
                session,
                event_id=event.id,
                session_id=who.session_id,
                participant_id=who.participant_id,
                stars=fields.get("stars"),
                comment=fields.get("comment"),
                now=services.now(),
            )
    except BadRatingError as refusal:
        said = texts(language_of(request)).gettext(SENTENCES[refusal.field])
        form = Form(values=fields, errors={refusal.field: said}, message=said)
        return _page(request, event, look, form, key=key, may_rate=True, status=422)
    query = f"?done=rated&rate={quote(key)}" if key else "?done=rated"
    if own_page(event) is not None and not key:
        query = ""
    return RedirectResponse(f"/{quote(event.url_name)}/thanks{query}", status_code=303)


def own_page(event: Event) -> str | None:
    """The thank-you page that the organiser has set: an http(s) address, or None."""
    wanted = event.settings.get("thank_you_page_url")
    if not isinstance(wanted, str) or not wanted.isprintable() or "\\" in wanted:
        return None
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return None
    return wanted if parts.scheme in ("http", "https") and parts.hostname else None


def _event(session: Session, url_name: str) -> Event:
    event = find_event(session, url_name)
    if event is None or event.url_name != url_name:
        raise not_found("page")
    return event


def _who(request: Request, services: Services, session: Session, event: Event, key: str) -> Pass | None:
    """Whose rating it is; None for strangers, presenters, and people who were in no session."""
    if key:
        found = passes.read(key, secret=services.secret)
        if found is None or not ratings.belongs(session, event_id=event.id, session_id=found.session_id):
            return None
        return found
    ticket = ticket_of(dict(request.cookies), event.id, services)
    if ticket is None or ticket.role is not Role.PARTICIPANT:
        return None
    last = ratings.last_session(session, event_id=event.id, participant_id=ticket.seat_id)
    return None if last is None else Pass(session_id=last, participant_id=ticket.seat_id)


def _page(
    request: Request, event: Event, look: Look, form: Form, *, key: str, may_rate: bool, status: int = 200
) -> Response:
    shown = ThanksPage(
        event_name=event.name,
        look=look,
        url_name=event.url_name,
        over=event.status != Status.ACTIVE,
        may_rate=may_rate,
        key=key if may_rate else "",
        form=form,
        stars=STARS,
        comment_max=ratings.COMMENT_CHARS_MAX,
    )
    return render(request, "thanks.html", shown, status=status)
