"""Pages: whom to invite to an event, what their mail looks like, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy.orm import Session

from contacts import service as contacts
from events import invitation_book, invitations, service, wording
from events.addresses import Pasted, TooMuchTextError, read_addresses
from events.doors import Door
from events.fields import Status
from events.guest_mails import GuestMails, Reader
from events.invitation_book import Entry, Guest
from events.invitations import organiser_of
from events.models import Event
from events.skins import look_of
from events.wording import Number
from mail.texts import MailTexts
from rooms.modes import Role
from web.access import AllServices, parse_id, transaction
from web.services import Services
from web.site.forms import Form, text_of
from web.site.i18n import LANGUAGES, N_, language_of, texts
from web.site.render import notices, render
from web.site.security import LongPostedForm, PostedForm, SignedIn

router = APIRouter(prefix="/events/{event_id}/invitations", include_in_schema=False)
notices(
    invited=N_("The invitations are on their way."),
    resent=N_("The invitations are sent again."),
    uninvited=N_("The invitation is taken back."),
)
_mails = MailTexts()


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationsPage:
    """What invitations.html shows. `pasted` and `preview` are there once somebody was named."""

    event: Event
    over: bool
    form: Form
    entries: Sequence[Entry]
    page: int
    pages: int
    total: int
    outdated: int
    groups: Sequence[tuple[str, str]]
    pasted: Pasted | None
    guests: int
    preview: str | None


@router.get("")
def show(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    event_id: str,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    with services.readers() as session:
        event = service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))
        form = Form(values={"language": language_of(request), "role": "participant"})
        return _page(request, session, event, form, page=page)


@router.post("")
def invite(
    request: Request, visitor: SignedIn, fields: LongPostedForm, services: AllServices, event_id: str
) -> Response:
    translate = texts(language_of(request)).gettext
    note = text_of(fields, "note", maximum=invitation_book.NOTE_CHARS_MAX)
    with services.sessions.begin() as session:
        event = service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))
        try:
            pasted = read_addresses(str(fields.get("addresses", "")))
        except TooMuchTextError:
            error = translate(N_("That is too much for one time: at most 20,000 addresses and 2 MB."))
            form = Form(values=fields, errors={"addresses": error}, message=error)
            return _page(request, session, event, form, status=422)
        guests = _guests(session, event, fields, pasted)
        if not guests:
            error = translate(N_("Name at least one person."))
            form = Form(values=fields, errors={"addresses": error}, message=error)
            return _page(request, session, event, form, pasted=pasted, status=422)
        if fields.get("do") != "send" or event.status != Status.ACTIVE:
            preview = _preview(session, services, event, guests[0], note)
            return _page(
                request,
                session,
                event,
                Form(values=fields),
                pasted=pasted,
                guests=len(guests),
                preview=preview,
            )
        invitation_book.invite(session, event, guests, note=note, now=services.now())
    return RedirectResponse(f"/events/{event.id}/invitations?done=invited", status_code=303)


@router.post("/resend")
def resend(visitor: SignedIn, fields: PostedForm, services: AllServices, event_id: str) -> Response:
    one = text_of(fields, "id")
    with services.sessions.begin() as session:
        event = service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))
        number = parse_id(one, digits_max=12, what="invitation") if one else None
        invitation_book.resend(
            session, event, invitation_id=number, outdated_only=fields.get("which") == "outdated"
        )
    return RedirectResponse(f"/events/{event.id}/invitations?done=resent", status_code=303)


@router.post("/take-back")
def take_back(visitor: SignedIn, fields: PostedForm, services: AllServices, event_id: str) -> Response:
    number = parse_id(text_of(fields, "id"), digits_max=12, what="invitation")
    with transaction(services) as session:
        event = service.get_event(session, account_id=visitor.account_id, event_id=_id(event_id))
        invitations.take_back(session, event, invitation_id=number, now=services.now())
    return RedirectResponse(f"/events/{event.id}/invitations?done=uninvited", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="event")


def _guests(session: Session, event: Event, fields: Mapping[str, Any], pasted: Pasted) -> list[Guest]:
    """Everybody named by address or group, each once."""
    language = text_of(fields, "language")
    language = language if language in LANGUAGES else "en"
    role = Role.PRESENTER if fields.get("role") == "presenter" else Role.PARTICIPANT
    named = {one.email: one.name for one in pasted.good}
    group = text_of(fields, "group")
    if group:
        wanted = None if group == "all" else [parse_id(group, digits_max=9, what="group")]
        for person in contacts.addresses(session, event.account_id, wanted):
            named.setdefault(person.email, person.name)
    return [
        Guest(email=email, name=name, language=language, role=role.value) for email, name in named.items()
    ]


def _preview(session: Session, services: Services, event: Event, guest: Guest, note: str) -> str:
    """The text of the first guest's mail, with a link and a PIN that are none."""
    numbers = [
        Number(location=one.location, display=one.display, country=one.country, language=one.language)
        for one in services.gateways
    ]
    mails = GuestMails(
        texts=_mails,
        event=event,
        organiser=organiser_of(session, event.account_id),
        public_url=services.public_url,
        secret=services.secret,
        numbers=numbers,
        template="invitation",
        look=look_of(session, event),
    )
    reader = Reader(
        email=guest.email, name=guest.name, language=wording.language_of(guest.language), note=note
    )
    mail = mails.write(reader, Door(link=f"{services.public_url}/{event.url_name}", pin="000000000"))
    return f"{mail.subject}\n\n{mail.text}"


def _page(
    request: Request,
    session: Session,
    event: Event,
    form: Form,
    *,
    page: int = 1,
    pasted: Pasted | None = None,
    guests: int = 0,
    preview: str | None = None,
    status: int = 200,
) -> Response:
    entries, total = invitation_book.entries(session, event, page=page)
    translate = texts(language_of(request)).gettext
    groups = [("", translate(N_("No group"))), ("all", translate(N_("The whole address book")))]
    groups += [
        (str(group.id), f"{group.name} ({count})")
        for group, count in contacts.groups(session, account_id=event.account_id)
    ]
    shown = InvitationsPage(
        event=event,
        over=event.status != Status.ACTIVE,
        form=form,
        entries=entries,
        page=page,
        pages=max(1, -(-total // invitation_book.PAGE_SIZE)),
        total=total,
        outdated=invitation_book.outdated_count(session, event),
        groups=groups,
        pasted=pasted,
        guests=guests,
        preview=preview,
    )
    return render(request, "planning/invitations.html", shown, status=status)
