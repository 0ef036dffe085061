"""Tokens: one person each, browser and telephone alike, and nobody without one."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from database.types import now_utc
from events import service, tokens
from events.directory import PinDirectory
from events.errors import (
    BadEventError,
    RevokedTokenError,
    UnknownEventError,
    UnknownTokenError,
    UsedTokenError,
)
from events.fields import parse_wishes
from events.models import Event
from events.personal_pins import KEEP, personal_pin
from events.token_text import ALPHABET, is_token_seat, new_token, parse_token
from events.token_uses import TokenUses
from events.tokens import Holder, TokenEntry
from rooms.events import Joined, PhoneLinked
from rooms.modes import Role, Via

NOW = now_utc()
Sessions = sessionmaker[Session]


def make_event(sessions: Sessions, **fields: Any) -> Event:
    with sessions.begin() as session:
        account = create_account(session, email=f"{new_token()}@example.org", now=NOW).account
        wishes = parse_wishes({"name": "Results", "access_type": 3, **fields})
        return service.create_event(session, account_id=account.id, wishes=wishes, now=NOW)


@pytest.fixture
def event(sessions: Sessions) -> Event:
    return make_event(sessions)


def make(sessions: Sessions, event: Event, *holders: Holder) -> list[TokenEntry]:
    with sessions.begin() as session:
        fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
        return list(tokens.issue(session, fresh, holders or [Holder()], now=NOW))


def use(sessions: Sessions, event: Event, text: str, browser: bytes = b"one") -> tokens.TokenSeat:
    with sessions.begin() as session:
        return tokens.use(session, event_id=event.id, text=text, browser=browser, now=NOW)


def directory_of(sessions: Sessions) -> PinDirectory:
    directory = PinDirectory(sessions)
    directory.refresh()
    return directory


def test_a_token_is_six_characters_that_nobody_mistakes() -> None:
    made = {new_token() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 6 and not set(one) & set("AEIOULY01") for one in made)
    one = made.pop()
    assert parse_token(f" {one[:3].lower()}-{one[3:].lower()} ") == one
    for text in ("", "ABCDE", "ABCDEFG", one[:5] + "O", one[:5] + "é", one + "\x00", "x" * 10_000):
        assert parse_token(text) is None
    assert len(ALPHABET) == len(set(ALPHABET)) == 27


def test_each_token_has_a_pin_that_opens_as_its_person(sessions: Sessions, event: Event) -> None:
    made = make(sessions, event, Holder(name="Ann Martin", email="ann@example.org"), Holder())
    directory = directory_of(sessions)
    assert len({one.pin for one in made} | {one.token.token for one in made}) == 4
    ann, blank = (directory.lookup(one.pin or "") for one in made)
    assert ann is not None
    assert blank is not None
    assert (ann.seat_id, ann.person_name, ann.role) == (
        made[0].token.seat_id,
        "Ann Martin",
        Role.PARTICIPANT,
    )
    assert (blank.seat_id, blank.person_name) == (made[1].token.seat_id, None)
    assert is_token_seat(made[0].token.seat_id)
    assert use(sessions, event, made[0].token.token).seat_id == ann.seat_id, "one person by both ways"


def test_the_shared_pin_opens_as_long_as_there_are_no_tokens(sessions: Sessions, event: Event) -> None:
    pins = {pin.role: pin.pin for pin in event.pins}
    with sessions.begin() as session:
        stranger = personal_pin(
            session, event_id=event.id, seat_id="x" * 22, name="Eve", role=Role.PARTICIPANT, now=NOW
        )
    directory = directory_of(sessions)
    assert directory.lookup(pins[Role.PARTICIPANT]) is None
    assert directory.lookup(stranger) is None, "a seat from before the event had tokens"
    presenter = directory.lookup(pins[Role.PRESENTER])
    assert presenter is not None
    assert presenter.gateway_enabled, "phones are on: tokens protect them"
    for access_type, known in ((1, True), (3, False)):
        with sessions.begin() as session:
            fresh = service.get_event(session, account_id=event.account_id, event_id=event.id)
            service.update_event(session, fresh, wishes=parse_wishes({"access_type": access_type}), now=NOW)
        directory.refresh()
        assert (directory.lookup(pins[Role.PARTICIPANT]) is not None) == known


def test_a_used_token_belongs_to_its_browser_until_it_is_released(sessions: Sessions, event: Event) -> None:
    made = make(sessions, event)[0].token
    seat = use(sessions, event, made.token.lower())
    assert use(sessions, event, made.token) == seat, "the same browser may come back"
    with pytest.raises(UsedTokenError) as refused:
        use(sessions, event, made.token, b"two")
    assert (refused.value.since, refused.value.how) == (NOW, "web")
    with sessions.begin() as session:
        tokens.release(session, tokens.entry(session, event, token_id=made.id).token)
    assert use(sessions, event, made.token, b"two").seat_id == seat.seat_id
    with pytest.raises(UsedTokenError):
        use(sessions, event, made.token, b"one")


def test_two_browsers_at_once_get_one_seat_between_them(sessions: Sessions, event: Event) -> None:
    made = make(sessions, event)[0].token
    came: list[str] = []
    start = threading.Barrier(6)

    def come(browser: bytes) -> None:
        start.wait()
        try:
            use(sessions, event, made.token, browser)
        except UsedTokenError:
            came.append("refused")
        else:
            came.append("in")

    threads = [threading.Thread(target=come, args=(bytes([n]),)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(came) == ["in"] + ["refused"] * 5


def test_a_revoked_token_opens_neither_door(sessions: Sessions, event: Event) -> None:
    made = make(sessions, event)[0]
    assert made.pin is not None
    use(sessions, event, made.token.token)
    directory = directory_of(sessions)
    assert directory.lookup(made.pin) is not None
    with sessions.begin() as session:
        assert tokens.lets_in(session, event_id=event.id, seat_id=made.token.seat_id)
        tokens.revoke(
            session, service_event(session, event), session.get_one(type(made.token), made.token.id), now=NOW
        )
    directory.refresh()
    assert directory.lookup(made.pin) is None
    assert directory_of(sessions).lookup(made.pin) is None
    with pytest.raises(RevokedTokenError):
        use(sessions, event, made.token.token)
    with sessions.begin() as session:
        assert not tokens.lets_in(session, event_id=event.id, seat_id=made.token.seat_id)
        assert tokens.look_up(session, event_id=event.id, text=made.token.token) is None
        assert [one.pin for one in tokens.entries(session, event)] == [None]


def service_event(session: Session, event: Event) -> Event:
    return service.get_event(session, account_id=event.account_id, event_id=event.id)


def test_a_token_is_good_in_its_own_event_only(sessions: Sessions, event: Event) -> None:
    other = make_event(sessions)
    made = make(sessions, event)[0].token
    for text in (made.token, "BBBBBB", "", "' OR 1=1"):
        with pytest.raises(UnknownTokenError):
            use(sessions, other, text)
    with sessions.begin() as session, pytest.raises(UnknownTokenError):
        tokens.entry(session, other, token_id=made.id)


def test_how_many(sessions: Sessions, event: Event, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadEventError, match="at most"):
        make(sessions, event, *[Holder()] * (tokens.MAKE_MAX + 1))
    monkeypatch.setattr(tokens, "EVENT_MAX", 3)
    make(sessions, event, Holder(), Holder())
    with pytest.raises(BadEventError):
        make(sessions, event, Holder(), Holder())
    with sessions.begin() as session:
        service.finish_event(session, event.id, now=NOW)
    with pytest.raises(UnknownEventError):
        make(sessions, event)


def test_thousands_are_made_quickly_and_listed_in_pages(sessions: Sessions, event: Event) -> None:
    begun = time.monotonic()
    made = make(sessions, event, *[Holder(email=f"p{n}@example.org") for n in range(2_000)])
    assert time.monotonic() - begun < 5
    assert len({one.pin for one in made}) == len({one.token.token for one in made}) == 2_000
    with sessions.begin() as session:
        first = tokens.entries(session, event)
        assert [one.token.id for one in first] == [one.token.id for one in made[:-251:-1]]
        assert [one.pin for one in first] == [one.pin for one in made[:-251:-1]]
        assert tokens.count(session, event) == 2_000
        found = tokens.entries(session, event, words="P1999@")
        assert [one.token.sent_to_email for one in found] == ["p1999@example.org"]
        assert tokens.entries(session, event, words="%") == []


def test_the_pin_of_a_token_outlives_personal_ones(sessions: Sessions, event: Event) -> None:
    made = make(sessions, event)[0]
    for days, seat in ((0, made.token.seat_id), (3, "y" * 22)):
        with sessions.begin() as session:
            personal_pin(
                session, event_id=event.id, seat_id=seat, name="Ann", role=Role.PARTICIPANT,
                now=NOW + days * KEEP + timedelta(hours=1),
            )  # fmt: skip
    with sessions.begin() as session:
        assert tokens.entry(session, event, token_id=made.token.id).pin == made.pin


def test_the_first_use_by_telephone_is_noted_and_takes_nothing_away(sessions: Sessions, event: Event) -> None:
    first, second = make(sessions, event, Holder(), Holder())
    later = NOW + timedelta(hours=1)
    uses = TokenUses(sessions, now=lambda: later)
    uses.start()
    joined = {"name": "x", "role": Role.PARTICIPANT, "city": None, "rejoined": False}
    uses.observe("1", [Joined(participant_id=first.token.seat_id, via=Via.PHONE, **joined)])
    uses.observe("1", [Joined(participant_id=second.token.seat_id, via=Via.WEB, **joined)])
    uses.observe("1", [PhoneLinked(participant_id="not a token", city=None, country=None, number=None)])
    use(sessions, event, second.token.token)
    link = PhoneLinked(participant_id=second.token.seat_id, city=None, country=None, number=None)
    uses.observe("1", [link])
    uses.stop()
    with sessions.begin() as session:
        found = {one.token.id: one.token for one in tokens.entries(session, event)}
    assert (found[first.token.id].first_use_date, found[first.token.id].first_use_how) == (later, "phone")
    assert (found[second.token.id].first_use_date, found[second.token.id].first_use_how) == (NOW, "web")
    assert use(sessions, event, first.token.token).seat_id == first.token.seat_id
