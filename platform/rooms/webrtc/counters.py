"""What the process counts, over all peers."""

from __future__ import annotations

from rooms.webrtc.microphone import Counts

DROPS = {
    "malformed": "neither STUN nor DTLS nor RTP, or an Opus packet that is none",
    "early": "SRTP before the keys were there",
    "srtp": "SRTP that does not verify, or came twice",
    "codec": "RTP of another payload type than the Opus agreed on",
    "muted": "sound of somebody who may not speak, dropped undecoded",
    "late": "came after its place in the sequence was given up, or twice",
    "lost": "never came (counted at people who speak)",
    "foreign": "at a source's port, but not from its mixer leg",
    "unsent": "for a browser whose socket was full or whose way was lost",
}
"""Reasons to drop a packet."""


class Counters:
    """Counters since the process began."""

    def __init__(self) -> None:
        self.rx_pkts = self.tx_pkts = self.encodes = 0
        self.dropped = dict.fromkeys(DROPS, 0)
        self.microphones = Counts()

    def drop(self, reason: str) -> None:
        self.dropped[reason] += 1

    def all_dropped(self) -> dict[str, int]:
        """Drops by reason, those of the microphones included."""
        heard = self.microphones
        own = {"late": heard.late, "lost": heard.lost, "malformed": heard.malformed}
        return {reason: count + own.get(reason, 0) for reason, count in self.dropped.items()}
