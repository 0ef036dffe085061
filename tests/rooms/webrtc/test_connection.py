"""Coming, going, moving to another network, and what happens when the process dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket

import pytest
from aioice import Candidate
from aioice import Connection as Ice

from rooms.webrtc import protocol as p
from rooms.webrtc.client import WebRtcClient
from rooms.webrtc.core import Core
from rooms.webrtc.errors import BadOffer, Unavailable
from rooms.webrtc.ice import server_arguments
from tests.rooms.webrtc.studio import RATE, Browser, studio, until
from tests.support.sound import Says, sine, tones_in

TONES = {"audience": 440.0, "voice": 700.0}


def tone(name: str) -> Says:
    return sine(TONES[name], rate=RATE)


def candidates(sdp: str) -> list[tuple[str, int]]:
    found = re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ", sdp)
    return [(host, int(port)) for host, port in found]


def hidden(sdp: str) -> str:
    """The offer as a browser writes it that hides its addresses."""
    return re.sub(r"(a=candidate:\S+ 1 udp \d+) \S+ ", r"\1 5b0c8a34-1a2b-4c3d-8e9f-a0b1c2d3e4f5.local ", sdp)


def test_browsers_that_hide_their_addresses_are_found_without_multicast() -> None:
    async def scene() -> None:
        async with studio() as s:
            browser = s.browser(1)
            answer = await s.client.offer(1, hidden(await browser.offer()))
            await browser.accept(answer)
            await browser.connected()
            await until(lambda: (1, "connected") in s.states)

    asyncio.run(scene())


def test_the_announced_address_is_offered_and_ports_stay_in_their_range() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        first = min(probe.getsockname()[1], 65000)

    async def scene() -> None:
        ports = (first, first + 1)
        async with studio(hosts=[p.Host("127.0.0.1", "203.0.113.9")], ports=ports, capacity=5) as s:
            answers = []
            refused = ""
            for number in range(4):
                browser = s.browser(number)
                try:
                    answers.append(await s.client.offer(number, await browser.offer()))
                except Unavailable as exc:
                    refused = str(exc)
            assert 0 < len(answers) <= 2
            for answer in answers:
                ((host, port),) = candidates(answer)
                assert host == "203.0.113.9"
                assert first <= port <= first + 1
                assert "127.0.0.1" not in answer.replace("o=- ", "").split("t=0 0")[1]
            assert "no free UDP port" in refused
            s.client.close(0)
            await asyncio.sleep(0.1)
            again = s.browser(9)
            await s.client.offer(9, await again.offer())

    asyncio.run(scene())


def test_rubbish_is_refused_with_a_sentence_and_harms_nobody() -> None:
    async def scene() -> None:
        async with studio(capacity=2) as s:
            await s.leg(1, tone("audience"))
            browser = await s.join(1, listen=1)
            for rubbish in ("", "hello", "v=0\r\n" * 500, "v=0\r\nm=audio 9 x y\r\n", "\0" * 70_000):
                with pytest.raises(BadOffer, match=r"^The .*\.$"):
                    await s.client.offer(2, rubbish)
                with pytest.raises(BadOffer):
                    await s.client.offer(1, rubbish)
            target = candidates(browser.pc.remoteDescription.sdp)[0]
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for first in range(0, 256, 3):
                    for size in (0, 1, 11, 12, 40, 1600):
                        stranger.sendto((bytes([first]) + secrets.token_bytes(size))[:size], target)
                        stranger.sendto((bytes([first]) + secrets.token_bytes(size))[:size], s.ports[1])
            ssl = browser._transceiver.sender.transport
            for rtp in (b"\x80", b"\x80\x6f" + bytes(8), b"\xbf\xff" + bytes(20), b"\x80\xc8" + bytes(30)):
                with contextlib.suppress(Exception):
                    await ssl._send_rtp(rtp + bytes(4))
            browser.forget()
            await until(lambda: len(browser.heard) > 30, what="sound after rubbish")
            assert tones_in(browser.sound()[RATE // 5 :], TONES, rate=RATE) == {"audience"}
            await until(lambda: (stats := s.client.stats()) is not None and stats.dropped["foreign"] > 100)
            stats = s.client.stats()
            assert stats is not None
            assert stats.dropped["malformed"] + stats.dropped["srtp"] > 100
            assert stats.peers == 1, "refused offers leave nothing behind"
            assert s.client.restarts == 0
            await s.client.offer(2, await s.browser(2).offer())
            with pytest.raises(Unavailable, match="2 places"):
                await s.client.offer(3, await s.browser(3).offer())

    asyncio.run(scene())


def test_a_goodbye_is_told_and_a_reloaded_page_hears_the_same() -> None:
    async def scene() -> None:
        async with studio() as s:
            leg = await s.leg(1, tone("audience"))
            first = await s.join(1, listen=1, speak=1)
            again = s.browser(1)  # the page was reloaded: another connection of the same person
            await again.accept(await s.client.offer(1, await again.offer()))
            await again.connected()
            await until(lambda: len(again.heard) > 30, what="sound")
            assert tones_in(again.sound()[RATE // 5 :], TONES, rate=RATE) == {"audience"}
            await until(lambda: first.pc.connectionState == "closed", what="the end of the old connection")
            again.say(tone("voice"))
            await until(lambda: len(leg.heard) > 30, what="a microphone")
            assert tones_in(leg.sound()[RATE // 5 :], TONES, rate=RATE) == {"voice"}
            assert (1, "closed") not in s.states
            await again.close()
            await until(lambda: (1, "closed") in s.states, what="goodbye")
            third = await s.join(1, listen=1)
            await until(lambda: len(third.heard) > 5, what="sound")
            s.client.close(1)
            await until(lambda: third.pc.connectionState == "closed", what="the end")

    asyncio.run(scene())


def test_when_the_process_dies_peers_are_told_and_come_back() -> None:
    async def scene() -> None:
        async with studio() as s:
            leg = await s.leg(1, tone("audience"))
            await s.join(1, listen=1, speak=1)
            pid = s.client.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: (1, "closed") in s.states, what="the bad news")
            with pytest.raises(Unavailable):
                await s.client.offer(5, "v=0")
            await until(lambda: s.client.ready, what="a new process")
            assert s.client.restarts == 1
            assert s.client.pid != pid
            again = s.browser(1)
            await again.accept(await s.client.offer(1, await again.offer()))
            await again.connected()
            await until(lambda: len(again.heard) > 10, what="sound")
            assert not any(isinstance(event, p.SourcePort) for event in s.told), "the source kept its port"
            again.say(tone("voice"))
            await until(lambda: len(leg.heard) > 5, what="a microphone")

    asyncio.run(scene())


class Restarted:
    """A browser's second ICE session under the same DTLS, as after a change of networks."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.ice = Ice(ice_controlling=True)

    async def offer(self) -> str:
        await self.ice.gather_candidates()
        sdp = str(self._browser.pc.localDescription.sdp)
        sdp = re.sub(r"a=ice-ufrag:\S+", f"a=ice-ufrag:{self.ice.local_username}", sdp)
        sdp = re.sub(r"a=ice-pwd:\S+", f"a=ice-pwd:{self.ice.local_password}", sdp)
        return re.sub(r"a=candidate:.*\r\n", "", sdp)

    async def connect(self, answer: str) -> None:
        transport = self._browser._transceiver.sender.transport.transport
        old = transport._connection
        self.ice.data_received = old.data_received  # type: ignore[method-assign]
        for name in ("username", "password"):
            found = re.search(rf"a=ice-{'ufrag' if name == 'username' else 'pwd'}:(\S+)", answer)
            assert found is not None
            setattr(self.ice, f"remote_{name}", found[1])
        for line in re.findall(r"a=candidate:(.*)\r\n", answer):
            await self.ice.add_remote_candidate(Candidate.from_sdp(line))
        await self.ice.add_remote_candidate(None)
        await self.ice.connect()
        transport._send = self.ice.send


def test_an_ice_restart_keeps_the_stream() -> None:
    async def scene() -> None:
        async with studio() as s:
            leg = await s.leg(1, tone("audience"))
            browser = await s.join(1, listen=1, speak=1)
            browser.say(tone("voice"))
            await until(lambda: len(browser.heard) > 20 and len(leg.heard) > 20, what="sound")
            browser.forget()
            restart = Restarted(browser)
            answer = await s.client.offer(1, await restart.offer())
            assert candidates(answer) != candidates(browser.pc.remoteDescription.sdp)
            await restart.connect(answer)
            at, said = len(browser.heard), len(leg.heard)
            await until(lambda: len(browser.heard) > at + 40 and len(leg.heard) > said + 40, what="sound")
            assert set(browser.steps()) == {(1, 960)}, "not a packet was lost or numbered anew"
            assert len({rtp.ssrc for _, rtp in leg.heard}) == 1
            assert [state for _, state in s.states] == ["connecting", "connected"]
            listening = (await restart.offer()).replace("a=sendrecv", "a=recvonly")
            same = await s.client.offer(1, listening)
            assert "a=sendonly" in same
            assert candidates(same) == candidates(answer), "the same credentials: nothing moves"
            await restart.ice.close()

    asyncio.run(scene())


def test_a_browser_that_falls_silent_is_disconnected_then_failed_and_can_come_back() -> None:
    async def scene() -> None:
        told: list[p.Event] = []
        core = Core(
            p.Configure(hosts=[p.Host("127.0.0.1")], ports=None, servers=[], capacity=5), told.append
        )
        browser = Browser(1)
        core.apply(p.Offer(request=1, peer=1, sdp=await browser.offer(), listen=None, speak=None))
        await until(lambda: any(isinstance(event, p.Answer) for event in told))
        answer = next(event.sdp for event in told if isinstance(event, p.Answer))
        await browser.accept(answer)
        await until(lambda: p.PeerState(1, "connected") in told)

        peer, now_s = core._peers[1], asyncio.get_running_loop().time()
        peer.report(now_s=now_s, unix_s=1.7e9)
        peer.report(now_s=now_s + 6.5, unix_s=1.7e9)
        assert p.PeerState(1, "disconnected") not in told
        peer.report(now_s=now_s + 9, unix_s=1.7e9)
        assert p.PeerState(1, "disconnected") in told
        assert peer._transport is not None
        connection = peer._transport.connection
        assert connection is not None
        connection.checks += 1  # a check came after all
        peer.report(now_s=now_s + 10, unix_s=1.7e9)
        states = [event.state for event in told if isinstance(event, p.PeerState)]
        assert states == ["connecting", "connected", "disconnected", "connected"]

        await connection.close()  # what aioice does when consent has expired
        assert told[-1] == p.PeerState(1, "failed")
        restart = Restarted(browser)
        core.apply(p.Offer(request=2, peer=1, sdp=await restart.offer(), listen=None, speak=None))
        await until(lambda: sum(isinstance(event, p.Answer) for event in told) == 2)
        await restart.connect([event.sdp for event in told if isinstance(event, p.Answer)][-1])
        await until(lambda: told[-1] == p.PeerState(1, "connected"))
        heard = len(browser.heard)
        peer.rest(now_s=asyncio.get_running_loop().time())
        await until(lambda: len(browser.heard) > heard, what="sound over the new way")

        await peer._transport.connection.close()
        core._sweep(1, peer, peer.since_s + 30)
        assert 1 in core._peers
        core._sweep(1, peer, peer.since_s + 61)
        assert told[-1] == p.PeerState(1, "closed")
        assert core._peers == {}
        await asyncio.sleep(0)
        await browser.close()
        await restart.ice.close()
        await core.stop()

    asyncio.run(scene())


def test_settings_that_cannot_be_are_refused_at_once() -> None:
    def client(**changed: object) -> WebRtcClient:
        return WebRtcClient(**{"on_event": print, "hosts": ["127.0.0.1"], **changed})  # type: ignore[arg-type]

    for wrong in (
        {"hosts": []},
        {"ports": (5, 4)},
        {"ports": (0, 70000)},
        {"servers": [p.IceServer(url="http://stun.example.org")]},
    ):
        with pytest.raises(ValueError):
            client(**wrong)
    servers = [
        p.IceServer(url="stun:stun.example.org"),
        p.IceServer(url="turns:turn.example.org:443?transport=tcp", username="u", credential="c"),
    ]
    assert server_arguments(servers) == {
        "stun_server": ("stun.example.org", 3478),
        "turn_server": ("turn.example.org", 443),
        "turn_username": "u",
        "turn_password": "c",
        "turn_ssl": True,
        "turn_transport": "tcp",
    }


def test_a_source_closes_under_its_people() -> None:
    async def scene() -> None:
        async with studio() as s:
            await s.leg(1, tone("audience"))
            browser = await s.join(1, listen=1, speak=1)
            s.client.close_source(1)
            browser.forget()
            await until(lambda: len(browser.heard) > 3, what="silence")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
                free.bind(s.ports[1])
            with pytest.raises(Unavailable):
                await s.client.open_source(2, "127.0.0.1", 4000, ip="192.0.2.254")

    asyncio.run(scene())
