"""The page on which people register for an event: `/{url_name}/register`. It works without scripts.

The answer is the same whether an address was registered before or not, so nobody finds out who is; the way in
goes out by mail alone. Robots fill in a field that people do not see (`website`) and are thanked like
everybody else. One address may send `PER_MINUTE` forms a minute after a burst.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from events import registrations
from events.agenda import Item, agenda_of
from events.errors import BadEventError, RegistrationError
from events.fields import Status
from events.models import Event
from events.registration_form import RegistrationForm, check, form_of
from events.schedule import zone_names
from events.service import find_event
from events.skins import Look, look_of
from web import registration_mail
from web.access import AllServices, Reader, transaction
from web.errors import not_found
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.limits import Rates
from web.site.problems import by_field
from web.site.render import render
from web.site.security import PostedForm, address_of, too_many

router = APIRouter(include_in_schema=False)
HONEYPOT = "website"
PER_MINUTE, BURST = 20, 40


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPage:
    """What access/register.html shows. `sent`: the form was sent; `approval`: the organiser decides first."""

    event_name: str
    url_name: str
    starts_at: datetime | None
    timezone: str
    duration_min: int
    description: str
    look: Look
    agenda: Sequence[Item]
    is_webinar: bool
    open: bool
    sent: bool
    custom: RegistrationForm
    form: Form
    honeypot: str = HONEYPOT


@router.get("/{url_name}/register")
def show(request: Request, url_name: str, session: Reader) -> Response:
    event = _event(session, url_name)
    return _page(request, event, look_of(session, event), Form())


@router.post("/{url_name}/register")
def send(request: Request, url_name: str, fields: PostedForm, services: AllServices) -> Response:
    if not _rates(request).take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    language = language_of(request)
    with services.readers() as session:
        event = _event(session, url_name)
        look = look_of(session, event)
    thanks = RedirectResponse(f"/{event.url_name}/register?sent=1", status_code=303)
    if fields.get(HONEYPOT):
        return thanks
    given = fields.get("registration")
    zone = text_of(fields, "timezone", maximum=64)
    try:
        entry = check(form_of(event.registration), given if isinstance(given, dict) else {})
        with transaction(services) as session:
            event = _event(session, url_name)
            found = registrations.register(
                session,
                event,
                entry,
                language=language,
                timezone=zone if zone in zone_names() else event.timezone,
                now=services.now(),
            )
            registration_mail.send(session, services, event, found)
    except BadEventError as exc:
        message = texts(language).gettext(N_("Nothing is sent yet: please look at the marked fields."))
        form = Form(values=fields, errors=by_field(language, exc.problems), message=message)
        return _page(request, event, look, form, status=422)
    except RegistrationError:
        with services.readers() as session:
            event = _event(session, url_name)
        return _page(request, event, look, Form(values=fields), status=409)
    return thanks


def _page(request: Request, event: Event, look: Look, form: Form, *, status: int | None = None) -> Response:
    custom = form_of(event.registration)
    accepting = custom.enabled and event.status == Status.ACTIVE
    page = RegisterPage(
        event_name=event.name,
        url_name=event.url_name,
        starts_at=None if event.permanent_room else event.starts_at,
        timezone=event.timezone,
        duration_min=event.duration_min,
        description=event.lobby_description if event.lobby_enabled else "",
        look=look,
        agenda=agenda_of(event),
        is_webinar=event.room_type == "webinar",
        open=accepting,
        sent=request.query_params.get("sent") == "1",
        custom=custom,
        form=form,
    )
    return render(request, "access/register.html", page, status=status or (200 if accepting else 410))


def _event(session: Any, url_name: str) -> Event:
    event = find_event(session, url_name)
    if event is None:
        raise not_found("page")
    return event


def _rates(request: Request) -> Rates:
    """The limit of this application; made with the first form."""
    state = request.app.state
    if not hasattr(state, "registration_rates"):
        state.registration_rates = Rates(per_minute=PER_MINUTE, burst=BURST)
    rates: Rates = state.registration_rates
    return rates
