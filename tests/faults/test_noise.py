"""Rubbish on the wire while people talk: broken SIP at the door, broken RTP at the ports of live calls."""

from __future__ import annotations

import random
import re
import socket
import struct
import time
import zlib
from collections.abc import Iterator

import pytest

from tests.bridge.sip.torture import MESSAGES
from tests.faults.conftest import StartProduct
from tests.faults.scene import PARIS, Caller, Scene, steadily, until
from tests.support.product import Product
from tests.support.sound import sine

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

ANN_HZ, BOB_HZ = 425.0, 725.0


@pytest.fixture(scope="module")
def talk(product: Product) -> Iterator[tuple[Scene, Caller, Caller]]:
    """Two people in conversation."""
    with Scene(product) as scene:
        ann, bob = scene.caller(says=sine(ANN_HZ)), scene.caller(says=sine(BOB_HZ))
        ann.enter(product.presenter_pin)
        bob.enter(product.presenter_pin)
        steadily(lambda: understand_each_other(ann, bob), "a conversation")
        yield scene, ann, bob
        for person in (ann, bob):
            person.hang_up()
            record = person.record()
            assert record["reason_slug"] == "caller-hung-up"
            assert record["lost_pkts"] == 0


def understand_each_other(ann: Caller, bob: Caller) -> bool:
    """Each hears the other, and not themself."""
    return ann.hears(BOB_HZ) and bob.hears(ANN_HZ) and not ann.hears(ANN_HZ) and not bob.hears(BOB_HZ)


def test_broken_sip(talk: tuple[Scene, Caller, Caller]) -> None:
    scene, ann, bob = talk
    until(lambda: understand_each_other(ann, bob), "a conversation")
    ann.sound.heard.clear()
    bob.sound.heard.clear()
    host, port = scene.product.sip
    dice = random.Random(4475)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", 0))
        own = raw.getsockname()[1]
        for serial in range(2000):
            message = MESSAGES[serial % len(MESSAGES)]
            data = bytearray(_filled(message.data, port=own, server=port, serial=serial))
            if serial >= len(MESSAGES) and data:  # once as they are, then damaged
                for _ in range(dice.randint(1, 8)):
                    data[dice.randrange(len(data))] = dice.randrange(256)
            raw.sendto(bytes(data), (host, port))
            if serial % 100 == 99:
                # In step with the bridge, so that it reads the rubbish instead of the kernel dropping it.
                assert ann.phone.options().wait(1).status == 200
    newcomer = scene.caller()
    assert newcomer.dial().status == 200
    newcomer.hang_up()
    until(lambda: understand_each_other(ann, bob), "the conversation still")
    assert ann.sound.lost() == bob.sound.lost() == 0
    assert scene.metric('tollbridge_sip_total{what="callback_errors"}') == 0


def test_broken_rtp(talk: tuple[Scene, Caller, Caller]) -> None:
    """Every wrong size, version, payload type and source at the very ports that carry the conversation."""
    scene, ann, bob = talk
    until(lambda: understand_each_other(ann, bob), "a conversation")
    ann.sound.heard.clear()
    bob.sound.heard.clear()
    ports = {caller.sound.remote for caller in (ann, bob)} - {None}
    ports |= {(host, port + 1) for host, port in ports}  # RTCP
    dice = random.Random(3550)
    before = _dropped(scene)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        for n in range(3000):
            length = dice.choice((0, 1, 11, 12, 13, 172, 333, 1400))
            data = bytearray(dice.randbytes(length))
            if n % 2 and length >= 12:
                good = struct.pack(">BBHII", 0x80, dice.choice((0, 8, 9, 13, 101)), n, 160 * n, 99)
                data[:12] = good
            for address in ports:
                stranger.sendto(bytes(data), address)
            if n % 20 == 19:
                time.sleep(0.005)  # a flood of 4,000 a second a port
        # The same from the right source: Ann's own phone has gone mad between two good packets.
        for data in (b"", b"\x80", b"\0" * 172, b"\x80\x60" + b"\0" * 170, b"\xff" * 1400, b"\x80\x88xxx"):
            ann.sound.send_raw(data)
    until(lambda: _dropped(scene) >= before + 1000, "the count of dropped packets")
    ann.sound.heard.clear()
    until(lambda: len(ann.sound.heard) > 50, "a second of sound")
    until(lambda: understand_each_other(ann, bob), "the conversation still")
    assert bob.sound.lost() == 0


def test_a_sender_who_starts_anew(talk: tuple[Scene, Caller, Caller]) -> None:
    """Another SSRC, a jump of the sequence, a jump of the clock: half a second later all is well."""
    _, ann, bob = talk
    until(lambda: understand_each_other(ann, bob), "a conversation")
    for change in ("ssrc", "seq", "ts"):
        setattr(ann.sound, change, (getattr(ann.sound, change) + 0x3A5A5) & 0x7FFFFFFF)
        heard = len(bob.sound.heard)
        until(lambda heard=heard: len(bob.sound.heard) > heard + 50, "a second of sound")
        assert bob.hears(ANN_HZ, last_s=0.4), change


def test_duplicates_and_disorder(talk: tuple[Scene, Caller, Caller]) -> None:
    _, ann, bob = talk
    until(lambda: understand_each_other(ann, bob), "a conversation")
    send = ann.sound.send_raw
    held: list[bytes] = []

    def disorderly(data: bytes) -> None:
        held.append(data)
        if len(held) == 3:
            for each in (held[1], held[0], held[0], held[2], held[1]):
                send(each)
            held.clear()

    ann.sound.send_raw = disorderly  # type: ignore[method-assign]
    heard = len(bob.sound.heard)
    until(lambda: len(bob.sound.heard) > heard + 150, "three seconds of sound")
    assert bob.hears(ANN_HZ, last_s=1.0)
    ann.sound.send_raw = send  # type: ignore[method-assign]


def test_rubbish_without_any_call(make_product: StartProduct) -> None:
    """A port scan of everything we listen on, before the first call."""
    product = make_product()
    dice = random.Random(1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        for _ in range(500):
            raw.sendto(dice.randbytes(dice.randrange(1400)), product.sip)
    with Scene(product) as scene:
        caller = scene.caller()
        caller.enter(product.listener_pin)
        caller.hang_up()
        assert caller.record()["reason_slug"] == "caller-hung-up"


def _filled(data: bytes, *, port: int, server: int, serial: int) -> bytes:
    values = {
        b"{uri}": f"sip:{PARIS}@127.0.0.1:{server}".encode(),
        b"{via}": f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKn{serial};rport".encode(),
        b"{branch}": f"z9hG4bKn{serial}".encode(),
        b"{port}": str(port).encode(),
        b"{call_id}": f"noise-{serial}-{zlib.crc32(data)}@127.0.0.1".encode(),
    }
    return re.sub(rb"\{(uri|via|branch|port|call_id)\}", lambda match: values[match[0]], data)


def _dropped(scene: Scene) -> float:
    text = str(scene.product.get("/metrics"))
    counts = re.findall(r"^tollbridge_rtp_dropped_total\{[^}]*\} (\S+)", text, re.MULTILINE)
    return sum(map(float, counts))
