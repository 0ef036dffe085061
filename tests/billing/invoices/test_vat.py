"""Value-added tax: who owes it, at which rate, and what VIES has to say about it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import profile
from billing.invoices import vat
from billing.invoices.models import VatCheck
from billing.invoices.seller import SellerDetails
from billing.invoices.vat import Treatment, decide, per_cent
from billing.invoices.vat_rates import EU, RATES, standard_rate
from billing.invoices.vies import RETRY, VatChecker, ViesClient
from billing.profile import Profile
from billing.usage import NO_TAX
from tests.billing.payments.server import free_socket, serving, url_of

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
SELLER = SellerDetails(name="S", address=("A",), country="FR", vat_number="FR40303265045")


@pytest.mark.parametrize(
    ("country", "business", "number", "valid", "treatment", "rate"),
    [
        ("FR", False, "", False, Treatment.STANDARD, "20"),
        ("FR", True, "FR40303265045", True, Treatment.STANDARD, "20"),
        ("MC", True, "", False, Treatment.STANDARD, "20"),
        ("", False, "", False, Treatment.STANDARD, "20"),
        ("BE", False, "", False, Treatment.STANDARD, "21"),
        ("BE", True, "BE0428759497", True, Treatment.REVERSE_CHARGE, "0"),
        ("BE", True, "BE0428759497", False, Treatment.STANDARD, "21"),
        ("BE", True, "", True, Treatment.STANDARD, "21"),
        ("BE", False, "BE0428759497", True, Treatment.STANDARD, "21"),
        ("FI", False, "", False, Treatment.STANDARD, "25.5"),
        ("GB", True, "GB980780684", True, Treatment.OUTSIDE, "0"),
        ("CH", False, "", False, Treatment.OUTSIDE, "0"),
        ("US", False, "", False, Treatment.OUTSIDE, "0"),
    ],
)
def test_who_owes_what(
    country: str, business: bool, number: str, valid: bool, treatment: Treatment, rate: str
) -> None:
    customer = Profile(account_id=1, country=country, business=business, vat_number=number)
    found = decide(SELLER, customer, number_valid=valid, at=NOW)
    assert (found.treatment, per_cent(found.tax.rate)) == (treatment, rate)
    assert (found.tax.country is not None) == (treatment is Treatment.STANDARD)


def test_a_seller_who_is_not_registered_charges_none() -> None:
    found = decide(
        SellerDetails(country="FR"), Profile(account_id=1, country="FR"), number_valid=False, at=NOW
    )
    assert (found.treatment, found.tax) == (Treatment.UNREGISTERED, NO_TAX)


def test_rates_change_at_midnight_of_their_day() -> None:
    assert standard_rate("EE", date(2025, 6, 30)) == Fraction(22, 100)
    assert standard_rate("EE", date(2025, 7, 1)) == Fraction(24, 100)
    assert standard_rate("US", date(2026, 1, 1)) is None


def test_the_table_of_rates_is_whole() -> None:
    assert len(EU) == 27
    for steps in RATES.values():
        days = [day for day, _ in steps]
        assert days == sorted(set(days))
        assert all(Fraction(5, 100) < Fraction(rate) / 100 < Fraction(30, 100) for _, rate in steps)


class Vies:
    """A VIES that answers what `says` says: True, False, a fault, an HTTP status, or rubbish."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.sessions = sessions
        self.says: Any = True
        self.asked: list[dict[str, str]] = []
        self.now = NOW
        self.checker: VatChecker

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.post("/check-vat-number")
        async def check(request: Request) -> Response:
            self.asked.append(await request.json())
            match self.says:
                case bool():
                    return JSONResponse({
                        "valid": self.says, "name": "ACME", "requestIdentifier": "WAPI1", "userError": ""
                    })  # fmt: skip
                case str():
                    return JSONResponse(
                        {"actionSucceed": False, "errorWrappers": [{"error": self.says}]}, status_code=400
                    )
                case int():
                    return JSONResponse({}, status_code=self.says)
            return Response(b"<html>")

        return app

    def run(self) -> dict[str, int]:
        return dict(self.checker.run_once(self.now))

    @property
    def row(self) -> VatCheck:
        with self.sessions.begin() as session:
            return session.scalars(select(VatCheck)).one()

    @property
    def rate(self) -> Fraction:
        with self.sessions.begin() as session:
            return vat.taxes(SELLER)(session, 1, self.now).rate


@pytest.fixture
def vies(sessions: sessionmaker[Session]) -> Iterator[Vies]:
    sock = free_socket()
    vies = Vies(sessions)
    client = ViesClient(requester="FR40303265045", base_url=url_of(sock))
    vies.checker = VatChecker(sessions, client)
    with sessions.begin() as session:
        create_account(session, email="a@example.org", now=NOW)
        business = Profile(account_id=1, country="BE", business=True, vat_number="BE0428759497")
        profile.save(session, business, now=NOW)
    with serving(vies.app(), sock):
        yield vies
    client.close()


def test_a_valid_number_lifts_the_tax_and_is_asked_about_monthly(vies: Vies) -> None:
    assert vies.rate == Fraction(21, 100)
    assert vies.run() == {"valid": 1}
    assert vies.rate == 0
    assert (vies.row.name, vies.row.consultation) == ("ACME", "WAPI1")
    assert vies.asked[0] == {
        "countryCode": "BE", "vatNumber": "0428759497", "requesterMemberStateCode": "FR",
        "requesterNumber": "40303265045",
    }  # fmt: skip
    vies.now += timedelta(days=29)
    assert vies.run() == {}
    vies.now += timedelta(days=2)
    vies.says = False
    assert vies.run() == {"invalid": 1}
    assert vies.rate == Fraction(21, 100)


@pytest.mark.parametrize("says", ["MS_UNAVAILABLE", "MS_MAX_CONCURRENT_REQ", 500, 404, None, 200])
def test_unknown_is_asked_again(vies: Vies, says: Any) -> None:
    vies.says = says
    for wait in RETRY:
        assert vies.run() == {"unknown": 1}
        assert vies.run() == {}
        vies.now += wait
    assert vies.rate == Fraction(21, 100)
    vies.says = True
    assert vies.run() == {"valid": 1}
    assert vies.row.fault == ""


def test_unknown_does_not_undo_valid(vies: Vies) -> None:
    vies.run()
    vies.now += timedelta(days=31)
    vies.says = "MS_UNAVAILABLE"
    assert vies.run() == {"unknown": 1}
    assert vies.rate == 0


def test_an_input_that_vies_refuses_is_invalid(vies: Vies) -> None:
    vies.says = "INVALID_INPUT"
    assert vies.run() == {"invalid": 1}


def test_private_persons_and_other_countries_are_not_asked_about(vies: Vies) -> None:
    with vies.sessions.begin() as session:
        private = Profile(account_id=1, country="BE", business=False, vat_number="BE0428759497")
        profile.save(session, private, now=NOW)
    assert vies.run() == {}
