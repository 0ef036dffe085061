"""What can go wrong with Twilio.

TwilioError
├── BadMessageError     the far end of a media socket does not speak the protocol: its fault
├── TicketError         a stream shows a token that we did not give, or not lately, or that was used
└── ApiError            the REST API refused, or could not be reached; `status` is None then
"""

from __future__ import annotations


class TwilioError(Exception):
    """Base of this package's errors."""


class BadMessageError(TwilioError):
    """A message that is not of the Media Streams protocol."""


class TicketError(TwilioError):
    """A token that opens no stream. `why` is unknown, used or expired."""

    def __init__(self, why: str) -> None:
        super().__init__(f"token {why}")
        self.why = why


class ApiError(TwilioError):
    """The REST API did not do what was asked. The text never holds credentials."""

    def __init__(self, text: str, *, status: int | None) -> None:
        super().__init__(text)
        self.status = status
