"""Browsers as the settings want them: the WebRTC process and the desk over it."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator

from bridge.browsers.desk import BrowserDesk
from bridge.calls.runs import Runs
from bridge.cdr.store import CdrStore
from bridge.mixer.client import MixerClient
from database.types import now_utc
from reports.attendance_book import AttendanceBook
from rooms.live import LiveRooms
from rooms.webrtc.client import Told, WebRtcClient
from rooms.webrtc.protocol import Host, IceServer
from tollbridge import __version__
from tollbridge.settings import Settings

_ELSEWHERE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""Addresses of documentation (RFC 5737, RFC 3849), to learn from which of ours one would leave."""


@contextlib.asynccontextmanager
async def browser_parts(
    settings: Settings,
    *,
    mixer: MixerClient,
    live: LiveRooms,
    runs: Runs,
    cdrs: CdrStore,
    attendance: AttendanceBook,
) -> AsyncIterator[tuple[BrowserDesk, WebRtcClient] | None]:
    """The parts, started, or None when there are to be no browsers; they are stopped on the way out.

    Raises rooms.webrtc.errors.Unavailable.
    """
    if settings.max_browsers == 0:
        yield None
        return
    told: list[Told] = []
    client = WebRtcClient(
        on_event=told.append,
        hosts=hosts(settings),
        ports=settings.webrtc_ports,
        servers=[
            IceServer(
                url=server.urls,
                username=server.username,
                credential=None if server.credential is None else server.credential.get_secret_value(),
            )
            for server in (settings.ice_servers if settings.ice_servers_for_us else ())
        ],
        capacity=settings.max_browsers,
    )
    await client.start()
    desk = BrowserDesk(
        node_id=settings.node_id,
        version=__version__,
        mixer=mixer,
        webrtc=client,
        live=live,
        runs=runs,
        cdrs=cdrs,
        now=now_utc,
        entered=attendance.entered,
        ice_servers=[server.plain() for server in settings.ice_servers],
    )
    client.on_event = desk.on_webrtc
    try:
        yield desk, client
    finally:
        await desk.close()
        await client.stop()


def hosts(settings: Settings) -> list[Host]:
    """Where browsers' sound is received, and what they are told."""
    announced = None if settings.webrtc_address is None else ipaddress.ip_address(settings.webrtc_address)
    found = []
    for bind in settings.media_binds:
        ip = ipaddress.ip_address(bind)
        if ip.is_unspecified:
            here = _own_address(ip.version)
            if here is None:
                continue
            ip = ipaddress.ip_address(here)
        told = str(announced) if announced is not None and announced.version == ip.version else None
        found.append(Host(str(ip), told))
    return found or [Host("127.0.0.1")]


def _own_address(version: int) -> str | None:
    """The address from which this machine reaches others; None without such a network. Sends nothing."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((_ELSEWHERE[version], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None
