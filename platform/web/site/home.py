"""The start page, for people who come by: what this is, how to join, which numbers to dial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from web.access import AllServices
from web.openapi import docs_html
from web.services import Gateway
from web.site.render import render
from web.site.security import MaybeSignedIn

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage:
    """What home.html shows."""

    gateways: Sequence[Gateway]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocsPage:
    """What api.html shows; `body` is HTML already."""

    body: str


@router.get("/")
def home(request: Request, _visitor: MaybeSignedIn, services: AllServices) -> Response:
    return render(request, "home.html", HomePage(gateways=services.gateways))


@router.get("/docs")
def docs(request: Request, _visitor: MaybeSignedIn) -> Response:
    return render(request, "api.html", DocsPage(body=docs_html(request.app.openapi())))
