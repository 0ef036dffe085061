"""From a template and a context to a page.

    render(request, "events.html", EventsPage(...))

Templates are Jinja's, with automatic escaping and StrictUndefined: a name that nobody gave is an error, not
an empty place. Every template has besides its context:

    lang, languages      the page's language code; code → name
    _, ngettext          texts (and {% trans %})
    visitor              who is signed in, or None
    csrf_token           for the hidden field of every form (`forms.csrf()` writes it)
    notice               what was just done, from ?done=
    path, public_url, nav, here(lang)
    asset(path), icon(name), script_messages(), and the filters of `formats`
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from web.site import csrf, formats, i18n
from web.site.assets import assets
from web.site.headers import page_headers
from web.site.i18n import N_

if TYPE_CHECKING:
    from web.services import Services

TEMPLATES = Path(__file__).parent / "templates"
NAVIGATION = (
    ("/events", N_("Events"), "calendar"),
    ("/contacts", N_("Contacts"), "people"),
    ("/statistics", N_("Statistics"), "chart"),
    ("/billing", N_("Billing"), "wallet"),
    ("/account", N_("Account"), "person"),
)
NOTICES: dict[str, str] = {}
"""What `?done=` may say: key → text. Modules add theirs with `notices`."""

LANGUAGE_COOKIE_S = 400 * 24 * 3600


def notices(**texts: str) -> None:
    """Add notices: key → text marked with `N_`."""
    NOTICES.update(texts)


def render(
    request: Request,
    template: str,
    context: object = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HTMLResponse:
    """The page. `context` is a dataclass or a mapping. Raises jinja2.UndefinedError for a missing name."""
    services: Services = request.app.state.services
    language = i18n.language_of(request)
    values = {**_common(request, services, language), **_mapping(context)}
    body = environment(language).get_template(template).render(values)
    response = HTMLResponse(body, status_code=status, headers=dict(page_headers(services.public_url)))
    response.headers["Content-Language"] = language
    response.headers.update(headers or {})
    secure = services.public_url.startswith("https:")
    csrf.remember(request, response, secure=secure)
    if request.query_params.get("lang") == language:
        keep_language(response, language, secure=secure)
    return response


def keep_language(response: HTMLResponse | Any, language: str, *, secure: bool) -> None:
    """Remember the language in the browser."""
    response.set_cookie(
        i18n.COOKIE, language, max_age=LANGUAGE_COOKIE_S, httponly=True, samesite="lax", secure=secure
    )


@cache
def environment(language: str) -> jinja2.Environment:
    """Jinja with the texts and formats of a language."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.install_gettext_translations(i18n.texts(language), newstyle=True)  # type: ignore[attr-defined]
    made.policies["ext.i18n.trimmed"] = True
    made.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "sort_keys": True}
    made.filters.update(formats.filters(language))
    made.globals.update(
        lang=language,
        languages=i18n.LANGUAGES,
        asset=lambda path: assets().url(path),
        icon=_icon,
        script_messages=lambda: i18n.script_messages(language),
    )
    return made


def _common(request: Request, services: Services, language: str) -> dict[str, Any]:
    path = request.url.path

    def here(other: str) -> str:
        """The address of this page in another language."""
        kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
        if request.method != "GET":
            return f"/?lang={other}"
        return f"{path}?{urlencode([*kept, ('lang', other)])}"

    wanted = NOTICES.get(request.query_params.get("done", ""))
    return {
        "path": path,
        "here": here,
        "nav": [one for one in NAVIGATION if one[0] != "/billing" or services.billing is not None],
        "visitor": getattr(request.state, "visitor", None),
        "csrf_token": csrf.token_for(request, secret=services.secret),
        "notice": i18n.texts(language).gettext(wanted) if wanted else None,
        "public_url": services.public_url,
    }


def _mapping(context: object) -> dict[str, Any]:
    if context is None:
        return {}
    if isinstance(context, Mapping):
        return dict(context)
    assert dataclasses.is_dataclass(context), "a context is a dataclass or a mapping"
    return {field.name: getattr(context, field.name) for field in dataclasses.fields(context)}


def _icon(name: str, label: str | None = None) -> Markup:
    """A picture from icons.svg; one with a label is read aloud, one without is decoration."""
    said = Markup('role="img" aria-label="{}"').format(label) if label else Markup('aria-hidden="true"')
    return Markup('<svg class="icon" {} focusable="false"><use href="{}#{}"></use></svg>').format(
        said, assets().url("icons.svg"), escape(name)
    )
