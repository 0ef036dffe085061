"""Errors of the WebRTC room core.

    WebRtcError
    ├── BadOffer       the browser's offer cannot be used: its fault, told in a sentence
    └── Unavailable    ours: the process is starting anew, is full, or has no free port
"""

from __future__ import annotations


class WebRtcError(Exception):
    """Root of the package's errors."""


class BadOffer(WebRtcError):  # noqa: N818 - the word of the trade
    """An SDP offer that we cannot answer.  Nothing has changed."""


class Unavailable(WebRtcError):  # noqa: N818
    """The WebRTC process cannot do this now; the same may work in a second."""
