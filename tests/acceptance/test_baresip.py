"""The same bridge, an independent telephone: Debian's baresip dials, types its PIN, speaks and listens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bridge.ivr.prompt import prompt
from tests.phones.baresip import Baresip, installed
from tests.phones.caller import PARIS, Office, until
from tests.phones.ear import SAME
from tests.support.product import Product
from tests.support.sound import Sound, level_db

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(not installed(), reason="baresip is not installed (Debian: baresip-core)"),
]

ANN_HZ, BARESIP_HZ = 500.0, 1130


def quarters_with(sound: Sound, hz: float, rate: int) -> list[Sound]:
    """The quarter seconds in which a tone is loud."""
    n = rate // 4
    pieces = np.asarray(sound[: len(sound) // n * n]).reshape(-1, n)
    return [piece for piece in pieces if level_db(piece, hz, rate=rate) > -25]


@pytest.mark.parametrize(("codec", "name"), [("PCMA/8000/1", "PCMA"), ("G722/16000/1", "G722")])
def test_baresip_takes_part_in_a_conference(
    office: Office, product: Product, tmp_path: Path, codec: str, name: str
) -> None:
    room = product.new_room("Baresip")
    ann = office.caller("ann", hz=ANN_HZ)
    ann.dial()
    ann.enter(room, room.presenter_pin)
    room.order("start")
    room.order("set_mode", mode="discussion")
    office.hush("ann")
    office.settle({"ann": "silence"})

    with Baresip(tmp_path / "baresip", user="+12025550188", hz=BARESIP_HZ, codec=codec) as baresip:
        office.voices["baresip"] = BARESIP_HZ
        baresip.command("dial", f"sip:{PARIS}@127.0.0.1:{product.sip_port}")
        baresip.wait_event("CALL_ESTABLISHED")
        baresip.type(f"{room.listener_pin}#")
        guest = until(
            lambda: next((p for p in room.people() if p["name"].endswith("88")), None),
            lambda: f"baresip is not in the room: {product.text[-2000:]}",
        )
        assert (guest["role"], guest["city"]) == ("participant", "Paris")
        office.settle({"ann": "baresip"})
        baresip.type("*")  # ends the welcome; now it hears the room
        for _ in range(3):
            office.settle({"ann": "baresip"})

        baresip.type("1")
        until(lambda: room.people()[1]["muted"], lambda: "the key did not mute")
        office.settle({"ann": "silence"})
        baresip.type("1")
        office.settle({"ann": "baresip"}, within_s=10)

        baresip.command("hold")
        office.settle({"ann": "silence"})
        assert len(room.people()) == 2
        baresip.command("resume")
        office.settle({"ann": "baresip"})
        office.settle({"ann": "baresip"})

        baresip.command("hangup")
        until(lambda: len(room.people()) == 1, lambda: "baresip is still in the room")
        office.settle({"ann": "silence"})
    sound, rate = baresip.recording()
    with_ann = quarters_with(sound, ANN_HZ, rate)
    assert len(with_ann) >= 8
    steady = with_ann[2:-2]
    assert max(level_db(piece, BARESIP_HZ, rate=rate) for piece in steady) < -45, "it hears itself"
    assert office.ear.find(prompt("mute.on"), "fr", sound, rate)[0] > SAME

    [record] = room.finished_cdrs(1)
    assert record["reason_slug"] == "caller-hung-up"
    assert (record["codec"], record["q850"], record["hangup_party"]) == (name, 16, "caller")
    assert (record["pin_result"], record["pin_attempts"]) == ("ok", 1)
    assert record["lost_pkts"] == 0
    assert record["mos_cq"] > 4
    assert record["rtt_ms"] is not None
    assert record["conn_ms"] > record["conf_ms"] > 5000
