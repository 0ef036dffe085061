"""People sign in with their password alone, for as long as they should, and get back in by mail."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts import passwords, service, sign_in, users
from accounts.errors import (
    BadEmailError,
    BadPasswordError,
    BadResetError,
    BadSignInError,
    EmailTakenError,
    UnknownKeyError,
    UnknownUserError,
)
from accounts.models import PasswordReset, SignInSession, User
from accounts.users import Role

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOOD = "correct horse battery"


@pytest.fixture
def account_id(sessions: sessionmaker[Session]) -> int:
    with sessions.begin() as session:
        account = service.create_account(session, email="firm@example.org", now=NOW).account
        users.create_user(session, account_id=account.id, email="Ann@Example.org", password=GOOD, now=NOW)
        return account.id


def signed_in(sessions: sessionmaker[Session], *, now: datetime = NOW) -> str:
    with sessions.begin() as session:
        known = users.check_password(session, email="ann@example.org", password=GOOD)
        return sign_in.begin(
            session, user_id=known.user_id, now=now, ip="::1", user_agent="x", new_hash=known.new_hash
        )


@pytest.mark.usefixtures("account_id")
def test_only_the_password_opens(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        assert users.check_password(session, email=" ANN@example.org ", password=GOOD).new_hash is None
        for email, password in (
            ("ann@example.org", GOOD + " "),
            ("ann@example.org", ""),
            ("nobody@example.org", GOOD),
            ("", ""),
            ("\x00\ud800", "\ud800"),
        ):
            with pytest.raises(BadSignInError):
                users.check_password(session, email=email, password=password)


def test_several_people_share_an_account_and_none_shares_an_address(
    sessions: sessionmaker[Session], account_id: int
) -> None:
    with sessions.begin() as session:
        users.create_user(session, account_id=account_id, email="bob@example.org", password=None, now=NOW)
        assert [one.email for one in users.list_users(session, account_id=account_id)] == [
            "ann@example.org",
            "bob@example.org",
        ]
        with pytest.raises(EmailTakenError):
            users.create_user(session, account_id=account_id, email="BOB@example.org", password=None, now=NOW)
        with pytest.raises(BadEmailError):
            users.create_user(session, account_id=account_id, email="bob", password=None, now=NOW)
        with pytest.raises(UnknownUserError):
            users.find_user(session, "eve@example.org")
        with pytest.raises(BadSignInError):  # has no password yet
            users.check_password(session, email="bob@example.org", password="")


@pytest.mark.parametrize("bad", ["short", "x" * 300, "aaaaaaaaaaaaaaaa", "long-name@example.org"])
def test_bad_passwords_are_refused(sessions: sessionmaker[Session], account_id: int, bad: str) -> None:
    with sessions() as session, pytest.raises(BadPasswordError):
        users.create_user(
            session, account_id=account_id, email="long-name@example.org", password=bad, now=NOW
        )


def test_the_same_keys_make_the_same_password_on_every_machine() -> None:
    assert passwords.matches("cafe\u0301 et the\u0301", passwords.hash_password("caf\u00e9 et th\u00e9"))


@pytest.mark.usefixtures("account_id")
def test_an_old_hash_is_made_anew(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        user = users.find_user(session, "ann@example.org")
        user.password_hash = weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(GOOD)
    signed_in(sessions)
    with sessions() as session:
        stored = users.find_user(session, "ann@example.org").password_hash
        assert stored is not None
        assert stored != weak
        assert not passwords.is_outdated(stored)
        users.check_password(session, email="ann@example.org", password=GOOD)


@pytest.mark.usefixtures("account_id")
def test_an_unknown_address_takes_as_long_as_a_wrong_password(sessions: sessionmaker[Session]) -> None:
    def cost_s(email: str) -> float:
        spent = []
        for _ in range(5):
            began_s = time.thread_time()
            with sessions() as session, pytest.raises(BadSignInError):
                users.check_password(session, email=email, password="wrong password")
            spent.append(time.thread_time() - began_s)
        return min(spent)

    passwords.matches("warm", None)
    assert cost_s("nobody@example.org") > cost_s("ann@example.org") / 2


def test_a_session_is_found_by_its_token_alone(sessions: sessionmaker[Session], account_id: int) -> None:
    token = signed_in(sessions)
    with sessions() as session:
        found = sign_in.visitor(session, token, now=NOW)
        assert found is not None
        assert (found.account_id, found.email, found.stale) == (account_id, "ann@example.org", False)
        assert token.encode() not in session.scalars(select(SignInSession.token_digest)).one()
        for other in ("", token[:-1], token + "a", "\ud800", "é" * 500):
            assert sign_in.visitor(session, other, now=NOW) is None


@pytest.mark.usefixtures("account_id")
def test_a_session_lasts_while_it_is_used_but_not_for_ever(sessions: sessionmaker[Session]) -> None:
    token, now = signed_in(sessions), NOW
    while now < NOW + sign_in.LONGEST - timedelta(days=1):
        now += sign_in.IDLE - timedelta(days=1)
        with sessions.begin() as session:
            found = sign_in.visitor(session, token, now=now)
            if found is None:
                break
            assert found.stale
            sign_in.touch(session, found.session_id, now=now)
    assert now >= NOW + sign_in.LONGEST - sign_in.IDLE
    with sessions() as session:
        assert sign_in.visitor(session, token, now=NOW + sign_in.LONGEST) is None


@pytest.mark.usefixtures("account_id")
def test_an_idle_session_ends(sessions: sessionmaker[Session]) -> None:
    token = signed_in(sessions)
    with sessions() as session:
        assert sign_in.visitor(session, token, now=NOW + sign_in.IDLE) is None
    signed_in(sessions, now=NOW + sign_in.IDLE)
    with sessions() as session:  # the next sign-in sweeps it away
        assert len(session.scalars(select(SignInSession)).all()) == 1


@pytest.mark.usefixtures("account_id")
def test_each_sign_in_has_a_token_of_its_own_and_ends_alone(sessions: sessionmaker[Session]) -> None:
    first, second = signed_in(sessions), signed_in(sessions)
    assert first != second
    with sessions.begin() as session:
        sign_in.end(session, first)
        sign_in.end(session, "nothing")
    with sessions() as session:
        assert sign_in.visitor(session, first, now=NOW) is None
        assert sign_in.visitor(session, second, now=NOW) is not None


@pytest.mark.usefixtures("account_id")
def test_a_new_password_signs_out_everywhere_else(sessions: sessionmaker[Session]) -> None:
    here, elsewhere = signed_in(sessions), signed_in(sessions)
    with sessions.begin() as session:
        found = sign_in.visitor(session, here, now=NOW)
        assert found is not None
        user = users.find_user(session, "ann@example.org")
        users.set_password(session, user, "another good one", keep_session=found.session_id)
    with sessions() as session:
        assert sign_in.visitor(session, here, now=NOW) is not None
        assert sign_in.visitor(session, elsewhere, now=NOW) is None
        with pytest.raises(BadSignInError):
            users.check_password(session, email="ann@example.org", password=GOOD)


@pytest.mark.usefixtures("account_id")
def test_who_may_not_sign_in_any_more_is_out_at_once(sessions: sessionmaker[Session]) -> None:
    token = signed_in(sessions)
    with sessions.begin() as session:
        users.disable(session, users.find_user(session, "ann@example.org"), now=NOW)
    with sessions() as session:
        assert sign_in.visitor(session, token, now=NOW) is None
        assert sign_in.ask_reset(session, "ann@example.org", now=NOW) is None
        with pytest.raises(BadSignInError):
            users.check_password(session, email="ann@example.org", password=GOOD)


@pytest.mark.usefixtures("account_id")
def test_a_closed_account_lets_nobody_in(sessions: sessionmaker[Session]) -> None:
    token = signed_in(sessions)
    with sessions.begin() as session:
        service.find_account(session, "firm@example.org").status = "disabled"
    with sessions() as session:
        assert sign_in.visitor(session, token, now=NOW) is None
        with pytest.raises(BadSignInError):
            users.check_password(session, email="ann@example.org", password=GOOD)


@pytest.mark.usefixtures("account_id")
def test_a_link_sets_a_password_once(sessions: sessionmaker[Session]) -> None:
    signed_in_before = signed_in(sessions)
    with sessions.begin() as session:
        asked = sign_in.ask_reset(session, "ANN@example.org ", now=NOW)
        assert asked is not None
        token = asked[1]
        second = sign_in.ask_reset(session, "ann@example.org", now=NOW)
        assert second is not None
        assert sign_in.ask_reset(session, "nobody@example.org", now=NOW) is None
    with sessions.begin() as session:
        with pytest.raises(BadPasswordError):  # a refused password does not use up the link
            sign_in.use_reset(session, token, "short", now=NOW)
        assert sign_in.check_reset(session, token, now=NOW).email == "ann@example.org"
        sign_in.use_reset(session, token, "a brand new one", now=NOW)
    with sessions.begin() as session:
        for spent in (token, second[1], "never made", ""):
            with pytest.raises(BadResetError):
                sign_in.use_reset(session, spent, "yet another one", now=NOW)
        assert sign_in.visitor(session, signed_in_before, now=NOW) is None
        users.check_password(session, email="ann@example.org", password="a brand new one")


@pytest.mark.usefixtures("account_id")
def test_a_link_is_good_for_an_hour(sessions: sessionmaker[Session]) -> None:
    with sessions.begin() as session:
        asked = sign_in.ask_reset(session, "ann@example.org", now=NOW)
        assert asked is not None
        late = NOW + sign_in.RESET_LASTS
        assert sign_in.check_reset(session, asked[1], now=late - timedelta(seconds=1))
        with pytest.raises(BadResetError):
            sign_in.use_reset(session, asked[1], "a brand new one", now=late)
        assert asked[1].encode() not in session.scalars(select(PasswordReset.token_digest)).one()


@pytest.mark.usefixtures("account_id")
def test_roles(sessions: sessionmaker[Session]) -> None:
    token = signed_in(sessions)
    for roles, may_bill in (([Role.ORGANISER], False), ([Role.BILLING], True), ([Role.ADMIN], True)):
        with sessions.begin() as session:
            users.set_roles(session, session.scalars(select(User)).one(), roles)
        with sessions() as session:
            found = sign_in.visitor(session, token, now=NOW)
            assert found is not None
            assert found.may(Role.BILLING) is may_bill


def test_keys_of_other_accounts_cannot_be_revoked(sessions: sessionmaker[Session], account_id: int) -> None:
    with sessions.begin() as session:
        other = service.create_account(session, email="other@example.org", now=NOW)
        (key,) = service.list_keys(session, account_id=other.account.id)
        with pytest.raises(UnknownKeyError):
            service.revoke_key(session, account_id=account_id, key_id=key.id, now=NOW)
        service.authenticate(session, other.api_key)
        service.revoke_key(session, account_id=other.account.id, key_id=key.id, now=NOW)
        assert service.list_keys(session, account_id=other.account.id) == []
        with pytest.raises(UnknownKeyError):
            service.authenticate(session, other.api_key)
        with pytest.raises(UnknownKeyError):
            service.revoke_key(session, account_id=other.account.id, key_id=key.id, now=NOW)
