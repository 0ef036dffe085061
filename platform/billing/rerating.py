"""Rating calls again: a preview, a reason, a second pair of eyes, and then all at once.

    preview → request (reason, first person) → approve (second person) → new versions, usage posted anew
                                             → reject

Facts never change, so rating again means: the same calls, by the decks that are active now, in the currency
of their old price.  What was approved is what is done: at approval every call is priced once more, and if
anything differs from what the second person saw, nothing is done (`StaleReratingError`).  The two people are
different users; the service refuses one alone, and so does a CHECK in the database.

Old prices stay on record.  Sessions that were posted are reversed and posted again by the ledger, through
`UsageReposter`, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import Any, Protocol, cast

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.calls import BillableCall
from billing.deck_models import CdrRating, Rerating, ReratingLine, UnratedCall
from billing.errors import (
    MissingReasonError,
    NoSuchReratingError,
    NothingToRerateError,
    ReratingStateError,
    SecondPersonError,
    StaleReratingError,
    TooManyCallsError,
)
from billing.money import Money
from billing.rating import session_charge
from billing.rating_book import CHUNK, Price, RatingBook, UnratedReason, current_ratings, row_of
from billing.usage import scope_of

CALLS_MAX = 20_000
REASON_CHARS_MAX = 500


class UsageReposter(Protocol):
    """The ledger's part: what was posted for a session is reversed and posted again."""

    def repost(
        self, session: Session, scope: str, *, actor: str, reason: str, at: datetime
    ) -> tuple[Sequence[object], Sequence[object]]:
        """Reverse what was posted for the scope (`billing.usage.scope_of`) and post its current ratings.

        (reversals, new charges); both empty when nothing was posted: it will be, at its new price.
        """
        ...


class ReratingState(StrEnum):
    """How far a re-rating got."""

    REQUESTED = "requested"
    APPLIED = "applied"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which calls: those named, all of the sessions named, and all billable ones that ended in [start, end).

    `account_id` narrows the period down to one account.
    """

    cdr_ids: Collection[str] = ()
    session_ids: Collection[int] = ()
    start: datetime | None = None
    end: datetime | None = None
    account_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A call that would cost something else, or the same by another rate. Old values are None without an
    old price.
    """

    price: Price
    old_version: int | None
    old_cost_u: int | None
    old_billed_sec: int | None

    @property
    def difference_u(self) -> int:
        """New minus old; no price counts as 0."""
        return self.price.rated.cost_u - (self.old_cost_u or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChange:
    """What a session is charged before and after, all of its calls included."""

    session_id: int | None
    currency: str
    calls_changed: int
    old: Money
    new: Money

    @property
    def difference(self) -> Money:
        """New minus old."""
        return self.new - self.old


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a re-rating would do. `unrated` calls keep what they have, because no rate fits them now."""

    changes: tuple[Change, ...]
    unchanged: int
    unrated: tuple[tuple[BillableCall, UnratedReason], ...]
    sessions: tuple[SessionChange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an approval did: calls with a new price, the sessions (or calls without one) they belong to, and
    how many of those had been posted and were posted anew.
    """

    calls: int
    scopes: int
    reposted: int


class Reratings:
    """See the module text. Methods take a `Session` and never commit."""

    def __init__(self, book: RatingBook, reposter: UsageReposter) -> None:
        self._book = book
        self._reposter = reposter

    def preview(self, session: Session, selection: Selection) -> Preview:
        """What would change; writes nothing. Raises TooManyCallsError."""
        calls = self._selected(session, selection)
        return self._preview(session, calls)

    def request(
        self, session: Session, selection: Selection, *, reason: str, by: int, now: datetime
    ) -> Rerating:
        """Write down what is to change and why, for somebody else to decide.

        Raises MissingReasonError, NothingToRerateError, TooManyCallsError.
        """
        why = " ".join(reason.split())[:REASON_CHARS_MAX]
        if not why:
            raise MissingReasonError("say why these calls are to be rated again")
        preview = self.preview(session, selection)
        if not preview.changes:
            raise NothingToRerateError("no call would cost anything else")
        rerating = Rerating(
            state=ReratingState.REQUESTED.value, reason=why, requested_by=by, requested_at=now,
            decided_by=None, decided_at=None, decision_note="",
        )
        session.add(rerating)
        session.flush()
        session.execute(insert(ReratingLine), [_line(rerating.id, change) for change in preview.changes])
        return rerating

    def approve(
        self, session: Session, rerating_id: int, *, by: int, now: datetime, note: str = ""
    ) -> Applied:
        """Do what was asked for: new prices, and sessions posted anew.

        Raises NoSuchReratingError, ReratingStateError, SecondPersonError, and StaleReratingError when calls
        or decks have changed since the request; then nothing was written.
        """
        rerating = self._undecided(session, rerating_id, by=by)
        lines = lines_of(session, rerating_id)
        preview = self._preview(
            session, self._book.source.get_many(session, [line.cdr_id for line in lines]), totals=False
        )
        if [_compared(_line(rerating_id, change)) for change in sorted(preview.changes, key=_by_id)] != [
            _compared({name: getattr(line, name) for name in _LINE_NAMES})
            for line in sorted(lines, key=lambda line: line.cdr_id)
        ]:
            raise StaleReratingError("calls or decks have changed since this was asked for; ask again")
        self._write(session, rerating, preview.changes, by=by, now=now)
        rerating.state = ReratingState.APPLIED.value
        _decided(rerating, by=by, now=now, note=note)
        session.flush()
        calls = [change.price.call for change in preview.changes]
        scopes = sorted({scope_of(call.session_id, call.cdr_id) for call in calls})
        reposted = 0
        for scope in scopes:
            reversals, charges = self._reposter.repost(
                session, scope, actor=actor(by), reason=f"re-rating {rerating_id}: {rerating.reason}", at=now
            )
            reposted += bool(reversals or charges)
        return Applied(calls=len(calls), scopes=len(scopes), reposted=reposted)

    def reject(
        self, session: Session, rerating_id: int, *, by: int, now: datetime, note: str
    ) -> Rerating:
        """Decide that nothing changes. Raises NoSuchReratingError, ReratingStateError, SecondPersonError,
        MissingReasonError.
        """
        rerating = self._undecided(session, rerating_id, by=by)
        if not note.strip():
            raise MissingReasonError("say why it is rejected")
        rerating.state = ReratingState.REJECTED.value
        _decided(rerating, by=by, now=now, note=note)
        session.flush()
        return rerating

    def _selected(self, session: Session, selection: Selection) -> list[BillableCall]:
        source = self._book.source
        found: dict[str, BillableCall] = {}

        def take(calls: Iterable[BillableCall]) -> None:
            for call in calls:
                if call.billable:
                    found[call.cdr_id] = call
                if len(found) > CALLS_MAX:
                    raise TooManyCallsError(f"at most {CALLS_MAX:,} calls at once; take a shorter time")

        take(source.get_many(session, list(islice(dict.fromkeys(selection.cdr_ids), CALLS_MAX + 1))))
        for session_id in dict.fromkeys(selection.session_ids):
            take(source.of_session(session, session_id))
        if selection.start is not None and selection.end is not None:
            of = source.billable_between(session, selection.start, selection.end)
            take(call for call in of if selection.account_id in (None, call.account_id))
        return list(found.values())

    def _preview(self, session: Session, calls: Sequence[BillableCall], *, totals: bool = True) -> Preview:
        old = current_ratings(session, [call.cdr_id for call in calls])
        prices, unrated = self._book.price(
            session, calls, currencies={cdr_id: row.currency for cdr_id, row in old.items()}
        )
        changes = []
        for price in prices:
            was = old.get(price.call.cdr_id)
            if was is not None and _same(was, price):
                continue
            changes.append(
                Change(
                    price=price,
                    old_version=None if was is None else was.version,
                    old_cost_u=None if was is None else was.cost_u,
                    old_billed_sec=None if was is None else was.billed_sec,
                )
            )
        return Preview(
            changes=tuple(changes),
            unchanged=len(prices) - len(changes),
            unrated=tuple(unrated),
            sessions=_session_changes(session, changes) if totals else (),
        )

    def _undecided(self, session: Session, rerating_id: int, *, by: int) -> Rerating:
        wanted = select(Rerating).where(Rerating.id == rerating_id).with_for_update()
        rerating = session.scalar(wanted, execution_options={"populate_existing": True})
        if rerating is None:
            raise NoSuchReratingError(f"there is no re-rating {rerating_id}")
        if rerating.state != ReratingState.REQUESTED.value:
            raise ReratingStateError(f"this re-rating was {rerating.state} before")
        if rerating.requested_by == by:
            raise SecondPersonError("somebody else has to decide about this: you asked for it")
        return rerating

    def _write(
        self, session: Session, rerating: Rerating, changes: Sequence[Change], *, by: int, now: datetime
    ) -> None:
        mine = select(ReratingLine.cdr_id).where(ReratingLine.rerating_id == rerating.id)
        done = cast(
            CursorResult[Any],
            session.execute(
                update(CdrRating)
                .where(CdrRating.cdr_id.in_(mine), CdrRating.superseded_by.is_(None))
                .values(superseded_by=CdrRating.version + 1),
                execution_options={"synchronize_session": False},
            ),
        )
        # A price that another transaction replaced in the meantime is not among them.
        if done.rowcount != sum(change.old_version is not None for change in changes):
            raise StaleReratingError("calls were rated otherwise at this moment; ask again")
        rows = [
            row_of(
                change.price, version=(change.old_version or 0) + 1, reason=rerating.reason, now=now,
                by=actor(by), rerating_id=rerating.id,
            )
            for change in changes
        ]
        try:
            session.execute(insert(CdrRating), rows)
        except IntegrityError as exc:
            raise StaleReratingError("calls were rated at this moment; ask again") from exc
        session.execute(
            delete(UnratedCall).where(UnratedCall.cdr_id.in_(mine)),
            execution_options={"synchronize_session": False},
        )
        session.expire_all()


def actor(user_id: int) -> str:
    """How a user is written down where prices and postings tell who made them."""
    return f"user:{user_id}"


def find(session: Session, *, state: ReratingState | None = None, limit: int = 100) -> list[Rerating]:
    """Re-ratings, newest first."""
    wanted = select(Rerating).order_by(Rerating.id.desc()).limit(limit)
    return list(session.scalars(wanted if state is None else wanted.where(Rerating.state == state.value)))


def get(session: Session, rerating_id: int) -> Rerating:
    """Raises NoSuchReratingError."""
    rerating = session.get(Rerating, rerating_id)
    if rerating is None:
        raise NoSuchReratingError(f"there is no re-rating {rerating_id}")
    return rerating


def lines_of(session: Session, rerating_id: int) -> list[ReratingLine]:
    """What a re-rating changes, call by call, as it was when it was asked for."""
    wanted = select(ReratingLine).where(ReratingLine.rerating_id == rerating_id).order_by(ReratingLine.id)
    return list(session.scalars(wanted))


_LINE_NAMES = ("cdr_id", "session_id", "account_id", "currency", "old_version", "old_cost_u",
               "old_billed_sec", "new_deck_id", "new_rate_id", "new_cost_u", "new_billed_sec")


def _line(rerating_id: int, change: Change) -> dict[str, Any]:
    price = change.price
    return {
        "rerating_id": rerating_id, "cdr_id": price.call.cdr_id, "session_id": price.call.session_id,
        "account_id": price.call.account_id, "currency": price.terms.currency,
        "old_version": change.old_version, "old_cost_u": change.old_cost_u,
        "old_billed_sec": change.old_billed_sec, "new_deck_id": price.terms.id, "new_rate_id": price.rate.id,
        "new_cost_u": price.rated.cost_u, "new_billed_sec": price.rated.billed_sec,
    }


def _compared(line: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(line[name] for name in _LINE_NAMES)


def _by_id(change: Change) -> str:
    return change.price.call.cdr_id


def _same(was: CdrRating, price: Price) -> bool:
    return (was.deck_id, was.rate_id, was.cost_u, was.billed_sec) == (
        price.terms.id, price.rate.id, price.rated.cost_u, price.rated.billed_sec
    )


def _decided(rerating: Rerating, *, by: int, now: datetime, note: str) -> None:
    rerating.decided_by = by
    rerating.decided_at = now
    rerating.decision_note = " ".join(note.split())[:REASON_CHARS_MAX]


def _session_changes(session: Session, changes: Iterable[Change]) -> tuple[SessionChange, ...]:
    groups: dict[tuple[int | None, str], dict[str, Change]] = {}
    for change in changes:
        key = (change.price.call.session_id, change.price.terms.currency)
        groups.setdefault(key, {})[change.price.call.cdr_id] = change
    costs = _current_costs(session, [session_id for session_id, _ in groups if session_id is not None])
    result = []
    for (session_id, currency), changed in groups.items():
        before = costs.get((session_id, currency)) or {
            cdr_id: change.old_cost_u for cdr_id, change in changed.items() if change.old_cost_u is not None
        }
        after = before | {cdr_id: change.price.rated.cost_u for cdr_id, change in changed.items()}
        result.append(
            SessionChange(
                session_id=session_id, currency=currency, calls_changed=len(changed),
                old=session_charge(before.values(), currency).total,
                new=session_charge(after.values(), currency).total,
            )
        )
    return tuple(result)


def _current_costs(
    session: Session, session_ids: Sequence[int]
) -> dict[tuple[int | None, str], dict[str, int]]:
    """Costs of all calls of these sessions, by session and currency, then by call."""
    found: dict[tuple[int | None, str], dict[str, int]] = {}
    for begin in range(0, len(session_ids), CHUNK):
        chunk = session_ids[begin : begin + CHUNK]
        for row in session.execute(
            select(CdrRating.session_id, CdrRating.currency, CdrRating.cdr_id, CdrRating.cost_u)
            .where(CdrRating.session_id.in_(chunk), CdrRating.superseded_by.is_(None))
        ):
            found.setdefault((row.session_id, row.currency), {})[row.cdr_id] = row.cost_u
    return found
