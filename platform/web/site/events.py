"""Pages: an organiser's events — list, plan, look at, change, delete — and the sessions of each.

Every event is looked up among those of the visitor's account, so another account's id is an unknown id.
Whether somebody is in a room is known on the event loop's thread alone: the routes that show it ask there
first and do the rest in a worker thread.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

from babel import Locale
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from accounts.sign_in import Visitor
from billing.profile import DEFAULT_CURRENCY
from billing.tickets import offers, prices
from bridge.cdr.export import write_csv
from bridge.cdr.masking import masked
from bridge.cdr.models import Cdr
from bridge.cdr.query import CdrFilter, find_page, stream
from bridge.cdr.visits import CdrVisits
from events import invitation_book, registrations, service, tokens
from events.errors import BadEventError
from events.fields import DEFAULT_SETTINGS, AccessType, Status
from events.models import Event, EventSession
from events.registration_form import form_of
from events.registrations import RegistrationStatus
from events.schedule import zone_names
from events.skins import Look, default_of, look_of, looks_of
from events.steps import State
from reports.reading import people_in
from reports.words import LANGUAGES
from rooms.commands import ORGANISER, End
from rooms.modes import Role
from web import ticket_wishes
from web.access import AllServices, parse_id, transaction
from web.services import Gateway, Services
from web.site.billing import usage_box
from web.site.billing.usage_box import UsageBox
from web.site.event_form import (
    SWITCHES,
    TollFreeWithoutGateway,
    duration_text,
    durations,
    values_of,
    values_of_new,
    wishes_of,
)
from web.site.event_list import FILTERS, PAGE_SIZE, Tab, find, shown_state
from web.site.forms import Form
from web.site.i18n import N_, language_of, texts
from web.site.problems import by_field
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn
from web.site.statistics import tables
from web.site.statistics.shown import show_with
from web.site.statistics.tables import Table

router = APIRouter(prefix="/events", include_in_schema=False)
notices(
    created=N_("Your event is planned. Copy the link and the numbers for your guests."),
    changed=N_("The event is changed."),
    deleted=N_("The event is deleted."),
)
SESSIONS_SHOWN = 50
CALLS_PER_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsPage:
    """What events.html shows. `states` by event; `state` is the one that was asked for, or None."""

    tab: Tab
    words: str
    events: Sequence[Event]
    states: Mapping[int, State]
    state: State | None
    zone: str
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCounts:
    """How far an organiser has come with inviting. `registration`: whether people can register."""

    invited: int
    registered: int
    waiting: int
    tokens: int
    registration: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    """What event.html shows: everything an organiser hands out."""

    event: Event
    state: State
    live: bool
    over: bool
    look: Look
    url: str
    presenter_url: str
    presenter_pin: str
    listener_pin: str
    settings: Mapping[str, Any]
    gateways: Sequence[Gateway]
    sessions: Sequence[EventSession]
    usage: UsageBox | None
    guests: GuestCounts
    access_types: type[AccessType] = AccessType


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFormPage:
    """What event_form.html shows; `event` is None for a new one. `ask_gateway`: toll-free needs it."""

    event: Event | None
    form: Form
    ask_gateway: bool
    zones: Sequence[str]
    durations: Sequence[tuple[str, str]]
    switches: Sequence[tuple[str, str, str]]
    looks: Sequence[Look]
    public_name: str
    currencies: Sequence[str] = prices.OFFERED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletePage:
    """What event_delete.html shows."""

    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a session; the caller's number is masked."""

    record: Cdr
    caller: str | None
    length_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """What session.html shows."""

    event: Event
    session: EventSession
    calls: Sequence[Call]
    page: int
    pages: int
    total: int
    people: Table
    report_languages: Mapping[str, str]
    show: Callable[[object, str], str]
    usage: UsageBox | None


@router.get("")
async def show_all(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    tab: str = Tab.UPCOMING,
    q: Annotated[str, Query(max_length=200)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
    state: str = "",
) -> Response:
    chosen = Tab(tab) if tab in list(Tab) else Tab.UPCOMING
    wanted = State(state) if state in FILTERS and chosen is Tab.UPCOMING else None

    def read() -> tuple[Sequence[Event], int]:
        with services.readers() as session:
            return find(
                session,
                account_id=visitor.account_id,
                tab=chosen,
                words=q.replace("\x00", ""),
                state=wanted,
                page=page,
                now=services.now(),
            )

    events, total = await run_in_threadpool(read)
    shown = EventsPage(
        tab=chosen,
        words=q,
        events=events,
        states={event.id: shown_state(event) for event in events},
        state=wanted,
        zone=visitor.timezone,
        page=page,
        pages=max(1, -(-total // PAGE_SIZE)),
        total=total,
    )
    return render(request, "events.html", shown)


@router.get("/new")
def show_new(request: Request, visitor: SignedIn, services: AllServices) -> Response:
    with services.readers() as session:
        skin_id = default_of(session, visitor.account_id)
    return _form_page(request, None, Form(values=values_of_new(zone=visitor.timezone, skin_id=skin_id)))


@router.post("/new")
def create(request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices) -> Response:
    try:
        wishes = wishes_of(fields, default_zone=visitor.timezone)
        with transaction(services) as session:
            event = service.create_event(
                session, account_id=visitor.account_id, wishes=wishes, now=services.now()
            )
            ticket_wishes.save(session, services, event, fields, now=services.now())
    except (BadEventError, TollFreeWithoutGateway) as exc:
        return _refused(request, None, fields, exc)
    return RedirectResponse(f"/events/{event.id}?done=created", status_code=303)


@router.get("/{event_id}")
async def show(request: Request, visitor: SignedIn, services: AllServices, event_id: str) -> Response:
    live = services.live.get(event_id) is not None
    return await run_in_threadpool(_event_page, request, visitor, services, event_id, live)


@router.get("/{event_id}/edit")
def show_edit(request: Request, visitor: SignedIn, services: AllServices, event_id: str) -> Response:
    event = _event(services, visitor, event_id)
    return _form_page(request, event, Form(values=values_of(event)))


@router.post("/{event_id}/edit")
def change(
    request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices, event_id: str
) -> Response:
    event = _event(services, visitor, event_id)
    try:
        wishes = wishes_of(fields, default_zone=event.timezone)
        with transaction(services) as session:
            fresh = service.get_event(session, account_id=visitor.account_id, event_id=event.id)
            service.update_event(session, fresh, wishes=wishes, now=services.now())
            ticket_wishes.save(session, services, fresh, fields, now=services.now())
    except (BadEventError, TollFreeWithoutGateway) as exc:
        return _refused(request, event, fields, exc)
    return RedirectResponse(f"/events/{event.id}?done=changed", status_code=303)


@router.get("/{event_id}/delete")
def show_delete(request: Request, visitor: SignedIn, services: AllServices, event_id: str) -> Response:
    return render(request, "event_delete.html", DeletePage(event=_event(services, visitor, event_id)))


@router.post("/{event_id}/delete")
async def delete(visitor: SignedIn, _fields: PostedForm, services: AllServices, event_id: str) -> Response:
    def remove() -> int:
        with transaction(services) as session:
            event = service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))
            service.delete_event(session, event, now=services.now())
            return event.id

    room_id = str(await run_in_threadpool(remove))
    if services.live.get(room_id) is not None:
        services.live.apply(room_id, End(by=ORGANISER), now_s=services.clock())
    return RedirectResponse("/events?done=deleted", status_code=303)


@router.get("/{event_id}/sessions/{session_id}")
def show_session(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    event_id: str,
    session_id: str,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    event = _event(services, visitor, event_id)
    with services.readers() as session:
        run = service.get_session(session, event, session_id=_session_id(session_id))
        which = CdrFilter(session_id=str(run.id), account_id=event.account_id)
        found = find_page(session, which, page=page, per_page=CALLS_PER_PAGE)
        people = tables.people(people_in(session, CdrVisits(), [run.id]))
    calls = [
        Call(
            record=one,
            caller=masked(one.caller_e164),
            length_s=None if one.conf_ms is None else one.conf_ms / 1000,
        )
        for one in found.records
    ]
    shown = SessionPage(
        event=event,
        session=run,
        calls=calls,
        page=page,
        pages=found.pages,
        total=found.total,
        usage=usage_box.of_session(request, services, visitor, run.id),
        people=people,
        report_languages={code: Locale.parse(code).get_display_name() or code for code in LANGUAGES},
        show=show_with(language_of(request), event.timezone),
    )
    return render(request, "session.html", shown)


@router.get("/{event_id}/sessions/{session_id}/calls.csv")
def export_calls(visitor: SignedIn, services: AllServices, event_id: str, session_id: str) -> Response:
    event = _event(services, visitor, event_id)
    out = io.StringIO(newline="")
    with services.readers() as session:
        run = service.get_session(session, event, session_id=_session_id(session_id))
        which = CdrFilter(session_id=str(run.id), account_id=event.account_id)
        write_csv(stream(session, which), out, asked_by=f"user {visitor.user_id}")
    return Response(
        out.getvalue(),
        media_type="text/csv",
        headers={
            "Content-Disposition": f'attachment; filename="session-{run.id}.csv"',
            "Cache-Control": "no-store",
        },
    )


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="event")


def _session_id(text: str) -> int:
    return parse_id(text, digits_max=18, what="session")


def _event(services: Services, visitor: Visitor, event_id: str) -> Event:
    with services.readers() as session:
        return service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))


def _event_page(
    request: Request, visitor: Visitor, services: Services, event_id: str, live: bool
) -> Response:
    with services.readers() as session:
        event = service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))
        sessions = service.list_sessions(session, event, page_size=SESSIONS_SHOWN)
        look = look_of(session, event)
        registered = registrations.count(session, event)
        guests = GuestCounts(
            invited=invitation_book.count(session, event),
            registered=registered[None],
            waiting=registered[RegistrationStatus.PENDING],
            tokens=tokens.count(session, event),
            registration=form_of(event.registration).enabled,
        )
    pins = {pin.role: pin.pin for pin in event.pins}
    url = f"{services.public_url}/{event.url_name}"
    shown = EventPage(
        event=event,
        state=shown_state(event),
        live=live,
        over=event.status == Status.INACTIVE,
        look=look,
        url=url,
        presenter_url=f"{url}?l={event.hash_presenter}",
        presenter_pin=pins[Role.PRESENTER],
        listener_pin=pins[Role.PARTICIPANT],
        settings={**DEFAULT_SETTINGS, **event.settings},
        gateways=services.gateways,
        sessions=sessions,
        guests=guests,
        usage=usage_box.of_event(request, services, visitor, event.id),
    )
    return render(request, "event.html", shown)


def _form_page(
    request: Request, event: Event | None, form: Form, *, ask_gateway: bool = False, status: int = 200
) -> Response:
    services: Services = request.app.state.services
    visitor: Visitor = request.state.visitor
    with services.readers() as session:
        looks = looks_of(session, visitor.account_id)
        offer = None if event is None else offers.of(session, event.id)
    currency = DEFAULT_CURRENCY if services.billing is None else services.billing.currency
    sold = {"ticket": ticket_wishes.values(offer, currency=currency)}
    form = replace(form, values={**sold, **form.values})
    shown = EventFormPage(
        event=event,
        form=form,
        ask_gateway=ask_gateway,
        zones=sorted(zone_names()),
        durations=[
            (one, duration_text(one, language=language_of(request)))
            for one in durations(form.value("duration"))
        ],
        switches=SWITCHES,
        looks=looks,
        public_name=services.public_url.partition("://")[2],
    )
    return render(request, "event_form.html", shown, status=status)


def _refused(
    request: Request,
    event: Event | None,
    fields: Mapping[str, Any],
    error: BadEventError | TollFreeWithoutGateway,
) -> Response:
    language = language_of(request)
    translate = texts(language).gettext
    if isinstance(error, TollFreeWithoutGateway):
        said = translate(N_("Toll-free numbers need the phone gateway, which is off."))
        form = Form(values=fields, errors={"settings[toll_free_enabled]": said}, message=said)
        return _form_page(request, event, form, ask_gateway=True, status=422)
    form = Form(
        values=fields,
        errors=by_field(language, error.problems),
        message=translate(N_("Nothing is saved yet: please look at the marked fields.")),
    )
    return _form_page(request, event, form, status=422)
