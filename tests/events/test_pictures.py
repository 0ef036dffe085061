"""Pictures of looks: what is taken, what is refused, and that nothing of the file is passed on."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from PIL import Image

from events.pictures import BYTES_MAX, BadPictureError, Kind, read_picture


def picture(
    kind: str = "PNG", size: tuple[int, int] = (300, 100), mode: str = "RGB", **options: object
) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, "#b4235a").save(out, kind, **options)
    return out.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_of(width: int, height: int, data: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_what_is_taken_is_drawn_anew(kind: str) -> None:
    logo = read_picture(picture(kind, (1300, 480)), kind=Kind.LOGO)
    assert (logo.content_type, logo.width, logo.height) == ("image/png", 640, 236)
    assert logo.body.startswith(b"\x89PNG")
    banner = read_picture(picture(kind, (400, 200)), kind=Kind.BANNER)
    assert (banner.content_type, banner.width, banner.height) == ("image/jpeg", 400, 200)


def test_nothing_but_pixels_is_passed_on() -> None:
    exif = Image.Exif()
    exif[0x010E] = "taken at home"
    body = picture("JPEG", exif=exif) + b"<script>alert(1)</script>"
    made = read_picture(body, kind=Kind.BANNER)
    assert b"taken at home" not in made.body
    assert b"<script>" not in made.body


def test_a_see_through_logo_stays_so() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (100, 40), (0, 0, 0, 0)).save(out, "PNG")
    made = read_picture(out.getvalue(), kind=Kind.LOGO)
    assert Image.open(io.BytesIO(made.body)).getpixel((5, 5)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "PNG, JPEG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "PNG, JPEG or WebP"),
        (b"GIF89a" + bytes(100), "PNG, JPEG or WebP"),
        (b"<html>\x89PNG\r\n\x1a\n", "PNG, JPEG or WebP"),
        (b"\x89PNG\r\n\x1a\n" + b"not a picture", "broken"),
        (b"\xff\xd8\xff\xe0" + bytes(50), "broken"),
        (b"RIFF\x00\x00\x00\x00WEBP" + bytes(50), "broken"),
        (picture()[:60], "broken"),
        (picture(size=(15, 100)), "at least 16 pixels"),
        (bytes(BYTES_MAX + 1), "1 MB"),
        # A bomb: 100,000 × 100,000 pixels in a few bytes, and one whose data is not what its header says.
        (png_of(100_000, 100_000, zlib.compress(bytes(1000))), "million pixels"),
        (png_of(5_000, 5_000, zlib.compress(bytes(1000))), "million pixels"),
        (png_of(3_000, 3_000, zlib.compress(bytes(1000))), "broken"),
    ],
)
def test_what_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(BadPictureError, match=said):
        read_picture(body, kind=Kind.LOGO)
