"""Profiles: what may be given, what is refused, and that a currency with money in it stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import profile as profiles
from billing.profile import BadProfileError, CurrencyFixedError, Profile

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
GOOD = Profile(
    account_id=1,
    currency="eur",
    country="fr",
    business=True,
    vat_number="fr 40 303 265 045",
    legal_name="  Atelier   du Nord ",
    address_line1="1 rue du Port",
    postal_code="59000",
    city="Lille",
    timezone="Europe/Paris",
    locale="fr",
    exposure_limit=2000,
)


@pytest.fixture
def session(sessions: sessionmaker[Session]) -> Session:
    with sessions.begin() as session:
        create_account(session, email="a@example.org", now=NOW)
    return sessions()


def test_an_account_that_was_never_asked_has_defaults(session: Session) -> None:
    found = profiles.get(session, 1, currency="GBP")
    assert (found.currency, found.stored, found.can_be_invoiced) == ("GBP", False, False)


def test_what_is_stored_is_in_normal_form(session: Session) -> None:
    stored = profiles.save(session, GOOD, now=NOW)
    session.commit()
    assert stored == profiles.get(session, 1)
    assert (stored.currency, stored.country, stored.vat_number) == ("EUR", "FR", "FR40303265045")
    assert stored.legal_name == "Atelier du Nord"
    assert stored.address == ("1 rue du Port", "59000 Lille")
    assert stored.can_be_invoiced


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("currency", "EURO"),
        ("currency", ""),
        ("currency", "QQQ"),
        ("country", "EU"),
        ("country", "ZZ"),
        ("country", "F"),
        ("vat_number", "FR40303265046"),
        ("vat_number", "DE136695976"),
        ("vat_number", "1"),
        ("vat_number", "FR" + "1" * 40),
        ("legal_name", "x" * 121),
        ("legal_name", "bell\x07"),
        ("address_line1", "x" * 121),
        ("address_line2", "x" * 121),
        ("postal_code", "1" * 21),
        ("city", "x" * 121),
        ("timezone", "Mars/Olympus"),
        ("locale", "de"),
        ("exposure_limit", -1),
        ("exposure_limit", 10**12 + 1),
    ],
)
def test_each_field_is_checked(field: str, value: object) -> None:
    with pytest.raises(BadProfileError) as caught:
        profiles.check(replace(GOOD, **{field: value}))  # type: ignore[arg-type]
    assert [name for name, _ in caught.value.problems] == [field]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(BadProfileError) as caught:
        profiles.check(replace(GOOD, currency="?", timezone="?", locale="?"))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize(
    ("country", "given", "normal"),
    [
        ("GR", "094259216", "EL094259216"),
        ("GR", "EL 094259216", "EL094259216"),
        ("DE", "136 695 976", "DE136695976"),
        ("GB", "GB 980 7806 84", "GB980780684"),
        ("CH", "CHE-107.787.577 IVA", "CHE107787577IVA"),
    ],
)
def test_vat_numbers(country: str, given: str, normal: str) -> None:
    assert profiles.normal_vat_number(given, country=country) == normal


def test_a_currency_with_money_in_it_stays(session: Session) -> None:
    assert profiles.fix_currency(session, 1, now=NOW, currency="GBP").currency == "GBP"
    with pytest.raises(CurrencyFixedError):
        profiles.save(session, GOOD, now=NOW)
    assert profiles.save(session, replace(GOOD, currency="GBP"), now=NOW).legal_name == "Atelier du Nord"


def test_without_money_the_currency_may_change(session: Session) -> None:
    profiles.save(session, GOOD, now=NOW)
    assert profiles.save(session, replace(GOOD, currency="JPY"), now=NOW).currency == "JPY"
