"""Errors of the SIP side.

SipError
├── SipConfigError       our settings cannot work; said at start
└── RemoteError          what the network sent is at fault; never leaves the engine
    ├── MalformedSdpError
    └── NoCommonCodecError    well-formed, but nothing in it that we speak
"""

from __future__ import annotations


class SipError(Exception):
    """Base of all errors of this package."""


class SipConfigError(SipError):
    """Our own settings cannot work; the message says which and what to do."""


class RemoteError(SipError):
    """The other side sent something we cannot accept."""


class MalformedSdpError(RemoteError):
    """A session description that RFC 8866 does not allow."""


class NoCommonCodecError(RemoteError):
    """The offer holds no audio stream, codec or transport that we have too."""
