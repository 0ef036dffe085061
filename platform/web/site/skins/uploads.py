"""A form with pictures: read whole, bounded, and only from a page of ours.

It is the form of a look, with at most two files. A picture that is too large is told apart from a form that
is too large: the first is a sentence beside its field, the second ends the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from events.pictures import BYTES_MAX, Kind
from web.access import AllServices
from web.errors import ApiError
from web.forms import nest
from web.site import csrf
from web.site.security import address_of, get_visitor, limits_of, too_many

FORM_BYTES_MAX = 3 * BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The texts, and the files that were chosen."""

    fields: dict[str, Any]
    files: Mapping[Kind, bytes] = field(repr=False)


async def read_posted(request: Request, services: AllServices) -> Posted:
    """A dependency. Raises ApiError 400, 403, 413, 429."""
    if not limits_of(request).forms.take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > FORM_BYTES_MAX:
            await run_in_threadpool(get_visitor, request, services)
            raise ApiError(413, "pictures must not be larger than 1 MB each", headers={"Connection": "close"})
    fields, files = await _parts(request, bytes(whole))
    if not csrf.is_good(request, fields.pop(csrf.FIELD, None), secret=services.secret):
        await run_in_threadpool(get_visitor, request, services)
        raise ApiError(403, "the form does not come from one of our pages, or is too old")
    return Posted(fields=fields, files=files)


PostedPictures = Annotated[Posted, Depends(read_posted)]


async def _parts(request: Request, whole: bytes) -> tuple[dict[str, Any], dict[Kind, bytes]]:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": whole, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=len(Kind), max_fields=20) as form:
            files = {}
            for kind in Kind:
                file = form.get(kind.value)
                if isinstance(file, UploadFile) and file.size:
                    files[kind] = await file.read()
            texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            return nest(texts), files
    except (HTTPException, KeyError, ValueError) as exc:
        raise ApiError(400, "the form cannot be read") from exc
