"""Errors as pages: a browser that asked for a page gets one; programs go on getting JSON (web.errors).

Which of the two is decided by the Accept header (RFC 9110 §12.5.1) and by the path: what lies below /v1/ and
the files for programs are never pages.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from web.errors import ApiError
from web.site.i18n import N_, language_of, texts
from web.site.render import render

_PROGRAMS = ("/v1/", "/healthz", "/metrics", "/openapi.json", "/assets/")
_TEXTS: dict[int, tuple[str, str, str]] = {
    403: (
        "lock",
        N_("This form has expired"),
        N_("Go back, reload the page and send the form again. Nothing was changed."),
    ),
    404: (
        "search",
        N_("There is nothing here"),
        N_("The address may be mistyped, or the page was removed."),
    ),
    413: (
        "alert",
        N_("This is too much"),
        N_("What was sent is larger than we accept. Nothing was changed."),
    ),
    429: (
        "clock",
        N_("Too many tries"),
        N_("Please wait a moment before you try again."),
    ),
    503: (
        "clock",
        N_("Back in a moment"),
        N_("Our database cannot be reached right now. Please try again soon."),
    ),
}
_OTHER_OF_YOURS = (
    "alert",
    N_("This did not work"),
    N_("The request cannot be understood. Go back and try again."),
)
_OTHER_OF_OURS = (
    "alert",
    N_("Something went wrong on our side"),
    N_("It has been logged. Please try again in a moment."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    """What error.html shows."""

    status: int
    picture: str
    title: str
    text: str
    back: str
    back_text: str


def wants_page(request: Request) -> bool:
    """Whether a person with a browser asked."""
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith(_PROGRAMS)


def error_page(request: Request, error: ApiError) -> Response | None:
    """The answer to an error as a page, or as the redirection that the error asks for; None for programs."""
    location = (error.headers or {}).get("Location")
    if location is not None and 300 <= error.status < 400:
        return RedirectResponse(location, status_code=error.status)
    if not wants_page(request):
        return None
    picture, title, text = _TEXTS.get(
        error.status, _OTHER_OF_OURS if error.status >= 500 else _OTHER_OF_YOURS
    )
    translate = texts(language_of(request)).gettext
    signed_in = getattr(request.state, "visitor", None) is not None
    page = ErrorPage(
        status=error.status,
        picture=picture,
        title=translate(title),
        text=translate(text),
        back="/events" if signed_in else "/",
        back_text=translate(N_("To my events")) if signed_in else translate(N_("To the start page")),
    )
    headers = {name: value for name, value in (error.headers or {}).items() if name != "Connection"}
    return render(request, "error.html", page, status=error.status, headers=headers)
