"""Money that goes back: once, never more than came, and nothing of it is lost from the books."""

from __future__ import annotations

import pytest

from billing.money import Money
from billing.payments.errors import KeyReusedError, NotPossibleError, UnknownPaymentError
from billing.payments.models import Checkout, Refund
from tests.billing.payments.scene import Killed, Scene


def paid(scene: Scene, minor: int = 5000) -> str:
    """Top up; the provider's id of the payment."""
    checkout = scene.start(minor, key=f"k{minor}")
    scene.choose(checkout)
    scene.finish(checkout)
    scene.deliver()
    return str(scene.rows(Checkout)[-1].payment_ref)


def refund(scene: Scene, payment: str, minor: int, *, key: str = "r1") -> Refund:
    return scene.cashier.refund(
        psp="test", payment=payment, amount=Money(minor, "EUR"), key=key, actor="staff", reason="asked for",
        now=scene.now,
    )  # fmt: skip


def test_a_refund_and_its_web_hook(scene: Scene) -> None:
    payment = paid(scene)
    assert refund(scene, payment, 2000).state == "refunded"
    assert refund(scene, payment, 2000).state == "refunded", "the same key is the same refund"
    scene.deliver()
    assert scene.balance == (3000, 0)
    assert scene.provider_took == 3000
    with pytest.raises(KeyReusedError):
        refund(scene, payment, 1000)


@pytest.mark.parametrize("step", ["refund-written", "refund-called"])
def test_death_at_every_step_sends_once(scene: Scene, step: str) -> None:
    payment = paid(scene)
    scene.die_at = step
    with pytest.raises(Killed):
        refund(scene, payment, 2000)
    scene.later(minutes=3)
    assert scene.run() == {"refund-refunded": 1}
    scene.deliver()
    assert scene.run() == {}
    assert scene.balance == (3000, 0)
    assert scene.provider_took == 3000


@pytest.mark.parametrize("minor", [5001, 0, -1])
def test_never_more_than_came(scene: Scene, minor: int) -> None:
    payment = paid(scene)
    with pytest.raises(NotPossibleError):
        refund(scene, payment, minor)


def test_never_more_than_is_left_of_payment_and_wallet(scene: Scene) -> None:
    payment = paid(scene)
    refund(scene, payment, 4000)
    with pytest.raises(NotPossibleError):
        refund(scene, payment, 1001, key="r2")
    scene.use(600)
    with pytest.raises(NotPossibleError, match="wallet"):
        refund(scene, payment, 500, key="r3")
    with pytest.raises(UnknownPaymentError):
        refund(scene, "nothing", 100, key="r4")


def test_a_refund_of_money_that_was_spent_meanwhile_is_owed(scene: Scene) -> None:
    payment = paid(scene)
    scene.die_at = "refund-called"
    with pytest.raises(Killed):
        refund(scene, payment, 5000)
    scene.use(3000)
    scene.later(minutes=3)
    assert scene.run() == {"refund-owed": 1}
    assert scene.balance == (2000, 5000)
    assert scene.provider_took == 0


def test_a_chargeback_and_winning_it(scene: Scene) -> None:
    payment = paid(scene)
    dispute = scene.till.dispute(payment, fee=1500)
    scene.deliver()
    scene.deliver()
    assert scene.balance == (5000, 5000)
    assert scene.provider_took == -1500
    scene.till.win(dispute["id"])
    scene.deliver()
    assert scene.balance == (5000, 0)
    assert scene.provider_took == 5000
