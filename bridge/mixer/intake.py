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

from bridge.mixer.clips import SILENCE_CODES
from bridge.mixer.jitter import BLOCK, FINE_BLOCK, RING, JitterBuffers
from bridge.mixer.legs import FINE, Legs
from bridge.mixer.rfc4733 import KeyReceiver
from bridge.mixer.sockets import BUFFER_BYTES, NAME_BYTES
from bridge.mixer.stream import Runs, Streams
from bridge.mixer.wrap import diff16

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
U8 = npt.NDArray[np.uint8]

BLOCK_NS = 10_000_000
COMFORT_NOISE = 13
LONGEST_BLOCKS = 12
_ONE_BY_ONE = 512
"""Datagrams per tick that may be looked at one by one; a flood beyond that is dropped unseen."""
_ROUNDS = 64
"""Packets of one leg in one tick that are looked at for its statistics."""
_COUNTING = np.arange(1 << 16)


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
    """Packets that belong to legs."""

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

    def pick(self, which: Mask | Ints) -> "_Columns":
        return _Columns(*(getattr(self, name)[which] for name in self.__slots__))


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


def _places(n: int) -> Ints:
    """0 … n − 1, from one shared array."""
    return _COUNTING[:n] if n <= len(_COUNTING) else np.arange(n)


class Intake:
    def __init__(self, legs: Legs, streams: Streams, buffers: JitterBuffers) -> None:
        n = legs.capacity
        self._legs, self._streams, self._buffers = legs, streams, buffers
        self._keys = KeyReceiver()
        self._place = np.zeros(n, np.int64)
        self._several = np.zeros(n, np.bool_)
        self.silent_to = np.zeros(n, np.int64)
        """Blocks before this number are keys, not speech."""
        self.packet_blocks = np.zeros(n, np.int64)
        """Length of the last audio packet, in blocks."""
        self.stray_socks: set[int] = set()
        """Sockets at which packets of nobody's came; the reader clears it."""
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
        self._buffers.turn(tick)
        if batch.n == 0:
            return
        kept = self._sort_out(batch, tick, on_latched)
        count = len(kept.rows)
        if count == 0:
            return
        # What is its leg's only packet and ordinary sound in sequence goes the short way.
        self._place[kept.rows] = _places(count)
        plain = self._place[kept.rows] == _places(count)
        if not plain.all():
            self._several[kept.rows[~plain]] = True
            plain = ~self._several[kept.rows]
            self._several[kept.rows] = False
        plain &= kept.audio
        plain &= self._streams.regular(kept.rows, kept.seq, kept.ssrc)
        plain &= self._buffers.started[kept.rows]
        now = (tick, tick_ns)
        if not plain.all():
            self._long_way(batch, kept.pick(~plain), now, on_key)
            kept = kept.pick(plain)
            if len(kept.rows) == 0:
                return
        self._count_and_take(batch, kept, now, Runs(kept.rows, unique=True))

    def _long_way(
        self, batch: Batch, kept: _Columns, now: tuple[int, int], on_key: Callable[[int, str], None]
    ) -> None:
        kept = kept.pick(np.argsort(kept.rows, kind="stable"))
        good, restarted = self._streams.judge(kept.rows, kept.seq, kept.ts, kept.ssrc)
        for row, other_source in restarted:
            self._buffers.started[row] = False
            if other_source:
                self._keys.reset(row)
        if not good.all():
            self.dropped["out_of_stream"] += int(np.count_nonzero(~good))
            kept = kept.pick(good)
        if len(kept.rows) == 0:
            return
        if kept.audio.all():
            self._count_and_take(batch, kept, now, Runs(kept.rows, unique=False))
            return
        self._streams.count(kept.rows, Runs(kept.rows, unique=False), kept.seq, kept.stamp)
        if kept.key.any():
            self._take_keys(batch, kept.pick(kept.key), on_key)
        if kept.audio.any():
            sound = kept.pick(kept.audio)
            self._take_audio(batch, sound, now, Runs(sound.rows, unique=False))

    def _count_and_take(self, batch: Batch, kept: _Columns, now: tuple[int, int], runs: Runs) -> None:
        self._streams.count(kept.rows, runs, kept.seq, kept.stamp)
        self._take_audio(batch, kept, now, runs)

    def _sort_out(self, batch: Batch, tick: int, on_latched: Callable[[int], None]) -> _Columns:
        """Find each datagram's leg and leave out what is none of ours."""
        n = batch.n
        words = np.ascontiguousarray(batch.data.view("<u4")[:n, :3])
        length, first = batch.length, words[:, 0]
        size = length - 12
        offset = np.full(n, 12, np.int64)
        usable = (first & 0xFF) == 0x80
        usable &= size > 0
        usable &= ~batch.truncated
        if not usable.all():
            self._odd_headers(batch, length, usable, offset, size)
        pt = ((first >> 8) & 0x7F).astype(np.int64)
        rows = self._legs.find(batch.names[:n], batch.sock[:n])
        unknown = usable & (rows < 0)
        if unknown.any():
            self._strangers(batch, unknown.nonzero()[0], rows, pt, tick=tick, on_latched=on_latched)
            usable &= rows >= 0
        audio = pt == self._legs.pt[rows]
        audio &= usable
        waiting = self._legs.waiting[rows]
        if audio.all() and not waiting.any():
            index = _places(n)
            key = np.zeros(n, np.bool_)
            stamp = batch.stamp_ns
        else:
            key = usable & ~audio & (pt == self._legs.dtmf_pt[rows])
            known = audio | key | (usable & (pt == COMFORT_NOISE))
            self.dropped["payload_type"] += int(np.count_nonzero(usable)) - int(np.count_nonzero(known))
            index = known.nonzero()[0]
            for row in np.unique(rows[known & waiting]).tolist():
                self._legs.waiting[row] = False
                on_latched(row)
            rows, words, audio, key = rows[index], words[index], audio[index], key[index]
            offset, size, stamp = offset[index], size[index], batch.stamp_ns[index]
        swapped = words.byteswap()
        return _Columns(
            index=index,
            rows=rows,
            seq=(swapped[:, 0] & 0xFFFF).astype(np.int64),
            ts=swapped[:, 1].astype(np.int64),
            ssrc=swapped[:, 2].astype(np.int64),
            audio=audio,
            key=key,
            offset=offset,
            size=size,
            stamp=stamp,
        )

    def _odd_headers(self, batch: Batch, length: Ints, usable: Mask, offset: Ints, size: Ints) -> None:
        truncated = batch.truncated
        for count, i in enumerate((~usable).nonzero()[0].tolist()):
            if count >= _ONE_BY_ONE:
                self.dropped["flood"] += 1
            elif truncated[i]:
                self.dropped["oversize"] += 1
            elif (bounds := payload_bounds(batch.data[i, : length[i]].tobytes())) is None:
                self.dropped["malformed"] += 1
            else:
                offset[i], size[i] = bounds
                usable[i] = True

    def _strangers(
        self,
        batch: Batch,
        which: Ints,
        rows: Ints,
        pt: Ints,
        *,
        tick: int,
        on_latched: Callable[[int], None],
    ) -> None:
        """Packets from sources that are no leg's: they may be what a leg waits for."""
        for count, i in enumerate(which.tolist()):
            if count < _ONE_BY_ONE and rows[i] < 0:
                sock = int(batch.sock[i])
                rows[i] = self._legs.latch(batch.names[i].tobytes(), sock, int(pt[i]), tick=tick)
                if rows[i] >= 0:
                    on_latched(int(rows[i]))
                    rows[which] = self._legs.find(batch.names[which], batch.sock[which])
                else:
                    self.stray_socks.add(sock)
            if rows[i] < 0:
                self.dropped["stray"] += 1

    def _take_keys(self, batch: Batch, kept: _Columns, on_key: Callable[[int, str], None]) -> None:
        ticks = self._streams.ticks(kept.rows, kept.ts)
        for i, row in enumerate(kept.rows.tolist()):
            start = int(kept.offset[i])
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

    def _take_audio(self, batch: Batch, kept: _Columns, now: tuple[int, int], runs: Runs) -> None:
        tick, tick_ns = now
        rows = kept.rows
        ticks = self._streams.ticks(rows, kept.ts)
        fine = self._legs.any_fine
        clock = self._legs.clock[rows] if fine else 1
        self._streams.time(runs, kept.ts, ticks, kept.stamp, clock=clock)
        age = (tick_ns - kept.stamp) * (1 / BLOCK_NS)
        odd = np.abs(age - 49.0) > 51.0  # no time stamp, or the clock was set
        if odd.any():
            age[odd] = 0.0
        arrival: Floats = np.asarray(2 * tick - age, np.float64)
        if runs.first is not None and not self._buffers.started[rows].all():
            for i in (~self._buffers.started[rows]).nonzero()[0].tolist():
                if not self._buffers.started[rows[i]]:
                    self._restart(kept, i, float(arrival[i]), tick)
            ticks = self._streams.ticks(rows, kept.ts)
        block = ticks // (BLOCK * clock)
        unit: Ints | int = np.where(clock == FINE, FINE_BLOCK, BLOCK) if fine else BLOCK
        blocks = (kept.size + (unit - 1)) // unit
        even = kept.size % (2 * unit) == 0
        self.packet_blocks[runs.legs] = runs.last(blocks)
        last_sent = diff16(kept.seq, self._streams.seq[rows]) == 0
        stores = self._buffers.store[rows]
        if not stores.all():
            silent = (~stores).nonzero()[0]
            for _ in range(_ROUNDS):  # a leg's packets one after the other
                some = silent if runs.first is None else silent[np.unique(rows[silent], return_index=True)[1]]
                jumped = self._buffers.follow(
                    rows[some], block=block[some], last_sent=last_sent[some], arrival=arrival[some]
                )
                for i in some[jumped].tolist():
                    self._restart(kept, i, float(arrival[i]), tick)
                silent = silent[:0] if runs.first is None else np.setdiff1d(silent, some)
                if len(silent) == 0:
                    break
            if not stores.any():
                return
            kept, rows, last_sent, even = kept.pick(stores), rows[stores], last_sent[stores], even[stores]
            block, blocks, arrival, ticks = block[stores], blocks[stores], arrival[stores], ticks[stores]
            runs = Runs(rows, unique=runs.first is None)
        good, jumped = self._buffers.put(
            rows,
            runs,
            block=block,
            blocks=blocks,
            even=even,
            last_sent=last_sent,
            arrival=arrival,
        )
        for i in jumped.tolist():
            self._restart(kept, i, float(arrival[i]), tick)
            ticks[i] = block[i] = 0
            self._buffers.head[rows[i]] = blocks[i]
            good[rows == rows[i]] = False  # what came with it lies on the old timeline
            good[i] = True
        if fine and (large := good & (self._legs.clock[rows] == FINE)).any():
            self._write(batch, kept, large, ticks, block, blocks, fine=True)
            good &= ~large
        if good.any():
            self._write(batch, kept, good, ticks, block, blocks, fine=False)

    def _write(
        self, batch: Batch, kept: _Columns, good: Mask, ticks: Ints, block: Ints, blocks: Ints, *, fine: bool
    ) -> None:
        """fine: all that are good are of legs with L16; otherwise none is."""
        rows = kept.rows
        unit = FINE_BLOCK if fine else BLOCK
        whole = good & (kept.size % unit == 0) & (kept.offset == 12) & (blocks <= LONGEST_BLOCKS)
        packets = whole.nonzero()[0]
        if len(packets):
            lengths = blocks[packets]
            for column in range(int(lengths.max())):
                some = packets[lengths > column]
                source = np.ndarray(
                    len(batch.data), f"V{unit}", batch.data, 12 + unit * column, (BUFFER_BYTES,)
                )
                self._buffers.write(rows[some], block[some] + column, source[kept.index[some]], fine=fine)
        for i in (good & ~whole).nonzero()[0][:_ONE_BY_ONE].tolist():
            row, start = int(rows[i]), int(kept.offset[i])
            payload = batch.data[kept.index[i], start : start + int(kept.size[i])].tobytes()
            if fine:
                if samples := payload[: len(payload) & ~1]:
                    self._buffers.write_bytes(row, 2 * int(ticks[i]), samples, 0, fine=True)
                continue
            silence = SILENCE_CODES[int(self._legs.codec[row])]
            self._buffers.write_bytes(row, int(ticks[i]), payload[: LONGEST_BLOCKS * BLOCK], silence)

    def _restart(self, kept: _Columns, i: int, arrival: float, tick: int) -> None:
        row = int(kept.rows[i])
        self._streams.rebase(row, ts=int(kept.ts[i]), ticks=0, clock=int(self._legs.clock[row]))
        self._buffers.restart(row, block=0, arrival=float(arrival), tick=tick)
        self.silent_to[row] = 0
