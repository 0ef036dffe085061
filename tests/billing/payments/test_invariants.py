"""Whatever happens in whatever order: what the provider holds is what our books say that it holds.

The oracle is the provider's own ledger, which shares no line with ours:
provider = wallet − owed + used. With crashes, lost answers, web hooks twice, late and out of order.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.payments import cards
from billing.payments.charges import ConfirmNeeded
from tests.billing.payments.scene import Killed, Scene

STEPS = ["attempt-written", "provider-called", "checkout-asked"]
OPERATIONS = st.one_of(
    st.tuples(
        st.just("top_up"),
        st.sampled_from(["pay", "decline", "timeout"]),
        st.sampled_from(["once", "twice", "late", "reversed"]),
    ),
    st.tuples(st.just("use"), st.integers(1, 3000)),
    st.tuples(st.just("card"), st.sampled_from(["good", "soft", "hard", "confirm", "timeout"])),
    st.tuples(st.just("run"), st.sampled_from(["", *STEPS])),
    st.tuples(st.just("deliver")),
    st.tuples(st.just("later"), st.sampled_from([0.02, 1, 30, 80])),
    st.tuples(st.just("confirm"), st.sampled_from(["yes", "no"])),
)


class Story:
    """Plays operations on a scene and knows what was used."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.used = 0
        self.numbers = itertools.count(1)

    def play(self, operation: tuple[Any, ...]) -> None:
        scene, number = self.scene, next(self.numbers)
        match operation:
            case ("top_up", outcome, hooks):
                checkout = scene.start(5000, key=f"k{number}")
                scene.choose(checkout, outcome, hooks=hooks)
                if number % 2 and outcome != "timeout":
                    scene.finish(checkout)
            case ("use", minor):
                scene.use(minor, session_id=number)
                self.used += minor
            case ("card", behaviour):
                checkout = scene.start(None, key=f"c{number}")
                scene.choose(checkout, card=behaviour)
                scene.finish(checkout)
                with scene.sessions.begin() as session:
                    newest = max(card.id for card in cards.list_cards(session, scene.account_id))
                scene.cashier.set_default_card(scene.account_id, newest, now=scene.now)
            case ("run", step):
                scene.die_at = step
                with contextlib.suppress(Killed):
                    scene.run()
                scene.die_at = ""
            case ("deliver",):
                scene.deliver()
            case ("later", hours):
                scene.later(hours=hours)
            case ("confirm", answer):
                for notice in scene.notices:
                    if isinstance(notice, ConfirmNeeded):
                        scene.payer.post(notice.url, data={"answer": answer})

    def settle(self) -> None:
        """Let everything that is on its way arrive."""
        for _ in range(4):
            self.scene.later(hours=2)
            self.scene.deliver()
            self.scene.run()


@settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
@given(operations=st.lists(OPERATIONS, min_size=3, max_size=10))
def test_our_books_agree_with_the_providers(scene: Scene, operations: list[tuple[Any, ...]]) -> None:
    story = scene.__dict__.setdefault("story", Story(scene))
    for operation in operations:
        story.play(operation)
    story.settle()
    wallet, owed = scene.balance
    assert wallet >= 0
    assert owed >= 0
    assert scene.provider_took == wallet - owed + story.used
