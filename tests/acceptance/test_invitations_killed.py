"""The whole product is killed (SIGKILL) while it invites, and while it sends; a real mail server counts.

What is promised: nobody is left out. Nobody gets a mail twice but the one person whose mail the server took
in the very moment of the death, before that could be written down; their second one has the same Message-ID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from database.engine import create_engine, make_sessions
from database.types import now_utc
from events import repository
from events.invitation_book import Guest, invite
from events.plan_models import Invitation
from mail.models import OutboxMail
from tests.support.post_office import PostOffice
from tests.support.product import Product, Room

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]
GUESTS = 600
LONG_S = 300.0


def counted(engine: Engine, *clauses: object) -> int:
    with make_sessions(engine)() as session:
        return session.scalar(select(func.count()).select_from(OutboxMail).where(*clauses)) or 0  # type: ignore[arg-type]


def invite_all(engine: Engine, room: Room) -> None:
    people = [Guest(email=f"guest{n}@example.org", name=f"Guest {n}") for n in range(GUESTS)]
    with make_sessions(engine).begin() as session:
        event = repository.get_any(session, int(room.id))
        assert event is not None
        assert invite(session, event, people, now=now_utc()).added == GUESTS


def lease_over(engine: Engine) -> set[int]:
    """As if five minutes had passed: what a dead process had claimed is free; which mails."""
    with make_sessions(engine).begin() as session:
        claimed = update(OutboxMail).where(OutboxMail.state == "sending").values(next_try_at=now_utc())
        return set(session.scalars(claimed.returning(OutboxMail.id)))


def test_every_guest_gets_the_mail_though_the_product_dies_twice(tmp_path: Path) -> None:
    with PostOffice() as post, Product(tmp_path, prompt_cache=None, **post.settings) as product:
        engine = create_engine(product.database_url)

        def die(when: Callable[[], bool], what: str) -> set[int]:
            product.wait_for(when, what, within_s=LONG_S)
            product.kill()
            claimed = lease_over(engine)
            product.start()
            return claimed

        try:
            room = product.new_room("All hands", access_type=3)
            invite_all(engine, room)
            claimed = die(lambda: counted(engine) >= 1, "the first mail in the outbox")
            claimed |= die(lambda: len(post.letters()) >= GUESTS // 3, "a third of the mails")
            product.wait_for(
                lambda: counted(engine, OutboxMail.state == "sent") == GUESTS, "all mails", within_s=LONG_S
            )
            with Session(engine) as session:
                left = session.scalars(select(Invitation.id).where(Invitation.wanted.is_not(None))).all()
            assert left == []
            assert counted(engine) == GUESTS
        finally:
            engine.dispose()
        letters = post.letters()
    got = Counter(letter.recipient for letter in letters)
    assert set(got) == {f"guest{n}@example.org" for n in range(GUESTS)}
    again = {who: times for who, times in got.items() if times > 1}
    assert len(claimed) <= 2, "one mail at a time is on its way"
    assert sum(got.values()) - GUESTS <= len(claimed)
    for who in again:
        assert len({letter.message["Message-ID"] for letter in letters if letter.recipient == who}) == 1
    tokens = {letter.link("?t=") for letter in letters}
    assert len(tokens) == GUESTS
    assert len({letter.pin for letter in letters}) == GUESTS
