"""Forms with files: read whole, bounded, and only from a page of ours.

Other forms have no files and are read by `web.bodies`. Files stay in memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from web.bodies import replayed
from web.errors import ApiError
from web.forms import nest
from web.services import Services
from web.site import csrf
from web.site.security import address_of, get_visitor, limits_of, too_many

_FIELDS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The texts, and the files that were chosen and are not empty, by the names of their fields."""

    fields: dict[str, Any]
    files: Mapping[str, bytes] = field(repr=False)


async def read_form(
    request: Request, services: Services, *, names: Collection[str], bytes_max: int, too_large: str
) -> Sent:
    """A multipart form with files of these names. `too_large`: the sentence for a form of more than
    `bytes_max`. Raises ApiError 400, 403, 413, 429; the sign-in page comes first for who is not signed in.
    """
    if not limits_of(request).forms.take(address_of(request), now_s=services.clock()):
        raise too_many(60)
    whole = bytearray()
    async for chunk in request.stream():
        whole += chunk
        if len(whole) > bytes_max:
            await run_in_threadpool(get_visitor, request, services)
            raise ApiError(413, too_large, headers={"Connection": "close"})
    sent = await _parts(request, bytes(whole), names)
    if not csrf.is_good(request, sent.fields.pop(csrf.FIELD, None), secret=services.secret):
        await run_in_threadpool(get_visitor, request, services)
        raise ApiError(403, "the form does not come from one of our pages, or is too old")
    return sent


async def _parts(request: Request, whole: bytes, names: Collection[str]) -> Sent:
    try:
        async with replayed(request, whole).form(max_files=len(names), max_fields=_FIELDS_MAX) as form:
            files = {}
            for name in names:
                file = form.get(name)
                if isinstance(file, UploadFile) and file.size:
                    files[name] = await file.read()
            texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
            return Sent(fields=nest(texts), files=files)
    except (HTTPException, KeyError, ValueError) as exc:
        raise ApiError(400, "the form cannot be read") from exc
