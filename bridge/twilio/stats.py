"""What is counted about Twilio, for /metrics."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.twilio.playout import PlayoutStats


@dataclass(slots=True)
class TwilioStats:
    """Counters since the start."""

    hooks: int = 0
    """Web hooks that were signed as they must be."""
    hooks_refused: int = 0
    """Web hooks without a right signature."""
    hooks_replayed: int = 0
    """Web hooks about a call that was answered before."""
    sockets_refused: int = 0
    """Media sockets without a right signature, or one too many."""
    tokens_refused: int = 0
    """Streams whose token was unknown, used or expired."""
    streams: int = 0
    streams_lost: int = 0
    """Sockets that broke although the call went on."""
    streams_regained: int = 0
    streams_missing: int = 0
    """Calls whose stream never came."""
    bad_messages: int = 0
    rest_failures: int = 0
    frames_in: int = 0
    frames_sent: int = 0
    frames_silent: int = 0
    frames_dropped: int = 0
    late_cuts: int = 0
    clears: int = 0

    def add(self, playout: PlayoutStats) -> None:
        """What a stream that is over has sent."""
        self.frames_sent += playout.sent
        self.frames_silent += playout.silent
        self.frames_dropped += playout.dropped
        self.late_cuts += playout.late_cuts
        self.clears += playout.clears
