"""Pages: other programs that are told, what was brought to them, and the calendar to subscribe to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from accounts.sign_in import Visitor
from events import feeds, web_hooks
from events.errors import BadEventError
from events.web_hook_models import WebHook, WebHookDelivery
from events.web_hooks import OFFERED, PAGE_SIZE, Kind
from web.access import AllServices, parse_id
from web.services import Services
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of
from web.site.problems import by_field
from web.site.render import notices, render
from web.site.security import PostedForm, SignedIn

router = APIRouter(prefix="/web-hooks", include_in_schema=False)
notices(
    hook_added=N_("The web hook is set up."),
    hook_deleted=N_("Nothing goes to this address any more."),
    hook_secret=N_("There is a new secret. It signs every message from now on."),
    hook_queued=N_("The message is on its way."),
)

KIND_NAMES: Mapping[str, str] = {
    Kind.EVENT_STARTED: N_("An event starts"),
    Kind.EVENT_ENDED: N_("An event is over"),
    Kind.PARTICIPANT_JOINED: N_("Somebody comes"),
    Kind.PARTICIPANT_LEFT: N_("Somebody leaves"),
    Kind.REGISTRATION: N_("Somebody registers"),
    "registration.approved": N_("A registration is approved"),
    "registration.declined": N_("A registration is declined"),
    Kind.PAYMENT: N_("A payment arrives"),
    Kind.CDR: N_("A call is over"),
    Kind.TEST: N_("Test"),
}
"""What each kind of message tells, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HooksPage:
    """What hooks.html shows."""

    hooks: Sequence[WebHook]
    kinds: Sequence[str]
    form: Form
    feed_url: str
    kind_names: Mapping[str, str] = field(default_factory=lambda: KIND_NAMES)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookPage:
    """What hook.html shows."""

    hook: WebHook
    deliveries: Sequence[WebHookDelivery]
    page: int
    pages: int
    zone: str
    kind_names: Mapping[str, str] = field(default_factory=lambda: KIND_NAMES)


@router.get("")
def show_all(request: Request, visitor: SignedIn, services: AllServices) -> Response:
    return _page(request, visitor, services, Form())


@router.post("")
def add(request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices) -> Response:
    kinds = [kind.value for kind in OFFERED if fields.get(kind.value) == "1"]
    try:
        with services.sessions.begin() as session:
            hook = web_hooks.add_hook(
                session,
                account_id=visitor.account_id,
                url=text_of(fields, "url"),
                kinds=kinds,
                now=services.now(),
                allow_private=services.web_hooks_allow_private,
            )
    except BadEventError as exc:
        form = Form(values=fields, errors=by_field(language_of(request), exc.problems))
        return _page(request, visitor, services, form, status=422)
    return RedirectResponse(f"/web-hooks/{hook.id}?done=hook_added", status_code=303)


@router.get("/{hook_id}")
def show(
    request: Request,
    visitor: SignedIn,
    services: AllServices,
    hook_id: str,
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> Response:
    with services.readers() as session:
        hook = web_hooks.hook_of(session, account_id=visitor.account_id, hook_id=_id(hook_id))
        rows, total = web_hooks.deliveries(session, hook, page=page)
    shown = HookPage(
        hook=hook, deliveries=rows, page=page, pages=max(1, -(-total // PAGE_SIZE)), zone=visitor.timezone
    )
    return render(request, "planning/hook.html", shown)


@router.post("/{hook_id}/test")
def test(visitor: SignedIn, _fields: PostedForm, services: AllServices, hook_id: str) -> Response:
    with services.sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=visitor.account_id, hook_id=_id(hook_id))
        web_hooks.publish_test(session, hook, now=services.now())
    return RedirectResponse(f"/web-hooks/{hook.id}?done=hook_queued", status_code=303)


@router.post("/{hook_id}/secret")
def rotate(visitor: SignedIn, _fields: PostedForm, services: AllServices, hook_id: str) -> Response:
    with services.sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=visitor.account_id, hook_id=_id(hook_id))
        web_hooks.rotate_secret(session, hook)
    return RedirectResponse(f"/web-hooks/{hook.id}?done=hook_secret", status_code=303)


@router.post("/{hook_id}/again")
def again(visitor: SignedIn, fields: PostedForm, services: AllServices, hook_id: str) -> Response:
    number = parse_id(text_of(fields, "id"), digits_max=12, what="delivery")
    with services.sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=visitor.account_id, hook_id=_id(hook_id))
        web_hooks.redeliver(session, hook, delivery_id=number, now=services.now())
    return RedirectResponse(f"/web-hooks/{hook.id}?done=hook_queued", status_code=303)


@router.post("/{hook_id}/delete")
def delete(visitor: SignedIn, _fields: PostedForm, services: AllServices, hook_id: str) -> Response:
    with services.sessions.begin() as session:
        hook = web_hooks.hook_of(session, account_id=visitor.account_id, hook_id=_id(hook_id))
        web_hooks.delete_hook(session, hook, now=services.now())
    return RedirectResponse("/web-hooks?done=hook_deleted", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=9, what="web hook")


def _page(
    request: Request, visitor: Visitor, services: Services, form: Form, *, status: int = 200
) -> Response:
    with services.sessions.begin() as session:
        hooks = web_hooks.hooks_of(session, account_id=visitor.account_id)
        key = feeds.feed_key(session, account_id=visitor.account_id, now=services.now())
    shown = HooksPage(
        hooks=hooks,
        kinds=[kind.value for kind in OFFERED],
        form=form,
        feed_url=f"{services.public_url}/calendar/{key}.ics",
    )
    return render(request, "planning/hooks.html", shown, status=status)
