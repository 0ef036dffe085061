"""From a batch of datagrams to sound in the jitter buffers, keys and statistics.

All decisions about what to believe are here.  A datagram is used when it is RTP version 2 of a plausible
length (RFC 3550 §5.1), comes from a leg's own source (or latches a waiting one), carries a payload type
that the leg negotiated, and continues the leg's stream.  Everything else is dropped and counted by reason;
nothing a network can send raises.

Headers are read as columns of the whole batch; only packets with CSRCs, extensions or padding, keys, and
lengths that are not whole blocks are looked at one by one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from bridge.mixer.jitter import BLOCK, RING, JitterBuffers
from bridge.mixer.legs import Legs
from bridge.mixer.rfc4733 import KeyReceiver
from bridge.mixer.sockets import BUFFER_BYTES, NAME_BYTES
from bridge.mixer.stream import Streams

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

BLOCK_NS = 10_000_000
COMFORT_NOISE = 13
LONGEST_BLOCKS = 12
_ONE_BY_ONE = 512
"""Datagrams per tick that may be looked at one by one; a flood beyond that is dropped unseen."""


class Batch(Protocol):
    """Datagrams of one tick; see `sockets.Receiver` for the shapes."""

    n: int
    data: U8
    names: U8
    sock: Ints

    @property
    def length(self) -> Ints: ...
    @property
    def stamp_ns(self) -> Ints: ...
    @property
    def truncated(self) -> Mask: ...


class PacketList:
    """A batch made of single packets: (data, source address, socket, arrival)."""

    def __init__(self, packets: list[tuple[bytes, bytes, int, int]]) -> None:
        n = self.n = len(packets)
        self.data = np.zeros((n, BUFFER_BYTES), np.uint8)
        self.names = np.zeros((n, NAME_BYTES), np.uint8)
        self.sock = np.zeros(n, np.int64)
        self.length = np.zeros(n, np.int64)
        self.stamp_ns = np.zeros(n, np.int64)
        self.truncated = np.zeros(n, np.bool_)
        for i, (data, name, sock, stamp) in enumerate(packets):
            kept = data[:BUFFER_BYTES]
            self.data[i, : len(kept)] = np.frombuffer(kept, np.uint8)
            self.names[i, : len(name)] = np.frombuffer(name, np.uint8)
            self.sock[i], self.length[i], self.stamp_ns[i] = sock, len(kept), stamp
            self.truncated[i] = len(data) > BUFFER_BYTES


@dataclass(frozen=True, slots=True)
class _Columns:
    """The packets that are kept, sorted by leg."""

    index: Ints  # into the batch
    rows: Ints
    seq: Ints
    ts: Ints
    ssrc: Ints
    audio: Mask
    key: Mask
    offset: Ints
    size: Ints
    stamp: Ints

    def pick(self, mask: Mask) -> "_Columns":
        if mask.all():
            return self
        return _Columns(*(getattr(self, name)[mask] for name in self.__slots__))


def payload_bounds(packet: bytes) -> tuple[int, int] | None:
    """(offset, size) of the payload of any RTP packet (§5.1, §5.3.1), or None when malformed or empty."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return None
    offset = 12 + 4 * (packet[0] & 15)
    if packet[0] & 0x10:
        if len(packet) < offset + 4:
            return None
        offset += 4 + 4 * int.from_bytes(packet[offset + 2 : offset + 4], "big")
    end = len(packet)
    if packet[0] & 0x20:
        end -= packet[-1]
        if packet[-1] == 0:
            return None
    return (offset, end - offset) if end > offset else None


class Intake:
    def __init__(self, legs: Legs, streams: Streams, buffers: JitterBuffers) -> None:
        n = legs.capacity
        self._legs, self._streams, self._buffers = legs, streams, buffers
        self._keys = KeyReceiver()
        self.silent_to = np.zeros(n, np.int64)
        """Blocks before this number are keys, not speech."""
        self.packet_blocks = np.zeros(n, np.int64)
        """Length of the last audio packet, in blocks."""
        self.dropped: dict[str, int] = dict.fromkeys(
            ("malformed", "oversize", "stray", "payload_type", "out_of_stream", "flood", "bad_key"), 0
        )

    def reset(self, row: int) -> None:
        self._streams.reset(row)
        self._buffers.reset(row)
        self._keys.reset(row)
        self.silent_to[row] = self.packet_blocks[row] = 0

    def receive(
        self,
        batch: Batch,
        *,
        tick: int,
        tick_ns: int,
        on_key: Callable[[int, str], None],
        on_latched: Callable[[int], None],
    ) -> None:
        """Take one batch.  tick_ns: CLOCK_REALTIME at which this tick was due."""
        if batch.n == 0:
            return
        kept = self._sort_out(batch, on_latched)
        if kept is None:
            return
        good, restarted = self._streams.accept(kept.rows, kept.seq, kept.ts, kept.ssrc)
        for row in restarted:
            self._buffers.started[row] = False
        bad = len(good) - int(np.count_nonzero(good))
        if bad:
            self.dropped["out_of_stream"] += bad
            kept = kept.pick(good)
        if len(kept.rows) == 0:
            return
        self._streams.count(kept.rows, kept.seq, kept.stamp)
        ticks = self._streams.ticks(kept.rows, kept.ts)
        if kept.key.any():
            self._take_keys(batch, kept, ticks, on_key)
        if kept.audio.all():
            self._take_audio(batch, kept, ticks, tick=tick, tick_ns=tick_ns)
        elif kept.audio.any():
            self._take_audio(batch, kept.pick(kept.audio), ticks[kept.audio], tick=tick, tick_ns=tick_ns)

    def _sort_out(self, batch: Batch, on_latched: Callable[[int], None]) -> _Columns | None:
        n = batch.n
        head = batch.data[:n, :12]
        length, truncated = batch.length, batch.truncated
        size = length - 12
        offset = np.full(n, 12, np.int64)
        usable = (head[:, 0] == 0x80) & (size > 0) & ~truncated
        for count, i in enumerate(np.flatnonzero(~usable).tolist()):
            if count >= _ONE_BY_ONE:
                self.dropped["flood"] += 1
            elif truncated[i]:
                self.dropped["oversize"] += 1
            elif (bounds := payload_bounds(batch.data[i, : length[i]].tobytes())) is None:
                self.dropped["malformed"] += 1
            else:
                offset[i], size[i] = bounds
                usable[i] = True
        pt = (head[:, 1] & 0x7F).astype(np.int64)
        rows = self._legs.find(batch.names[:n], batch.sock[:n])
        unknown = usable & (rows < 0)
        if unknown.any():
            for count, i in enumerate(np.flatnonzero(unknown).tolist()):
                if count < _ONE_BY_ONE:
                    rows[i] = self._legs.latch(batch.names[i].tobytes(), int(batch.sock[i]), int(pt[i]))
                    if rows[i] >= 0:
                        on_latched(int(rows[i]))
                        continue
                self.dropped["stray"] += 1
        usable &= rows >= 0
        audio = usable & (pt == self._legs.pt[rows])
        key = usable & ~audio & (pt == self._legs.dtmf_pt[rows])
        known = audio | key | (usable & (pt == COMFORT_NOISE))
        wrong = int(np.count_nonzero(usable)) - int(np.count_nonzero(known))
        if wrong:
            self.dropped["payload_type"] += wrong
        index = np.flatnonzero(known)
        if len(index) == 0:
            return None
        waiting = self._legs.waiting[rows[index]]
        if waiting.any():
            for row in np.unique(rows[index[waiting]]).tolist():
                self._legs.waiting[row] = False
                on_latched(row)
        index = index[np.argsort(rows[index].astype(np.int16), kind="stable")]
        words = np.ascontiguousarray(head[index])
        return _Columns(
            index=index,
            rows=rows[index],
            seq=words[:, 2:4].copy().view(">u2")[:, 0].astype(np.int64),
            ts=words[:, 4:8].copy().view(">u4")[:, 0].astype(np.int64),
            ssrc=words[:, 8:12].copy().view(">u4")[:, 0].astype(np.int64),
            audio=audio[index],
            key=key[index],
            offset=offset[index],
            size=size[index],
            stamp=batch.stamp_ns[index],
        )

    def _take_keys(
        self, batch: Batch, kept: _Columns, ticks: Ints, on_key: Callable[[int, str], None]
    ) -> None:
        for i in np.flatnonzero(kept.key).tolist():
            row, start = int(kept.rows[i]), int(kept.offset[i])
            payload = batch.data[kept.index[i], start : start + int(kept.size[i])].tobytes()
            packet = self._keys.receive(row, int(kept.ts[i]), payload)
            if packet is None:
                self.dropped["bad_key"] += 1
                continue
            end = (int(ticks[i]) + packet.duration) // BLOCK + 2
            now = int(self._buffers.play[row])
            self.silent_to[row] = max(int(self.silent_to[row]), min(end, now + RING // 2))
            if packet.key is not None:
                on_key(row, packet.key)

    def _take_audio(self, batch: Batch, kept: _Columns, ticks: Ints, *, tick: int, tick_ns: int) -> None:
        rows = kept.rows
        self._streams.time(rows, kept.ts, ticks, kept.stamp)
        age = (tick_ns - kept.stamp) / BLOCK_NS
        age[(age > 100.0) | (age < -2.0)] = 0.0  # no time stamp, or the clock was set
        arrival = 2 * tick - age
        block = ticks // BLOCK
        blocks = (kept.size + BLOCK - 1) // BLOCK
        fresh = ~self._buffers.started[rows]
        if fresh.any():
            for i in np.flatnonzero(fresh).tolist():
                if not self._buffers.started[rows[i]]:
                    self._restart(kept, i, arrival[i], tick)
            ticks = self._streams.ticks(rows, kept.ts)
            block = ticks // BLOCK
        good, jumped = self._buffers.put(rows, block, blocks, arrival)
        for i in jumped.tolist():
            row = int(rows[i])
            self._restart(kept, i, arrival[i], tick)
            ticks[i] = block[i] = 0
            good[i] = self._buffers.store[row]
        self.packet_blocks[rows] = blocks
        if not good.any():
            return
        whole = good & (kept.size % BLOCK == 0) & (kept.offset == 12) & (blocks <= LONGEST_BLOCKS)
        packets = np.flatnonzero(whole)
        if len(packets):
            lengths = blocks[packets]
            for column in range(int(lengths.max())):
                some = packets[lengths > column]
                source = np.ndarray(
                    len(batch.data), f"V{BLOCK}", batch.data, 12 + BLOCK * column, (BUFFER_BYTES,)
                )
                self._buffers.write(rows[some], block[some] + column, source[kept.index[some]])
        for i in np.flatnonzero(good & ~whole)[:_ONE_BY_ONE].tolist():
            row, start = int(rows[i]), int(kept.offset[i])
            payload = batch.data[kept.index[i], start : start + int(kept.size[i])].tobytes()
            silence = (0xFF, 0xD5, 0xFA)[int(self._legs.codec[row])]
            self._buffers.write_bytes(row, int(ticks[i]), payload[: LONGEST_BLOCKS * BLOCK], silence)

    def _restart(self, kept: _Columns, i: int, arrival: float, tick: int) -> None:
        row = int(kept.rows[i])
        self._streams.rebase(row, ts=int(kept.ts[i]), ticks=0)
        self._buffers.restart(row, block=0, arrival=float(arrival), tick=tick)
        self.silent_to[row] = 0
