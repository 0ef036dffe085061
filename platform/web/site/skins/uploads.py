"""The form of a look, with at most two pictures.

A picture that is too large is told apart from a form that is too large: the first is a sentence beside its
field, the second ends the connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from events.pictures import BYTES_MAX, Kind
from web.access import AllServices
from web.site.uploads import read_form

FORM_BYTES_MAX = 3 * BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """The texts, and the files that were chosen."""

    fields: dict[str, Any]
    files: Mapping[Kind, bytes] = field(repr=False)


async def read_posted(request: Request, services: AllServices) -> Posted:
    """A dependency. Raises ApiError 400, 403, 413, 429."""
    sent = await read_form(
        request,
        services,
        names=[kind.value for kind in Kind],
        bytes_max=FORM_BYTES_MAX,
        too_large="pictures must not be larger than 1 MB each",
    )
    return Posted(fields=sent.fields, files={Kind(name): body for name, body in sent.files.items()})


PostedPictures = Annotated[Posted, Depends(read_posted)]
