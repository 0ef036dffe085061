"""A form with a price list: its body is read here and not with the others.

The same rules hold as for other forms (`security.read_posted`): so many a minute, only from our own pages.
The body is bounded before it is taken apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from billing.deck_import import FILE_BYTES_MAX
from web.access import AllServices
from web.bodies import replayed
from web.errors import ApiError
from web.site import csrf
from web.site.security import address_of, limits_of, too_many

BODY_BYTES_MAX = FILE_BYTES_MAX + 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """Text fields, and the file named `file` (empty when none was chosen)."""

    fields: Mapping[str, str]
    name: str
    content: bytes


async def read_upload(request: Request, services: AllServices) -> Upload:
    """Raises ApiError 400, 403, 413, 415, 429."""
    if not limits_of(request).forms.take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise ApiError(415, "send multipart/form-data")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise ApiError(413, f"the body is larger than {BODY_BYTES_MAX} bytes")
    upload = await _parts(request, bytes(body))
    if not csrf.is_good(request, upload.fields.get(csrf.FIELD), secret=services.secret):
        raise ApiError(403, "the form does not come from one of our pages, or is too old")
    return upload


PostedUpload = Annotated[Upload, Depends(read_upload)]


async def _parts(request: Request, body: bytes) -> Upload:
    fields: dict[str, str] = {}
    name, content = "", b""
    try:
        async with replayed(request, body).form(max_files=1, max_fields=30) as form:
            for key, value in form.multi_items():
                if isinstance(value, UploadFile):
                    name, content = value.filename or "", await value.read()
                else:
                    fields[key] = value
    except (HTTPException, KeyError, ValueError) as exc:
        raise ApiError(400, "the form cannot be read") from exc
    return Upload(fields=fields, name="".join(c for c in name if c.isprintable())[-200:], content=content)
