"""Style, scripts and pictures: read once, served from memory under a name that changes with the content.

A page links `/assets/~<digest>/style.css`; the digest is over all files, so the relative imports of a
module and the `url()` of a style sheet stay inside the same version, and browsers may keep every file for
ever. The plain `/assets/style.css` works too and is asked for again each time (RFC 9111 §5.2.2.4, ETag).
Only files that were there at the start have names, so no path leads outside.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from web.errors import not_found
from web.site.i18n import STATIC

PREFIX = "/assets"
_MARK = "~"
_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".webmanifest": "application/manifest+json",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_EACH_TIME = "no-cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file."""

    body: bytes = field(repr=False)
    media_type: str
    etag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Assets:
    """All files by path, and the digest over them."""

    files: Mapping[str, Asset]
    digest: str

    def url(self, path: str) -> str:
        """The address of a file, to be kept for ever. Raises KeyError for a file that is not there."""
        if path not in self.files:
            raise KeyError(f"there is no asset {path!r}")
        return f"{PREFIX}/{_MARK}{self.digest}/{path}"


def read_assets(folder: Path) -> Assets:
    """The files of a folder."""
    files: dict[str, Asset] = {}
    whole = hashlib.blake2b(digest_size=6)
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _TYPES:
            body, name = path.read_bytes(), path.relative_to(folder).as_posix()
            tag = hashlib.blake2b(body, digest_size=12).hexdigest()
            whole.update(f"{name}:{tag}\n".encode())
            files[name] = Asset(body=body, media_type=_TYPES[path.suffix], etag=f'"{tag}"')
    return Assets(files=files, digest=whole.hexdigest())


@cache
def assets() -> Assets:
    """The files of this program."""
    return read_assets(STATIC)


router = APIRouter(include_in_schema=False)


@router.get(PREFIX + "/{path:path}")
def asset(request: Request, path: str) -> Response:
    version, _, rest = path.partition("/")
    pinned = version.startswith(_MARK)
    found = assets().files.get(rest if pinned else path)
    if found is None:
        raise not_found("file")
    # An older page may ask for an older version: it gets what there is, but must not keep it under that name.
    kept = pinned and version == f"{_MARK}{assets().digest}"
    headers = {"Cache-Control": _FOR_EVER if kept else _EACH_TIME, "ETag": found.etag}
    if request.headers.get("if-none-match") == found.etag:
        return Response(status_code=304, headers=headers)
    return Response(found.body, media_type=found.media_type, headers=headers)
