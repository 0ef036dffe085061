"""One browser: offers and answers, the stream it hears, its microphone, its reports.

What a new offer means is told by its ICE credentials.  The same as before: the browser renegotiates
(directions), nothing moves.  Others, but the same certificate and session: an ICE restart, and DTLS and both
streams go on.  Another certificate or session: another page or a reload, and everything begins anew, except
what the peer hears and feeds.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from aiortc.rtcdtlstransport import RTCCertificate, certificate_digest
from aiortc.rtp import RtcpPacket

from rooms.webrtc import sdp as session
from rooms.webrtc.counters import Counters
from rooms.webrtc.ice import Connection
from rooms.webrtc.microphone import Microphone, Out, new_out
from rooms.webrtc.opus import silence
from rooms.webrtc.outgoing import Outgoing
from rooms.webrtc.protocol import Host, PeerState, PeerStats
from rooms.webrtc.reports import Reports
from rooms.webrtc.rtp import parse
from rooms.webrtc.source import Source
from rooms.webrtc.transport import Transport

SILENT_S = 7.0
"""Nothing came for so long, not even a check: disconnected."""
FORGET_S = 60.0
"""So long a failed peer waits for an ICE restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What every peer needs to be reached."""

    hosts: Sequence[Host]
    ports: tuple[int, int] | None
    servers: dict[str, Any]
    certificate: RTCCertificate


class Peer:
    def __init__(
        self,
        number: int,
        *,
        network: Network,
        counters: Counters,
        tell: Callable[[PeerState | PeerStats], None],
    ) -> None:
        self.number = number
        self._network, self._counters, self._tell = network, counters, tell
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._lock = asyncio.Lock()
        self._transport: Transport | None = None
        self._offer: session.Offer | None = None
        self._answers = 0
        self._session = secrets.randbits(62)
        self._cname = secrets.token_hex(8)
        self._outgoing = Outgoing(payload_type=0, ssrc=secrets.randbits(32))
        self._reports = Reports(ssrc=self._outgoing.ssrc, cname=self._cname)
        self.state = "new"
        self.since_s = self._clock()
        self._heard = (0, 0)
        self._heard_s = self.since_s
        self._loudest: int | None = None
        self.hearing = False
        """Whether packets can be sent to it now."""
        self.source: Source | None = None
        self._speaks_to: Source | None = None
        self._microphone: Microphone | None = None
        self._outs: dict[int, Out] = {}
        self.closed = False

    # Offers.

    async def offer(self, sdp: str) -> str:
        """Answer an offer, all candidates gathered.  Raises BadOffer, Unavailable."""
        offer = session.parse(sdp)
        async with self._lock:
            transport = self._transport
            if transport is None or not self._continues(transport, offer):
                return await self._begin(offer)
            if transport.credentials != (offer.ufrag, offer.password):
                connection = await self._gather(transport, offer)
                transport.connect(connection, offer)
            assert transport.connection is not None
            return self._answer(offer, transport, transport.connection)

    def _continues(self, transport: Transport, offer: session.Offer) -> bool:
        if self.state == "closed":
            return False
        if transport.credentials == (offer.ufrag, offer.password):
            return True
        return transport.fingerprints == offer.fingerprints and transport.session == offer.session

    async def _begin(self, offer: session.Offer) -> str:
        def state(new: str) -> None:
            if self._transport is transport:
                self._set(new)

        transport = Transport(
            certificate=self._network.certificate,
            offer=offer,
            on_rtp=self._rtp,
            on_rtcp=self._rtcp,
            on_state=state,
            on_drop=self._counters.drop,
        )
        connection = await self._gather(transport, offer)
        old, self._transport = self._transport, transport
        self.hearing = False
        if old is not None:
            await old.close()
        self._outgoing = Outgoing(payload_type=offer.payload_type, ssrc=secrets.randbits(32))
        self._reports = Reports(ssrc=self._outgoing.ssrc, cname=self._cname)
        self._outs.clear()
        self.speak(self._speaks_to)
        self._set("connecting")
        transport.connect(connection, offer)
        return self._answer(offer, transport, connection)

    async def _gather(self, transport: Transport, offer: session.Offer) -> Connection:
        connection = Connection(
            hosts=self._network.hosts,
            ports=self._network.ports,
            servers=self._network.servers,
            on_packet=transport.packet,
            on_closed=transport.ice_closed,
            controlling=offer.lite,
        )
        try:
            await connection.gather_candidates()
        except BaseException:
            await connection.close()
            raise
        return connection

    def _answer(self, offer: session.Offer, transport: Transport, connection: Connection) -> str:
        self._offer = offer
        self._outgoing.payload_type = offer.payload_type
        self._update_hearing()
        self._answers += 1
        return session.answer(
            offer,
            version=self._answers,
            number=self._session,
            ufrag=connection.local_username,
            password=connection.local_password,
            fingerprint=certificate_digest(self._network.certificate._cert, "sha-256"),
            role=transport.role,
            candidates=connection.announced,
            ssrc=self._outgoing.ssrc,
            cname=self._cname,
        )

    def _set(self, state: str) -> None:
        if state != self.state and not self.closed:
            self.state = state
            self.since_s = self._heard_s = self._clock()
            self._update_hearing()
            self._tell(PeerState(self.number, state))

    def _update_hearing(self) -> None:
        transport = self._transport
        self.hearing = (
            transport is not None and transport.connected and self._offer is not None and self._offer.hears
        )

    async def close(self) -> None:
        """The end; nothing is told of a peer that the owner closed."""
        self.closed, self.hearing = True, False
        self.listen(None)
        self.speak(None)
        async with self._lock:
            if self._transport is not None:
                self._transport.send_rtcp(self._reports.bye())
                await self._transport.close()

    # What it hears.

    def listen(self, source: Source | None) -> None:
        if self.source is not None:
            self.source.remove(self)
        self.source = source
        if source is not None:
            source.add(self)

    def hear(self, packet: bytes, *, source: int, step: int | None, now_s: float) -> None:
        """A frame of its source."""
        if self.hearing:
            self._send(self._outgoing.packet(packet, source=source, step=step, now_s=now_s))

    def rest(self, *, now_s: float) -> None:
        """20 ms without a source."""
        packet = self._outgoing.rest(silence(), now_s=now_s)
        if packet is not None:
            self._send(packet)

    def _send(self, packet: bytes) -> None:
        assert self._transport is not None
        if self._transport.send_rtp(packet):
            self._counters.tx_pkts += 1
        else:
            self._counters.drop("unsent")

    # What it says.

    def speak(self, source: Source | None) -> None:
        """Begin to feed a source, or none; always with a fresh decoder and nothing from before."""
        old, self._speaks_to = self._speaks_to, source
        if old is not None and self._microphone is not None:
            old.sequence = self._microphone.sequence
        self._microphone = None
        if source is not None:
            out = self._outs.setdefault(source.number, new_out())
            self._microphone = Microphone(
                self._counters.microphones, sequence=source.sequence, ssrc=out.ssrc, offset=out.offset
            )

    def forget_source(self, source: Source) -> None:
        """A source is closed."""
        self._outs.pop(source.number, None)
        if self.source is source:
            self.listen(None)
        if self._speaks_to is source:
            self.speak(None)

    def _rtp(self, data: bytes) -> None:
        self._counters.rx_pkts += 1
        offer = self._offer
        assert offer is not None
        rtp = parse(data, level_id=offer.level_id)
        if rtp is None:
            self._counters.drop("malformed")
            return
        if rtp.payload_type != offer.payload_type or not offer.sends:
            self._counters.drop("codec")
            return
        now_s = self._clock()
        self._reports.received(rtp.ssrc, rtp.sequence, rtp.timestamp, now_s=now_s)
        if rtp.level is not None and (self._loudest is None or rtp.level < self._loudest):
            self._loudest = rtp.level
        if self._microphone is None or self._speaks_to is None:
            self._counters.drop("muted")
            return
        self._speaks_to.speak(self._microphone.packet(rtp, now_s=now_s))

    @property
    def waits(self) -> bool:
        """Whether `expire` has something to do soon."""
        return self._microphone is not None and self._microphone.deadline_s() is not None

    def expire(self, *, now_s: float) -> None:
        """Let go what was held back for a packet that does not come."""
        if self._microphone is not None and self._speaks_to is not None:
            self._speaks_to.speak(self._microphone.expire(now_s=now_s))

    # Reports.

    def _rtcp(self, data: bytes) -> None:
        try:
            packets = RtcpPacket.parse(data)
        except ValueError:
            self._counters.drop("malformed")
            return
        now_s = self._clock()
        for packet in packets:
            self._reports.take(packet, now_s=now_s)

    def report(self, *, now_s: float, unix_s: float) -> None:
        """Every two seconds: RTCP to the browser, statistics to the owner, and whether it is still there."""
        transport = self._transport
        if transport is None:
            return
        heard = (transport.received, transport.connection.checks if transport.connection else 0)
        if heard != self._heard:
            self._heard, self._heard_s = heard, now_s
            if self.state == "disconnected" and transport.connected:
                self._set("connected")
        elif self.state == "connected" and now_s - self._heard_s > SILENT_S:
            self._set("disconnected")
        if not transport.connected:
            return
        reports = self._reports
        transport.send_rtcp(
            reports.compound(
                packets=self._outgoing.packets,
                octets=self._outgoing.octets,
                timestamp=self._outgoing.timestamp_at(now_s),
                now_s=now_s,
                unix_s=unix_s,
            )
        )
        losses = [one for one in (reports.loss_in, reports.loss_out) if one is not None]
        self._tell(
            PeerStats(
                peer=self.number,
                rtt_ms=_scaled(reports.rtt_s, 1000),
                loss_pct=_scaled(max(losses) if losses else None, 100),
                loss_in_pct=_scaled(reports.loss_in, 100),
                loss_out_pct=_scaled(reports.loss_out, 100),
                jitter_ms=_scaled(reports.jitter_ms, 1),
                level=None if self._loudest is None else -self._loudest,
            )
        )
        self._loudest = None


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else round(value * factor, 2)
