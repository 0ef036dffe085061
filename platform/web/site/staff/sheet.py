"""Calls as CSV for accountants: the rows of the page, in its order, with nothing rounded.

- RFC 4180: commas, CRLF, UTF-8 with a byte order mark, without which spreadsheets take é for Ã©.
- Each moment in UTC (ISO 8601, milliseconds, Z) and as local time of the account's billing zone, in the form
  that spreadsheets know (`2026-11-23 14:05:09`), with the zone and its offset beside it.
- Amounts have a decimal point whatever the reader's language, and their currency in a column of its own.
- Empty is "not known", never 0. Text that a spreadsheet would run as a formula gets an apostrophe in front.
- On demand a last line for each currency with the totals; its first cell is `total` instead of `call`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing import profile
from billing.deck_models import RateDeck
from billing.money import from_micro
from bridge.cdr.export import iso_ms, no_formula
from bridge.cdr.masking import masked
from bridge.cdr.search import CdrHit, CdrSearch, Sort, find
from web.site.staff.desk import emails, runs

COLUMNS = (
    "row", "call_id", "account_id", "account_email", "event_id", "event", "session_id", "direction",
    "channel", "number_class", "caller", "called", "setup_utc", "answer_utc", "end_utc", "setup_local",
    "answer_local", "end_local", "time_zone", "utc_offset", "connected_seconds", "billed_seconds", "currency",
    "connect_fee", "price_per_minute", "cost", "price_list", "price_list_version", "matched_prefix",
    "price_version", "waits_for_price", "billable", "disposition", "reason", "q850", "ended_by", "end_basis",
    "mos", "loss_percent",
)  # fmt: skip
_OURS = frozenset({"caller", "called"})
_PAGE = 1000
MARK = "\ufeff"


@dataclass
class _Total:
    calls: int = 0
    connected_ms: int = 0
    billed_sec: int = 0
    cost_u: int = 0


class Sheet:
    """One export. `lines` may be iterated once; `records` then says how many calls it held."""

    def __init__(self, *, unmask: bool = False, totals: bool = False) -> None:
        self._unmask = unmask
        self._totals = totals
        self.records = 0

    def lines(
        self, session: Session, which: CdrSearch, *, sort: Sort, descending: bool
    ) -> Iterator[str]:
        """The file in pieces of a thousand calls; pages are found by key, so that memory stays small."""
        yield MARK + _written([COLUMNS])
        decks: dict[int, RateDeck] = {}
        zones: dict[int, str] = {}
        sums: dict[str, _Total] = {}
        after = None
        while True:
            page = find(session, which, sort=sort, descending=descending, after=after, limit=_PAGE)
            yield _written(self._rows(session, page.hits, decks, zones, sums))
            session.expunge_all()
            self.records += len(page.hits)
            after = page.next
            if after is None:
                break
        if self._totals:
            yield _written([_total_row(currency, sums[currency]) for currency in sorted(sums)])

    def _rows(
        self, session: Session, hits: Sequence[CdrHit], decks: dict[int, RateDeck], zones: dict[int, str],
        sums: dict[str, _Total],
    ) -> list[list[str]]:  # fmt: skip
        mails = emails(session, (hit.record.account_id for hit in hits))
        known = runs(session, {hit.record.session_id for hit in hits})
        missing = {hit.rating.deck_id for hit in hits if hit.rating is not None} - set(decks)
        if missing:
            decks.update(
                {deck.id: deck for deck in session.scalars(select(RateDeck).where(RateDeck.id.in_(missing)))}
            )
        rows = []
        for hit in hits:
            account_id = hit.record.account_id
            if account_id is not None and account_id not in zones:
                zones[account_id] = profile.get(session, account_id).timezone
            zone = "UTC" if account_id is None else zones[account_id]
            values = _values(hit, zone, mails, unmask=self._unmask)
            run = known.get(hit.record.session_id or "")
            if run is not None:
                values |= {"event_id": run.event_id, "event": run.event_name}
            if hit.rating is not None:
                deck = decks[hit.rating.deck_id]
                values |= {"price_list": deck.name, "price_list_version": deck.version}
            total = sums.setdefault("" if hit.rating is None else hit.rating.currency, _Total())
            total.calls += 1
            total.connected_ms += hit.record.conn_ms or 0
            if hit.rating is not None:
                total.billed_sec += hit.rating.billed_sec
                total.cost_u += hit.rating.cost_u
            rows.append([_cell(name, values.get(name)) for name in COLUMNS])
        return rows


def _values(hit: CdrHit, zone: str, mails: Mapping[int, str], *, unmask: bool) -> dict[str, object]:
    record, rating = hit.record, hit.rating
    local = ZoneInfo(zone)
    values: dict[str, object] = {
        "row": "call", "call_id": record.id, "account_id": record.account_id,
        "account_email": None if record.account_id is None else mails.get(record.account_id),
        "session_id": record.session_id, "direction": record.direction, "channel": record.channel,
        "number_class": record.number_class,
        "caller": record.caller_e164 if unmask else masked(record.caller_e164), "called": record.called_e164,
        "setup_utc": _utc(record.setup_at), "answer_utc": _utc(record.answer_at),
        "end_utc": _utc(record.end_at), "setup_local": _local(record.setup_at, local),
        "answer_local": _local(record.answer_at, local), "end_local": _local(record.end_at, local),
        "time_zone": zone, "utc_offset": _offset(record.setup_at, local),
        "connected_seconds": None if record.conn_ms is None else _seconds(record.conn_ms),
        "waits_for_price": hit.unrated_reason, "billable": "yes" if record.billable else "no",
        "disposition": record.disposition, "reason": record.reason_slug, "q850": record.q850,
        "ended_by": record.hangup_party, "end_basis": record.end_basis, "mos": record.mos_cq,
        "loss_percent": record.loss_pct,
    }  # fmt: skip
    if rating is not None:
        values |= {
            "billed_seconds": rating.billed_sec, "currency": rating.currency,
            "connect_fee": _amount(rating.connect_fee_u), "price_per_minute": _amount(rating.unit_price_u),
            "cost": _amount(rating.cost_u), "matched_prefix": rating.matched_prefix or "*",
            "price_version": rating.version,
        }  # fmt: skip
    return values


def _total_row(currency: str, total: _Total) -> list[str]:
    values: dict[str, object] = {
        "row": "total", "call_id": f"{total.calls} calls", "currency": currency or None,
        "connected_seconds": _seconds(total.connected_ms),
    }  # fmt: skip
    if currency:
        values |= {"billed_seconds": total.billed_sec, "cost": _amount(total.cost_u)}
    return [_cell(name, values.get(name)) for name in COLUMNS]


def _written(rows: Sequence[Sequence[str]]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    text = str(value)
    return no_formula(text) if isinstance(value, str) and name not in _OURS else text


def _utc(moment: datetime | None) -> str | None:
    return None if moment is None else iso_ms(moment)


def _local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def _offset(moment: datetime, zone: ZoneInfo) -> str:
    """`UTC+01:00`: with letters in front, so that no spreadsheet computes with it."""
    text = moment.astimezone(zone).strftime("%z")
    return f"UTC{text[:3]}:{text[3:]}"


def _seconds(length_ms: int) -> str:
    return f"{length_ms // 1000}.{length_ms % 1000:03d}"


def _amount(amount_u: int) -> str:
    return f"{from_micro(amount_u):f}"
