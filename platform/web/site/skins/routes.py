"""Pages: the looks of an account — list, make, change, delete, choose the default.

A look is looked up among those of the visitor's account, so another account's is an unknown one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.sign_in import Visitor
from events import colours, skins
from events.errors import BadEventError, FieldProblem
from events.models import Event
from events.pictures import BadPictureError, Kind, Picture, read_picture
from events.skins import HOUSE_SKIN, Look
from web.access import AllServices, parse_id
from web.services import Services
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.problems import by_field
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn
from web.site.skins import public
from web.site.skins.uploads import Posted, PostedPictures

router = APIRouter(include_in_schema=False)
router.include_router(public.router)
notices(
    skin_made=N_("The look is made."),
    skin_changed=N_("The look is changed. Guests see it with the next page they open."),
    skin_deleted=N_("The look is deleted; its events have the default look now."),
    skin_default=N_("New events have this look from now on."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinsPage:
    """What skins/list.html shows. `used`: number of events by look."""

    looks: Sequence[Look]
    used: Mapping[int, int]
    default_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SkinPage:
    """What skins/form.html shows; `look` is None for a new one. `instead`: the colour to offer for one that
    cannot be read, or empty.
    """

    look: Look | None
    form: Form
    instead: str
    is_default: bool
    shown: Look


@router.get("/skins")
def show_all(request: Request, visitor: SignedIn, services: AllServices) -> Response:
    with services.readers() as session:
        page = SkinsPage(
            looks=skins.looks_of(session, visitor.account_id),
            used=_used(session, visitor.account_id),
            default_id=skins.default_of(session, visitor.account_id),
        )
    return render(request, "skins/list.html", page)


@router.post("/skins/default")
def choose_default(visitor: SignedIn, fields: PostedForm, services: AllServices) -> Response:
    number = _id(text_of(fields, "skin_id"))
    with services.sessions.begin() as session:
        skins.make_default(session, account_id=visitor.account_id, skin_id=number)
    return RedirectResponse("/skins?done=skin_default", status_code=303)


@router.get("/skins/new")
def show_new(request: Request, visitor: SignedIn, services: AllServices) -> Response:
    values = {"name": "", "accent": skins.HOUSE_ACCENT, "background": skins.HOUSE_BACKGROUND}
    with services.readers() as session:
        first = len(skins.looks_of(session, visitor.account_id)) == 1
    return _page(request, None, Form(values={**values, "is_default": "1" if first else "0"}))


@router.post("/skins/new")
def create(request: Request, visitor: SignedIn, posted: PostedPictures, services: AllServices) -> Response:
    try:
        wishes, pictures = _checked(posted)
        with services.sessions.begin() as session:
            skin = skins.create_skin(
                session,
                account_id=visitor.account_id,
                wishes=wishes,
                default=posted.fields.get("is_default") == "1",
                now=services.now(),
            )
            for kind, picture in pictures.items():
                skins.set_picture(session, skin, kind=kind, picture=picture, now=services.now())
    except BadEventError as exc:
        return _refused(request, None, posted.fields, exc)
    return RedirectResponse("/skins?done=skin_made", status_code=303)


@router.get("/skins/{skin_id}")
def show(request: Request, visitor: SignedIn, services: AllServices, skin_id: str) -> Response:
    look = _look(services, visitor, skin_id)
    values = {
        "name": look.name,
        "accent": look.accent,
        "background": look.background,
        "is_default": "1" if look.is_default else "0",
    }
    return _page(request, look, Form(values=values))


@router.post("/skins/{skin_id}")
def change(
    request: Request, visitor: SignedIn, posted: PostedPictures, services: AllServices, skin_id: str
) -> Response:
    look = _look(services, visitor, skin_id)
    try:
        wishes, pictures = _checked(posted)
    except BadEventError as exc:
        return _refused(request, look, posted.fields, exc)
    with services.sessions.begin() as session:
        skin = skins.get_skin(session, account_id=visitor.account_id, skin_id=look.skin_id)
        skins.change_skin(session, skin, wishes=wishes, now=services.now())
        for kind in Kind:
            if kind in pictures or posted.fields.get(f"remove_{kind.value}") == "1":
                skins.set_picture(session, skin, kind=kind, picture=pictures.get(kind), now=services.now())
        wants_default = posted.fields.get("is_default") == "1"
        if wants_default != look.is_default:
            chosen = look.skin_id if wants_default else HOUSE_SKIN
            skins.make_default(session, account_id=visitor.account_id, skin_id=chosen)
    return RedirectResponse("/skins?done=skin_changed", status_code=303)


@router.post("/skins/{skin_id}/delete")
def delete(visitor: SignedIn, _fields: PostedForm, services: AllServices, skin_id: str) -> Response:
    with services.sessions.begin() as session:
        skin = skins.get_skin(session, account_id=visitor.account_id, skin_id=_id(skin_id))
        skins.delete_skin(session, skin)
    return RedirectResponse("/skins?done=skin_deleted", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="look")


def _look(services: Services, visitor: Visitor, skin_id: str) -> Look:
    with services.readers() as session:
        skin = skins.get_skin(session, account_id=visitor.account_id, skin_id=_id(skin_id))
        return skins.one_look(session, skin)


def _used(session: Session, account_id: int) -> dict[int, int]:
    query = (
        select(Event.skin_id, func.count())
        .where(Event.account_id == account_id, Event.deleted_at.is_(None))
        .group_by(Event.skin_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def _checked(posted: Posted) -> tuple[skins.SkinWishes, dict[Kind, Picture]]:
    """The look and its new pictures. Raises BadEventError with all that is wrong."""
    fields = dict(posted.fields)
    if fields.get("use_instead"):
        fields["accent"] = fields["use_instead"]
    problems: list[FieldProblem] = []
    pictures: dict[Kind, Picture] = {}
    for kind, body in posted.files.items():
        try:
            pictures[kind] = read_picture(body, kind=kind)
        except BadPictureError as exc:
            problems.append(FieldProblem(field=kind.value, message=str(exc)))
    try:
        wishes = skins.parse_skin(fields)
    except BadEventError as exc:
        raise BadEventError([*exc.problems, *problems]) from exc
    if problems:
        raise BadEventError(problems)
    return wishes, pictures


def _refused(
    request: Request, look: Look | None, fields: Mapping[str, Any], error: BadEventError
) -> Response:
    language = language_of(request)
    form = Form(
        values=fields,
        errors=by_field(language, error.problems),
        message=texts(language).gettext(N_("Nothing is saved yet: please look at the marked fields.")),
    )
    return _page(request, look, form, status=422)


def _page(request: Request, look: Look | None, form: Form, *, status: int = 200) -> Response:
    accent, background = _colour(form, "accent"), _colour(form, "background")
    page = SkinPage(
        look=look,
        form=form,
        instead=""
        if colours.reads_on(accent, colours.WHITE)
        else colours.nearest_reading(accent, colours.WHITE),
        is_default=look is not None and look.is_default,
        shown=Look(
            skin_id=0,
            name=form.value("name"),
            accent=accent,
            background=background,
            logo=None if look is None else look.logo,
            banner=None if look is None else look.banner,
        ),
    )
    return render(request, "skins/form.html", page, status=status)


def _colour(form: Form, name: str) -> str:
    """The colour in a field, for the preview; the house's where none can be read."""
    try:
        return colours.parse_colour(form.value(name))
    except ValueError:
        return skins.HOUSE_ACCENT if name == "accent" else skins.HOUSE_BACKGROUND
