"""Request bodies: JSON, urlencoded or multipart forms, into one nested dict; bounded in size and depth.

Every route has a bound of its own: `Fields` for most, `LongFields` where whole lists are sent. What is too
large is refused before it is read, when the client says how much it is going to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator
from itertools import islice
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from web.errors import ApiError, bad_fields
from web.forms import FIELDS_MAX, BadFormError, nest

BODY_BYTES_MAX = 512 * 1024
LONG_BODY_BYTES_MAX = 4 * 1024 * 1024
LONG_FIELDS_MAX = 30_000
DEPTH_MAX = 8
NUMBER_MAX = 2**63 - 1
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL refuses in texts, and halves of characters, which no encoding has."""


async def read_fields(
    request: Request, *, bytes_max: int = BODY_BYTES_MAX, fields_max: int = FIELDS_MAX
) -> dict[str, Any]:
    """The fields of the body; empty for an empty body. Raises ApiError 400, 413, 415."""
    found = await _fields(request, await _read(request, bytes_max), fields_max)
    if problems := [*islice(_not_data(found), 20)]:
        raise bad_fields(*problems)
    return found


async def _fields(request: Request, body: bytes, fields_max: int) -> dict[str, Any]:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if not body.strip():
        return {}
    if kind == "application/json" or kind.endswith("+json"):
        return _json(body)
    try:
        if kind in ("application/x-www-form-urlencoded", ""):
            return nest(
                parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=fields_max, errors="strict"),
                fields_max,
            )
        if kind == "multipart/form-data":
            return nest(await _multipart(request, body, fields_max), fields_max)
    except ValueError as exc:
        raise ApiError(400, f"the form cannot be read: {_reason(exc)}") from None
    raise ApiError(415, "send application/json or application/x-www-form-urlencoded")


def fields_up_to(*, bytes_max: int, fields_max: int) -> Callable[[Request], Awaitable[dict[str, Any]]]:
    """`read_fields` as a dependency with these bounds."""

    async def read(request: Request) -> dict[str, Any]:
        return await read_fields(request, bytes_max=bytes_max, fields_max=fields_max)

    return read


Fields = Annotated[dict[str, Any], Depends(fields_up_to(bytes_max=BODY_BYTES_MAX, fields_max=FIELDS_MAX))]
LongFields = Annotated[
    dict[str, Any], Depends(fields_up_to(bytes_max=LONG_BODY_BYTES_MAX, fields_max=LONG_FIELDS_MAX))
]


async def _read(request: Request, bytes_max: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and len(declared) < 20 and int(declared) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > bytes_max:
            raise _too_large(bytes_max)
    return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise ApiError(400, "the body is not valid JSON") from None
    if not isinstance(found, dict):
        raise ApiError(400, "the body must be a JSON object")
    return found


def _not_data(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """What in `value` no column of a database takes: (field, sentence). Names are bracketed, as in forms."""
    if isinstance(value, dict | list):
        if depth >= DEPTH_MAX:
            yield name, f"has more than {DEPTH_MAX} levels"
            return
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            shown = str(key)[:80].encode("utf-8", "replace").decode().replace("\x00", "?")
            inner_name = f"{name}[{shown}]" if name else shown
            if isinstance(key, str) and _NO_TEXT.search(key):
                yield inner_name, "has a name that is not text"
            else:
                yield from _not_data(inner, inner_name, depth + 1)
    elif isinstance(value, str) and _NO_TEXT.search(value):
        yield name, "contains characters that are not text"
    elif isinstance(value, int | float) and not -NUMBER_MAX <= value <= NUMBER_MAX:
        yield name, "is too large a number"


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def replayed(request: Request, body: bytes) -> Request:
    """The request with the body that was read from it, to be taken apart by `form`."""
    messages: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def receive() -> Message:
        return next(messages, {"type": "http.disconnect"})

    return Request(request.scope, receive)


async def _multipart(request: Request, body: bytes, fields_max: int) -> list[tuple[str, str]]:
    try:
        async with replayed(request, body).form(max_files=0, max_fields=fields_max) as form:
            return [(name, value) for name, value in form.multi_items() if not isinstance(value, UploadFile)]
    except (HTTPException, KeyError) as exc:
        raise BadFormError("the parts cannot be told apart") from exc


def _reason(error: ValueError) -> str:
    return str(error) if isinstance(error, BadFormError) else "it is not valid text, or has too many fields"


def _too_large(bytes_max: int) -> ApiError:
    message = f"the body is larger than {bytes_max // 1024} KiB, which is the most that is taken here"
    return ApiError(
        413,
        message,
        errors=[("body", "send it in several requests, or leave out what is not needed")],
        headers={"Connection": "close"},
    )
