"""Pages: signing in and out, and the way back in after forgetting the password.

Wrong passwords are slowed down for the address they come from and for the person they try to be, so neither
one machine that tries many people nor many machines that try one get far. The answer to "I forgot" is the
same whether somebody has an account or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response

from accounts import sign_in, users
from accounts.errors import BadPasswordError, BadResetError, BadSignInError
from accounts.passwords import LENGTH_MIN
from accounts.tokens import digest
from mail.outbox import enqueue
from mail.texts import MailTexts
from web.access import AllServices
from web.site import csrf
from web.site.forms import Form, text_of
from web.site.i18n import N_, language_of, texts
from web.site.problems import sentence
from web.site.render import keep_language, notices, render
from web.site.security import (
    HOME,
    MaybeSignedIn,
    PostedForm,
    address_of,
    drop_session,
    is_secure,
    limits_of,
    safe_next,
    set_session,
    too_many,
)

router = APIRouter(include_in_schema=False)
_mails = MailTexts()
notices(
    signed_out=N_("You are signed out."),
    password_set=N_("Your new password is set. Please sign in with it."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInPage:
    """What sign_in.html shows."""

    form: Form
    next_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgotPage:
    """What forgot.html shows; `sent` after the form was sent."""

    form: Form
    sent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPage:
    """What reset.html shows; `good` is False for a link that opens nothing."""

    form: Form
    good: bool
    length_min: int = LENGTH_MIN


@router.get("/sign-in")
def show_sign_in(
    request: Request, visitor: MaybeSignedIn, next_path: Annotated[str, Query(alias="next")] = HOME
) -> Response:
    if visitor is not None:
        return RedirectResponse(safe_next(next_path), status_code=303)
    return render(request, "sign_in.html", SignInPage(form=Form(), next_path=safe_next(next_path)))


@router.post("/sign-in")
def do_sign_in(request: Request, fields: PostedForm, services: AllServices) -> Response:
    email, password = text_of(fields, "email"), fields.get("password")
    limits, who, now_s = limits_of(request), email.lower(), services.clock()
    wait_s = max(
        limits.guesses.attempt(who, now_s=now_s),
        limits.guesses_of_address.attempt(address_of(request), now_s=now_s),
    )
    if wait_s > 0:
        raise too_many(wait_s)
    try:
        with services.readers() as session:
            known = users.check_password(
                session, email=email, password=password if isinstance(password, str) else ""
            )
    except BadSignInError:
        translate = texts(language_of(request)).gettext
        form = Form(
            values={"email": email}, message=translate(N_("The mail address or the password is not right."))
        )
        page = SignInPage(form=form, next_path=safe_next(text_of(fields, "next")))
        return render(request, "sign_in.html", page, status=422)
    limits.guesses.forgive(who)
    with services.sessions.begin() as session:
        old = request.cookies.get(csrf.SESSION_COOKIE)
        if old:
            sign_in.end(session, old)
        token = sign_in.begin(
            session,
            user_id=known.user_id,
            now=services.now(),
            ip=address_of(request),
            user_agent=request.headers.get("user-agent", ""),
            new_hash=known.new_hash,
        )
        visitor = sign_in.visitor(session, token, now=services.now())
    assert visitor is not None, "who has just signed in is signed in"
    response = RedirectResponse(safe_next(text_of(fields, "next")), status_code=303)
    set_session(response, token, services)
    keep_language(response, visitor.language, secure=is_secure(services))
    return response


@router.post("/sign-out")
def do_sign_out(request: Request, _fields: PostedForm, services: AllServices) -> Response:
    with services.sessions.begin() as session:
        sign_in.end(session, request.cookies.get(csrf.SESSION_COOKIE, ""))
    response = RedirectResponse("/sign-in?done=signed_out", status_code=303)
    drop_session(response, services)
    return response


@router.get("/forgot")
def show_forgot(request: Request) -> Response:
    return render(request, "forgot.html", ForgotPage(form=Form(), sent=False))


@router.post("/forgot")
def do_forgot(request: Request, fields: PostedForm, services: AllServices) -> Response:
    email = text_of(fields, "email")
    if "@" not in email:
        translate = texts(language_of(request)).gettext
        errors = {"email": translate(N_("Please give a mail address."))}
        page = ForgotPage(form=Form(values={"email": email}, errors=errors), sent=False)
        return render(request, "forgot.html", page, status=422)
    limits = limits_of(request)
    wait_s = limits.resets.attempt(
        f"of {email.lower()}", f"from {address_of(request)}", now_s=services.clock()
    )
    if wait_s > 0:
        raise too_many(wait_s)
    with services.sessions.begin() as session:
        asked = sign_in.ask_reset(session, email, now=services.now())
        if asked is not None:
            user, token = asked
            values = {
                "name": user.name,
                "email": user.email,
                "link": f"{services.public_url}/reset/{token}",
            }
            mail = _mails.write("reset", user.language, values, to=user.email, to_name=user.name)
            enqueue(session, mail, key=f"reset-{digest(token).hex()[:32]}", now=services.now())
    return render(request, "forgot.html", ForgotPage(form=Form(values={"email": email}), sent=True))


@router.get("/reset/{token}")
def show_reset(request: Request, token: str, services: AllServices) -> Response:
    try:
        with services.readers() as session:
            sign_in.check_reset(session, token, now=services.now())
    except BadResetError:
        return render(request, "reset.html", ResetPage(form=Form(), good=False), status=404)
    return render(request, "reset.html", ResetPage(form=Form(), good=True))


@router.post("/reset/{token}")
def do_reset(request: Request, token: str, fields: PostedForm, services: AllServices) -> Response:
    password = fields.get("password")
    try:
        with services.sessions.begin() as session:
            user = sign_in.use_reset(
                session, token, password if isinstance(password, str) else "", now=services.now()
            )
            values = {"name": user.name, "email": user.email, "link": f"{services.public_url}/forgot"}
            mail = _mails.write("password_changed", user.language, values, to=user.email, to_name=user.name)
            enqueue(session, mail, key=f"reset-done-{digest(token).hex()[:32]}", now=services.now())
    except BadResetError:
        return render(request, "reset.html", ResetPage(form=Form(), good=False), status=404)
    except BadPasswordError as exc:
        form = Form(errors={"password": sentence(language_of(request), str(exc))})
        return render(request, "reset.html", ResetPage(form=form, good=True), status=422)
    response = RedirectResponse("/sign-in?done=password_set", status_code=303)
    drop_session(response, services)
    return response
