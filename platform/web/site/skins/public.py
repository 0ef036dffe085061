"""What guests' browsers fetch: the style sheet and the pictures of a look, and what time it is here.

The addresses hold a key that cannot be guessed and a digest of what is behind them, so browsers may keep a
picture for ever. They are served as what we drew them to be, and as nothing else (`nosniff`, and a policy
that lets a picture do nothing when it is opened by itself).
"""

from __future__ import annotations

import re

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from events import skins
from web.access import AllServices, Reader
from web.errors import not_found

router = APIRouter(include_in_schema=False)
_FOR_EVER = "public, max-age=31536000, immutable"
_SAFE = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": _FOR_EVER,
}
_STYLE = re.compile(r"([0-9a-f]{12})\.css", re.ASCII)
_PICTURE = re.compile(r"(logo|banner)-([0-9a-f]{24})\.(?:png|jpeg)", re.ASCII)


@router.get("/look/{key}/{name}")
def part_of_look(session: Reader, key: str, name: str) -> Response:
    style, picture = _STYLE.fullmatch(name), _PICTURE.fullmatch(name)
    if style is not None:
        sheet = skins.style_sheet(session, key=key[:32], version=style[1])
        if sheet is not None:
            # The address changes with the colours; an old page may ask for an old one and gets what there is.
            return Response(sheet, media_type="text/css; charset=utf-8", headers=_SAFE)
    if picture is not None:
        found = skins.picture(session, key=key[:32], kind=picture[1], digest=picture[2])
        if found is not None:
            return Response(found[1], media_type=found[0], headers=_SAFE)
    raise not_found("file")


@router.get("/clock")
def clock(services: AllServices) -> Response:
    """The time of this machine, for countdowns on machines whose own clock is wrong."""
    now = services.now().timestamp()
    return JSONResponse({"now": int(now * 1000)}, headers={"Cache-Control": "no-store"})
