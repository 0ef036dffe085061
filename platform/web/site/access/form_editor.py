"""Page: the registration form of an event, arranged by drag and drop, by buttons, or without scripts at all.

The page is one form; its rows are the custom fields in the order in which they stand. Without scripts the
buttons "up", "down", "remove" and "add" send the form, and it comes back rearranged and unsaved; with scripts
they act at once, and rows can be dragged. Only "save" keeps anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from events import registrations
from events.errors import BadEventError
from events.models import Event
from events.registration_form import FIELDS_MAX, FieldKind, RegistrationForm, arrange, form_of
from web.access import AllServices, transaction
from web.site.access.own import own_event
from web.site.forms import Form
from web.site.i18n import N_, language_of, texts
from web.site.problems import by_field
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn

router = APIRouter(prefix="/events/{event_id}/registration", include_in_schema=False)
notices(registration_saved=N_("The registration form is saved."))
KINDS: Sequence[tuple[str, str, str]] = (
    (FieldKind.TEXT, N_("Text"), N_("A line or a few")),
    (FieldKind.CHOICE, N_("Choice"), N_("One of a list")),
    (FieldKind.CHECKBOX, N_("Checkbox"), N_("Yes or no")),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EditorPage:
    """What access/form_editor.html shows. A row: `id`, `kind`, `label`, `required`, `options` (lines)."""

    event: Event
    form: Form
    rows: Sequence[Mapping[str, str]]
    kinds: Sequence[tuple[str, str, str]]
    unsaved: bool
    url: str


@router.get("")
def show(request: Request, visitor: SignedIn, services: AllServices, event_id: str) -> Response:
    with services.readers() as session:
        event = own_event(session, visitor, event_id)
    kept = form_of(event.registration)
    form = Form(values={"enabled": str(int(kept.enabled)), "approval": str(int(kept.approval))})
    return _page(request, services, event, form, _rows_of(kept))


@router.post("")
def save(
    request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices, event_id: str
) -> Response:
    rows = _posted(fields.get("fields"))
    wanted = fields.get("do")
    if isinstance(wanted, str) and wanted != "save":
        with services.readers() as session:
            event = own_event(session, visitor, event_id)
        return _page(request, services, event, Form(values=fields), rearranged(rows, wanted), unsaved=True)
    try:
        with transaction(services) as session:
            event = own_event(session, visitor, event_id)
            on = Form(values=fields)
            form = arrange(
                form_of(event.registration), rows, enabled=on.is_on("enabled"), approval=on.is_on("approval")
            )
            registrations.set_form(session, event, form, now=services.now())
    except BadEventError as exc:
        with services.readers() as session:
            event = own_event(session, visitor, event_id)
        language = language_of(request)
        message = texts(language).gettext(N_("Nothing is saved yet: please look at the marked fields."))
        refused = Form(values=fields, errors=by_field(language, exc.problems), message=message)
        return _page(request, services, event, refused, rows, unsaved=True, status=422)
    return RedirectResponse(f"/events/{event.id}/registration?done=registration_saved", status_code=303)


def rearranged(rows: Sequence[Mapping[str, str]], wanted: str) -> list[Mapping[str, str]]:
    """The rows after `up-2`, `down-2`, `remove-2` or `add-text`; as they are for anything else."""
    found = list(rows)
    action, _, what = wanted.partition("-")
    if action == "add" and what in list(FieldKind) and len(found) < FIELDS_MAX:
        found.append({"id": "", "kind": what, "label": "", "required": "", "options": ""})
    if not (what.isascii() and what.isdigit() and len(what) < 4 and int(what) < len(found)):
        return found
    at = int(what)
    if action == "remove":
        del found[at]
    elif action in ("up", "down"):
        to = at - 1 if action == "up" else at + 1
        if 0 <= to < len(found):
            found[at], found[to] = found[to], found[at]
    return found


def _posted(group: Any) -> list[Mapping[str, str]]:
    """Posted rows in the order in which they stood on the page."""
    rows = list(group.values()) if isinstance(group, Mapping) else []
    names = ("id", "kind", "label", "required", "options")
    return [
        {name: row[name] if isinstance(row.get(name), str) else "" for name in names}
        for row in rows[: FIELDS_MAX + 1]
        if isinstance(row, Mapping)
    ]


def _rows_of(form: RegistrationForm) -> list[Mapping[str, str]]:
    return [
        {
            "id": str(one.id),
            "kind": one.kind.value,
            "label": one.label,
            "required": "1" if one.required else "",
            "options": "\n".join(one.options),
        }
        for one in form.fields
    ]


def _page(
    request: Request,
    services: AllServices,
    event: Event,
    form: Form,
    rows: Sequence[Mapping[str, str]],
    *,
    unsaved: bool = False,
    status: int = 200,
) -> Response:
    url = f"{services.public_url}/{event.url_name}/register"
    shown = EditorPage(event=event, form=form, rows=rows, kinds=KINDS, unsaved=unsaved, url=url)
    return render(request, "access/form_editor.html", shown, status=status)
