"""DTLS and SRTP (RFC 5764) over a path that may change under them.

aiortc's `RTCDtlsTransport` makes the handshake, checks the fingerprint and derives the SRTP keys; it is given
a path of ours in place of its ICE transport.  An ICE restart (RFC 8445 section 2.4) then replaces what is
under the path, and DTLS, keys, sequence numbers and timestamps go on: sound stays on the old way until the
new one is found.

SRTP is done right where a packet arrives or leaves, in the same turn of the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

import pylibsrtp
import structlog
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
)
from aiortc.rtcicetransport import RTCIceTransport

from rooms.webrtc.ice import Connection
from rooms.webrtc.sdp import Offer

log = structlog.get_logger(__name__)

CONNECT_S = 20.0
_HANDSHAKE_QUEUE = 64
_PACKET_BYTES_MAX = 1500


class Path:
    """What the DTLS transport takes for its ICE transport."""

    role = "controlled"

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_HANDSHAKE_QUEUE)

    async def _recv(self) -> bytes:
        data = await self._queue.get()
        if data is None:
            raise ConnectionError("the path is closed")
        return data

    async def _send(self, data: bytes) -> None:
        if self.connection is not None:
            self.connection.send_now(data)  # DTLS repeats what is lost

    def put(self, data: bytes | None) -> None:
        """A DTLS packet; when 64 wait already, it is lost like others on the way."""
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(data)


class Transport:
    """One DTLS association with a browser, from its first ICE session to its end.

    on_rtp, on_rtcp: decrypted packets.  on_state: "connected", "failed", "closed" (the browser said goodbye).
    """

    def __init__(
        self,
        *,
        certificate: RTCCertificate,
        offer: Offer,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
        on_state: Callable[[str], None],
        on_drop: Callable[[str], None],
    ) -> None:
        self.role = offer.role
        self.fingerprints = offer.fingerprints
        self.session = offer.session
        self.credentials = (offer.ufrag, offer.password)
        self._on_rtp, self._on_rtcp = on_rtp, on_rtcp
        self._on_state, self._on_drop = on_state, on_drop
        self._path = Path()
        self._dtls = RTCDtlsTransport(cast(RTCIceTransport, self._path), [certificate])
        self._dtls._set_role(offer.role)
        self._dtls.on("statechange", self._dtls_changed)
        self.connection: Connection | None = None
        """The ICE session that was offered last."""
        self._connecting: asyncio.Task[None] | None = None
        self._shaking: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()
        self.connected = False
        self._closing = False
        self.received = 0

    # The way.

    def connect(self, connection: Connection, offer: Offer) -> None:
        """Find a way by this gathered ICE session, the first or a restarted one."""
        if self._connecting is not None:
            self._connecting.cancel()
        abandoned = self.connection
        if abandoned is not None and abandoned is not self._path.connection:
            self._discard(abandoned)
        self.connection = connection
        self.credentials = (offer.ufrag, offer.password)
        connection.remote_is_lite = offer.lite
        connection.remote_username, connection.remote_password = offer.ufrag, offer.password
        self._connecting = asyncio.create_task(self._connect(connection, offer))

    async def _connect(self, connection: Connection, offer: Offer) -> None:
        try:
            async with asyncio.timeout(CONNECT_S):
                for candidate in offer.candidates:
                    await connection.add_remote_candidate(candidate)
                await connection.connect()
        except (ConnectionError, TimeoutError, ValueError) as exc:
            log.info("no way to a browser", reason=str(exc) or type(exc).__name__)
            self._lost(connection)
            return
        old, self._path.connection = self._path.connection, connection
        if old is not None:
            self._discard(old)
        if self._shaking is None:
            self._shaking = asyncio.create_task(self._shake_hands())
        elif self._dtls.state == "connected":
            self._set_connected()

    async def _shake_hands(self) -> None:
        parameters = RTCDtlsParameters(
            fingerprints=[RTCDtlsFingerprint(algorithm=a, value=v) for a, v in self.fingerprints]
        )
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._dtls.start(parameters)
        except (ConnectionError, TimeoutError) as exc:
            log.info("no DTLS with a browser", reason=str(exc) or type(exc).__name__)
        if self._dtls.state == "connected":
            self._set_connected()
        elif not self._closing:
            self._on_state("failed")

    def _set_connected(self) -> None:
        if not self._closing:
            self.connected = True
            self._on_state("connected")

    def _lost(self, connection: Connection) -> None:
        if connection is self.connection and not self._closing:
            self.connected = False
            self._on_state("failed")

    def _dtls_changed(self) -> None:
        if self._dtls.state == "closed" and not self._closing:
            self.connected = False
            self._on_state("closed")

    def ice_closed(self, connection: Connection) -> None:
        """Consent has expired, or a session was discarded."""
        if connection is self._path.connection:
            self._path.connection = None
            self._lost(connection)

    def _discard(self, connection: Connection) -> None:
        task = asyncio.create_task(connection.close())
        self._closings.add(task)
        task.add_done_callback(self._closings.discard)

    async def close(self) -> None:
        """Say goodbye and give all sockets back."""
        if self._closing:
            return
        self._closing, self.connected = True, False
        for task in (self._connecting, self._shaking):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await self._dtls.stop()
        for connection in {self._path.connection, self.connection} - {None}:
            assert connection is not None
            self._discard(connection)
        self._path.put(None)
        await asyncio.gather(*self._closings, return_exceptions=True)
        self._dtls.remove_all_listeners()

    # Packets.

    def packet(self, data: bytes) -> None:
        """Whatever came that is not STUN."""
        size = len(data)
        if size < 12 or size > _PACKET_BYTES_MAX:
            if size > 2 and 19 < data[0] < 64:
                self._path.put(data)
                return
            self._on_drop("malformed")
        elif 127 < data[0] < 192:
            self._srtp(data)
        elif 19 < data[0] < 64:
            self._path.put(data)
        else:
            self._on_drop("malformed")

    def _srtp(self, data: bytes) -> None:
        session = self._dtls._rx_srtp
        if session is None:
            self._on_drop("early")
            return
        try:
            if 191 < data[1] < 224:  # RFC 5761 section 4
                rtcp = session.unprotect_rtcp(data)
                self.received += 1
                self._on_rtcp(rtcp)
            else:
                rtp = session.unprotect(data)
                self.received += 1
                self._on_rtp(rtp)
        except pylibsrtp.Error:
            self._on_drop("srtp")

    def send_rtp(self, packet: bytes) -> bool:
        """Encrypt and send; False when it could not be sent."""
        connection = self._path.connection
        if connection is None or not self.connected:
            return False
        try:
            sealed = self._dtls._tx_srtp.protect(packet)
        except pylibsrtp.Error:  # one listener's trouble must not silence the others
            return False
        return connection.send_now(sealed)

    def send_rtcp(self, packet: bytes) -> bool:
        """The same for RTCP."""
        connection = self._path.connection
        if connection is None or not self.connected:
            return False
        try:
            sealed = self._dtls._tx_srtp.protect_rtcp(packet)
        except pylibsrtp.Error:
            return False
        return connection.send_now(sealed)
