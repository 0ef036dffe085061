"""After every torture message the engine lives, and answers a good call; over UDP and over TCP."""

from __future__ import annotations

import random
import re
import socket
import zlib
from collections.abc import Iterator

import pytest

from bridge.sip.config import SipConfig
from tests.bridge.sip.engine_process import EngineProcess
from tests.bridge.sip.torture import MESSAGES, Torture
from tests.phones.sip_message import audio_sdp
from tests.phones.sip_phone import SipPhone

PARIS = "+33975129519"


@pytest.fixture(scope="module")
def engine() -> Iterator[EngineProcess]:
    with EngineProcess(SipConfig(port=0, max_calls=200), answer_at_once=True) as running:
        yield running


def fill(message: Torture, *, port: int, server: int, transport: str, serial: int) -> bytes:
    branch = f"z9hG4bKt{serial}"
    values = {
        b"{uri}": f"sip:{PARIS}@127.0.0.1:{server}".encode(),
        b"{via}": f"SIP/2.0/{transport.upper()} 127.0.0.1:{port};branch={branch};rport".encode(),
        b"{branch}": branch.encode(),
        b"{port}": str(port).encode(),
        b"{call_id}": f"torture-{serial}@127.0.0.1".encode(),
    }
    return re.sub(rb"\{(uri|via|branch|port|call_id)\}", lambda match: values[match[0]], message.data)


def good_call(engine: EngineProcess, transport: str = "udp") -> None:
    with SipPhone(engine.server(transport), transport=transport) as phone:
        call = phone.dial(PARIS, sdp=audio_sdp())
        assert call.final().status == 200
        assert call.bye().status == 200


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name.partition(":")[0])
def test_udp(engine: EngineProcess, message: Torture) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", 0))
        raw.settimeout(2.0)
        server = engine.server()
        serial = zlib.crc32(message.name.encode())
        raw.sendto(
            fill(message, port=raw.getsockname()[1], server=server[1], transport="udp", serial=serial), server
        )
        if message.call:
            status = 100
            while status < 200:
                status = int(raw.recv(65536).split(b" ", 2)[1])
            assert status != 400
        good_call(engine)
    assert engine.alive
    assert engine.stats()["callback_errors"] == 0


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name.partition(":")[0])
def test_tcp(engine: EngineProcess, message: Torture) -> None:
    server = engine.server("tcp")
    with socket.create_connection(server) as raw:
        port = raw.getsockname()[1]
        raw.sendall(
            fill(
                message,
                port=port,
                server=server[1],
                transport="tcp",
                serial=zlib.crc32(message.name.encode()),
            )
        )
        good_call(engine, "tcp")
    assert engine.alive
    assert engine.stats()["callback_errors"] == 0


def test_flipped_and_cut_messages(engine: EngineProcess) -> None:
    """Five thousand damaged INVITEs, always the same; OPTIONS in between show that it keeps up."""
    dice = random.Random(4475)
    server = engine.server()
    sources = [m for m in MESSAGES if m.data.startswith(b"INVITE") and len(m.data) < 2000]
    before = engine.stats()["invites"]
    with SipPhone(server) as phone, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind(("127.0.0.1", 0))
        port = raw.getsockname()[1]
        for serial in range(5000):
            message = dice.choice(sources)
            data = bytearray(fill(message, port=port, server=server[1], transport="udp", serial=serial))
            for _ in range(dice.randint(1, 8)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            if dice.random() < 0.3:
                del data[dice.randrange(len(data)) :]
            raw.sendto(bytes(data), server)
            if serial % 50 == 49:
                assert phone.options().wait(1).status == 200
    stats = engine.stats()
    assert stats["invites"] - before > 200  # few are damaged only where it does not matter
    assert stats["callback_errors"] == 0
    assert engine.alive
