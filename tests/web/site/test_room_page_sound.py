"""The page's sound against a real WebRTC peer: what it sends when, and how it comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from playwright.sync_api import Browser, Page, expect
from sqlalchemy.orm import Session, sessionmaker

from rooms import commands as c
from rooms.live import LiveRooms
from rooms.modes import AudioMode
from tests.support.browser import DESKTOP, chromium, new_page
from tests.support.gate import MemoryGate
from tests.support.room_site import RoomSite

expect.set_options(timeout=10_000)


class Tone(MediaStreamTrack):
    """440 Hz for ever, in frames of 20 ms."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._began_s = time.monotonic()
        self._n = 0

    async def recv(self) -> av.AudioFrame:
        await asyncio.sleep(max(0.0, self._began_s + self._n * 0.02 - time.monotonic()))
        at = (self._n * 960 + np.arange(960)) / 48_000
        frame = av.AudioFrame.from_ndarray(
            (8_000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)[None, :], format="s16", layout="mono"
        )
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self._n * 960, Fraction(1, 48_000)
        self._n += 1
        return frame


class SoundGate(MemoryGate):
    """Answers offers with a peer that plays a tone and measures what it hears."""

    def __init__(self, live: LiveRooms, *, clock: Callable[[], float]) -> None:
        super().__init__(live, clock=clock)
        self.peers: list[RTCPeerConnection] = []
        self.packets = 0
        self.loudest = 0
        self._listening: list[asyncio.Future[None]] = []

    async def offer(self, seat_id: str, sdp: str) -> str:
        peer = RTCPeerConnection()
        self.peers.append(peer)
        peer.addTrack(Tone())

        @peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:
            self._listening.append(asyncio.ensure_future(self._hear(track)))

        await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        self._apply(seat_id, c.WebSound(participant_id=seat_id, on=True))
        return str(peer.localDescription.sdp)

    async def _hear(self, track: MediaStreamTrack) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self.packets += 1
            self.loudest = max(self.loudest, int(np.abs(frame.to_ndarray()).max()))

    async def close(self) -> None:
        for peer in self.peers:
            await peer.close()

    def ice_servers(self) -> list[dict[str, object]]:
        return []


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture
def site(sessions: sessionmaker[Session]) -> Iterator[RoomSite]:
    with RoomSite(sessions, gate=SoundGate).serving() as running:
        yield running
        assert isinstance(running.gate, SoundGate)
        running.call_async(running.gate.close())


@pytest.fixture
def gate(site: RoomSite) -> SoundGate:
    assert isinstance(site.gate, SoundGate)
    return site.gate


@pytest.fixture
def page(site: RoomSite, browser: Browser) -> Iterator[Page]:
    site.apply(c.SetMode(mode=AudioMode.DISCUSSION, by=c.ORGANISER), c.Start(by=c.ORGANISER))
    with new_page(browser, **DESKTOP) as page:
        site.enter(page, "Guy", way="browser")
        expect(page.locator("#room")).to_have_attribute("data-peer", "connected")
        yield page


def heard_within(gate: SoundGate, page: Page, *, seconds: float) -> int:
    """Frames that the server hears from now on."""
    before = gate.packets
    page.wait_for_timeout(seconds * 1_000)
    return gate.packets - before


def heard_soon(gate: SoundGate, page: Page) -> None:
    """The server hears a second and a half of sound, if slowly on a busy machine."""
    before, waits = gate.packets, 0
    while gate.packets < before + 75:
        assert waits < 100, f"{gate.packets - before} frames in ten seconds"
        page.wait_for_timeout(100)
        waits += 1


def test_i_am_heard_and_hear(page: Page, gate: SoundGate) -> None:
    expect(page.locator("#reason b")).to_have_text("You are live")
    heard_soon(gate, page)
    assert gate.loudest > 300
    level = page.evaluate(
        """async () => {
            const context = new AudioContext();
            const analyser = context.createAnalyser();
            context.createMediaStreamSource(document.getElementById("remote").srcObject).connect(analyser);
            await new Promise((resolve) => setTimeout(resolve, 500));
            const bins = new Float32Array(analyser.frequencyBinCount);
            analyser.getFloatFrequencyData(bins);
            const loudest = bins.indexOf(Math.max(...bins));
            return (loudest * context.sampleRate) / analyser.fftSize;
        }"""
    )
    assert abs(level - 440) < 30


def test_muted_means_that_nothing_is_sent(page: Page, gate: SoundGate, site: RoomSite) -> None:
    page.keyboard.press("m")
    expect(page.locator("#room")).to_have_attribute("data-speak", "0")
    page.wait_for_timeout(500)
    assert heard_within(gate, page, seconds=1.5) <= 1
    page.keyboard.press("m")
    expect(page.locator("#room")).to_have_attribute("data-speak", "1")
    heard_soon(gate, page)
    site.apply(c.SetMode(mode=AudioMode.LISTEN_ONLY, by=c.ORGANISER))
    expect(page.locator("#room")).to_have_attribute("data-speak", "0")
    page.wait_for_timeout(500)
    assert heard_within(gate, page, seconds=1.5) <= 1
    assert len(gate.peers) == 1, "none of this needs another negotiation"


def test_a_reload_brings_the_sound_back(page: Page, gate: SoundGate) -> None:
    page.reload()
    expect(page.locator("#room")).to_have_attribute("data-peer", "connected")
    heard_soon(gate, page)
    assert len(gate.peers) == 2


def test_a_peer_that_vanishes_is_replaced(page: Page, gate: SoundGate, site: RoomSite) -> None:
    site.call_async(gate.peers[0].close())
    expect(page.locator("#room")).not_to_have_attribute("data-peer", "connected", timeout=20_000)
    expect(page.locator("#room")).to_have_attribute("data-peer", "connected", timeout=30_000)
    heard_soon(gate, page)
