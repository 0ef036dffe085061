"""Whether a browser sends a request from a page of ours (RFC 6454; Fetch Metadata).

Browsers say with `Origin` which site's page began a POST or a WebSocket. It must be our public address or
the very host that is being asked, which is the same for people who reach us by another name. Programs that
are no browsers send no Origin; they have nobody's cookies, so they are let pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit


def is_cross_site(headers: Mapping[str, str], *, public_url: str) -> bool:
    """Whether the request comes from a page of another site."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") in ("cross-site", "same-site")
    try:
        theirs = urlsplit(origin)
    except ValueError:
        return True
    if theirs.scheme not in ("http", "https") or not theirs.netloc:
        return True  # "null": a sandboxed frame or a file
    ours = urlsplit(public_url)
    if (theirs.scheme, theirs.netloc) == (ours.scheme, ours.netloc):
        return False
    return theirs.netloc != headers.get("host")
