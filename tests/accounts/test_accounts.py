"""An organiser gets one key, which opens his account and nothing else, and is nowhere to be read again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts import keys, service
from accounts.errors import BadEmailError, EmailTakenError, UnknownAccountError, UnknownKeyError
from accounts.models import ApiKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_key_opens_its_own_account(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        one = service.create_account(session, email=" One@Example.ORG ", now=NOW)
        two = service.create_account(session, email="two@example.org", now=NOW)
    with sessions() as session:
        assert service.authenticate(session, one.api_key).email == "one@example.org"
        assert service.authenticate(session, two.api_key).id == two.account.id


def test_the_key_is_not_stored_and_not_shown(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        created = service.create_account(session, email="a@example.org", now=NOW)
    assert created.api_key not in repr(created)
    with sessions() as session:
        row = session.scalars(select(ApiKey)).one()
        secret = created.api_key[-keys.SECRET_LENGTH :]
        assert secret not in row.prefix
        assert secret.encode() not in row.digest


def test_a_spoilt_key_opens_nothing(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        key = service.create_account(session, email="a@example.org", now=NOW).api_key
        other = "a" if key[-1] != "a" else "b"
        for spoilt in (
            "",
            key[:-1],
            key + "a",
            key.lower(),
            key[3:],
            key[:-1] + other,
            "tb_" + "é" * 53,
            "\x00",
        ):
            with pytest.raises(UnknownKeyError):
                service.authenticate(session, spoilt)


def test_a_revoked_key_and_a_disabled_account_open_nothing(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        created = service.create_account(session, email="a@example.org", now=NOW)
        second = service.add_key(session, account_id=created.account.id, now=NOW)
    with sessions.begin() as session:
        first = session.scalars(select(ApiKey).order_by(ApiKey.id).limit(1)).one()
        first.revoked_at = NOW
    with sessions.begin() as session:
        with pytest.raises(UnknownKeyError):
            service.authenticate(session, created.api_key)
        service.authenticate(session, second).status = "disabled"
    with sessions() as session, pytest.raises(UnknownKeyError):
        service.authenticate(session, second)


def test_one_account_for_an_address(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        service.create_account(session, email="a@example.org", now=NOW)
        with pytest.raises(EmailTakenError):
            service.create_account(session, email="A@EXAMPLE.org", now=NOW)
        service.create_account(session, email="b@example.org", now=NOW)


@pytest.mark.parametrize(
    "text",
    ["", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@b..c", "x" * 65 + "@b", "a@" + "b" * 300, "a\x00@b.c"],
)
def test_bad_addresses_are_refused(sessions: sessionmaker[Session], text: str) -> None:
    with sessions() as session, pytest.raises(BadEmailError):
        service.create_account(session, email=text, now=NOW)


def test_accounts_are_found_by_address_and_number(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        account = service.create_account(session, email="a@example.org", now=NOW).account
        assert service.find_account(session, "A@example.org") is account
        assert service.find_account(session, str(account.id)) is account
        for nobody in ("b@example.org", "99", "9" * 30, "²"):
            with pytest.raises(UnknownAccountError):
                service.find_account(session, nobody)


@given(st.text())
def test_any_text_may_be_offered_as_a_key(text: str) -> None:
    assert keys.prefix_of(text) is None or len(text) == len(keys.new_key().text)
