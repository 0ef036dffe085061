"""Callers who are gone without a word, and callers who only say nothing."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.faults.conftest import StartProduct
from tests.faults.scene import Scene, until

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

TIMEOUT_S = 5


def test_gone_without_a_bye_and_silent_but_there(make_product: StartProduct) -> None:
    """Both send nothing for longer than the limit; only the one whose phone does not answer is ended."""
    product = make_product(media_timeout_s=str(TIMEOUT_S))
    with Scene(product) as scene:
        gone, silent, talker = (scene.caller() for _ in range(3))
        for caller in (gone, silent, talker):
            caller.enter(product.listener_pin)
        gone.sound.sending = silent.sound.sending = False
        gone.call.respond = lambda _request: 0  # the battery is empty
        last_rtp = datetime.now(UTC)

        probe = silent.call.wait_request("OPTIONS", timeout_s=TIMEOUT_S + 5)
        assert probe.method == "OPTIONS"
        record = scene.record(gone.call.call_id, within_s=60)
        assert record["reason_slug"] == "media-timeout"
        assert record["end_basis"] == "media_timeout"
        assert record["disposition"] == "network_error"
        ended = record["end_at"]
        assert abs((ended - last_rtp).total_seconds()) < 1.0
        assert abs((record["leave_at"] - last_rtp).total_seconds()) < 1.0
        assert (datetime.now(UTC) - ended).total_seconds() > TIMEOUT_S  # nobody pays for the wait

        until(lambda: len(scene.people()) == 2, "two people in the room")
        silent.hang_up()
        talker.hang_up()
        record = silent.record()
        assert (record["reason_slug"], record["end_basis"]) == ("caller-hung-up", "bye")


def test_never_a_packet(make_product: StartProduct) -> None:
    """A phone that never sent sound and does not answer: the call ends, and the record invents nothing."""
    product = make_product(media_timeout_s=str(TIMEOUT_S))
    with Scene(product) as scene:
        mute = scene.caller()
        mute.sound.sending = False
        mute.dial()  # it hears the welcome, because its address is known
        mute.call.respond = lambda _request: 481
        record = scene.record(mute.call.call_id, within_s=30)
        assert (record["reason_slug"], record["end_basis"]) == ("media-timeout", "media_timeout")
        assert record["mos_cq"] is None
        assert record["r_factor"] is None
        assert record["pin_result"] == "abandoned"
