"""The media worker: a process that owns the RTP sockets and ticks every 20 ms.

Its owner (`client`) opens the sockets and hands them down, so that a successor finds the same ports and the
packets that waited there.  Commands and events cross one socket pair; they are applied between ticks.  The
worker ends when the owner does: an end of file on the pipe means that nobody is left to tell anything.

A tick that begins more than LATE_MS after it was due is late and is counted.  After a stall the worker does
not run the missed ticks in a burst, which would only send packets too fast: it skips them, so that every
leg's timestamps jump by what was lost.
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time

import numpy as np

from bridge.mixer import protocol as p
from bridge.mixer.clips import Clip, EncodedClip, load
from bridge.mixer.engine import TICK_NS, Mixer
from bridge.mixer.legs import MediaParameters
from bridge.mixer.reports import Reports
from bridge.mixer.sockets import Receiver, Sender
from wire.frames import FrameReader, frame

LATE_MS = 5.0
_STALL_TICKS = 5
_STATS_TICKS = 50
_SWEEP_TICKS = 10
_PIPE_LIMIT = 64 << 20


class Worker:
    def __init__(
        self,
        pipe: socket.socket,
        ports: dict[tuple[str, int], tuple[socket.socket, socket.socket]],
        capacity: int,
    ) -> None:
        """ports: (address, RTP port) → RTP and RTCP sockets, already bound."""
        self._pipe = pipe
        self._pipe.setblocking(False)
        self._poller = select.poll()
        self._poller.register(self._pipe, select.POLLIN)
        self._keys = list(ports)
        self._index = {key: i for i, key in enumerate(ports)}
        self._rtp = [rtp for rtp, _ in ports.values()]
        self._fds = [sock.fileno() for sock in self._rtp]
        self._all_ports = list(enumerate(self._fds))
        self._used_ports = self._all_ports
        self._mixer = Mixer(capacity)
        self._reports = Reports(self._mixer, [rtcp for _, rtcp in ports.values()])
        self._receiver = Receiver(max(4096, 4 * capacity))
        self._sender = Sender(capacity)
        self._clips: dict[int, Clip] = {}
        self._reader = FrameReader(bytes_max=p.FRAME_BYTES_MAX)
        self._outgoing = bytearray()
        self._running = True
        self._rx = self._tx = self._ticks = self._late = 0
        self._busy_ns: list[int] = []

    def run(self) -> None:
        """Tick until told to stop or left alone."""
        self._mixer.events.append(p.Ready(os.getpid()))
        gc.freeze()
        gc.disable()  # nothing in a tick makes cycles; a collection would be a late tick
        tick = time.monotonic_ns() // TICK_NS + 1
        while self._running:
            self._wait_until(tick * TICK_NS)
            begun = time.monotonic_ns()
            late_ns = begun - tick * TICK_NS
            self._late += late_ns > LATE_MS * 1e6
            if late_ns > _STALL_TICKS * TICK_NS:
                tick = begun // TICK_NS
                late_ns = begun - tick * TICK_NS
            self._tick(tick, tick_ns=time.time_ns() - late_ns)
            self._busy_ns.append(time.monotonic_ns() - begun)
            tick += 1

    def _wait_until(self, due_ns: int) -> None:
        """Sleep until the tick is due, taking commands as they come."""
        self._exchange()
        while self._running:
            left = due_ns - time.monotonic_ns()
            if left <= 0:
                return
            self._poller.modify(self._pipe, select.POLLIN | (select.POLLOUT if self._outgoing else 0))
            if left < 2_000_000:
                time.sleep(left / 1e9)
            elif self._poller.poll((left - 1_000_000) // 1_000_000):
                self._exchange()

    def _tick(self, tick: int, *, tick_ns: int) -> None:
        mixer = self._mixer
        # Ports without a leg are emptied now and then, so that nothing old waits there for the next leg.
        everyone = tick % _SWEEP_TICKS == 0
        self._rx += self._receiver.receive(self._all_ports if everyone else self._used_ports)
        mixer.receive(self._receiver, tick=tick, tick_ns=tick_ns)
        mixer.mix(tick)
        if mixer.output.layout_changed:
            self._lay_out()
        self._sender.send(mixer.output.payloads)
        self._tx += self._sender.n
        if tick % 5 == 0:
            self._reports.receive(tick_ns)
            strays = mixer.intake.stray_socks
            if strays:
                mixer.events.append(p.StrayPorts([self._keys[sock] for sock in strays]))
                strays.clear()
        self._reports.send_due(tick, tick_ns)
        self._ticks += 1
        if tick % _STATS_TICKS == 0:
            self._tell_stats()
        for leg, row in mixer.report_due(tick + 1):
            mixer.events.append(self._report(leg, row))

    def _lay_out(self) -> None:
        output, legs = self._mixer.output, self._mixer.legs
        order = output.order
        socks = legs.sock[order]
        runs: list[tuple[int, int, int]] = []
        first = 0
        for end in range(1, len(order) + 1):
            if end == len(order) or socks[end] != socks[first]:
                runs.append((self._fds[int(socks[first])], first, end))
                first = end
        families = np.where(legs.names[order, 0] == socket.AF_INET6, 28, 16).astype(np.uint32)
        self._sender.layout(
            headers=output.header_addresses(),
            header_bytes=12,
            payload_bytes=output.payload_bytes,
            names=output.name_addresses(legs),
            namelens=families,
            runs=runs,
        )
        used = np.unique(legs.sock[legs.active]).tolist()
        self._used_ports = [(index, self._fds[index]) for index in used]
        output.layout_changed = False

    # The pipe.

    def _exchange(self) -> None:
        if self._mixer.events:
            self._outgoing += frame(self._mixer.events)
            self._mixer.events.clear()
        if self._outgoing:
            with contextlib.suppress(BlockingIOError):
                sent = self._pipe.send(self._outgoing)
                del self._outgoing[:sent]
            if len(self._outgoing) > _PIPE_LIMIT:
                raise SystemExit("the owner of the media worker does not read its events")
        while True:
            try:
                data = self._pipe.recv(1 << 20)
            except BlockingIOError:
                return
            if not data:
                self._running = False
                return
            for body in self._reader.feed(data):
                for command in p.command_decoder.decode(body):
                    self._apply(command)

    def _apply(self, command: p.Command) -> None:
        mixer = self._mixer
        match command:
            case p.AddLeg():
                mixer.add(command.leg, self._parameters(command.media), ssrc=command.ssrc)
            case p.UpdateLeg():
                mixer.update(command.leg, self._parameters(command.media))
            case p.RemoveLeg():
                self._remove(command.leg)
            case p.Place():
                mixer.place(command.leg, room=command.room, speak=command.speak, hear=command.hear)
            case p.Play():
                clips = [self._clips[clip] for clip in command.clips if clip in self._clips]
                mixer.play(command.leg, command.play, clips)
            case p.StopPlay():
                mixer.stop_play(command.leg)
            case p.LoadClip():
                self._clips[command.clip] = load(
                    EncodedClip(command.frames, command.pcmu, command.pcma, command.g722)
                )
            case p.DropClip():
                self._clips.pop(command.clip, None)
            case p.SetMusic():
                mixer.output.set_music(self._clips[command.clip])
            case p.RoomSound():
                if command.clip in self._clips:
                    mixer.room_sound(command.room, self._clips[command.clip])
            case p.Stop():
                self._running = False

    def _parameters(self, media: p.Media) -> MediaParameters:
        return MediaParameters(
            sock=self._index[media.ip, media.port],
            codec=media.codec,
            pt=media.pt,
            dtmf_pt=media.dtmf_pt,
            remote_ip=media.remote_ip,
            remote_port=media.remote_port,
            remote_rtcp_port=media.remote_rtcp_port,
            nat=media.nat,
            send=media.send,
            receive=media.receive,
        )

    def _remove(self, leg: int) -> None:
        row = self._mixer.row(leg)
        report = self._mixer.remove(leg)
        if row is None or report is None:
            return
        self._mixer.events.append(p.with_rtt(report, self._reports.rtt_ms(row)))
        self._reports.reset(row)

    def _report(self, leg: int, row: int) -> p.LegReport:
        return p.with_rtt(self._mixer.report(leg, row, final=False), self._reports.rtt_ms(row))

    def _tell_stats(self) -> None:
        busy = self._busy_ns or [0]
        usage = time.process_time()
        dropped = dict(self._mixer.intake.dropped)
        dropped["unsendable"] = self._sender.dropped
        dropped["rtcp_malformed"] = self._reports.malformed
        self._mixer.events.append(
            p.WorkerStats(
                legs=len(self._mixer.rows()),
                ticks=self._ticks,
                late_ticks=self._late,
                tick_ms_mean=sum(busy) / len(busy) / 1e6,
                tick_ms_max=max(busy) / 1e6,
                rx_pkts=self._rx,
                tx_pkts=self._tx,
                dropped=dropped,
                cpu_s=usage,
            )
        )
        self._busy_ns.clear()
        rows = self._mixer.rows()
        sound = self._mixer.streams.last_arrival_ns
        self._mixer.events.append(
            p.LastHeard(
                [leg for leg, _ in rows],
                [max(int(sound[row]), self._reports.last_heard_ns(row) or 0) for _, row in rows],
            )
        )


def main() -> None:
    """Entry point: `python -m bridge.mixer.worker DESCRIPTION`, sockets inherited.

    DESCRIPTION is JSON: {"pipe": fd, "capacity": legs, "ports": [[ip, port, rtp fd, rtcp fd], …]}.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the owner decides when to stop, and its end is ours
    description = json.loads(sys.argv[1])
    ports = {
        (ip, port): (socket.socket(fileno=rtp), socket.socket(fileno=rtcp))
        for ip, port, rtp, rtcp in description["ports"]
    }
    for pair in ports.values():
        for sock in pair:
            sock.setblocking(False)
    Worker(socket.socket(fileno=description["pipe"]), ports, description["capacity"]).run()


if __name__ == "__main__":
    main()
