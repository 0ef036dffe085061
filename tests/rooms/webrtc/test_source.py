"""What a source makes of the packets of its mixer leg, one by one."""

from __future__ import annotations

import asyncio

import pytest

from rooms.webrtc.counters import Counters
from rooms.webrtc.opus import FRAME_SAMPLES
from rooms.webrtc.rtp import header
from rooms.webrtc.source import Source

MIXER = ("127.0.0.1", 40000)


class Ears:
    """A listener that notes the steps between frames."""

    def __init__(self) -> None:
        self.steps: list[int | None] = []

    def hear(self, packet: bytes, *, source: int, step: int | None, now_s: float) -> None:  # noqa: ARG002
        self.steps.append(step)


def packet(sequence: int, timestamp: int, *, ssrc: int = 7) -> bytes:
    head = header(
        payload_type=96, marker=False, sequence=sequence % 65536, timestamp=timestamp % 2**32, ssrc=ssrc
    )
    return head + bytes(2 * FRAME_SAMPLES)


def heard(*packets: bytes) -> tuple[list[int | None], dict[str, int]]:
    """Steps that a listener was told, and what was dropped."""

    async def scene() -> tuple[list[int | None], dict[str, int]]:
        counters, ears = Counters(), Ears()
        source = Source(1, mixer=MIXER, counters=counters)
        source.add(ears)
        for data in packets:
            source.datagram_received(data, MIXER)
        return ears.steps, {reason: count for reason, count in counters.dropped.items() if count}

    return asyncio.run(scene())


def test_packets_in_order_across_the_wrap() -> None:
    steps, dropped = heard(*(packet(65534 + n, 2**32 - 960 + 960 * n) for n in range(4)))
    assert steps == [None, 960, 960, 960]
    assert dropped == {}


def test_a_packet_twice_or_late_is_dropped() -> None:
    steps, dropped = heard(packet(10, 0), packet(12, 1920), packet(12, 1920), packet(11, 960))
    assert steps == [None, 1920]
    assert dropped == {"late": 2}


@pytest.mark.parametrize("jump", [-101, -5000, -32768, 5000, 32767])
def test_a_mixer_that_was_replaced_is_heard_wherever_it_counts_from(jump: int) -> None:
    """The leg keeps its SSRC, and its new worker begins with a sequence number of its own."""
    before = [packet(40000 + n, 960 * n) for n in range(3)]
    after = [packet(40002 + jump + n, 2**31 + 960 * n) for n in range(3)]
    steps, dropped = heard(*before, *after)
    assert steps == [None, 960, 960, None, 960, 960]
    assert dropped == {}
