"""Reception of many RTP streams at once: order, loss, jitter (RFC 3550 §6.4.1, appendices A.1, A.3, A.8).

`Streams.receive` takes one batch sorted by leg.  A leg usually has one packet in it, sometimes several; all
updates are made per run of one leg, with `reduceat`, never per packet.

Sequence numbers are extended by the signed distance to the highest one seen.  A distance beyond
MAX_DROPOUT or MAX_MISORDER is believed only when the next packet continues from there (A.1's `bad_seq`),
and so is a new SSRC: one stray packet must not throw a stream away, and a restarted phone must not stay
unheard.  Timestamps are unwrapped the same way, to 64-bit ticks that start at 0 with a stream.

Losses are summed over the sections between such restarts.  Burstiness: `gaps` counts runs of lost packets,
so that the mean burst length is lost / gaps.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bridge.mixer.wrap import diff16, diff32

MAX_DROPOUT = 3000
MAX_MISORDER = 100
TICKS_PER_S = 8000
_JUMP_TICKS = 10 * TICKS_PER_S

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


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
        self.started = np.zeros(n, np.bool_)
        self.ssrc = np.zeros(n, np.int64)
        self.seq = np.zeros(n, np.int64)  # extended, highest seen
        self.base = np.zeros(n, np.int64)
        self.received = np.zeros(n, np.int64)  # in this section
        self.gaps = np.zeros(n, np.int64)
        self.last_ts = np.zeros(n, np.int64)
        self.last_ticks = np.zeros(n, np.int64)
        self.transit = np.zeros(n, np.float64)
        self.jitter = np.zeros(n, np.float64)  # ticks
        self.jitter_max = np.zeros(n, np.float64)
        self.jitter_sum = np.zeros(n, np.float64)
        self.jitter_count = np.zeros(n, np.int64)
        self.last_arrival_ns = np.zeros(n, np.int64)
        self.packets = np.zeros(n, np.int64)
        self._lost_before = np.zeros(n, np.int64)
        self._bad_seq = np.full(n, -1, np.int64)
        self._new_ssrc = np.full(n, -1, np.int64)
        self._expected_prior = np.zeros(n, np.int64)
        self._received_prior = np.zeros(n, np.int64)

    def reset(self, row: int) -> None:
        for name, column in vars(self).items():
            column[row] = -1 if name in ("_bad_seq", "_new_ssrc") else 0

    def _start(self, row: int, *, seq: int, ts: int, ssrc: int) -> None:
        """Begin a section at this packet: what was lost before stays counted."""
        if self.started[row]:
            self._lost_before[row] += max(0, self._expected(row) - int(self.received[row]))
        self.started[row] = True
        self.ssrc[row] = ssrc
        self.seq[row] = self.base[row] = seq
        self.seq[row] -= 1  # the packet itself is counted by `receive`
        self.received[row] = 0
        self.last_ts[row] = ts
        self.last_ticks[row] = 0
        self.transit[row] = np.nan
        self._bad_seq[row] = self._new_ssrc[row] = -1
        self._expected_prior[row] = self._received_prior[row] = 0

    def accept(self, rows: Ints, seq: Ints, ts: Ints, ssrc: Ints) -> tuple[Mask, list[int]]:
        """Which packets belong to their stream; and the rows whose stream (re)started with one of them.

        All arrays (n,), in order of arrival within a leg.
        """
        delta = diff16(seq, self.seq[rows] & 0xFFFF)
        odd = (
            ~self.started[rows]
            | (ssrc != self.ssrc[rows])
            | (delta > MAX_DROPOUT)
            | (delta < -MAX_MISORDER)
        )
        good = ~odd
        restarted: list[int] = []
        if odd.any():
            for i in np.flatnonzero(odd).tolist():
                row, s = int(rows[i]), int(seq[i])
                good[i], fresh = self._judge(row, seq=s, ts=int(ts[i]), ssrc=int(ssrc[i]))
                if fresh:
                    restarted.append(row)
                    # Packets of the old stream that stand earlier in this batch would be measured
                    # against the new one.
                    good[:i] &= rows[:i] != row
        return good, restarted

    def _judge(self, row: int, *, seq: int, ts: int, ssrc: int) -> tuple[bool, bool]:
        """(accept, restarted) for a packet that does not simply continue its stream."""
        if not self.started[row]:
            self._start(row, seq=seq, ts=ts, ssrc=ssrc)
            return True, True
        if ssrc != self.ssrc[row]:
            if self._new_ssrc[row] == ssrc:
                self._start(row, seq=seq, ts=ts, ssrc=ssrc)
                return True, True
            self._new_ssrc[row] = ssrc
            return False, False
        delta = diff16(seq, int(self.seq[row]) & 0xFFFF)
        if -MAX_MISORDER <= delta <= MAX_DROPOUT:
            return True, False  # the stream restarted earlier in this batch
        if seq == self._bad_seq[row]:
            self._start(row, seq=seq, ts=ts, ssrc=ssrc)
            return True, True
        self._bad_seq[row] = (seq + 1) & 0xFFFF
        return False, False

    def count(self, rows: Ints, seq: Ints, arrival_ns: Ints) -> None:
        """Count accepted packets.  rows must be sorted; at least one packet."""
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        legs = rows[first]
        run = np.diff(first, append=len(rows))
        ahead = np.maximum.reduceat(diff16(seq, self.seq[rows] & 0xFFFF), first)
        self.gaps[legs] += ahead > run
        self.seq[legs] += np.maximum(ahead, 0)
        self.received[legs] += run
        self.packets[legs] += run
        self.last_arrival_ns[legs] = np.maximum.reduceat(arrival_ns, first)

    def ticks(self, rows: Ints, ts: Ints) -> Ints:
        """Timestamps unwrapped to 64-bit ticks since the start of their stream."""
        return self.last_ticks[rows] + diff32(ts, self.last_ts[rows])

    def time(self, rows: Ints, ts: Ints, ticks: Ints, arrival_ns: Ints) -> None:
        """Update jitter from audio packets (A.8).  rows sorted; ticks as from `ticks`."""
        first = np.flatnonzero(np.diff(rows, prepend=-1))
        legs = rows[first]
        transit = arrival_ns * (TICKS_PER_S / 1e9) - ticks
        before = np.empty_like(transit)
        before[1:] = transit[:-1]
        before[first] = self.transit[legs]
        step = np.abs(transit - before)
        step[~(step < _JUMP_TICKS)] = 0.0  # the first packet, or a jump of the sender's clock
        run = np.diff(first, append=len(rows))
        keep = (15 / 16) ** run
        mean = np.add.reduceat(step, first) / run
        jitter = self.jitter[legs] * keep + mean * (1 - keep)
        self.jitter[legs] = jitter
        self.jitter_max[legs] = np.maximum(self.jitter_max[legs], jitter)
        self.jitter_sum[legs] += jitter
        self.jitter_count[legs] += 1
        last = first + run - 1
        self.transit[legs] = transit[last]
        forward = ticks[last] >= self.last_ticks[legs]
        ahead = last[forward]
        self.last_ts[legs[forward]] = ts[ahead]
        self.last_ticks[legs[forward]] = ticks[ahead]

    def rebase(self, row: int, *, ts: int, ticks: int) -> None:
        """Let timestamp `ts` stand at `ticks` from now on, after the sender's clock jumped."""
        self.last_ts[row] = ts
        self.last_ticks[row] = ticks
        self.transit[row] = np.nan

    def _expected(self, row: int) -> int:
        return int(self.seq[row] - self.base[row]) + 1

    def lost(self, row: int) -> int:
        current = self._expected(row) - int(self.received[row]) if self.started[row] else 0
        return int(self._lost_before[row]) + max(0, current)

    def fraction_lost(self, row: int) -> int:
        """Loss since the last report as an 8-bit fraction (A.3); starts the next interval."""
        expected = self._expected(row)
        received = int(self.received[row])
        expected_now = expected - int(self._expected_prior[row])
        lost_now = expected_now - (received - int(self._received_prior[row]))
        self._expected_prior[row], self._received_prior[row] = expected, received
        return min(255, (lost_now << 8) // expected_now) if expected_now > 0 and lost_now > 0 else 0

    def report(self, row: int) -> Reception:
        count = int(self.jitter_count[row])
        per_ms = TICKS_PER_S / 1000
        return Reception(
            packets=int(self.packets[row]),
            lost=self.lost(row),
            gaps=int(self.gaps[row]),
            jitter_avg_ms=float(self.jitter_sum[row]) / count / per_ms if count > 1 else None,
            jitter_max_ms=float(self.jitter_max[row]) / per_ms if count > 1 else None,
        )
