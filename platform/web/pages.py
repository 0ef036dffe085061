"""The two pages for people: what this is, and how its API is spoken to. No script, nothing from elsewhere."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from web.access import AllServices
from web.openapi import docs_html

router = APIRouter(include_in_schema=False)

STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { border-bottom: 1px solid #8886; padding: .2rem .8rem .2rem 0;
text-align: left; vertical-align: top; } h2 { margin-top: 2.5rem; } code { overflow-wrap: anywhere; }
"""


def page(title: str, body: str) -> HTMLResponse:
    """A whole page; `body` is HTML already."""
    return HTMLResponse(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<title>{escape(title)}</title><link rel="stylesheet" href="/assets/style.css"></head>'
        f"<body><main>{body}</main></body></html>\n"
    )


@router.get("/")
def home(services: AllServices) -> HTMLResponse:
    numbers = "".join(
        f"<tr><td>{escape(gateway.location)}</td><td>{escape(gateway.display)}</td></tr>"
        for gateway in services.gateways
    )
    return page(
        "Tollbridge",
        (
            "<h1>Tollbridge</h1><p>A telephone bridge for webinars: callers dial a city number, type "
            "the PIN of their "
            'event, and are in the room.</p><p><a href="/docs">How to use the HTTP API</a> · '
            '<a href="/healthz">health</a> · <a href="/metrics">metrics</a></p>'
            + (f"<h2>Dial-in numbers</h2><table>{numbers}</table>" if numbers else "")
        ),
    )


@router.get("/docs")
def docs(request: Request) -> HTMLResponse:
    return page("HTTP API of Tollbridge", docs_html(request.app.openapi()))


@router.get("/assets/style.css")
def style() -> Response:
    return Response(STYLE, media_type="text/css", headers={"Cache-Control": "max-age=3600"})
