"""Pages: contacts from a CSV file and as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from accounts.sign_in import Visitor
from contacts import csv_file, service
from contacts.errors import BadContactError, BadFileError
from contacts.models import ContactGroup
from contacts.service import Imported
from events.errors import UnknownEventError
from web.access import AllServices
from web.services import Services
from web.site.contacts.uploads import PostedUpload
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.problems import sentence
from web.site.render import render
from web.site.security import SignedIn

router = APIRouter(prefix="/contacts", include_in_schema=False)
REFUSALS: Mapping[str, str] = {
    "too-large": N_("The file is larger than 2 MB. Split it and send the parts one after another."),
    "too-many": N_("The file has more than 50,000 lines. Split it and send the parts one after another."),
    "no-addresses": N_("There is no mail address in this file."),
    "no-text": N_("This is no text file. Save your table as CSV first."),
}
COLUMNS: Mapping[str, str] = {
    "email": N_("Mail address"),
    "first_name": N_("First name"),
    "last_name": N_("Last name"),
    "phone": N_("Phone"),
    "company": N_("Company"),
    "country": N_("Country"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportPage:
    """What contacts/import.html shows; `done` after a file was taken, into `group`; `why`: what is wrong
    with each bad line."""

    form: Form
    groups: Sequence[tuple[ContactGroup, int]]
    done: Imported | None
    group: ContactGroup | None
    why: Sequence[str]


@router.get("/import")
def show(request: Request, visitor: SignedIn, services: AllServices) -> Response:
    return _page(request, visitor, services, Form())


@router.post("/import")
async def take(request: Request, upload: PostedUpload, visitor: SignedIn, services: AllServices) -> Response:
    return await run_in_threadpool(_take, request, upload.fields, upload.body, visitor, services)


@router.get("/contacts.csv")
def export(visitor: SignedIn, services: AllServices, group: str = "") -> Response:
    group_id = int(group) if group.isascii() and group.isdigit() and len(group) < 10 else None
    with services.readers() as session:
        if group_id is not None:
            known = {one.id for one, _ in service.groups(session, account_id=visitor.account_id)}
            if group_id not in known:
                raise UnknownEventError("there is no such group")
        body = "".join(service.export(session, account_id=visitor.account_id, group_id=group_id))
    headers = {"Content-Disposition": 'attachment; filename="contacts.csv"', "Cache-Control": "no-store"}
    return Response(body, media_type="text/csv; charset=utf-8", headers=headers)


def _take(
    request: Request, fields: dict[str, object], body: bytes | None, visitor: Visitor, services: Services
) -> Response:
    translate = texts(language_of(request)).gettext
    try:
        if body is None:
            raise BadFileError("too-large")
        file = csv_file.read(body)
    except BadFileError as exc:
        said = translate(REFUSALS[exc.slug])
        form = Form(values=fields, errors={"file": said}, message=said)
        return _page(request, visitor, services, form, status=422)
    name = text_of(fields, "new_group", maximum=200)
    chosen = text_of(fields, "group", maximum=9)
    with services.sessions.begin() as session:
        group: ContactGroup | None = None
        try:
            if name:
                group = service.make_group(
                    session, account_id=visitor.account_id, name=name, now=services.now()
                )
        except BadContactError:
            group = None
        if group is None and chosen.isdigit():
            known = {one.id: one for one, _ in service.groups(session, account_id=visitor.account_id)}
            group = known.get(int(chosen))
        done = service.import_file(
            session, account_id=visitor.account_id, file=file, group=group, now=services.now()
        )
    return _page(request, visitor, services, Form(), done=done, group=group)


def _page(
    request: Request,
    visitor: Visitor,
    services: Services,
    form: Form,
    *,
    done: Imported | None = None,
    group: ContactGroup | None = None,
    status: int = 200,
) -> Response:
    with services.readers() as session:
        groups = service.groups(session, account_id=visitor.account_id)
    why = [] if done is None else [_why(language_of(request), one.problem) for one in done.file.bad]
    shown = ImportPage(form=form, groups=groups, done=done, group=group, why=why)
    return render(request, "contacts/import.html", shown, status=status)


def _why(language: str, problem: str) -> str:
    """`email must be a mail address` in the reader's language: the column, and what is wrong with it."""
    column, _, message = problem.partition(" ")
    named = texts(language).gettext(COLUMNS[column]) if column in COLUMNS else column
    return texts(language).gettext(N_("%(column)s: %(problem)s")) % {
        "column": named,
        "problem": sentence(language, message),
    }
