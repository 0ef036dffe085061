"""Reception of many RTP streams at once: order, loss, jitter (RFC 3550 §6.4.1, appendices A.1, A.3, A.8).

Sequence numbers are extended by the signed distance to the highest one seen.  A distance beyond
MAX_DROPOUT or MAX_MISORDER is believed only when the next packet continues from there (A.1's `bad_seq`),
and so is a new SSRC: one stray packet must not throw a stream away, and a restarted phone must not stay
unheard.  Timestamps are unwrapped the same way, to 64-bit ticks that start at 0 with a stream.

Ticks are those of the leg's own RTP clock.  What is measured in them (transit, jitter) is kept in ticks of
8 kHz, the clock of all telephone codecs; `clock` says how many times as fast the leg's own is.

Losses are summed over the sections between such restarts.  Burstiness: `gaps` counts runs of lost packets,
so that the mean burst length is lost / gaps.

Batches come in two kinds.  Nearly all packets of a tick are the only one of their leg in it; for those every
update is a plain column operation.  The rest (`Runs` with `first`) are sorted by leg and reduced per run.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bridge.mixer.wrap import diff16, diff32

MAX_DROPOUT = 3000
MAX_MISORDER = 100
TICKS_PER_S = 8000
_JUMP_TICKS = TICKS_PER_S
_TICKS_PER_NS = TICKS_PER_S / 1e9
_SPAN = MAX_DROPOUT + MAX_MISORDER

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Runs:
    """Packets grouped by leg: `legs` (m,) are distinct; the packets of one leg stand together."""

    __slots__ = ("first", "legs", "size")

    def __init__(self, rows: Ints, *, unique: bool) -> None:
        self.first: Ints | None = None
        self.size: Any = 1
        self.legs = rows
        if not unique:
            self.first = (np.diff(rows, prepend=-1)).nonzero()[0]
            self.legs = rows[self.first]
            self.size = np.diff(self.first, append=len(rows))

    def max(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Largest value of each leg."""
        return values if self.first is None else np.maximum.reduceat(values, self.first)

    def sum(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return values if self.first is None else np.add.reduceat(values, self.first)

    def last(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Value of each leg's last packet."""
        return values if self.first is None else values[self.first + self.size - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """Totals of one stream so far.  Jitter in ms; `None` before two packets came."""

    packets: int
    lost: int
    gaps: int
    jitter_avg_ms: float | None
    jitter_max_ms: float | None


class Streams:
    def __init__(self, capacity: int) -> None:
        n = capacity
        self.ssrc = np.full(n, -1, np.int64)  # -1: nothing came yet
        self.seq = np.zeros(n, np.int64)  # extended, highest seen
        self.packets = np.zeros(n, np.int64)
        self.gaps = np.zeros(n, np.int64)
        self.last_ts = np.zeros(n, np.int64)
        self.last_ticks = np.zeros(n, np.int64)
        self.transit = np.zeros(n, np.float64)
        self.jitter = np.zeros(n, np.float64)  # in ticks of 8 kHz
        self.jitter_max = np.zeros(n, np.float64)
        self.jitter_sum = np.zeros(n, np.float64)
        self.timed = np.zeros(n, np.int64)  # packets in jitter_sum
        self.last_arrival_ns = np.zeros(n, np.int64)
        self._base = np.zeros(n, np.int64)  # first sequence number of this section
        self._packets_before = np.zeros(n, np.int64)  # packets before this section
        self._lost_before = np.zeros(n, np.int64)
        self._bad_seq = np.full(n, -1, np.int64)
        self._new_ssrc = np.full(n, -1, np.int64)
        self._expected_prior = np.zeros(n, np.int64)
        self._received_prior = np.zeros(n, np.int64)

    def reset(self, row: int) -> None:
        for name, column in vars(self).items():
            column[row] = -1 if name in ("_bad_seq", "_new_ssrc", "ssrc") else 0

    def started(self, row: int) -> bool:
        return bool(self.ssrc[row] >= 0)

    def _start(self, row: int, *, seq: int, ts: int, ssrc: int) -> None:
        """Begin a section at this packet: what was lost before stays counted."""
        if self.started(row):
            self._lost_before[row] += max(0, self._expected(row) - self._received(row))
        self.ssrc[row] = ssrc
        self._base[row] = seq
        self.seq[row] = seq - 1  # the packet itself is counted by `count`
        self._packets_before[row] = self.packets[row]
        self.last_ts[row] = ts
        self.last_ticks[row] = 0
        self.transit[row] = np.nan
        self._bad_seq[row] = self._new_ssrc[row] = -1
        self._expected_prior[row] = self._received_prior[row] = 0

    def regular(self, rows: Ints, seq: Ints, ssrc: Ints) -> Mask:
        """Which packets simply continue their stream."""
        distance = diff16(seq, self.seq[rows])
        distance += MAX_MISORDER
        near: Mask = distance.view(np.uint64) <= _SPAN
        near &= ssrc == self.ssrc[rows]
        return near

    def judge(self, rows: Ints, seq: Ints, ts: Ints, ssrc: Ints) -> tuple[Mask, list[tuple[int, bool]]]:
        """Which of some packets, not all regular, belong to their streams; and which rows (re)started, each
        with whether another source speaks now.

        All arrays (n,), in order of arrival within a leg.
        """
        good = self.regular(rows, seq, ssrc)
        restarted: list[tuple[int, bool]] = []
        for i in (~good).nonzero()[0].tolist():
            row = int(rows[i])
            source = int(self.ssrc[row])
            good[i], fresh = self._judge(row, seq=int(seq[i]), ts=int(ts[i]), ssrc=int(ssrc[i]))
            if fresh:
                restarted.append((row, source != int(ssrc[i])))
                # Packets of the old stream that stand earlier in this batch would be measured against
                # the new one.
                good[:i] &= rows[:i] != row
        return good, restarted

    def _judge(self, row: int, *, seq: int, ts: int, ssrc: int) -> tuple[bool, bool]:
        """(accept, restarted) for a packet that did not simply continue its stream."""
        if not self.started(row):
            self._start(row, seq=seq, ts=ts, ssrc=ssrc)
            return True, True
        if ssrc != self.ssrc[row]:
            if self._new_ssrc[row] == ssrc:
                self._start(row, seq=seq, ts=ts, ssrc=ssrc)
                return True, True
            self._new_ssrc[row] = ssrc
            return False, False
        if -MAX_MISORDER <= diff16(seq, int(self.seq[row])) <= MAX_DROPOUT:
            return True, False  # the stream restarted earlier in this batch
        if seq == self._bad_seq[row]:
            self._start(row, seq=seq, ts=ts, ssrc=ssrc)
            return True, True
        self._bad_seq[row] = (seq + 1) & 0xFFFF
        return False, False

    def count(self, rows: Ints, runs: Runs, seq: Ints, arrival_ns: Ints) -> None:
        """Count accepted packets."""
        legs = runs.legs
        ahead = runs.max(diff16(seq, self.seq[rows]))
        self.gaps[legs] += ahead > runs.size
        self.seq[legs] += np.maximum(ahead, 0)
        self.packets[legs] += runs.size
        self.last_arrival_ns[legs] = runs.max(arrival_ns)

    def ticks(self, rows: Ints, ts: Ints) -> Ints:
        """Timestamps unwrapped to 64-bit ticks since the start of their stream."""
        ticks = diff32(ts, self.last_ts[rows])
        ticks += self.last_ticks[rows]
        return ticks

    def time(self, runs: Runs, ts: Ints, ticks: Ints, arrival_ns: Ints, *, clock: Ints | int = 1) -> None:
        """Update jitter from audio packets (A.8).  ticks as from `ticks`; clock: of each packet's leg."""
        legs = runs.legs
        transit = arrival_ns * _TICKS_PER_NS - (ticks if isinstance(clock, int) else ticks / clock)
        if runs.first is None:
            step = np.abs(transit - self.transit[legs])
        else:
            before = np.empty_like(transit)
            before[1:] = transit[:-1]
            before[runs.first] = self.transit[legs]
            step = np.abs(transit - before)
        near = step < _JUMP_TICKS  # not so: the first packet (NaN), or a jump of the sender's clock
        if not near.all():
            step[~near] = 0.0
        jitter = self.jitter[legs]
        if runs.first is None:
            jitter += (step - jitter) * (1 / 16)
        else:
            keep = (15 / 16) ** runs.size
            jitter = jitter * keep + runs.sum(step) / runs.size * (1 - keep)
        self.jitter[legs] = jitter
        self.jitter_max[legs] = np.maximum(self.jitter_max[legs], jitter)
        self.jitter_sum[legs] += jitter
        self.timed[legs] += 1
        self.transit[legs] = runs.last(transit)
        newest, stamp = runs.last(ticks), runs.last(ts)
        forward = newest >= self.last_ticks[legs]
        if not forward.all():
            legs, newest, stamp = legs[forward], newest[forward], stamp[forward]
        self.last_ts[legs] = stamp
        self.last_ticks[legs] = newest

    def rebase(self, row: int, *, ts: int, ticks: int, clock: int = 1) -> None:
        """Let timestamp `ts` stand at `ticks` from now on."""
        now = int(self.last_ticks[row]) + diff32(ts, int(self.last_ts[row]))
        self.transit[row] += (now - ticks) / clock
        self.last_ts[row] = ts
        self.last_ticks[row] = ticks

    def _expected(self, row: int) -> int:
        return int(self.seq[row] - self._base[row]) + 1

    def _received(self, row: int) -> int:
        return int(self.packets[row] - self._packets_before[row])

    def lost(self, row: int) -> int:
        current = self._expected(row) - self._received(row) if self.started(row) else 0
        return int(self._lost_before[row]) + max(0, current)

    def fraction_lost(self, row: int) -> int:
        """Loss since the last report as an 8-bit fraction (A.3); starts the next interval."""
        expected, received = self._expected(row), self._received(row)
        expected_now = expected - int(self._expected_prior[row])
        lost_now = expected_now - (received - int(self._received_prior[row]))
        self._expected_prior[row], self._received_prior[row] = expected, received
        return min(255, (lost_now << 8) // expected_now) if expected_now > 0 and lost_now > 0 else 0

    def report(self, row: int) -> Reception:
        timed = int(self.timed[row])
        per_ms = TICKS_PER_S / 1000
        return Reception(
            packets=int(self.packets[row]),
            lost=self.lost(row),
            gaps=min(int(self.gaps[row]), self.lost(row)),  # some were only out of order
            jitter_avg_ms=float(self.jitter_sum[row]) / timed / per_ms if timed > 1 else None,
            jitter_max_ms=float(self.jitter_max[row]) / per_ms if timed > 1 else None,
        )
