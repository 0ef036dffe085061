"""The form of an address book: its file is at most `FILE_BYTES_MAX`, and a little is left for the rest."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from contacts.csv_file import FILE_BYTES_MAX
from web.access import AllServices
from web.site.uploads import read_form

FORM_BYTES_MAX = FILE_BYTES_MAX + 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """`body` is None when the file is too large."""

    fields: dict[str, Any]
    body: bytes | None = field(repr=False)


async def read_upload(request: Request, services: AllServices) -> Upload:
    """The fields and the file `file` of a multipart form. A dependency. Raises ApiError."""
    sent = await read_form(
        request, services, names=("file",), bytes_max=FORM_BYTES_MAX, too_large="the file is larger than 2 MB"
    )
    body = sent.files.get("file", b"")
    return Upload(fields=sent.fields, body=body if len(body) <= FILE_BYTES_MAX else None)


PostedUpload = Annotated[Upload, Depends(read_upload)]
