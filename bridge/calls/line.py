"""What the switchboard asks of a way in, and of a call that came by it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.cdr.record import CallerPresentation, Channel
from bridge.numbers import DialInNumber


class Line(Protocol):
    """The signalling side of one call.  All methods return at once; the end is told by `Call.line_over`."""

    def hang_up(self, *, q850: int, text: str) -> None:
        """End the call, answered or not."""
        ...

    def probe(self) -> None:
        """Ask whether the far end still knows the call; `Call.probed` tells."""
        ...

    def hush(self) -> None:
        """A prompt was interrupted: what is on its way to the caller need not be heard any more."""
        ...

    def when_heard(self, then: Callable[[], None]) -> None:
        """Call `then` as soon as the caller has heard what was sent so far, or cannot any more."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A call as it came in, in words that fit every way in."""

    channel: Channel
    source: str
    """System that named the call."""
    source_call_id: str
    trunk: str
    src_ip: str | None
    caller_e164: str | None
    caller_raw: str
    caller_user: str | None
    """What names a caller without a telephone number: the user part of his address, no display name."""
    caller_presentation: CallerPresentation
    called_e164: str | None
    number: DialInNumber | None
    """Which of our numbers was dialled; None when it is not ours."""
    setup_at: datetime
