"""The RTCP of a worker's legs: when to report, what to say, whom to believe."""

import select
import socket
import zlib

import numpy as np

from bridge.mixer import rtcp
from bridge.mixer.engine import Mixer


class Reports:
    def __init__(self, mixer: Mixer, sockets: list[socket.socket]) -> None:
        """sockets: RTCP sockets, in the order of the RTP sockets."""
        self._mixer, self._sockets = mixer, sockets
        self._index = {sock.fileno(): i for i, sock in enumerate(sockets)}
        self._ready = select.poll()
        for fd in self._index:
            self._ready.register(fd, select.POLLIN)
        self._cname = f"tollbridge-{zlib.crc32(socket.gethostname().encode()):08x}".encode()
        self._heard: dict[int, tuple[int, int]] = {}  # row → (ntp middle of the last SR, arrival ns)
        self._rtt_ms: dict[int, float] = {}
        self._last_ns: dict[int, int] = {}
        self._told: dict[int, int] = {}  # our SSRC → row, of the legs that were sent a report
        self.malformed = 0

    def reset(self, row: int) -> None:
        for table in (self._heard, self._rtt_ms, self._last_ns):
            table.pop(row, None)
        self._told = {ssrc: told for ssrc, told in self._told.items() if told != row}

    def rtt_ms(self, row: int) -> float | None:
        """Smoothed round-trip time of a leg."""
        return self._rtt_ms.get(row)

    def last_heard_ns(self, row: int) -> int | None:
        """CLOCK_REALTIME of the last report from the leg: a muted phone that sends no sound is alive."""
        return self._last_ns.get(row)

    def receive(self, realtime_ns: int) -> None:
        """Take what waits on the RTCP sockets, at most 256 packets each."""
        middle = rtcp.ntp_middle(realtime_ns)
        for fd, _ in self._ready.poll(0):
            index = self._index[fd]
            for _ in range(256):
                try:
                    data, address = self._sockets[index].recvfrom(1500)
                except OSError:
                    break
                self._take(data, address[0], index, middle, realtime_ns)

    def _take(self, data: bytes, ip: str, sock: int, middle: int, realtime_ns: int) -> None:
        heard = rtcp.parse(data)
        if heard is None:
            self.malformed += 1
            return
        legs = self._mixer.legs
        mine = legs.active & (legs.sock == sock) & (self._mixer.streams.ssrc == heard.ssrc)
        rows: list[int] = np.flatnonzero(mine).tolist()
        if not rows:  # a muted phone may never have sent sound: it is known by what it reports on
            rows = [self._told[block.ssrc] for block in heard.blocks if block.ssrc in self._told]
        for row in rows:
            if legs.remote(row)[0] != ip:
                continue
            self._last_ns[row] = realtime_ns
            if heard.sender_ntp is not None:
                self._heard[row] = (heard.sender_ntp, realtime_ns)
            for block in heard.blocks:
                rtt = rtcp.round_trip_ms(block, middle)
                if rtt is not None and block.ssrc == self._mixer.output.ssrc(row):
                    before = self._rtt_ms.get(row, rtt)
                    self._rtt_ms[row] = before + (rtt - before) / 4
            return

    def send_due(self, tick: int, realtime_ns: int) -> None:
        """Send the reports of the legs whose turn it is."""
        mixer = self._mixer
        for _, row in mixer.due(tick):
            if mixer.legs.send[row]:
                self._send(row, realtime_ns)

    def _send(self, row: int, realtime_ns: int) -> None:
        mixer = self._mixer
        address = mixer.legs.rtcp[row]
        if address is None:
            return
        streams, output = mixer.streams, mixer.output
        block = None
        if streams.started(row):
            last_sr, at = self._heard.get(row, (0, realtime_ns))
            block = rtcp.ReportBlock(
                ssrc=int(streams.ssrc[row]),
                fraction_lost=streams.fraction_lost(row),
                lost=streams.lost(row),
                highest_seq=int(streams.seq[row]),
                jitter=int(streams.jitter[row] * mixer.legs.clock[row]),
                last_sr=last_sr,
                delay_since_sr=(realtime_ns - at) * 65536 // 1_000_000_000 if last_sr else 0,
            )
        self._told[output.ssrc(row)] = row
        packets = output.sent(row)
        data = rtcp.build(
            ssrc=output.ssrc(row),
            realtime_ns=realtime_ns,
            rtp_timestamp=output.rtp_timestamp(row),
            packets=packets,
            octets=packets * output.octets(row),
            block=block,
            cname=self._cname,
        )
        try:
            self._sockets[int(mixer.legs.sock[row])].sendto(data, address)
        except OSError:
            return  # reports are repeated; the next one may pass
