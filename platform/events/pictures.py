"""Pictures that strangers upload, made safe: what leaves here was drawn anew by us. Pure.

Theory. A file is what its first bytes say, not what its name or its sender says; and a file can be two
things at once (a PNG that is a script to some reader), carry where a telephone was when it took the
picture, or be a few kilobytes that become gigabytes when they are unpacked. So the size is looked at first,
then the first bytes, then the width and height in the header, and only then is anything unpacked. The
pixels are written into a new file and everything else is left behind. SVG is refused: it is a document with
scripts and links, not a picture.

Cost: `PIXELS_MAX` of four bytes for a moment, some 100 ms of CPU.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from enum import StrEnum

from PIL import Image, ImageOps

BYTES_MAX = 1024 * 1024
PIXELS_MAX = 16_000_000
SIDE_MIN, SIDE_MAX = 16, 8_000
_FORMATS = ("PNG", "JPEG", "WEBP")
_JPEG_QUALITY = 86
_TOO_MANY = f"must not have more than {PIXELS_MAX // 1_000_000} million pixels"
_BROKEN = (
    OSError, ValueError, TypeError, SyntaxError, EOFError, LookupError, ArithmeticError, MemoryError,
    struct.error, zlib.error,
)  # fmt: skip
"""How Pillow says that a file is broken."""


class Kind(StrEnum):
    """What a picture is for."""

    LOGO = "logo"
    BANNER = "banner"


BOXES = {Kind.LOGO: (640, 240), Kind.BANNER: (2_000, 800)}
"""Kind → width and height that a picture is made to fit into, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that we drew: `body` is PNG (logos, which may be transparent) or JPEG (banners)."""

    content_type: str
    width: int
    height: int
    body: bytes = field(repr=False)


class BadPictureError(ValueError):
    """The file is no picture that we take; the text says what would be."""


def read_picture(body: bytes, *, kind: Kind) -> Picture:
    """The picture in a file. Raises BadPictureError."""
    if len(body) > BYTES_MAX:
        raise BadPictureError("must not be larger than 1 MB")
    if not _known(body):
        raise BadPictureError("must be a picture: PNG, JPEG or WebP")
    try:
        with Image.open(io.BytesIO(body), formats=_FORMATS) as found:
            _check_size(*found.size)
            return _drawn(ImageOps.exif_transpose(found), kind)
    except BadPictureError:
        raise
    except Image.DecompressionBombError as exc:
        raise BadPictureError(_TOO_MANY) from exc
    except _BROKEN as exc:
        raise BadPictureError("is broken: this picture cannot be read") from exc


def _known(body: bytes) -> bool:
    webp = body[:4] == b"RIFF" and body[8:12] == b"WEBP"
    return webp or body.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))


def _check_size(width: int, height: int) -> None:
    if min(width, height) < SIDE_MIN:
        raise BadPictureError(f"must be at least {SIDE_MIN} pixels wide and high")
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise BadPictureError(_TOO_MANY)


def _drawn(found: Image.Image, kind: Kind) -> Picture:
    image = found.convert("RGBA")
    image.thumbnail(BOXES[kind], Image.Resampling.LANCZOS)
    out = io.BytesIO()
    if kind is Kind.LOGO:
        image.save(out, "PNG", optimize=True)
        content_type = "image/png"
    else:
        paper = Image.new("RGBA", image.size, "#ffffff")
        flat = Image.alpha_composite(paper, image).convert("RGB")
        flat.save(out, "JPEG", quality=_JPEG_QUALITY, optimize=True, progressive=True)
        content_type = "image/jpeg"
    return Picture(content_type=content_type, width=image.width, height=image.height, body=out.getvalue())
