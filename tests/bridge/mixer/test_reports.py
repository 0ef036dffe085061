"""RTCP of the legs: real sockets on loopback, counted time."""

import socket
from collections.abc import Iterator

import pytest

from bridge.mixer import rtcp
from bridge.mixer.engine import TURN_TICKS
from bridge.mixer.reports import Reports
from bridge.mixer.sockets import open_port
from tests.bridge.mixer.loop import Loop, Phone
from tests.support.sound import sine


class Scene:
    """One leg whose RTCP goes to a socket of the test."""

    def __init__(self) -> None:
        self.bridge = open_port("127.0.0.1", 0)
        self.phone_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.phone_socket.bind(("127.0.0.1", 0))
        self.phone_socket.settimeout(2.0)
        port = self.phone_socket.getsockname()[1]
        self.loop = Loop()
        self.phone = Phone(1, says=sine(440.0), address=("127.0.0.1", port - 1))
        self.loop.add(self.phone)
        self.reports = Reports(self.loop.mixer, [self.bridge])

    @property
    def row(self) -> int:
        row = self.loop.mixer.row(1)
        assert row is not None
        return row

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            self.loop.run(1)
            self.reports.send_due(self.loop.tick, self.loop.now_ns())

    def heard(self) -> list[rtcp.Heard]:
        self.phone_socket.setblocking(False)
        found = []
        while True:
            try:
                heard = rtcp.parse(self.phone_socket.recv(2048))
            except BlockingIOError:
                return found
            assert heard is not None
            found.append(heard)

    def answer(self, data: bytes, *, after_ms: float = 0.0) -> None:
        self.phone_socket.sendto(data, self.bridge.getsockname())
        self.reports.receive(self.loop.now_ns() + int(after_ms * 1e6))

    def told(self, *, about: int, last_sr: int = 0, delay: int = 0, ssrc: int | None = None) -> bytes:
        block = rtcp.ReportBlock(
            ssrc=about,
            fraction_lost=0,
            lost=0,
            highest_seq=1,
            jitter=0,
            last_sr=last_sr,
            delay_since_sr=delay,
        )
        return rtcp.build(
            ssrc=self.phone.ssrc if ssrc is None else ssrc,
            realtime_ns=self.loop.now_ns(),
            rtp_timestamp=0,
            packets=1,
            octets=160,
            block=block,
            cname=b"phone",
        )


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.bridge.close()
    scene.phone_socket.close()


def test_a_leg_gets_a_report_every_five_seconds_that_tells_what_was_lost(scene: Scene) -> None:
    scene.run(TURN_TICKS)
    scene.phone.seq += 25
    scene.run(TURN_TICKS)
    first, second = scene.heard()
    assert first.ssrc == scene.loop.mixer.output.ssrc(scene.row)
    assert first.sender_ntp is not None
    (before,), (after,) = first.blocks, second.blocks
    assert before.ssrc == after.ssrc == scene.phone.ssrc
    assert (before.lost, before.fraction_lost) == (0, 0)
    assert after.lost == 25
    assert after.fraction_lost == pytest.approx(256 * 25 / 275, abs=1)
    assert after.highest_seq - before.highest_seq == pytest.approx(TURN_TICKS + 25, abs=1)


def test_a_phone_that_answers_tells_the_round_trip_time(scene: Scene) -> None:
    scene.run(TURN_TICKS)
    (report,) = scene.heard()
    assert report.sender_ntp is not None
    sent = rtcp.ntp_middle(scene.loop.now_ns())
    told = scene.told(about=report.ssrc, last_sr=sent, delay=65536 // 50)
    scene.answer(told, after_ms=100.0)
    assert scene.reports.rtt_ms(scene.row) == pytest.approx(80.0, abs=1.0)
    scene.reports.reset(scene.row)
    assert scene.reports.rtt_ms(scene.row) is None


def test_our_reports_let_the_phone_measure_too(scene: Scene) -> None:
    scene.run(10)
    sr = scene.told(about=1)
    heard = rtcp.parse(sr)
    assert heard is not None
    scene.answer(sr)
    scene.run(TURN_TICKS)
    block = scene.heard()[-1].blocks[0]
    assert block.last_sr == heard.sender_ntp
    assert 0 < block.delay_since_sr <= 5 * 65536


def test_reports_of_strangers_and_about_others_tell_nothing(scene: Scene) -> None:
    scene.run(TURN_TICKS)
    ours = scene.loop.mixer.output.ssrc(scene.row)
    sent = rtcp.ntp_middle(scene.loop.now_ns())
    scene.answer(scene.told(about=0x99, last_sr=sent), after_ms=50)
    assert scene.reports.rtt_ms(scene.row) is None
    scene.loop.mixer.update(1, scene.loop.media(scene.phone, expected=("127.0.0.7", 4000)))
    scene.answer(scene.told(about=ours, last_sr=sent), after_ms=50)
    assert scene.reports.rtt_ms(scene.row) is None, "from an address that is not the leg's"
    assert scene.reports.last_heard_ns(scene.row) is not None, "from the first one"


def test_malformed_reports_are_counted(scene: Scene) -> None:
    for data in (b"", b"\x80", bytes(200), b"OPTIONS sip:x"):
        scene.answer(data)
    assert scene.reports.malformed == 4


def test_a_phone_that_never_sends_sound_is_alive_by_its_reports(scene: Scene) -> None:
    """A muted phone may send no RTP at all; its receiver reports carry an SSRC that we have never heard."""
    scene.phone.says = None
    scene.run(TURN_TICKS)
    (report,) = scene.heard()
    scene.answer(scene.told(about=report.ssrc, ssrc=0x4242))
    assert scene.reports.last_heard_ns(scene.row) is not None


def test_a_leg_on_hold_is_sent_no_report_of_sound_it_is_not_sent(scene: Scene) -> None:
    scene.loop.mixer.update(1, scene.loop.media(scene.phone, send=False))
    scene.run(TURN_TICKS)
    assert scene.heard() == []
