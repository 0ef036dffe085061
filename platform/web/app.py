"""The web application: `create_app(services)` puts routes, errors and middleware together. It starts
nothing.
"""

from __future__ import annotations

from fastapi import FastAPI

from web import (
    billing_api,
    conferences,
    contacts_api,
    errors,
    invitations_api,
    join_routes,
    lists,
    live,
    operations,
    payment_hooks,
    registration_api,
    reports_api,
    runs,
    socket,
    tickets_api,
    tokens_api,
    web_hooks_api,
)
from web.middleware import Counting, JsonSuffix, NoNul, SafeHeaders
from web.services import Services
from web.site import routes
from web.site.errors import error_page

DESCRIPTION = """\
Plan events, watch and steer them while they run, and read their call records.

Send your API key in the header X-Api-Key. Bodies may be JSON or forms, whose groups are written
settings[phonegateway_enabled]=1. Answers are JSON, with or without .json at the end of the path. Lists come
in pages (?page=2). Anything but success is answered with a message and a list of errors.
"""


def create_app(services: Services) -> FastAPI:
    """The ASGI application over these services."""
    app = FastAPI(
        title="Tollbridge HTTP API",
        version=services.version,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    for module in (
        lists,
        conferences,
        live,
        runs,
        reports_api,
        tokens_api,
        tickets_api,
        registration_api,
        invitations_api,
        contacts_api,
        web_hooks_api,
        operations,
        join_routes,
        socket,
        billing_api,
        payment_hooks,
        routes,
    ):
        app.include_router(module.router)
    app.include_router(reports_api.files_router)
    app.include_router(routes.last_router)  # the address of an event fits any path, so it comes last
    errors.install(app, page=error_page)
    app.add_middleware(JsonSuffix)
    app.add_middleware(NoNul)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Counting, registry=services.registry)
    return app
