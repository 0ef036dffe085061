"""Who hears what: browsers that are real aiortc peers, legs that play and record, everything on loopback."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np

from rooms.webrtc.rtp import sequence_after, timestamp_after
from tests.rooms.webrtc.studio import RATE, studio, until
from tests.support.sound import Says, level_db, rms_db, sine, tones_in

TONES = {"audience": 440.0, "own": 1000.0, "music": 2500.0, "voice": 700.0}


def tone(name: str, *, db: float = -20.0) -> Says:
    return sine(TONES[name], rate=RATE, db=db)


def test_a_shared_source_is_heard_by_all_and_encoded_once() -> None:
    async def scene() -> None:
        async with studio() as s:
            await s.leg(1, tone("audience"))
            await s.leg(2, tone("own"))
            shared = [await s.join(n, listen=1) for n in (1, 2, 3)]
            own = await s.join(4, listen=2)
            before = s.client.stats()
            for browser in s.browsers:
                browser.forget()
            await until(lambda: all(len(b.heard) >= 50 for b in s.browsers), what="sound")
            await until(lambda: s.client.stats() != before, what="statistics")
            for browser in shared:
                assert tones_in(browser.sound()[RATE // 5 :], TONES, rate=RATE) == {"audience"}
                assert abs(level_db(browser.sound()[RATE // 5 :], TONES["audience"], rate=RATE) + 20) < 1.5
            assert tones_in(own.sound()[RATE // 5 :], TONES, rate=RATE) == {"own"}
            first, *others = [
                {bytes(packet.payload) for _, packet in browser.heard[5:45]} for browser in shared
            ]
            assert all(len(first & other) > 30 for other in others), "the very same packets"
            stats = s.client.stats()
            assert stats is not None
            assert stats.encodes * 1.5 < stats.tx_pkts
            assert stats.sources == 2

    asyncio.run(scene())


def test_a_switch_of_sources_is_quick_and_does_not_break_the_stream() -> None:
    async def scene() -> None:
        async with studio() as s:
            await s.leg(1, tone("audience"))
            await s.leg(2, tone("own"))
            browser, other = await s.join(1, listen=1), await s.join(2, listen=1)
            await until(lambda: len(browser.heard) > 5, what="sound")
            browser.forget()
            other.forget()
            await until(lambda: len(browser.heard) > 10, what="sound")
            at = len(browser.heard)
            s.client.listen(1, 2)
            await until(lambda: len(browser.heard) > at + 25, what="sound")
            s.client.listen(1, None)
            await until(lambda: len(browser.heard) > at + 37, what="silence")
            s.client.listen(1, 1)
            await until(lambda: len(browser.heard) > at + 67, what="sound")

            sound = browser.sound()
            start = timestamp_after(browser.heard[at][1].timestamp, browser.heard[0][1].timestamp)
            window = RATE // 25
            changed = next(
                i
                for i in range(start - window, len(sound), 480)
                if level_db(sound[i : i + window], TONES["own"], rate=RATE) > -23
            )
            assert changed + window - start < 0.3 * RATE, "in the time of the stream"
            assert all(packets == 1 for packets, _ in browser.steps()), "no number is skipped or used twice"
            assert all(ticks > 0 and ticks % 960 == 0 for _, ticks in browser.steps())
            spent = timestamp_after(browser.heard[-1][1].timestamp, browser.heard[0][1].timestamp) / RATE
            assert abs(spent - (browser.heard[-1][0] - browser.heard[0][0])) < 0.3, "timestamps count time"
            assert len({packet.ssrc for _, packet in browser.heard}) == 1
            tail = sound[-RATE * 2 // 5 :]
            assert tones_in(tail, TONES, rate=RATE) == {"audience"}
            assert {step for step in other.steps() if step != (1, 960)} == set(), "others notice nothing"
            assert tones_in(other.sound()[RATE // 5 :], TONES, rate=RATE) == {"audience"}

    asyncio.run(scene())


def test_without_a_source_the_stream_rests() -> None:
    async def scene() -> None:
        async with studio() as s:
            browser = await s.join(1)
            await until(lambda: len(browser.heard) >= 13, what="silence")
            assert rms_db(browser.sound()) < -80
            late = browser.steps()[-1:]
            assert all(packets == 1 and 15 * 960 <= ticks <= 30 * 960 for packets, ticks in late)

    asyncio.run(scene())


def test_a_microphone_becomes_l16_with_its_own_timing() -> None:
    async def scene() -> None:
        async with studio() as s:
            leg = await s.leg(1)
            browser = await s.join(1, speak=1)
            browser.say(tone("voice", db=-18.0))
            await until(lambda: len(leg.heard) >= 45, what="a microphone")
            packets = [rtp for _, rtp in leg.heard]
            assert {len(rtp.payload) for rtp in packets} == {1920}
            assert {sequence_after(b.sequence, a.sequence) for a, b in pairwise(packets)} == {1}
            assert {timestamp_after(b.timestamp, a.timestamp) for a, b in pairwise(packets)} == {960}
            sound = leg.sound()[RATE // 5 :]
            assert tones_in(sound, TONES, rate=RATE) == {"voice"}
            assert abs(level_db(sound, TONES["voice"], rate=RATE) + 18) < 1.5

    asyncio.run(scene())


def test_nobody_hears_what_was_said_while_muted() -> None:
    async def scene() -> None:
        async with studio() as s:
            leg = await s.leg(1)
            browser = await s.join(1)
            browser.say(tone("own"))
            await until(lambda: len(browser.sent_s) > 15, what="packets")
            assert leg.heard == []
            browser.hush()
            await asyncio.sleep(0.05)
            browser.say(tone("voice"))
            s.client.speak(1, 1)
            await until(lambda: len(leg.heard) >= 25, what="a microphone")
            assert "own" not in tones_in(leg.sound(), TONES, rate=RATE)
            s.client.speak(1, None)
            await asyncio.sleep(0.2)
            heard = len(leg.heard)
            sent = len(browser.sent_s)
            await until(lambda: len(browser.sent_s) > sent + 15, what="packets")
            assert len(leg.heard) == heard
            last = leg.heard[-1][1]
            s.client.speak(1, 1)
            await until(lambda: len(leg.heard) > heard, what="a microphone")
            again = leg.heard[heard][1]
            assert again.ssrc == last.ssrc
            assert sequence_after(again.sequence, last.sequence) == 1
            assert timestamp_after(again.timestamp, last.timestamp) > 10 * 960, "the pause is on the timeline"
            stats = s.client.stats()
            assert stats is not None
            assert stats.dropped["muted"] > 0

    asyncio.run(scene())


def test_lost_and_overtaken_packets_add_no_delay() -> None:
    async def scene() -> None:
        async with studio() as s:
            leg = await s.leg(1)
            browser = await s.join(1, speak=1)
            browser.say(tone("voice"), lose=lambda tick: tick in (20, 30, 31, 40))
            await until(lambda: len(leg.heard) >= 85, what="a microphone")
            packets = [rtp for _, rtp in leg.heard]
            assert {timestamp_after(b.timestamp, a.timestamp) for a, b in pairwise(packets)} == {960}
            assert tones_in(leg.sound()[RATE // 5 :], TONES, rate=RATE) == {"voice"}
            by_time = dict(zip((rtp.timestamp for rtp in packets), (s for s, _ in leg.heard), strict=True))
            first = packets[0].timestamp
            lost = (20, 30, 31, 40)
            sent = [at for tick, at in _with_gaps(browser.sent_s, lost) if tick not in lost]
            ticks = [tick for tick, _ in _with_gaps(browser.sent_s, lost) if tick not in lost]
            delays = {
                tick: by_time[(first + 960 * tick) & 0xFFFFFFFF] - at
                for tick, at in zip(ticks, sent, strict=True)
                if (first + 960 * tick) & 0xFFFFFFFF in by_time
            }
            before = np.median([delays[tick] for tick in range(5, 20)])
            after = np.median([delays[tick] for tick in range(60, 85)])
            assert abs(after - before) < 0.010
            assert after < 0.020
            assert s.client.stats() is not None

    asyncio.run(scene())


def _with_gaps(sent_s: list[float], lost: tuple[int, ...]) -> list[tuple[int, float]]:
    """Numbers of frames to when they were sent; those that were not are left out."""
    numbers = (tick for tick in range(len(sent_s) + len(lost)) if tick not in lost)
    return list(zip(numbers, sent_s, strict=False))
