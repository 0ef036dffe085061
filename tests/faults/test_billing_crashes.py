"""The whole product is killed while money moves: whatever was begun is finished once, and nothing twice."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from functools import partial

import pytest

from tests.acceptance.billing.conftest import Shop, shop
from tests.faults.scene import until
from tests.support.till import TOLL_FREE

__all__ = ["shop"]

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]


def test_killed_during_a_call_and_while_it_is_charged(shop: Callable[..., Shop]) -> None:
    """The call that the crash cut off is charged as far as it is known, and the card whose answers get lost
    pays once.
    """
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    product, scene, till = shop(per_minute="6", exposure=5_000)
    till.top_up("5.00", card="timeout")
    cut, done = scene.caller(), scene.caller()
    for caller in (done, cut):
        assert caller.dial(TOLL_FREE).status == 200
        caller.type(f"{product.listener_pin}#")
        caller.inside()
    done.hang_up()
    done.record()
    settled_s = time.monotonic() + 2.0  # checkpoints are written once a second
    until(lambda: time.monotonic() > settled_s, "two checkpoints")
    product.kill()
    cut.sound.sending = False
    product.start()
    assert cut.record()["end_basis"] == "node_crash"
    assert till.get("balance")["posted"] == "5.00"
    till.rated(done.record(), cut.record())
    till.quarter_of_an_hour_later()
    for _ in range(2):
        pause_s = time.monotonic() + chance.uniform(0.0, 6.0)
        until(partial(passed, pause_s), "a moment of work")
        product.kill()
        product.start()

    # Two calls at 6.00 and VAT: 14.52, of which the balance had 5.00.
    product.wait_for(lambda: till.kinds()["shortfall"], "the card's payment", within_s=30)
    # Another turn or two of the clerk must not change anything.
    settled_s = time.monotonic() + 6.0
    until(lambda: time.monotonic() > settled_s, "another turn of the clerk", within_s=15)
    assert till.kinds() == {"top_up": 1, "usage": 1, "shortfall": 1}
    balance = till.get("balance")
    assert (balance["posted"], balance["held"], balance["receivable"]) == ("0.00", "0.00", "0.00")
    assert [(line["kind"], line["amount"]) for line in till.provider.lines()] == [
        ("payment", 500),
        ("payment", 952),
    ]
    till.agrees()


def passed(moment_s: float) -> bool:
    return time.monotonic() > moment_s
