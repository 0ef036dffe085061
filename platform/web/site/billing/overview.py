"""Page: how the account stands — balance, what runs now, the last month as bars, the last transactions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from babel.dates import format_date
from fastapi import APIRouter
from fastapi.responses import Response

from billing import ledger
from billing.money import MICRO, Money
from billing.payments import cards, queries
from billing.statements import transactions
from web.site import formats
from web.site.billing import live, reads
from web.site.billing.chart import Chart, Day, bars_of, top_of
from web.site.billing.frame import Frame, Framed
from web.site.billing.kinds import KINDS, brand_name
from web.site.billing.reads import DayUsage
from web.site.i18n import N_

router = APIRouter(prefix="/billing", include_in_schema=False)
DAYS = 30
LATEST = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The two pictures of the last days, and the table that says the same."""

    charts: Sequence[Chart]
    days: Sequence[DayUsage]
    day_names: Sequence[str]
    since: str


@router.get("")
def show(frame: Framed) -> Response:
    zone = ZoneInfo(frame.show.zone)
    now = frame.services.now()
    today = now.astimezone(zone).date()
    with frame.services.readers() as session:
        balance = ledger.balance(session, frame.account_id, frame.currency)
        latest = transactions(session, frame.account_id, limit=LATEST)
        runs = reads.runs_of(session, frame.account_id, [row.session_id for row in latest.rows])
        card = cards.default_card(session, frame.account_id)
        debts = [
            Money(charge.amount - charge.covered, charge.currency)
            for charge in queries.charges_of(session, frame.account_id)
            if charge.state in ("failed", "no_card", "action") and charge.amount > charge.covered
        ]
        days = reads.usage_by_day(
            session, frame.account_id, frame.currency, zone=zone,
            first=today - timedelta(days=DAYS - 1), days=DAYS,
        )  # fmt: skip
    context = {
        "balance": balance,
        "reading": live.account_reading(frame.services, frame.account_id),
        "now": now,
        "latest": latest,
        "runs": runs,
        "kinds": KINDS,
        "card": card,
        "card_brand": "" if card is None else brand_name(card.brand),
        "card_expired": card is not None and cards.is_expired(card, at=now),
        "debts": debts,
        "charts": charts_of(days, frame) if any(day.usage.calls for day in days) else None,
    }
    return frame.page("billing/overview.html", context, tab="/billing")


def charts_of(days: Sequence[DayUsage], frame: Frame) -> Charts:
    """Minutes and cost of these days."""
    show, locale = frame.show, formats.LOCALES[frame.show.language]

    def short(day: date) -> str:
        return format_date(day, frame.say(N_("d MMM")), locale=locale)

    def minutes(value: Fraction) -> str:
        return frame.say(N_("%(n)s min")) % {"n": show.number(value)}

    def cost(value: Fraction) -> str:
        return show.rounded(value * MICRO, frame.currency)

    def chart(name: str, title: str, values: Sequence[Fraction], said: Callable[[Fraction], str]) -> Chart:
        top = top_of(values)
        return Chart(
            id=name,
            title=frame.say(title),
            total=said(sum(values, Fraction(0))),
            bars=bars_of(
                [
                    Day(day=one.day, value=value, label=f"{short(one.day)}: {said(value)}")
                    for one, value in zip(days, values, strict=True)
                ],
                top=top,
            ),
            scale=(said(top), said(top / 2), "0"),
            first=short(days[0].day),
            last=short(days[-1].day),
        )

    spoken = [Fraction(day.usage.conn_ms, 60_000) for day in days]
    costs = [Fraction(day.usage.cost_u, MICRO) for day in days]
    return Charts(
        charts=[
            chart("minutes", N_("Minutes per day"), spoken, minutes),
            chart("cost", N_("Cost per day, before tax"), costs, cost),
        ],
        days=days,
        day_names=[format_date(day.day, "medium", locale=locale) for day in days],
        since=short(days[0].day),
    )
