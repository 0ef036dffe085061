"""Request bodies: JSON, urlencoded or multipart forms, into one nested dict; bounded in size and depth."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from web.errors import ApiError
from web.forms import FIELDS_MAX, BadFormError, nest

BODY_BYTES_MAX = 512 * 1024


async def read_fields(request: Request) -> dict[str, Any]:
    """The fields of the body; empty for an empty body. A dependency. Raises ApiError 400, 413, 415."""
    body = await _read(request)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if not body.strip():
        return {}
    if kind == "application/json" or kind.endswith("+json"):
        return _json(body)
    try:
        if kind in ("application/x-www-form-urlencoded", ""):
            return nest(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
        if kind == "multipart/form-data":
            return nest(await _multipart(request, body))
    except ValueError as exc:
        raise ApiError(400, f"the form cannot be read: {_reason(exc)}") from None
    raise ApiError(415, "send application/json or application/x-www-form-urlencoded")


async def _read(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > BODY_BYTES_MAX:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise _too_large()
    return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not valid JSON") from None
    if not isinstance(found, dict):
        raise ApiError(400, "the body must be a JSON object")
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


async def _multipart(request: Request, body: bytes) -> list[tuple[str, str]]:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        message = (
            {"type": "http.disconnect"}
            if sent
            else {"type": "http.request", "body": body, "more_body": False}
        )
        sent = True
        return message

    try:
        async with Request(request.scope, receive).form(max_files=0, max_fields=FIELDS_MAX) as form:
            return [(name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile)]
    except (HTTPException, KeyError) as exc:
        raise BadFormError("the parts cannot be told apart") from exc


def _reason(error: ValueError) -> str:
    return str(error) if isinstance(error, BadFormError) else "it is not valid text, or has too many fields"


def _too_large() -> ApiError:
    return ApiError(413, f"the body is larger than {BODY_BYTES_MAX} bytes", headers={"Connection": "close"})
