"""Invoices: each posting on exactly one, totals as in the ledger, numbers without gaps, nothing changes."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from accounts.service import create_account
from billing import ledger, profile
from billing.invoices import document, issue
from billing.invoices.errors import NotInvoiceableError, UnknownInvoiceError
from billing.invoices.issue import InvoiceDesk, last_month
from billing.invoices.models import Invoice, InvoiceLine, VatCheck
from billing.invoices.seller import SellerDetails
from billing.invoices.texts import TEXTS
from billing.ledger_models import UsagePosting
from billing.money import Money
from billing.profile import Profile
from paper.fonts import FontMissingError, find_fonts

SELLER = SellerDetails(
    name="Телефон & Ponts SARL",
    address=("2 rue de la Cloche", "75002 Paris"),
    country="FR",
    vat_number="FR40303265045",
    registration="RCS Paris 303 265 045",
    email="billing@example.org",
    timezone="Europe/Paris",
)
NOVEMBER = datetime(2026, 11, 10, 12, tzinfo=UTC)
DECEMBER = datetime(2026, 12, 3, 12, tzinfo=UTC)


@pytest.fixture
def account(sessions: sessionmaker[Session]) -> int:
    with sessions.begin() as session:
        account_id = create_account(session, email="a@example.org", now=NOVEMBER).account.id
        customer = Profile(
            account_id=account_id, country="FR", legal_name="Ångström Ελλάς ООО", address_line1="1 rue A",
            postal_code="59000", city="Lille", timezone="Europe/Paris", locale="fr",
        )  # fmt: skip
        profile.save(session, customer, now=NOVEMBER)
    return account_id


def use(
    sessions: sessionmaker[Session], account_id: int, net: int, *, rate: int = 21, country: str | None = "BE",
    at: datetime = NOVEMBER, scope: str = "1", currency: str = "EUR",
) -> int:  # fmt: skip
    """A session was charged: ledger and usage book."""
    money = Money(net, currency)
    vat = money.times(Fraction(rate, 100))
    with sessions.begin() as session:
        posted = ledger.usage(
            session, account_id, None, rating_version=1, net=money, vat=vat, vat_country=country, at=at,
            occurred_at=at, scope=scope,
        )  # fmt: skip
        session.add(UsagePosting(
            scope=scope, version=1, session_id=None, account_id=account_id, currency=currency,
            lines_u=money.micro, rounding_u=0, net_minor=net, vat_minor=vat.minor,
            vat_country=country if vat else None, transaction_id=posted.id, current=True, posted_at=at,
        ))  # fmt: skip
    return posted.id


def issued(sessions: sessionmaker[Session]) -> list[Invoice]:
    with sessions.begin() as session:
        return list(session.scalars(select(Invoice).order_by(Invoice.id)))


def run(sessions: sessionmaker[Session], now: datetime = DECEMBER) -> dict[str, int]:
    return dict(InvoiceDesk(sessions, SELLER).run_once(now))


def test_golden_p9(sessions: sessionmaker[Session], account: int) -> None:
    """BILLING §4, P9: 73.45 + 21 % = 88.87."""
    use(sessions, account, 7345)
    assert run(sessions) == {"invoice": 1}
    (invoice,) = issued(sessions)
    assert (invoice.number, invoice.net, invoice.vat, invoice.total) == ("2026-000001", 7345, 1542, 8887)
    assert invoice.content["groups"] == [
        {"treatment": "standard", "rate": "21", "country": "BE", "net": 7345, "vat": 1542}
    ]
    assert invoice.content["period"] == ["2026-11-01", "2026-11-30"]


def test_totals_are_those_of_the_ledger(sessions: sessionmaker[Session], account: int) -> None:
    """Tax is rounded per posting, as it was posted, and summed: not computed again from the sum."""
    for number in range(7):
        use(sessions, account, 33, scope=f"s{number}")
    run(sessions)
    (invoice,) = issued(sessions)
    assert (invoice.net, invoice.vat) == (7 * 33, 7 * 7)
    with sessions.begin() as session:
        owed = ledger.balance(session, account, "EUR").receivable
    assert invoice.total == owed.minor


def test_each_posting_is_on_one_invoice(sessions: sessionmaker[Session], account: int) -> None:
    use(sessions, account, 100, scope="a")
    assert run(sessions) == {"invoice": 1}
    assert run(sessions) == {}
    late = use(sessions, account, 200, scope="b")  # priced late, but used in November
    december = use(sessions, account, 400, scope="c", at=DECEMBER)
    assert run(sessions) == {"invoice": 1}
    assert run(sessions, datetime(2027, 1, 5, tzinfo=UTC)) == {"invoice": 1}
    _, second, third = issued(sessions)
    assert [line["transaction_id"] for line in second.content["lines"]] == [late]
    assert [line["transaction_id"] for line in third.content["lines"]] == [december]
    assert third.number == "2027-000001"


def test_nothing_is_issued_before_the_month_is_over_and_settled(
    sessions: sessionmaker[Session], account: int
) -> None:
    use(sessions, account, 100)
    assert run(sessions, datetime(2026, 11, 30, 22, tzinfo=UTC)) == {}
    assert run(sessions, datetime(2026, 12, 1, 12, tzinfo=UTC)) == {}
    assert run(sessions, datetime(2026, 12, 2, 0, tzinfo=UTC)) == {"invoice": 1}


@pytest.mark.parametrize(
    ("zone", "moment", "start", "end"),
    [
        ("UTC", "2026-12-01T00:00Z", "2026-11-01T00:00Z", "2026-12-01T00:00Z"),
        ("Europe/Paris", "2026-11-30T23:30Z", "2026-10-31T23:00Z", "2026-11-30T23:00Z"),
        ("Europe/Paris", "2026-11-15T00:00Z", "2026-09-30T22:00Z", "2026-10-31T23:00Z"),
        ("America/New_York", "2027-01-01T04:00Z", "2026-11-01T04:00Z", "2026-12-01T05:00Z"),
    ],
)
def test_months_are_those_of_the_customer(zone: str, moment: str, start: str, end: str) -> None:
    parse = datetime.fromisoformat
    assert last_month(parse(moment), ZoneInfo(zone)) == (parse(start), parse(end))


def test_a_reversal_before_the_invoice_leaves_no_trace_and_one_after_it_a_credit_note(
    sessions: sessionmaker[Session], account: int
) -> None:
    before, after = use(sessions, account, 100, scope="a"), use(sessions, account, 7345, scope="b")
    kept = use(sessions, account, 50, scope="c")
    with sessions.begin() as session:
        ledger.reverse(session, before, actor="x", reason="y", at=NOVEMBER)
    assert run(sessions) == {"invoice": 1}
    with sessions.begin() as session:
        ledger.reverse(session, after, actor="x", reason="y", at=DECEMBER)
    assert run(sessions) == {"credit_note": 1}
    assert run(sessions) == {}
    invoice, note = issued(sessions)
    assert [line["transaction_id"] for line in invoice.content["lines"]] == [after, kept]
    assert (note.number, note.net, note.vat, note.total) == ("CN-2026-000001", -7345, -1542, -8887)
    assert note.credits_id == invoice.id
    assert note.content["credits"]["number"] == invoice.number
    assert note.content["customer"] == invoice.content["customer"]


def test_issued_documents_cannot_be_changed(sessions: sessionmaker[Session], account: int) -> None:
    use(sessions, account, 100)
    run(sessions)
    with sessions.begin() as session:
        document.stored_pdf(session, "2026-000001", now=DECEMBER)
    for statement in (
        "UPDATE invoice SET total = 0",
        "DELETE FROM invoice",
        "UPDATE invoice_line SET net = 0",
        "DELETE FROM invoice_line",
        "UPDATE invoice_pdf SET sha256 = ''",
        "DELETE FROM invoice_pdf",
    ):
        with pytest.raises(DatabaseError, match="frozen"), sessions.begin() as session:
            session.execute(text(statement))


def test_a_posting_cannot_be_on_two_invoices(sessions: sessionmaker[Session], account: int) -> None:
    posting = use(sessions, account, 100)
    run(sessions)
    with pytest.raises(IntegrityError), sessions.begin() as session:
        session.add(InvoiceLine(invoice_id=1, transaction_id=posting, kind="invoice", net=1, vat=0))


def test_numbers_have_no_gaps_even_when_issuing_fails(sessions: sessionmaker[Session], account: int) -> None:
    use(sessions, account, 100, scope="a")
    dying = sessions()
    assert len(issue.issue(dying, account, seller=SELLER, now=DECEMBER)) == 1
    dying.close()  # the process died before the commit
    assert run(sessions) == {"invoice": 1}
    assert [invoice.number for invoice in issued(sessions)] == ["2026-000001"]


def test_numbers_taken_at_once_differ(sessions: sessionmaker[Session]) -> None:
    def issue_one(number: int) -> None:
        with sessions.begin() as session:
            account_id = create_account(session, email=f"x{number}@example.org", now=NOVEMBER).account.id
            good = Profile(account_id=account_id, country="FR", legal_name="X", address_line1="1", city="P")
            profile.save(session, good, now=NOVEMBER)
        use(sessions, account_id, 100, scope=f"n{number}")
        with sessions.begin() as session:
            issue.issue(session, account_id, seller=SELLER, now=DECEMBER)

    threads = [threading.Thread(target=issue_one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [invoice.serial for invoice in issued(sessions)] == [1, 2, 3, 4, 5, 6]


def test_what_an_invoice_must_show_is_waited_for(sessions: sessionmaker[Session], account: int) -> None:
    use(sessions, account, 100)
    with sessions.begin() as session:
        profile.save(session, replace(profile.get(session, account), legal_name=""), now=NOVEMBER)
    assert run(sessions) == {"waiting": 1}
    with pytest.raises(NotInvoiceableError), sessions.begin() as session:
        issue.issue(session, account, seller=SellerDetails(), now=DECEMBER)
    assert issued(sessions) == []


def test_two_currencies_are_two_invoices(sessions: sessionmaker[Session], account: int) -> None:
    use(sessions, account, 100, scope="a")
    use(sessions, account, 100, scope="b", currency="JPY")
    assert run(sessions) == {"invoice": 2}
    assert [invoice.currency for invoice in issued(sessions)] == ["EUR", "JPY"]


def test_why_no_tax_is_charged_is_said(sessions: sessionmaker[Session], account: int) -> None:
    use(sessions, account, 100, rate=0, country=None, scope="a")
    run(sessions)
    with sessions.begin() as session:
        session.add(VatCheck(
            account_id=account, vat_number="FR40303265045", state="valid", name="", consultation="", fault="",
            tries=0, answered_at=NOVEMBER, next_try_at=DECEMBER,
        ))  # fmt: skip
    use(sessions, account, 100, rate=0, country=None, scope="b", at=NOVEMBER + timedelta(hours=1))
    run(sessions)
    first, second = issued(sessions)
    assert first.content["groups"][0]["treatment"] == "outside"
    assert second.content["groups"][0]["treatment"] == "reverse_charge"


@pytest.mark.parametrize("locale", ["en", "fr"])
def test_the_pdf_is_drawn_once_and_kept(sessions: sessionmaker[Session], account: int, locale: str) -> None:
    with sessions.begin() as session:
        profile.save(session, replace(profile.get(session, account), locale=locale), now=NOVEMBER)
    for number in range(60):
        use(sessions, account, 100 + number, scope=f"s{number}")
    run(sessions)
    (invoice,) = issued(sessions)
    with sessions.begin() as session:
        pdf, digest = document.stored_pdf(session, invoice.number, now=DECEMBER, account_id=account)
    assert pdf.startswith(b"%PDF-")
    assert hashlib.sha256(pdf).hexdigest() == digest
    assert document.draw(invoice) == pdf, "the same content gives the same bytes"
    assert b"/FontFile2" in pdf, "letters are embedded"
    assert pdf.count(b"/Type /Page\n") == 3, "sixty lines need three pages"
    with sessions.begin() as session:
        assert document.stored_pdf(session, invoice.number, now=NOVEMBER) == (pdf, digest)
        with pytest.raises(UnknownInvoiceError):
            document.stored_pdf(session, invoice.number, now=DECEMBER, account_id=account + 1)
        with pytest.raises(UnknownInvoiceError):
            document.stored_pdf(session, "2026-999999", now=DECEMBER)


def test_both_languages_have_all_words() -> None:
    assert TEXTS["en"].keys() == TEXTS["fr"].keys()
    assert all(TEXTS["fr"].values())
    assert all(TEXTS["en"].values())


def test_a_machine_without_fonts_is_told_what_to_install(tmp_path: object) -> None:
    with pytest.raises(FontMissingError, match="fonts-dejavu-core"):
        find_fonts((tmp_path,))  # type: ignore[arg-type]
