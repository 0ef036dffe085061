"""What the live meter is told from the database: rates, funds, and what is over and not charged yet.

Whoever owns the meter reads these in short transactions, off the thread that answers calls.  After a restart
it calls `uncharged_costs` for the sessions that run or are not charged, feeds `LiveMeter.recovered`, and then
`LiveMeter.answered` for each call that is still up, with the moment of its answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import ledger, profile
from billing.calls import BillableCall
from billing.ledger_models import UsageLine
from billing.metering import Funds, LiveRate
from billing.money import Money
from billing.payments import cards
from billing.rating_book import CHUNK, RatingBook
from billing.usage import Taxes

TOLL_FREE = "tollfree"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnchargedSession:
    """What the toll-free calls of a session cost that are over and in no charge; without tax."""

    session_id: int
    account_id: int
    currency: str
    costs_u: tuple[int, ...]


def live_rate(
    session: Session, book: RatingBook, *, account_id: int, called_e164: str, caller_e164: str | None,
    answer_at: datetime, number_class: str = TOLL_FREE,
) -> LiveRate | None:  # fmt: skip
    """The rate of a call that was answered now; None when no rate fits: it will wait in the unrated queue."""
    call = BillableCall(
        cdr_id="", source="", source_call_id="", leg="", session_id=None, account_id=account_id,
        event_id=None, number_id=None, number_class=number_class, called_e164=called_e164,
        caller_e164=caller_e164, setup_at=answer_at, answer_at=answer_at, end_at=answer_at,
        conn_ms=0, end_basis="", billable=True, channel="",
    )  # fmt: skip
    prices, _ = book.price(session, [call])
    return LiveRate(rate=prices[0].rate, terms=prices[0].terms) if prices else None


def funds_of(session: Session, account_id: int, *, taxes: Taxes, at: datetime) -> Funds:
    """What an account can use up: its wallet, and its exposure limit when a card is on file."""
    payer = profile.get(session, account_id)
    has_card = cards.default_card(session, account_id) is not None
    return Funds(
        wallet=ledger.balance(session, account_id, payer.currency).posted,
        exposure_limit=Money(payer.exposure_limit if has_card else 0, payer.currency),
        tax=taxes(session, account_id, at).rate,
    )


def uncharged_costs(session: Session, book: RatingBook, session_ids: Iterable[int]) -> list[UnchargedSession]:
    """The calls of these sessions that are over and in no charge, by session; those without a price are left
    out.
    """
    found = []
    for session_id in session_ids:
        calls = [
            call
            for call in book.source.of_session(session, session_id)
            if call.billable and call.number_class == TOLL_FREE
        ]
        charged = _charged(session, [call.cdr_id for call in calls])
        prices, _ = book.price(session, [call for call in calls if call.cdr_id not in charged])
        groups: dict[tuple[int, str], list[int]] = {}
        for price in prices:
            assert price.call.account_id is not None, "a billable call has an account"
            groups.setdefault((price.call.account_id, price.terms.currency), []).append(price.rated.cost_u)
        found += [
            UnchargedSession(
                session_id=session_id, account_id=account_id, currency=currency, costs_u=tuple(costs)
            )
            for (account_id, currency), costs in groups.items()
        ]
    return found


def _charged(session: Session, cdr_ids: list[str]) -> set[str]:
    found: set[str] = set()
    for begin in range(0, len(cdr_ids), CHUNK):
        chunk = cdr_ids[begin : begin + CHUNK]
        found.update(
            session.scalars(select(UsageLine.cdr_id).where(UsageLine.cdr_id.in_(chunk), UsageLine.current))
        )
    return found
