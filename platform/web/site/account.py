"""Pages: the person who is signed in (name, language, time zone, password) and the account's API keys."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from accounts import service, sign_in, users
from accounts.errors import BadPasswordError, BadSignInError, UnknownKeyError
from accounts.models import ApiKey, User
from accounts.passwords import LENGTH_MIN
from accounts.sign_in import Visitor
from events.schedule import parse_zone, zone_names
from mail.outbox import enqueue
from mail.texts import MailTexts
from web.access import AllServices, parse_id
from web.errors import not_found
from web.services import Services
from web.site.forms import Form, text_of
from web.site.i18n import LANGUAGES, N_, language_of, texts
from web.site.problems import sentence
from web.site.render import keep_language, notices, render
from web.site.security import PostedForm, SignedIn, is_secure, limits_of, too_many

router = APIRouter(prefix="/account", include_in_schema=False)
_mails = MailTexts()
notices(
    saved=N_("Your changes are saved."),
    password_changed=N_("Your password is changed. All other browsers are signed out."),
    signed_out_elsewhere=N_("All other browsers are signed out."),
    key_revoked=N_("The API key opens nothing any more."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """What account.html shows. `new_key` is shown once, right after it was made."""

    profile: Form
    password: Form
    keys: Sequence[ApiKey]
    zones: Sequence[str]
    zone: str
    new_key: str | None = field(default=None, repr=False)
    length_min: int = LENGTH_MIN


@router.get("")
def show(request: Request, visitor: SignedIn, services: AllServices) -> Response:
    return _page(request, visitor, services)


@router.post("/profile")
def save_profile(request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices) -> Response:
    translate = texts(language_of(request)).gettext
    language, errors = text_of(fields, "language"), {}
    if language not in LANGUAGES:
        errors["language"] = translate(N_("Please choose a language."))
    try:
        zone = parse_zone(text_of(fields, "timezone"))
    except ValueError as exc:
        errors["timezone"] = sentence(language_of(request), str(exc))
    if errors:
        return _page(request, visitor, services, profile=Form(values=fields, errors=errors), status=422)
    with services.sessions.begin() as session:
        user = session.get_one(User, visitor.user_id)
        user.name = users.clean_name(text_of(fields, "name"))
        user.language, user.timezone = language, zone
    response = RedirectResponse("/account?done=saved", status_code=303)
    keep_language(response, language, secure=is_secure(services))
    return response


@router.post("/password")
def change_password(
    request: Request, visitor: SignedIn, fields: PostedForm, services: AllServices
) -> Response:
    current, wanted = (value if isinstance(value, str) else "" for value in map(fields.get, _PASSWORDS))
    limits, who = limits_of(request), f"change {visitor.user_id}"
    wait_s = limits.guesses.attempt(who, now_s=services.clock())
    if wait_s > 0:
        raise too_many(wait_s)
    language = language_of(request)
    try:
        with services.readers() as session:
            users.check_password(session, email=visitor.email, password=current)
        limits.guesses.forgive(who)
        with services.sessions.begin() as session:
            user = session.get_one(User, visitor.user_id)
            users.set_password(session, user, wanted, keep_session=visitor.session_id)
            values = {"name": user.name, "email": user.email, "link": f"{services.public_url}/forgot"}
            mail = _mails.write("password_changed", user.language, values, to=user.email, to_name=user.name)
            enqueue(session, mail, key=f"password-changed-{secrets.token_hex(8)}", now=services.now())
    except BadSignInError:
        wrong = texts(language).gettext(N_("This is not your password."))
        form = Form(errors={"current_password": wrong})
        return _page(request, visitor, services, password=form, status=422)
    except BadPasswordError as exc:
        form = Form(errors={"new_password": sentence(language, str(exc))})
        return _page(request, visitor, services, password=form, status=422)
    return RedirectResponse("/account?done=password_changed", status_code=303)


@router.post("/sign-out-elsewhere")
def sign_out_elsewhere(visitor: SignedIn, _fields: PostedForm, services: AllServices) -> Response:
    with services.sessions.begin() as session:
        sign_in.end_everywhere(session, user_id=visitor.user_id, but=visitor.session_id)
    return RedirectResponse("/account?done=signed_out_elsewhere", status_code=303)


@router.post("/keys")
def make_key(request: Request, visitor: SignedIn, _fields: PostedForm, services: AllServices) -> Response:
    with services.sessions.begin() as session:
        key = service.add_key(session, account_id=visitor.account_id, now=services.now())
    return _page(request, visitor, services, new_key=key)


@router.post("/keys/{key_id}/revoke")
def revoke_key(visitor: SignedIn, _fields: PostedForm, services: AllServices, key_id: str) -> Response:
    number = parse_id(key_id, digits_max=9, what="API key")
    try:
        with services.sessions.begin() as session:
            service.revoke_key(session, account_id=visitor.account_id, key_id=number, now=services.now())
    except UnknownKeyError:
        raise not_found("API key") from None
    return RedirectResponse("/account?done=key_revoked", status_code=303)


_PASSWORDS = ("current_password", "new_password")


def _page(
    request: Request,
    visitor: Visitor,
    services: Services,
    *,
    profile: Form | None = None,
    password: Form | None = None,
    new_key: str | None = None,
    status: int = 200,
) -> Response:
    with services.readers() as session:
        keys = service.list_keys(session, account_id=visitor.account_id)
    values = {"name": visitor.name, "language": visitor.language, "timezone": visitor.timezone}
    page = AccountPage(
        profile=profile or Form(values=values),
        password=password or Form(),
        keys=keys,
        zones=sorted(zone_names()),
        zone=visitor.timezone,
        new_key=new_key,
    )
    return render(request, "account.html", page, status=status)
