"""The other ways to the bridge: SIP over TCP, over TLS, and everything over IPv6."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator

import pytest

from bridge.ivr.prompt import prompt
from tests.phones.caller import Office
from tests.phones.ear import Ear
from tests.phones.sip_phone import SipPhone
from tests.support.product import Product, free_port

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def tls_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory, ear: Ear, tls_port: int) -> Iterator[Product]:
    """A product that listens on both IP versions and has a certificate."""
    folder = tmp_path_factory.mktemp("product")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        (
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            f"-subj /CN=bridge.example -keyout {key} -out {certificate}"
        ).split(),
        check=True,
        capture_output=True,
    )
    with Product(
        folder,
        prompt_cache=ear.folder,
        sip_host="127.0.0.1,::1",
        tls_certificate=str(certificate),
        tls_key=str(key),
        sip_tls_port=str(tls_port),
    ) as running:
        yield running


def test_calls_by_every_way_meet_in_one_room(product: Product, ear: Ear, tls_port: int) -> None:
    room = product.new_room("Ways")
    ways = {
        "tcp4": SipPhone(("127.0.0.1", product.sip_port), transport="tcp"),
        "tls4": SipPhone(("127.0.0.1", tls_port), transport="tls"),
        "udp6": SipPhone(("::1", product.sip_port)),
        "tcp6": SipPhone(("::1", product.sip_port), transport="tcp"),
        "tls6": SipPhone(("::1", tls_port), transport="tls"),
    }
    tones = {"tcp4": 420.0, "tls4": 560.0, "udp6": 850.0, "tcp6": 1130.0, "tls6": 1520.0, "udp4": 2030.0}
    with contextlib.ExitStack() as stack:
        for sip in ways.values():
            stack.enter_context(sip)
        office = stack.enter_context(Office(product, ear))
        everybody = [office.caller("udp4", hz=tones["udp4"])]
        for way, sip in ways.items():
            host = "::1" if way.endswith("6") else "127.0.0.1"
            everybody.append(office.caller(way, hz=tones[way], sip=sip, host=host))
        for each in everybody:
            each.dial()
            assert each.phone.remote is not None
            assert each.phone.remote[0] == each.phone.host
            each.phone.press(f"{room.presenter_pin}#")
        for each in everybody:
            each.joined(room)
        office.hush(*tones)
        office.settle({name: "+".join(sorted(tones.keys() - {name})) for name in tones})
        tls = office.callers["tls6"]
        tls.press("1")
        tls.hears_prompt(prompt("mute.on"))
        for each in everybody[1:]:
            each.hang_up()
        everybody[0].press("9")
        assert everybody[0].hung_up_on()
    records = room.finished_cdrs(6)
    assert sorted(record["src_ip"] for record in records) == ["127.0.0.1"] * 3 + ["::1"] * 3
    assert {record["reason_slug"] for record in records} == {"caller-hung-up", "event-ended"}
