"""Every error that leaves over HTTP, in one place and one shape.

    {"message": "one sentence", "errors": [{"name": "field or slug", "message": "one sentence"}]}

    ApiError                  carries its own status
    └── raised by routes and dependencies: unauthorized(), not_found(), conflict(), bad_request(), …

Errors of the packages below are translated here: wrong fields 422, unknown things 404, refusals of the live
room 409 (404 when the participant is not there), an absent database 503 with Retry-After. What nobody
expected is 500 with a sentence that tells nothing about our insides; the log has the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from accounts.errors import UnknownKeyError
from database.errors import is_outage
from events.errors import BadEventError, UnknownEventError
from rooms.errors import NoSuchRoom, Refused
from web.route_list import all_routes

RETRY_AFTER_S = 5
_log = structlog.get_logger(__name__)


class ApiError(Exception):
    """An answer other than success. `errors` holds (name, sentence) pairs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        errors: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = headers


def not_found(what: str) -> ApiError:
    return ApiError(404, f"there is no such {what}")


def bad_fields(*errors: tuple[str, str]) -> ApiError:
    return ApiError(422, "some fields cannot be accepted", errors=errors)


def answer(error: ApiError) -> JSONResponse:
    """The HTTP response for an error."""
    body = {"message": error.message, "errors": [{"name": n, "message": m} for n, m in error.errors]}
    return JSONResponse(body, status_code=error.status, headers=dict(error.headers or {}))


def translate(error: Exception) -> ApiError:
    """The answer to an error of the packages below."""
    match error:
        case ApiError():
            return error
        case UnknownKeyError():
            return ApiError(
                401, "send a valid API key in the header X-Api-Key", headers={"WWW-Authenticate": "X-Api-Key"}
            )
        case UnknownEventError():
            return ApiError(404, str(error))
        case BadEventError():
            return bad_fields(*((problem.field, problem.message) for problem in error.problems))
        case Refused():
            return ApiError(
                404 if error.slug == "not-in-room" else 409, str(error), errors=[(error.slug, str(error))]
            )
        case NoSuchRoom():
            message = "nobody is in the room"
            return ApiError(409, message, errors=[("room-empty", message)])
        case RequestValidationError():
            return bad_fields(
                *((".".join(map(str, e["loc"][1:])) or "request", e["msg"]) for e in error.errors())
            )
        case HTTPException():
            return ApiError(error.status_code, str(error.detail).lower(), headers=error.headers)
    if is_outage(error):
        return ApiError(
            503, "the database cannot be reached, try again soon", headers={"Retry-After": str(RETRY_AFTER_S)}
        )
    _log.error("http_request_failed", exc_info=error)
    return ApiError(500, "something went wrong on our side; it has been logged")


def install(app: FastAPI, *, page: Callable[[Request, ApiError], Response | None] | None = None) -> None:
    """Let every error of `app` be answered in our shape, or with what `page` makes of it for a browser."""

    async def handle(request: Request, error: Exception) -> Response:
        known = translate(error)
        if known.status == 405:
            known.headers = {"Allow": ", ".join(sorted(_methods_of(request)))}
        return (page(request, known) if page is not None else None) or answer(known)

    known: list[Any] = [
        ApiError,
        UnknownKeyError,
        UnknownEventError,
        BadEventError,
        Refused,
        NoSuchRoom,
        RequestValidationError,
        HTTPException,
        Exception,
    ]
    for kind in known:
        app.add_exception_handler(kind, handle)


def _methods_of(request: Request) -> set[str]:
    """What may be done with this address: of all routes that have it, not only of the first."""
    found: set[str] = set()
    for route in all_routes(request.app.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            found |= getattr(route, "methods", None) or set()
    return found
