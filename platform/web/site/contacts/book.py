"""Pages: the address book and its groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from accounts.sign_in import Visitor
from contacts import repository, service
from contacts.errors import BadContactError, UnknownContactError
from contacts.fields import parse_contact
from contacts.models import Contact, ContactGroup
from web.access import AllServices, parse_id
from web.errors import not_found
from web.services import Services
from web.site.forms import Form
from web.site.i18n import N_, language_of, texts
from web.site.problems import sentence
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn

router = APIRouter(prefix="/contacts", include_in_schema=False)
notices(
    contact_saved=N_("The contact is saved."),
    contact_deleted=N_("The contact is deleted."),
    group_saved=N_("The group is saved."),
    group_deleted=N_("The group is deleted; its contacts stay."),
)
_NAMES = ("email", "first_name", "last_name", "phone", "company", "country")


@dataclass(frozen=True, slots=True, kw_only=True)
class BookPage:
    """What contacts/book.html shows. `group` is the one that is looked at."""

    contacts: Sequence[Contact]
    groups: Sequence[tuple[ContactGroup, int]]
    group: ContactGroup | None
    form: Form
    words: str
    page: int
    pages: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPage:
    """What contacts/contact.html shows; `contact` is None for a new one."""

    contact: Contact | None
    form: Form
    groups: Sequence[tuple[ContactGroup, int]]
    member_of: frozenset[int]


@contextmanager
def _known() -> Iterator[None]:
    try:
        yield
    except UnknownContactError as exc:
        raise not_found("contact") from exc


@router.get("")
def show(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    q: Annotated[str, Query(max_length=200)] = "",
    group: str = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    return _book(request, visitor, services, Form(), q=q, group=group, page=page)


@router.post("/groups")
def add_group(request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices) -> Response:
    try:
        with services.sessions.begin() as session:
            made = service.make_group(
                session, account_id=visitor.account_id, name=str(fields.get("name")), now=services.now()
            )
            group_id = made.id
    except BadContactError as exc:
        return _book(request, visitor, services, _refused(request, fields, exc), status=422)
    return RedirectResponse(f"/contacts?group={group_id}&done=group_saved", status_code=303)


@router.post("/groups/{group_id}/{action}")
def change_group(
    request: Request,
    visitor: SignedIn,
    fields: PostedForm,
    services: AllServices,
    group_id: str,
    action: str,
) -> Response:
    """`rename` or `delete`."""
    if action not in ("rename", "delete"):
        raise not_found("page")
    number = parse_id(group_id, digits_max=9, what="group")
    try:
        with services.sessions.begin() as session, _known():
            group = service.get_group(session, account_id=visitor.account_id, group_id=number)
            if action == "delete":
                service.delete_group(session, group)
            else:
                service.rename_group(session, group, name=str(fields.get("name")))
    except BadContactError as exc:
        form = _refused(request, fields, exc)
        return _book(request, visitor, services, form, group=group_id, status=422)
    if action == "delete":
        return RedirectResponse("/contacts?done=group_deleted", status_code=303)
    return RedirectResponse(f"/contacts?group={number}&done=group_saved", status_code=303)


@router.get("/new")
def show_new(request: Request, visitor: SignedIn, services: AllServices, group: str = "") -> Response:
    chosen = (
        frozenset({int(group)}) if group.isascii() and group.isdigit() and len(group) < 10 else frozenset()
    )
    return _contact(request, visitor, services, None, Form(), member_of=chosen)


@router.post("/new")
def create(request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices) -> Response:
    try:
        wanted = parse_contact(fields)
    except BadContactError as exc:
        form, chosen = _refused(request, fields, exc), frozenset(_chosen(fields))
        return _contact(request, visitor, services, None, form, member_of=chosen, status=422)
    with services.sessions.begin() as session:
        made, fresh = service.save(session, account_id=visitor.account_id, fields=wanted, now=services.now())
        there = set() if fresh else repository.groups_of(session, contact_id=made.id)
        service.set_groups(session, made, there | _chosen(fields))
    return RedirectResponse("/contacts?done=contact_saved", status_code=303)


@router.get("/{contact_id}")
def show_one(request: Request, visitor: SignedIn, services: AllServices, contact_id: str) -> Response:
    number = parse_id(contact_id, digits_max=9, what="contact")
    with services.readers() as session, _known():
        found = service.get(session, account_id=visitor.account_id, contact_id=number)
        groups = frozenset(repository.groups_of(session, contact_id=found.id))
    values: dict[str, str] = {name: getattr(found, name) for name in _NAMES}
    values["unsubscribed"] = "1" if found.unsubscribed_at is not None else "0"
    return _contact(request, visitor, services, found, Form(values=values), member_of=groups)


@router.post("/{contact_id}")
def change(
    request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices, contact_id: str
) -> Response:
    number, now = parse_id(contact_id, digits_max=9, what="contact"), services.now()
    try:
        with services.sessions.begin() as session, _known():
            found = service.get(session, account_id=visitor.account_id, contact_id=number)
            service.change(session, found, fields=parse_contact(fields), now=now)
            service.set_groups(session, found, _chosen(fields))
            service.set_unsubscribed(session, found, on=Form(values=fields).is_on("unsubscribed"), now=now)
    except BadContactError as exc:
        with services.readers() as session, _known():
            found = service.get(session, account_id=visitor.account_id, contact_id=number)
        form, chosen = _refused(request, fields, exc), frozenset(_chosen(fields))
        return _contact(request, visitor, services, found, form, member_of=chosen, status=422)
    return RedirectResponse("/contacts?done=contact_saved", status_code=303)


@router.post("/{contact_id}/delete")
def delete(visitor: SignedIn, _fields: PostedForm, services: AllServices, contact_id: str) -> Response:
    number = parse_id(contact_id, digits_max=9, what="contact")
    with services.sessions.begin() as session, _known():
        service.delete(session, service.get(session, account_id=visitor.account_id, contact_id=number))
    return RedirectResponse("/contacts?done=contact_deleted", status_code=303)


def _chosen(fields: Mapping[str, Any]) -> set[int]:
    group = fields.get("groups")
    numbers = group.values() if isinstance(group, Mapping) else ()
    return {
        int(one)
        for one in numbers
        if isinstance(one, str) and one.isascii() and one.isdigit() and len(one) < 10
    }


def _refused(request: Request, fields: Mapping[str, Any], error: BadContactError) -> Form:
    language = language_of(request)
    errors = {name: sentence(language, message) for name, message in error.problems}
    message = texts(language).gettext(N_("Nothing is saved yet: please look at the marked fields."))
    return Form(values=fields, errors=errors, message=message)


def _book(
    request: Request,
    visitor: Visitor,
    services: Services,
    form: Form,
    *,
    q: str = "",
    group: str = "",
    page: int = 1,
    status: int = 200,
) -> Response:
    words = q.replace("\x00", "").strip()
    with services.readers() as session, _known():
        chosen = None
        if group:
            number = parse_id(group, digits_max=9, what="group")
            chosen = service.get_group(session, account_id=visitor.account_id, group_id=number)
        group_id = None if chosen is None else chosen.id
        found, total = service.find(
            session, account_id=visitor.account_id, words=words, group_id=group_id, page=page
        )
        groups = service.groups(session, account_id=visitor.account_id)
    shown = BookPage(
        contacts=found,
        groups=groups,
        group=chosen,
        form=form,
        words=words,
        page=page,
        pages=max(1, -(-total // service.PAGE_SIZE)),
        total=total,
    )
    return render(request, "contacts/book.html", shown, status=status)


def _contact(
    request: Request,
    visitor: Visitor,
    services: Services,
    contact: Contact | None,
    form: Form,
    *,
    member_of: frozenset[int],
    status: int = 200,
) -> Response:
    with services.readers() as session:
        groups = service.groups(session, account_id=visitor.account_id)
    shown = ContactPage(contact=contact, form=form, groups=groups, member_of=member_of)
    return render(request, "contacts/contact.html", shown, status=status)
