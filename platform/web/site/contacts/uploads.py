"""A form with one file: read whole, bounded, and only from a page of ours.

Other forms have no files and are read by `web.bodies`. The file stays in memory; it is at most
`FILE_BYTES_MAX`, and a little is left for the rest of the form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.types import Message

from contacts.csv_file import FILE_BYTES_MAX
from web.access import AllServices
from web.errors import ApiError
from web.forms import nest
from web.site import csrf
from web.site.security import address_of, get_visitor, limits_of, too_many

FORM_BYTES_MAX = FILE_BYTES_MAX + 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`body` is None when the file, or the whole form, is too large."""

    fields: dict[str, Any]
    body: bytes | None = field(repr=False)


async def read_upload(request: Request, services: AllServices) -> Upload:
    """The fields and the file `file` of a multipart form. A dependency. Raises ApiError."""
    if not limits_of(request).forms.take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > FORM_BYTES_MAX:
            await run_in_threadpool(get_visitor, request, services)
            raise ApiError(413, "the file is larger than 2 MB", headers={"Connection": "close"})
    fields, body = await _parts(request, bytes(whole))
    if not csrf.is_good(request, fields.pop(csrf.FIELD, None), secret=services.secret):
        await run_in_threadpool(get_visitor, request, services)
        raise ApiError(403, "the form does not come from one of our pages, or is too old")
    return Upload(fields=fields, body=body if len(body) <= FILE_BYTES_MAX else None)


PostedUpload = Annotated[Upload, Depends(read_upload)]


async def _parts(request: Request, whole: bytes) -> tuple[dict[str, Any], bytes]:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": whole, "more_body": False}

    try:
        async with Request(request.scope, receive).form(max_files=1, max_fields=20) as form:
            file = form.get("file")
            body = await file.read() if isinstance(file, UploadFile) else b""
            texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            return nest(texts), body
    except (HTTPException, KeyError, ValueError) as exc:
        raise ApiError(400, "the form cannot be read") from exc
