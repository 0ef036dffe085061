"""Pages: the ledger — transactions, one transaction, taking one back, goodwill, the trial balance.

A correction is shown first, on a page that says every entry it will make, and done once: the page carries a
key, and the same key again is the same posting. A reversal is the exact mirror of its transaction; what the
customer is owed after it goes to their wallet, in a settlement of its own.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from accounts.errors import UnknownAccountError
from accounts.models import Account
from accounts.service import find_account
from accounts.sign_in import Visitor
from billing import ledger, profile, trial_balance
from billing.ledger import Balance
from billing.ledger_errors import (
    AbsurdAmountError,
    IdemConflictError,
    InsufficientFundsError,
    NoSuchTransactionError,
    NotPositiveError,
    NotReversibleError,
)
from billing.ledger_models import LedgerAccount, LedgerEntry, LedgerTransaction, UsagePosting
from billing.money import Money
from billing.posting import Posted, TransactionType
from billing.trial_balance import BalanceRow, Mismatch
from web.access import AllServices, parse_id, transaction
from web.billing_parts import Parts
from web.errors import not_found
from web.services import Services
from web.site.forms import Form, text_of
from web.site.i18n import N_
from web.site.render import notices
from web.site.security import PostedForm
from web.site.staff.desk import BillingStaff, actor, emails, people, sentence, show

router = APIRouter(prefix="/staff", include_in_schema=False)
PAGE_SIZE = 50
_KEY = re.compile(r"[\w-]{16,64}", re.ASCII)
_log = structlog.get_logger(__name__)
notices(
    staff_reversed=N_("Taken back: this is the mirror transaction."),
    staff_given=N_("The goodwill is in the wallet."),
)
_SAID: Mapping[type[Exception], str] = {
    NotReversibleError: N_("A reversal cannot be taken back; post anew instead."),
    InsufficientFundsError: N_("The wallet no longer has what it would have to give back."),
    NotPositiveError: N_("Write an amount of more than 0."),
    AbsurdAmountError: N_("This amount is beyond what we can post."),
    IdemConflictError: N_("This form was used before for something else. Begin again."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One transaction of the list. `amounts` are what it moved, by currency."""

    transaction: LedgerTransaction
    amounts: Sequence[Money]
    reversed_by: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksPage:
    """What staff/books.html shows; `account` is None for the transactions of all accounts."""

    account: Account | None
    balances: Sequence[Balance]
    asked: str
    error: str | None
    rows: Sequence[Row]
    next: int | None
    emails: Mapping[int, str]
    people: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line as bookkeepers write it; one side is None."""

    account: str
    owner: str
    debit: Money | None
    credit: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionPage:
    """What staff/transaction.html and staff/reverse.html show."""

    row: LedgerTransaction
    entries: Sequence[Entry]
    mirror: Sequence[Entry]
    reversed_by: int | None
    usage: UsagePosting | None
    emails: Mapping[int, str]
    people: Mapping[str, str]
    form: Form


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodwillPage:
    """What staff/goodwill.html shows; with `money` it asks for confirmation."""

    account: Account
    currency: str
    balance: Balance
    form: Form
    money: Money | None
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialPage:
    """What staff/trial_balance.html shows; `sums` has debit and credit by currency."""

    rows: Sequence[BalanceRow]
    sums: Mapping[str, tuple[Money, Money]]
    mismatches: Sequence[Mismatch]
    at: datetime


@router.get("/books")
def show_books(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    asked = request.query_params.get("account", "").strip()[:200]
    before = request.query_params.get("before", "")
    below = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
    with services.readers() as session:
        account, error = None, None
        try:
            account = find_account(session, asked) if asked else None
        except UnknownAccountError:
            error = sentence(request, N_("There is no such account. Write its number or its mail address."))
        rows = [] if error else _rows(session, None if account is None else account.id, below)
        more = len(rows) > PAGE_SIZE
        rows = rows[:PAGE_SIZE]
        shown = BooksPage(
            account=account,
            balances=[] if account is None else _balances(session, account.id),
            asked=asked,
            error=error,
            rows=rows,
            next=rows[-1].transaction.id if more else None,
            emails=emails(session, (row.transaction.account_id for row in rows)),
            people=people(session, (row.transaction.actor for row in rows)),
        )
    return show(request, visitor, "books.html", shown, status=422 if error else 200)


@router.get("/books/trial-balance")
def show_trial_balance(
    request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices
) -> Response:
    with services.readers() as session:
        rows = trial_balance.rows(session)
        sums: dict[str, tuple[Money, Money]] = {}
        for row in rows:
            nothing = Money.zero(row.currency)
            debit, credit = sums.get(row.currency, (nothing, nothing))
            sums[row.currency] = (debit + row.debit, credit + row.credit)
        shown = TrialPage(
            rows=rows, sums=sums, mismatches=trial_balance.mismatches(session), at=services.now()
        )
    return show(request, visitor, "trial_balance.html", shown)


@router.get("/transactions/{transaction_id}")
def show_transaction(
    request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices, transaction_id: str
) -> Response:
    return _transaction_page(request, visitor, services, transaction_id, "transaction.html", Form())


@router.get("/transactions/{transaction_id}/reverse")
def show_reverse(
    request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices, transaction_id: str
) -> Response:
    return _transaction_page(request, visitor, services, transaction_id, "reverse.html", Form())


@router.post("/transactions/{transaction_id}/reverse")
def reverse(
    request: Request, visitor: BillingStaff, fields: PostedForm, _parts: Parts, services: AllServices,
    transaction_id: str,
) -> Response:  # fmt: skip
    number, reason = _id(transaction_id), text_of(fields, "reason", maximum=500)
    if not reason:
        error = {"reason": sentence(request, N_("Say why; it is kept for good."))}
        form = Form(values={"reason": ""}, errors=error)
        return _transaction_page(request, visitor, services, transaction_id, "reverse.html", form)
    try:
        with transaction(services) as session:
            mirror = ledger.reverse(
                session, number, actor=actor(visitor), reason=reason, at=services.now()
            )
            if mirror.account_id is not None and not mirror.replayed:
                _settle(session, mirror, services.now())
    except NoSuchTransactionError as exc:
        raise not_found("transaction") from exc
    except (NotReversibleError, InsufficientFundsError) as exc:
        form = Form(values={"reason": reason}, message=sentence(request, _SAID[type(exc)]))
        return _transaction_page(request, visitor, services, transaction_id, "reverse.html", form)
    _log.warning("staff_reversal", asked_by=actor(visitor), transaction=number, mirror=mirror.id)
    return RedirectResponse(f"/staff/transactions/{mirror.id}?done=staff_reversed", status_code=303)


@router.get("/accounts/{account_id}/goodwill")
def show_goodwill(
    request: Request, visitor: BillingStaff, parts: Parts, services: AllServices, account_id: str
) -> Response:
    return _goodwill_page(request, visitor, services, parts.currency, account_id, Form(), None)


@router.post("/accounts/{account_id}/goodwill")
def give_goodwill(
    request: Request, visitor: BillingStaff, fields: PostedForm, parts: Parts, services: AllServices,
    account_id: str,
) -> Response:  # fmt: skip
    """The first time it shows what will be posted; with `sure` it does it, once per `key`."""
    number = parse_id(account_id, digits_max=9, what="account")
    with services.readers() as session:
        currency = profile.get(session, number, currency=parts.currency).currency
    amount, reason = text_of(fields, "amount", maximum=30), text_of(fields, "reason", maximum=500)
    errors: dict[str, str] = {}
    money = _money(amount, currency)
    if money is None:
        errors["amount"] = sentence(request, N_("Write an amount such as 5.00, of more than 0."))
    if not reason:
        errors["reason"] = sentence(request, N_("Say why; it is kept for good."))
    form = Form(values={"amount": amount, "reason": reason}, errors=errors)
    key = text_of(fields, "key", maximum=64)
    if errors or money is None or fields.get("sure") != "1" or not _KEY.fullmatch(key):
        return _goodwill_page(
            request, visitor, services, parts.currency, account_id, form, None if errors else money
        )
    try:
        with transaction(services) as session:
            if session.get(Account, number) is None:
                raise not_found("account")
            posted = ledger.goodwill(
                session, number, money, idem=f"{number}:{key}", actor=actor(visitor), reason=reason,
                at=services.now(),
            )  # fmt: skip
    except (NotPositiveError, AbsurdAmountError, IdemConflictError) as exc:
        form = Form(values=form.values, message=sentence(request, _SAID[type(exc)]))
        return _goodwill_page(request, visitor, services, parts.currency, account_id, form, None)
    if not posted.replayed:
        _log.warning("staff_goodwill", asked_by=actor(visitor), account=number, transaction=posted.id)
    return RedirectResponse(f"/staff/transactions/{posted.id}?done=staff_given", status_code=303)


def _id(text: str) -> int:
    return parse_id(text, digits_max=18, what="transaction")


def _money(text: str, currency: str) -> Money | None:
    try:
        value = Decimal(text.replace(",", "."))
        money = Money.of(value, currency) if value.is_finite() and 0 < value < 10**9 else None
    except (InvalidOperation, ValueError):
        return None
    return money


def _settle(session: Session, mirror: Posted, at: datetime) -> None:
    """What the customer is owed after a reversal goes to the wallet."""
    assert mirror.account_id is not None
    for currency in sorted({entry.account.currency for entry in mirror.entries}):
        ledger.settle_credit(
            session, mirror.account_id, currency, idem=f"reversal:{mirror.id}:{currency}", at=at
        )


def _rows(session: Session, account_id: int | None, below: int | None) -> list[Row]:
    wanted = select(LedgerTransaction).order_by(LedgerTransaction.id.desc()).limit(PAGE_SIZE + 1)
    if account_id is not None:
        wanted = wanted.where(LedgerTransaction.account_id == account_id)
    if below is not None:
        wanted = wanted.where(LedgerTransaction.id < below)
    found = session.scalars(wanted).all()
    ids = [one.id for one in found]
    moved: dict[int, list[Money]] = {}
    for number, currency, minor in session.execute(
        select(
            LedgerEntry.transaction_id,
            LedgerAccount.currency,
            func.sum(case((LedgerEntry.amount > 0, LedgerEntry.amount), else_=0)),
        )
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.ledger_account_id)
        .where(LedgerEntry.transaction_id.in_(ids))
        .group_by(LedgerEntry.transaction_id, LedgerAccount.currency)
    ):
        moved.setdefault(number, []).append(Money(int(minor), currency))
    mirrors = _mirrors(session, ids)
    return [
        Row(transaction=one, amounts=moved.get(one.id, []), reversed_by=mirrors.get(one.id)) for one in found
    ]


def _mirrors(session: Session, ids: Sequence[int]) -> dict[int, int]:
    rows = session.execute(
        select(LedgerTransaction.reverses_id, LedgerTransaction.id).where(
            LedgerTransaction.reverses_id.in_(ids)
        )
    )
    return {reversed_id: number for reversed_id, number in rows if reversed_id is not None}


def _balances(session: Session, account_id: int) -> list[Balance]:
    currencies = session.scalars(
        select(LedgerAccount.currency).where(LedgerAccount.owner == str(account_id)).distinct()
    )
    return [ledger.balance(session, account_id, currency) for currency in sorted(currencies)]


def _entries(posted: Posted, sign: int = 1) -> list[Entry]:
    lines = []
    for entry in posted.entries:
        amount, currency = entry.amount * sign, entry.account.currency
        lines.append(
            Entry(
                account=entry.account.kind.value,
                owner=entry.account.owner,
                debit=Money(amount, currency) if amount > 0 else None,
                credit=Money(-amount, currency) if amount < 0 else None,
            )
        )
    return lines


def _transaction_page(
    request: Request, visitor: Visitor, services: Services, transaction_id: str, template: str, form: Form
) -> Response:
    number = _id(transaction_id)
    with services.readers() as session:
        row = session.get(LedgerTransaction, number)
        if row is None:
            raise not_found("transaction")
        posted = ledger.load(session, number)
        shown = TransactionPage(
            row=row,
            entries=_entries(posted),
            mirror=_entries(posted, -1),
            reversed_by=_mirrors(session, [number]).get(number),
            usage=session.scalar(select(UsagePosting).where(UsagePosting.transaction_id == number)),
            emails=emails(session, [row.account_id]),
            people=people(session, [row.actor]),
            form=form,
        )
        done = shown.reversed_by is not None or row.type == TransactionType.REVERSAL.value
    if template == "reverse.html" and done and not form.message:
        return RedirectResponse(f"/staff/transactions/{shown.reversed_by or number}", status_code=303)
    return show(request, visitor, template, shown, status=422 if form.errors or form.message else 200)


def _goodwill_page(
    request: Request, visitor: Visitor, services: Services, currency: str, account_id: str, form: Form,
    money: Money | None,
) -> Response:  # fmt: skip
    number = parse_id(account_id, digits_max=9, what="account")
    with services.readers() as session:
        account = session.get(Account, number)
        if account is None:
            raise not_found("account")
        currency = profile.get(session, number, currency=currency).currency
        shown = GoodwillPage(
            account=account,
            currency=currency,
            balance=ledger.balance(session, number, currency),
            form=form,
            money=money,
            key=secrets.token_urlsafe(18),
        )
    return show(request, visitor, "goodwill.html", shown, status=422 if form.errors or form.message else 200)
