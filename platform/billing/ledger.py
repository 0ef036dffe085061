"""The ledger's service: each thing that can happen to money, as the transaction it makes.

    event                     debit                                    credit
    top-up                    psp                                      wallet
    session usage             wallet min(available, total), receivable usage, vat
    card pays the shortfall   psp                                      receivable
    plan or add-on invoice    receivable                               plan, addon or deferred, vat
    card pays an invoice      psp                                      receivable
    chargeback                receivable, psp_fee                      psp
    refund to the card        wallet, or tickets                       psp
    ticket sold               psp                                      tickets
    tickets paid out          tickets                                  bank
    goodwill                  goodwill                                 wallet
    write-off                 bad_debt                                 receivable
    settlement                receivable below 0 → wallet; or wallet → open receivable
    recognition               deferred                                 plan, addon
    payout to the bank        bank                                     psp
    correction                the exact mirror (`reverse`), then a new posting

Functions take a `Session` and never commit.  Each names its transaction by a natural key, so calling twice
posts once; `Posted.replayed` tells.  `at` is the moment of posting; `occurred_at`, where it can be given,
the moment it happened.  Nothing here talks to a payment provider: that happens before or after, never
within a database transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import chart
from billing.chart import AccountName, Kind
from billing.ledger_errors import InsufficientFundsError, NotPositiveError, NotReversibleError
from billing.ledger_models import LedgerAccount
from billing.money import Money
from billing.posting import (
    Entry,
    Posted,
    Posting,
    TransactionType,
    credit,
    debit,
    existing,
    fingerprint_of,
    load,
    lock,
    merged,
    post,
)

__all__ = ["Balance", "Posted", "Posting", "balance", "card_pays_invoice", "card_pays_shortfall",
           "chargeback", "goodwill", "invoice", "load", "pay_from_wallet", "pay_out_tickets", "payout",
           "post", "recognise", "refund", "reverse", "settle_credit", "ticket_sold", "top_up", "usage",
           "write_off"]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Where a customer stands in one currency."""

    posted: Money
    """In the wallet."""
    held: Money
    """Of that, kept back for sessions that run."""
    receivable: Money
    """Owed to us; below 0 after a correction in the customer's favour."""

    @property
    def available(self) -> Money:
        """What can be spent."""
        return self.posted - self.held


def balance(session: Session, account_id: int, currency: str) -> Balance:
    """The customer's balance now; zero where nothing was ever posted."""
    rows = session.execute(
        select(LedgerAccount.kind, LedgerAccount.posted, LedgerAccount.held).where(
            LedgerAccount.kind.in_([Kind.WALLET, Kind.RECEIVABLE]),
            LedgerAccount.owner == str(account_id),
            LedgerAccount.currency == currency,
        )
    )
    found = {row.kind: row for row in rows}
    wallet, owed = found.get(Kind.WALLET), found.get(Kind.RECEIVABLE)
    return Balance(
        posted=Money(wallet.posted if wallet else 0, currency),
        held=Money(wallet.held if wallet else 0, currency),
        receivable=Money(owed.posted if owed else 0, currency),
    )


def top_up(
    session: Session, account_id: int, money: Money, *, psp: str, payment_ref: str, at: datetime,
    occurred_at: datetime | None = None, actor: str = "system",
) -> Posted:  # fmt: skip
    """The customer paid in advance. `payment_ref` is the provider's id of the payment.

    Raises NotPositiveError, AbsurdAmountError, IdemConflictError.
    """
    _positive(money)
    return post(
        session,
        Posting(
            type=TransactionType.TOP_UP,
            idem=f"topup:{psp}:{payment_ref}",
            fingerprint=fingerprint_of("top_up", account_id, money.minor, money.currency),
            entries=(
                debit(chart.psp(psp, money.currency), money),
                credit(chart.wallet(account_id, money.currency), money),
            ),
            occurred_at=occurred_at or at,
            account_id=account_id,
            reference=payment_ref,
            actor=actor,
        ),
        at=at,
    )


def usage(
    session: Session, account_id: int, session_id: int | None, *, rating_version: int, net: Money,
    vat: Money, vat_country: str | None, at: datetime, occurred_at: datetime | None = None,
    scope: str | None = None,
) -> Posted:  # fmt: skip
    """A session's calls: the wallet pays what it has available, the rest becomes receivable.

    `scope` names what is charged when it is no session (a call that never reached one); by default the
    session's id. `vat_country` is needed when `vat` is not 0. Service rendered is always posted: this never
    fails for want of money. Release the session's hold first.

    Raises NotPositiveError for a total of 0 or less, IdemConflictError.
    """
    total = net + vat
    _positive(total)
    currency = total.currency
    idem = f"usage:{scope or session_id}:{rating_version}"
    fingerprint = fingerprint_of("usage", account_id, net.minor, vat.minor, vat_country, currency)
    wallet, owed = chart.wallet(account_id, currency), chart.receivable(account_id, currency)
    income = [credit(chart.house(Kind.USAGE, currency), net), *_vat_entry(vat, vat_country)]
    accounts = lock(session, [wallet, owed, *(entry.account for entry in income)])
    before = existing(session, idem, fingerprint)
    if before is not None:
        return before
    from_wallet = min(accounts[wallet].available, total.minor)
    return post(
        session,
        Posting(
            type=TransactionType.USAGE,
            idem=idem,
            fingerprint=fingerprint,
            entries=merged([Entry(wallet, from_wallet), Entry(owed, total.minor - from_wallet), *income]),
            occurred_at=occurred_at or at,
            account_id=account_id,
            session_id=session_id,
        ),
        at=at,
    )


def card_pays_shortfall(
    session: Session, usage_tx: int, *, money: Money, psp: str, payment_ref: str, at: datetime,
    occurred_at: datetime | None = None,
) -> Posted:  # fmt: skip
    """The card paid what the wallet lacked for the usage transaction `usage_tx`.

    Raises NoSuchTransactionError, NotPositiveError, IdemConflictError.
    """
    _positive(money)
    charged = load(session, usage_tx)
    assert charged.account_id is not None, "usage is always somebody's"
    return _card_pays(
        session, TransactionType.SHORTFALL, f"short:{usage_tx}", charged.account_id, money, psp=psp,
        payment_ref=payment_ref, at=at, occurred_at=occurred_at, settles=charged,
    )  # fmt: skip


def card_pays_invoice(
    session: Session, invoice_tx: int, *, money: Money, psp: str, payment_ref: str, at: datetime,
    occurred_at: datetime | None = None,
) -> Posted:  # fmt: skip
    """The card paid the plan's or add-on's invoice that `invoice_tx` posted.

    Raises NoSuchTransactionError, NotPositiveError, IdemConflictError.
    """
    _positive(money)
    billed = load(session, invoice_tx)
    assert billed.account_id is not None, "an invoice is always somebody's"
    return _card_pays(
        session, TransactionType.PAYMENT, f"paid:{psp}:{payment_ref}", billed.account_id, money, psp=psp,
        payment_ref=payment_ref, at=at, occurred_at=occurred_at, settles=billed,
    )  # fmt: skip


def invoice(
    session: Session, account_id: int, *, idem: str, lines: Sequence[tuple[Kind, Money]], vat: Money,
    vat_country: str | None, at: datetime, occurred_at: datetime | None = None, reference: str | None = None,
) -> Posted:  # fmt: skip
    """A plan or an add-on is invoiced. `lines` go to Kind.PLAN, ADDON or DEFERRED; a credit line is below 0.

    `idem` is `inv:{subscription}:{period_start}`. Raises NotPositiveError for a total of 0 or less.
    """
    currency = vat.currency
    total = sum((money for _, money in lines), vat)
    _positive(total)
    assert all(kind in chart.INVOICED_KINDS for kind, _ in lines), "not a line of an invoice"
    entries = [
        debit(chart.receivable(account_id, currency), total),
        *(credit(chart.house(kind, currency), money) for kind, money in lines),
        *_vat_entry(vat, vat_country),
    ]
    content = [part for kind, money in lines for part in (str(kind), money.minor)]
    return post(
        session,
        Posting(
            type=TransactionType.INVOICE,
            idem=idem,
            fingerprint=fingerprint_of("invoice", account_id, *content, vat.minor, vat_country, currency),
            entries=merged(entries),
            occurred_at=occurred_at or at,
            account_id=account_id,
            reference=reference,
        ),
        at=at,
    )


def chargeback(
    session: Session, account_id: int, *, money: Money, fee: Money, psp: str, dispute_ref: str, at: datetime,
    occurred_at: datetime | None = None, source: Kind = Kind.RECEIVABLE,
) -> Posted:  # fmt: skip
    """The payer's bank took a payment back, and the provider its fee: the customer owes it again, or is owed
    less (`source` Kind.TICKETS).

    Raises NotPositiveError, IdemConflictError.
    """
    _positive(money)
    currency = money.currency
    return post(
        session,
        Posting(
            type=TransactionType.CHARGEBACK,
            idem=f"chargeback:{psp}:{dispute_ref}",
            fingerprint=fingerprint_of("chargeback", account_id, money.minor, fee.minor, currency),
            entries=merged(
                [
                    debit(AccountName(source, str(account_id), currency), money),
                    debit(chart.house(Kind.PSP_FEE, currency), fee),
                    credit(chart.psp(psp, currency), money + fee),
                ]
            ),
            occurred_at=occurred_at or at,
            account_id=account_id,
            reference=dispute_ref,
        ),
        at=at,
    )


def reverse(
    session: Session, transaction_id: int, *, actor: str, reason: str, at: datetime,
    occurred_at: datetime | None = None,
) -> Posted:  # fmt: skip
    """Take a transaction back by its exact mirror. Reversing twice reverses once.

    Raises NoSuchTransactionError, NotReversibleError for a reversal, and InsufficientFundsError when the
    wallet no longer has what it would have to give back.
    """
    original = load(session, transaction_id)
    if original.type is TransactionType.REVERSAL:
        raise NotReversibleError(f"transaction {transaction_id} is a reversal: post anew instead")
    return _simple(
        session, TransactionType.REVERSAL, f"reverse:{transaction_id}", original.account_id,
        [Entry(entry.account, -entry.amount) for entry in original.entries], content=(transaction_id,),
        actor=actor, reason=reason, at=at, occurred_at=occurred_at, session_id=original.session_id,
        reference=original.reference, reverses_id=transaction_id,
    )  # fmt: skip


def refund(
    session: Session, account_id: int, money: Money, *, psp: str, refund_ref: str, actor: str, reason: str,
    at: datetime, source: Kind = Kind.WALLET,
) -> Posted:  # fmt: skip
    """Money of the wallet, or of Kind.TICKETS, went back to the payer.

    Raises InsufficientFundsError (wallet only), NotPositiveError.
    """
    _positive(money)
    currency = money.currency
    taken = AccountName(source, str(account_id), currency)
    return _simple(
        session, TransactionType.REFUND, f"refund:{psp}:{refund_ref}", account_id,
        [debit(taken, money), credit(chart.psp(psp, currency), money)],
        content=(money.minor, currency), actor=actor, reason=reason, at=at, reference=refund_ref,
    )  # fmt: skip


def goodwill(
    session: Session, account_id: int, money: Money, *, idem: str, actor: str, reason: str, at: datetime
) -> Posted:
    """A gift to the customer's wallet. Raises NotPositiveError, IdemConflictError."""
    _positive(money)
    currency = money.currency
    wallet = chart.wallet(account_id, currency)
    return _simple(
        session, TransactionType.GOODWILL, f"goodwill:{idem}", account_id,
        [debit(chart.house(Kind.GOODWILL, currency), money), credit(wallet, money)],
        content=(money.minor, currency), actor=actor, reason=reason, at=at,
    )  # fmt: skip


def write_off(
    session: Session, account_id: int, money: Money, *, idem: str, actor: str, reason: str, at: datetime
) -> Posted:
    """We stop waiting for what the customer owes. Raises NotPositiveError, IdemConflictError."""
    _positive(money)
    currency = money.currency
    owed = chart.receivable(account_id, currency)
    return _simple(
        session, TransactionType.WRITE_OFF, f"writeoff:{idem}", account_id,
        [debit(chart.house(Kind.BAD_DEBT, currency), money), credit(owed, money)],
        content=(money.minor, currency), actor=actor, reason=reason, at=at,
    )  # fmt: skip


def settle_credit(
    session: Session, account_id: int, currency: str, *, idem: str, at: datetime
) -> Posted | None:
    """After a correction in the customer's favour, what we owe (a receivable below 0) goes to the wallet.

    None when there is nothing to settle. `idem` names the occasion, such as the reversal.
    """
    wallet, owed = chart.wallet(account_id, currency), chart.receivable(account_id, currency)
    accounts = lock(session, [wallet, owed])
    key, fingerprint = f"settle:{idem}", fingerprint_of("settlement", account_id, currency)
    before = existing(session, key, fingerprint)
    credit_minor = -accounts[owed].posted
    if before is not None or credit_minor <= 0:
        return before
    entries = [Entry(owed, credit_minor), Entry(wallet, -credit_minor)]
    return _simple(
        session, TransactionType.SETTLEMENT, key, account_id, entries, fingerprint=fingerprint, at=at
    )


def pay_from_wallet(
    session: Session, account_id: int, currency: str, *, idem: str, actor: str, at: datetime
) -> Posted | None:
    """The wallet pays what is open, as far as it can: after a top-up by somebody without a card.

    None when nothing is open or nothing available. Not while a card is being charged for the same debt.
    """
    wallet, owed = chart.wallet(account_id, currency), chart.receivable(account_id, currency)
    accounts = lock(session, [wallet, owed])
    key, fingerprint = f"settle:{idem}", fingerprint_of("wallet_pays", account_id, currency)
    before = existing(session, key, fingerprint)
    minor = min(accounts[owed].posted, accounts[wallet].available)
    if before is not None or minor <= 0:
        return before
    return _simple(
        session, TransactionType.SETTLEMENT, key, account_id, [Entry(wallet, minor), Entry(owed, -minor)],
        fingerprint=fingerprint, actor=actor, at=at,
    )  # fmt: skip


def recognise(
    session: Session, account_id: int, money: Money, *, kind: Kind, idem: str, at: datetime
) -> Posted:
    """A period that was paid in advance is over: what was deferred becomes income of `kind`."""
    _positive(money)
    assert kind in chart.INVOICED_KINDS - {Kind.DEFERRED}
    currency = money.currency
    return _simple(
        session, TransactionType.RECOGNITION, f"recognise:{idem}", account_id,
        [debit(chart.house(Kind.DEFERRED, currency), money), credit(chart.house(kind, currency), money)],
        content=(money.minor, currency, str(kind)), at=at,
    )  # fmt: skip


def payout(session: Session, money: Money, *, psp: str, payout_ref: str, at: datetime) -> Posted:
    """The provider sent money to our bank."""
    _positive(money)
    currency = money.currency
    return _simple(
        session, TransactionType.PAYOUT, f"payout:{psp}:{payout_ref}", None,
        [debit(chart.house(Kind.BANK, currency), money), credit(chart.psp(psp, currency), money)],
        content=(money.minor, currency), at=at, reference=payout_ref,
    )  # fmt: skip


def ticket_sold(
    session: Session, account_id: int, money: Money, *, psp: str, payment_ref: str, at: datetime
) -> Posted:
    """Somebody bought a ticket of the customer's: the money is with the provider and owed to the customer."""
    _positive(money)
    currency = money.currency
    return _simple(
        session, TransactionType.TICKET, f"ticket:{psp}:{payment_ref}", account_id,
        [debit(chart.psp(psp, currency), money), credit(chart.tickets(account_id, currency), money)],
        content=(money.minor, currency), at=at, reference=payment_ref,
    )  # fmt: skip


def pay_out_tickets(
    session: Session, account_id: int, money: Money, *, idem: str, actor: str, reason: str, at: datetime
) -> Posted:
    """Our bank sent the customer what their tickets brought. Raises NotPositiveError, IdemConflictError, and
    InsufficientFundsError for more than is owed.
    """
    _positive(money)
    currency = money.currency
    owed = chart.tickets(account_id, currency)
    key, content = f"ticketpayout:{idem}", (money.minor, currency)
    fingerprint = fingerprint_of(TransactionType.TICKET_PAYOUT, account_id, *content)
    accounts = lock(session, [owed, chart.house(Kind.BANK, currency)])
    before = existing(session, key, fingerprint)
    if before is not None:
        return before
    if accounts[owed].posted < money.minor:
        raise InsufficientFundsError(f"{owed} stands at {accounts[owed].posted}, {money.minor} is asked for")
    return _simple(
        session, TransactionType.TICKET_PAYOUT, key, account_id,
        [debit(owed, money), credit(chart.house(Kind.BANK, currency), money)],
        fingerprint=fingerprint, actor=actor, reason=reason, at=at,
    )  # fmt: skip


def _positive(money: Money) -> None:
    if money.minor <= 0:
        raise NotPositiveError(f"{money} is not more than 0")


def _vat_entry(vat: Money, country: str | None) -> list[Entry]:
    if not vat:
        return []
    if country is None:
        raise ValueError("value-added tax is owed to a country: say which")
    return [credit(chart.vat(country, vat.currency), vat)]


def _card_pays(
    session: Session, kind: TransactionType, idem: str, account_id: int, money: Money, *, psp: str,
    payment_ref: str, at: datetime, occurred_at: datetime | None, settles: Posted,
) -> Posted:  # fmt: skip
    currency = money.currency
    entries = [
        debit(chart.psp(psp, currency), money),
        credit(chart.receivable(account_id, currency), money),
    ]
    return _simple(
        session, kind, idem, account_id, entries, content=(money.minor, currency, psp, payment_ref),
        at=at, occurred_at=occurred_at, session_id=settles.session_id, reference=payment_ref,
        settles_id=settles.id,
    )  # fmt: skip


def _simple(
    session: Session, kind: TransactionType, idem: str, account_id: int | None, entries: list[Entry], *,
    at: datetime, content: tuple[str | int, ...] = (), fingerprint: str | None = None,
    occurred_at: datetime | None = None, session_id: int | None = None, reference: str | None = None,
    settles_id: int | None = None, reverses_id: int | None = None, actor: str = "system",
    reason: str | None = None,
) -> Posted:  # fmt: skip
    posting = Posting(
        type=kind, idem=idem, fingerprint=fingerprint or fingerprint_of(kind, account_id, *content),
        entries=merged(entries), occurred_at=occurred_at or at, account_id=account_id,
        session_id=session_id, reference=reference, settles_id=settles_id, reverses_id=reverses_id,
        actor=actor, reason=reason,
    )  # fmt: skip
    return post(session, posting, at=at)
