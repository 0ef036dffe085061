"""Issuing: postings of usage become invoices, reversed ones credit notes. No function commits.

One document per account, currency and calendar month of the account's time zone (docs/decisions/
monthly-invoices.md). It takes every usage posting that happened before the month's end and is on no invoice
yet: so each is on exactly one, and a posting that came late (a call that found its price in the next month)
is on the next invoice, under its own day. `WAIT` passes after the month's end for sessions that are being
charged. A posting that was reversed before it was invoiced appears nowhere; one that was reversed afterwards
is mirrored by a credit note, line by line.

Net and tax of a line are those of the ledger, never computed again: the document's totals are sums, and equal
what was posted. The number is the last thing that is taken, under the lock of its series' row, in the
transaction that writes the document: a document that fails takes no number, no number is without document.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session, aliased, sessionmaker

from accounts.models import Account
from billing import profile
from billing.deck_models import CdrRating
from billing.invoices.errors import NotInvoiceableError
from billing.invoices.models import Invoice, InvoiceCounter, InvoiceLine, VatCheck
from billing.invoices.seller import SellerDetails
from billing.invoices.vat import Treatment, per_cent
from billing.invoices.vat_rates import standard_rate
from billing.ledger_models import LedgerTransaction, UsageLine, UsagePosting
from billing.profile import Profile
from events.models import Event, EventSession

WAIT = timedelta(days=1)
_log = structlog.get_logger(__name__)
_Reversal = aliased(LedgerTransaction)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A posting, as a document shows it. Amounts in minor units; `billed_s` seconds."""

    transaction_id: int
    occurred_at: datetime
    name: str
    calls: int
    billed_s: int
    net: int
    vat: int
    treatment: Treatment
    rate: Fraction
    country: str

    @property
    def group(self) -> tuple[str, str, str]:
        """Lines of one group are taxed alike."""
        return (self.treatment.value, per_cent(self.rate), self.country)


class InvoiceDesk:
    """Issues what is due. `run_once` belongs to the same thread as payments."""

    def __init__(self, sessions: sessionmaker[Session], seller: SellerDetails) -> None:
        self._sessions = sessions
        self._seller = seller

    def run_once(self, now: datetime) -> Counter[str]:
        """Issue credit notes, and invoices of months that are over; each in a transaction of its own.

        Returns how many of which; "waiting" counts accounts without a name and address, or all of them while
        the seller's details are missing.
        """
        done: Counter[str] = Counter()
        with self._sessions.begin() as session:
            accounts = accounts_with_open_lines(session)
            credited = invoices_to_credit(session)
        for invoice_id in credited:
            with self._sessions.begin() as session:
                done["credit_note"] += credit(session, invoice_id, seller=self._seller, now=now) is not None
        for account_id in accounts:
            try:
                with self._sessions.begin() as session:
                    done["invoice"] += len(issue(session, account_id, seller=self._seller, now=now))
            except NotInvoiceableError as exc:
                done["waiting"] += 1
                _log.info("invoice_waits", account_id=account_id, reason=str(exc))
        return +done


def issue(session: Session, account_id: int, *, seller: SellerDetails, now: datetime) -> list[Invoice]:
    """The invoices of an account up to the last month that is over: one per currency, none when there is
    nothing. Raises NotInvoiceableError.
    """
    customer = profile.get(session, account_id)
    start, end = last_month(now - WAIT, customer.zone)
    by_currency: dict[str, list[Line]] = {}
    for posting, transaction in _open_postings(session, account_id, before=end):
        by_currency.setdefault(posting.currency, []).append(_line(session, posting, transaction))
    if by_currency:
        _check_details(seller, customer)
    return [
        _write(
            session, lines, kind="invoice", seller=seller, customer=customer, currency=currency, start=start,
            end=end, now=now,
        )
        for currency, lines in sorted(by_currency.items())
    ]  # fmt: skip


def credit(session: Session, invoice_id: int, *, seller: SellerDetails, now: datetime) -> Invoice | None:
    """A credit note that mirrors the lines of an invoice whose postings were reversed; None when there are
    none (any more).
    """
    invoice = session.get_one(Invoice, invoice_id)
    reversed_ids = set(session.scalars(_to_credit(InvoiceLine.transaction_id, invoice_id)))
    if not reversed_ids:
        return None
    content = invoice.content
    lines = [
        Line(
            transaction_id=line["transaction_id"],
            occurred_at=datetime.fromisoformat(line["occurred_at"]),
            name=line["name"],
            calls=line["calls"],
            billed_s=line["billed_s"],
            net=-line["net"],
            vat=-line["vat"],
            treatment=Treatment(line["treatment"]),
            rate=Fraction(line["rate"]) / 100,
            country=line["country"],
        )
        for line in content["lines"]
        if line["transaction_id"] in reversed_ids
    ]
    return _write(
        session, lines, kind="credit_note", seller=seller, customer=profile.get(session, invoice.account_id),
        currency=invoice.currency, start=invoice.period_start, end=invoice.period_end, now=now,
        credits_invoice=invoice,
    )  # fmt: skip


def last_month(moment: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Beginning and end, in UTC, of the last calendar month of `zone` that is over at `moment`."""
    this = moment.astimezone(zone).date().replace(day=1)
    before = (this - timedelta(days=1)).replace(day=1)
    return _midnight(before, zone), _midnight(this, zone)


def accounts_with_open_lines(session: Session) -> Sequence[int]:
    """Accounts with usage that is on no invoice."""
    query = _open(select(UsagePosting.account_id)).distinct()
    return session.scalars(query.order_by(UsagePosting.account_id)).all()


def invoices_to_credit(session: Session) -> Sequence[int]:
    """Invoices that show postings which were reversed since."""
    return session.scalars(_to_credit(InvoiceLine.invoice_id, None).distinct()).all()


def _open(query: Any) -> Any:
    """The part of `query` over usage postings that belongs on an invoice."""
    on_invoice = select(InvoiceLine.id).where(
        InvoiceLine.transaction_id == UsagePosting.transaction_id, InvoiceLine.kind == "invoice"
    )
    taken_back = select(_Reversal.id).where(_Reversal.reverses_id == UsagePosting.transaction_id)
    return query.where(UsagePosting.transaction_id.is_not(None), ~on_invoice.exists(), ~taken_back.exists())


def _open_postings(
    session: Session, account_id: int, *, before: datetime
) -> Sequence[tuple[UsagePosting, LedgerTransaction]]:
    query = _open(
        select(UsagePosting, LedgerTransaction).join(
            LedgerTransaction, LedgerTransaction.id == UsagePosting.transaction_id
        )
    ).where(UsagePosting.account_id == account_id, LedgerTransaction.occurred_at < before)
    rows = session.execute(query.order_by(LedgerTransaction.occurred_at, LedgerTransaction.id))
    return [(row[0], row[1]) for row in rows]


def _to_credit(column: Any, invoice_id: int | None) -> Any:
    credited = aliased(InvoiceLine)
    query = (
        select(column)
        .join(_Reversal, _Reversal.reverses_id == InvoiceLine.transaction_id)
        .where(
            InvoiceLine.kind == "invoice",
            ~select(credited.id)
            .where(credited.transaction_id == InvoiceLine.transaction_id, credited.kind == "credit_note")
            .exists(),
        )
    )
    return query if invoice_id is None else query.where(InvoiceLine.invoice_id == invoice_id)


def _line(session: Session, posting: UsagePosting, transaction: LedgerTransaction) -> Line:
    calls, billed_s = session.execute(
        select(func.count(UsageLine.id), func.coalesce(func.sum(CdrRating.billed_sec), 0))
        .join(
            CdrRating,
            (CdrRating.cdr_id == UsageLine.cdr_id) & (CdrRating.version == UsageLine.rating_version),
            isouter=True,
        )
        .where(UsageLine.posting_id == posting.id)
    ).one()
    name = session.scalar(
        select(Event.name)
        .join(EventSession, EventSession.event_id == Event.id)
        .where(EventSession.id == posting.session_id)
    )
    treatment, rate = Treatment.STANDARD, Fraction(0)
    country = posting.vat_country or ""
    if posting.vat_minor:
        found = standard_rate(country, transaction.occurred_at.date())
        rate = found if found is not None else Fraction(posting.vat_minor, posting.net_minor)
    else:
        treatment = _untaxed(session, posting, transaction)
    return Line(
        transaction_id=transaction.id,
        occurred_at=transaction.occurred_at,
        name=name or "",
        calls=int(calls),
        billed_s=int(billed_s),
        net=posting.net_minor,
        vat=posting.vat_minor,
        treatment=treatment,
        rate=rate,
        country=country,
    )


def _untaxed(session: Session, posting: UsagePosting, transaction: LedgerTransaction) -> Treatment:
    """Why a posting bears no tax: its customer had a number in force, or is elsewhere."""
    confirmed = session.scalar(
        select(VatCheck.id).where(
            VatCheck.account_id == posting.account_id,
            VatCheck.state == "valid",
            VatCheck.answered_at <= transaction.posted_at,
        )
    )
    return Treatment.OUTSIDE if confirmed is None else Treatment.REVERSE_CHARGE


def _check_details(seller: SellerDetails, customer: Profile) -> None:
    if not seller.complete:
        raise NotInvoiceableError("the seller's name, address and country are not set")
    if not customer.can_be_invoiced:
        raise NotInvoiceableError("the customer's name or address is missing")


def _write(
    session: Session, lines: list[Line], *, kind: str, seller: SellerDetails, customer: Profile,
    currency: str, start: datetime, end: datetime, now: datetime, credits_invoice: Invoice | None = None,
) -> Invoice:  # fmt: skip
    if credits_invoice is None:
        start = min(start, _midnight(_day(lines[0].occurred_at, customer).replace(day=1), customer.zone))
    groups: dict[tuple[str, str, str], list[Line]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    net, vat = sum(line.net for line in lines), sum(line.vat for line in lines)
    email = session.scalar(select(Account.email).where(Account.id == customer.account_id)) or ""
    issued_on = now.astimezone(seller.zone).date()
    series = f"{seller.number_prefix}{'CN-' if kind == 'credit_note' else ''}{issued_on.year}"
    content: dict[str, Any] = {
        "seller": {
            "name": seller.name, "address": list(seller.address), "country": seller.country,
            "vat_number": seller.vat_number, "registration": seller.registration, "email": seller.email,
        },
        "customer": {
            "name": customer.legal_name, "address": list(customer.address), "country": customer.country,
            "vat_number": customer.vat_number, "email": email,
        },
        "issued_on": issued_on.isoformat(),
        "period": [_day(start, customer).isoformat(), _day(end - timedelta(seconds=1), customer).isoformat()],
        "timezone": customer.timezone,
        "lines": [
            {
                "transaction_id": line.transaction_id, "occurred_at": line.occurred_at.isoformat(),
                "day": _day(line.occurred_at, customer).isoformat(), "name": line.name, "calls": line.calls,
                "billed_s": line.billed_s, "net": line.net, "vat": line.vat, "rate": per_cent(line.rate),
                "treatment": line.treatment.value, "country": line.country,
            }
            for line in lines
        ],
        "groups": [
            {
                "treatment": treatment, "rate": rate, "country": country,
                "net": sum(line.net for line in members), "vat": sum(line.vat for line in members),
            }
            for (treatment, rate, country), members in sorted(groups.items())
        ],
        "registered": bool(seller.vat_number),
    }  # fmt: skip
    if credits_invoice is not None:
        content["customer"] = credits_invoice.content["customer"]
        content["period"] = credits_invoice.content["period"]
        content["credits"] = {
            "number": credits_invoice.number, "issued_on": credits_invoice.content["issued_on"],
        }  # fmt: skip
    serial = _next_number(session, series)
    invoice = Invoice(
        number=f"{series}-{serial:06d}", series=series, serial=serial, kind=kind,
        account_id=customer.account_id, credits_id=credits_invoice.id if credits_invoice else None,
        currency=currency, net=net, vat=vat, total=net + vat, period_start=start, period_end=end,
        issued_at=now, locale=customer.locale, content=content,
    )  # fmt: skip
    session.add(invoice)
    session.flush()
    session.add_all(
        InvoiceLine(
            invoice_id=invoice.id, transaction_id=line.transaction_id, kind=kind, net=line.net, vat=line.vat
        )
        for line in lines
    )
    session.flush()
    return invoice


def _next_number(session: Session, series: str) -> int:
    """The next number of a series; whoever has it has the series until the transaction ends."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    session.execute(dialect.insert(InvoiceCounter).values(series=series, last=0).on_conflict_do_nothing())
    row = session.get_one(InvoiceCounter, series, with_for_update=True, populate_existing=True)
    row.last += 1
    session.flush()
    return row.last


def _day(moment: datetime, customer: Profile) -> date:
    return moment.astimezone(customer.zone).date()


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
