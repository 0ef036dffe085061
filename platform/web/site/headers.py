"""What a page allows the browser to do: almost nothing (CSP Level 3, Permissions Policy, RFC 6797).

Scripts and styles come from our own files alone, nothing is inline, nobody may frame a page, forms post to
us. The microphone may be asked for; every other device may not. `same-origin` as referrer keeps the secret
of a reset link from other sites and still lets the browser send an Origin with our own forms.
"""

from __future__ import annotations

from functools import cache
from urllib.parse import urlsplit

_SELF = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "media-src": "'self' blob:",
    "font-src": "'self'",
    "manifest-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
_PERMISSIONS = "microphone=(self), camera=(), geolocation=(), display-capture=(), payment=(), usb=()"
HSTS = "max-age=31536000"


@cache
def page_headers(public_url: str) -> dict[str, str]:
    """The headers of every page of the site at `public_url`."""
    parts = urlsplit(public_url)
    socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    policy = {**_SELF, "connect-src": f"'self' {socket}"}
    headers = {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": _PERMISSIONS,
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if parts.scheme == "https":
        headers["Strict-Transport-Security"] = HSTS
    return headers
