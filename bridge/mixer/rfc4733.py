"""Telephone keys carried as RTP events (RFC 4733).

A key press is a run of packets that share one RTP timestamp, the moment the key went down; the duration in
them grows, and the last packet, marked as the end, is sent three times.  Marker bits, first packets and end
packets all get lost, so none of them is relied upon: **the timestamp is the key**.  The first packet that
arrives with a new timestamp reports it, at once; all others with that timestamp are the same press.

A press longer than a 16-bit duration continues under a new timestamp that follows on exactly (§2.5.1.3).
Packets of an older press that come late are ignored.
"""

from dataclasses import dataclass

from bridge.mixer.wrap import diff32

KEYS = "0123456789*#ABCD"
_LONGEST = 0xFF00
_FORGET_TICKS = 5 * 8000


@dataclass(slots=True)
class _Press:
    ts: int
    event: int
    duration: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPacket:
    """What one event packet means: the key if it is a new press, and how long it has been down (ticks)."""

    key: str | None
    duration: int


class KeyReceiver:
    """Tells new presses from repetitions, for all legs."""

    def __init__(self) -> None:
        self._presses: dict[int, _Press] = {}

    def reset(self, row: int) -> None:
        self._presses.pop(row, None)

    def receive(self, row: int, ts: int, payload: bytes) -> KeyPacket | None:
        """One event packet; None when it is malformed, not a key, or of an older press."""
        if len(payload) < 4 or payload[0] >= len(KEYS):
            return None
        event = payload[0]
        duration = int.from_bytes(payload[2:4], "big")
        last = self._presses.get(row)
        if last is not None:
            distance = diff32(ts, last.ts)
            if distance == 0 and event == last.event:
                last.duration = max(last.duration, duration)
                return KeyPacket(key=None, duration=last.duration)
            if -_FORGET_TICKS < distance < 0:
                return None
            continues = event == last.event and distance == last.duration and last.duration >= _LONGEST
            if continues:
                self._presses[row] = _Press(ts, event, duration)
                return KeyPacket(key=None, duration=duration)
        self._presses[row] = _Press(ts, event, duration)
        return KeyPacket(key=KEYS[event], duration=duration)
