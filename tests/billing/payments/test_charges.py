"""Shortfalls: taken from the card exactly once, through declines, lost answers and crashes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing.money import Money
from billing.payments import charges
from billing.payments.charges import CardFailed, ConfirmNeeded
from billing.payments.errors import KeyReusedError, NotPossibleError, UnknownPaymentError
from billing.payments.gateway import Charged, ChargeSettled, Declined
from billing.payments.hooks import apply
from billing.payments.models import Charge
from tests.billing.payments.scene import Killed, Scene


def test_the_golden_shortfall(scene: Scene) -> None:
    """BILLING §3: wallet 3.00, total 14.94 → card 11.94. The wallet's part came from a goodwill of 3.00."""
    scene.with_card()
    from billing import ledger

    with scene.sessions.begin() as session:
        ledger.goodwill(
            session, scene.account_id, Money(300, "EUR"), idem="g", actor="a", reason="r", at=scene.now
        )
    scene.use(1494)
    assert scene.balance == (0, 1194)
    assert scene.run() == {"charge-charged": 1}
    assert scene.balance == (0, 0)
    assert scene.provider_took == 1194
    assert (scene.charge.state, scene.attempts[0].key) == ("paid", f"{scene.charge.key}:1")
    scene.deliver()
    assert scene.run() == {}
    assert scene.provider_took == 1194


@pytest.mark.parametrize("step", ["attempt-written", "provider-called"])
@pytest.mark.parametrize("card", ["good", "timeout", "soft", "hard", "confirm"])
def test_death_at_every_step_charges_at_most_once(scene: Scene, step: str, card: str) -> None:
    scene.with_card(card)
    scene.use(1194)
    scene.die_at = step
    with pytest.raises(Killed):
        scene.run()
    assert scene.run() == {}, "the lease keeps others away"
    scene.later(minutes=3)
    scene.run()
    scene.deliver()
    scene.run()
    paid = card in ("good", "timeout")
    assert scene.provider_took == (1194 if paid else 0)
    assert scene.balance == (0, 0 if paid else 1194)
    assert len(scene.attempts) == 1


def test_a_lost_answer_is_asked_for_under_the_same_key(scene: Scene) -> None:
    scene.with_card("timeout")
    scene.use(1194)
    assert scene.run() == {"charge-unknown": 1}
    assert scene.balance == (0, 1194)
    assert scene.charge.state == "charging"
    assert scene.run() == {}
    scene.later(minutes=2)
    assert scene.run() == {"charge-charged": 1}
    assert scene.balance == (0, 0)
    assert scene.provider_took == 1194
    assert [attempt.n for attempt in scene.attempts] == [1]


def test_or_learnt_from_the_web_hook(scene: Scene) -> None:
    scene.with_card("timeout")
    scene.use(1194)
    scene.run()
    scene.deliver()
    assert scene.balance == (0, 0)
    scene.later(minutes=2)
    assert scene.run() == {}


def test_soft_declines_are_tried_again_after_1_3_and_7_days(scene: Scene) -> None:
    scene.with_card("soft")
    scene.use(1194)
    began, tried = scene.now, []
    for _ in range(24 * 14):
        if scene.run().get("charge-declined"):
            tried.append((scene.now - began) // timedelta(hours=1))
        scene.later(hours=1)
    assert tried == [0, 24, 24 + 72, 24 + 72 + 168]
    assert scene.charge.state == "failed"
    assert scene.charge.reason == "insufficient_funds"
    assert [attempt.key for attempt in scene.attempts] == [f"{scene.charge.key}:{n}" for n in (1, 2, 3, 4)]
    assert [type(notice) for notice in scene.notices] == [CardFailed]
    assert scene.balance == (0, 1194)


def test_a_hard_decline_ends_it_until_there_is_another_card(scene: Scene) -> None:
    scene.with_card("hard")
    scene.use(1194)
    assert scene.run() == {"charge-declined": 1}
    assert (scene.charge.state, scene.charge.reason) == ("failed", "stolen_card")
    scene.later(days=30)
    assert scene.run() == {}
    scene.with_card("good")
    with scene.sessions.begin() as session:
        from billing.payments import cards

        new = cards.list_cards(session, scene.account_id)[-1]
    scene.cashier.set_default_card(scene.account_id, new.id, now=scene.now)
    assert scene.run().get("charge-charged") == 1
    assert scene.balance == (0, 0)


def test_without_a_card_the_debt_waits_for_one(scene: Scene) -> None:
    scene.use(1194)
    assert scene.run() == {"charge-idle": 1}
    assert scene.charge.state == "no_card"
    scene.with_card()
    scene.run()
    assert scene.balance == (0, 0)


def test_three_d_secure_by_mail(scene: Scene) -> None:
    scene.with_card("confirm")
    scene.use(1194)
    assert scene.run() == {"charge-action": 1}
    (notice,) = scene.notices
    assert isinstance(notice, ConfirmNeeded)
    assert notice.amount == Money(1194, "EUR")
    assert "bank asks" in scene.payer.get(notice.url).text
    scene.payer.post(notice.url, data={"answer": "yes"})
    scene.deliver()
    assert scene.balance == (0, 0)
    assert "decided already" in scene.payer.get(notice.url).text
    scene.payer.post(notice.url, data={"answer": "yes"})
    assert scene.provider_took == 1194
    assert len(scene.notices) == 1


def test_three_d_secure_whose_web_hook_got_lost_is_asked_about(scene: Scene) -> None:
    scene.with_card("confirm")
    scene.use(1194)
    scene.run()
    scene.payer.post(scene.notices[0].url, data={"answer": "yes"})
    scene.later(hours=2)
    assert scene.run() == {"charge-charged": 1}
    assert scene.balance == (0, 0)


def test_three_d_secure_refused_or_forgotten(scene: Scene) -> None:
    scene.with_card("confirm")
    scene.use(1194)
    scene.run()
    scene.payer.post(scene.notices[0].url, data={"answer": "no"})
    scene.deliver()
    assert scene.charge.state == "waiting"
    scene.later(days=1)
    scene.run()
    assert [attempt.state for attempt in scene.attempts] == ["declined", "action"]
    scene.later(days=3)
    assert scene.run() == {"charge-declined": 1}, "given up, and cancelled at the provider"
    scene.payer.post(scene.notices[1].url, data={"answer": "yes"})
    assert scene.provider_took == 0, "a cancelled payment cannot be confirmed any more"


def test_a_mailed_link_is_mailed_once_even_if_the_answer_is_asked_for_again(scene: Scene) -> None:
    scene.with_card("confirm")
    scene.use(1194)
    for _ in range(5):
        scene.run()
        scene.later(hours=2)
    assert len(scene.notices) == 1


def test_a_debt_below_the_providers_minimum_waits_for_company(scene: Scene) -> None:
    scene.with_card()
    scene.use(30, session_id=1)
    assert scene.run() == {"charge-idle": 1}
    assert scene.charge.state == "small"
    assert scene.balance == (0, 30)
    scene.use(45, session_id=2)
    assert scene.run() == {"charge-charged": 1}
    assert scene.provider_took == 75
    assert scene.balance == (0, 0)
    assert [(charge.state, charge.covered) for charge in scene.rows(Charge)] == [
        ("settled", 30),
        ("paid", 45),
    ]


def test_a_top_up_pays_what_is_open_before_the_card_does(scene: Scene) -> None:
    scene.use(1194)
    scene.run()
    checkout = scene.start(1000)
    scene.choose(checkout)
    scene.finish(checkout)
    assert scene.balance == (0, 194)
    scene.with_card()
    scene.run()
    assert scene.balance == (0, 0)
    assert scene.provider_took == 1194
    assert scene.charge.state == "paid"


def test_a_top_up_does_not_touch_what_a_card_is_paying(scene: Scene) -> None:
    scene.with_card("confirm")
    scene.use(1194)
    scene.run()
    checkout = scene.start(5000)
    scene.choose(checkout)
    scene.finish(checkout)
    assert scene.balance == (5000, 1194)
    scene.payer.post(scene.notices[0].url, data={"answer": "yes"})
    scene.deliver()
    assert scene.balance == (5000, 0)


def test_never_more_is_charged_than_is_owed(scene: Scene) -> None:
    scene.with_card()
    usage = scene.use(1194)
    from billing import ledger

    with scene.sessions.begin() as session:
        ledger.reverse(session, usage, actor="staff", reason="wrong rate", at=scene.now)
    assert scene.run() == {"charge-idle": 1}
    assert scene.charge.state == "settled"
    assert scene.provider_took == 0


def test_money_for_a_debt_that_is_paid_goes_into_the_wallet(scene: Scene) -> None:
    """An attempt that was thought declined turns out to have been charged after the next one was."""
    scene.with_card("soft")
    scene.use(1194)
    scene.run()
    with scene.sessions.begin() as session:
        charges.retry_charge(session, scene.charge.id, now=scene.now)
    with scene.sessions.begin() as session:
        work = charges.begin(
            session, scene.charge.id, gateways=scene.cashier.gateway, return_url="", now=scene.now
        )
        assert work is not None

        def notify(*_args: object) -> None: ...

        charges.record(session, work.attempt_id, Charged(payment="p2"), notify=notify, now=scene.now)
        event = ChargeSettled(
            key=scene.attempts[0].key if False else f"{work.wish.key.rsplit(':', 1)[0]}:1",
            amount=Money(1194, "EUR"),
            outcome=Charged(payment="p1"),
        )
        assert apply(session, "test", event, notify=notify, now=scene.now) == "charged"
        assert apply(session, "test", event, notify=notify, now=scene.now) == "stale"
        late = ChargeSettled(key=work.wish.key, amount=None, outcome=Declined(code="x", soft=True))
        assert apply(session, "test", late, notify=notify, now=scene.now) == "stale"
    assert scene.balance == (1194, 0)


def test_web_hooks_about_strangers_change_nothing(scene: Scene) -> None:
    scene.with_card()
    scene.use(1194)
    scene.run()

    def notify(*_args: object) -> None: ...

    with scene.sessions.begin() as session:
        unknown = ChargeSettled(key="short:999:1", amount=None, outcome=Charged(payment="p"))
        assert apply(session, "test", unknown, notify=notify, now=scene.now) == "unknown-charge"
        key = f"{session.get_one(Charge, 1).key}:1"
        wrong = ChargeSettled(key=key, amount=Money(1, "EUR"), outcome=Charged(payment="p"))
        assert apply(session, "test", wrong, notify=notify, now=scene.now) == "amount-differs"
        other = ChargeSettled(key=key, amount=None, outcome=Charged(payment="p"))
        assert apply(session, "stripe", other, notify=notify, now=scene.now) == "unknown-charge"


def test_asking_for_a_debt_twice_is_one_debt(scene: Scene) -> None:
    with scene.sessions.begin() as session:
        for _ in range(2):
            charges.request_charge(session, 1, Money(100, "EUR"), usage_tx=7, now=scene.now)
        with pytest.raises(KeyReusedError):
            charges.request_charge(session, 1, Money(200, "EUR"), usage_tx=7, now=scene.now)
    assert len(scene.rows(Charge)) == 1


def test_staff_may_retry_what_nobody_is_collecting(scene: Scene) -> None:
    scene.with_card("hard")
    scene.use(1194)
    scene.run()
    with scene.sessions.begin() as session:
        charges.retry_charge(session, scene.charge.id, now=scene.now)
    scene.run()
    assert len(scene.attempts) == 2
    with scene.sessions.begin() as session:
        with pytest.raises(UnknownPaymentError):
            charges.retry_charge(session, 999, now=scene.now)
        session.get_one(Charge, 1).state = "paid"
        with pytest.raises(NotPossibleError):
            charges.retry_charge(session, 1, now=scene.now)


def test_a_provider_that_is_no_longer_configured_leaves_debts_waiting(scene: Scene) -> None:
    scene.with_card()
    scene.use(1194)
    scene.cashier._gateways.clear()
    scene.run()
    assert (scene.charge.state, scene.charge.reason) == ("no_card", "provider-not-configured")
