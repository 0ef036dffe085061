"""Page: charts of a period — minutes and cost per day, calls at once, how MOS is spread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Request
from fastapi.responses import Response

from accounts.errors import UnknownAccountError
from accounts.service import find_account
from billing.money import MICRO
from bridge.cdr.charts import (
    DayUsage,
    MosShare,
    Peak,
    calls_at_once,
    mos_distribution,
    usage_per_day,
)
from bridge.cdr.search import CdrSearch
from web.access import AllServices
from web.billing_parts import Parts
from web.site.i18n import N_, language_of
from web.site.staff.desk import BillingStaff, sentence, show
from web.site.staff.figures import Figures
from web.site.staff.plots import Plot, bars, ceiling, steps

router = APIRouter(prefix="/staff/charts", include_in_schema=False)
DAYS, DAYS_MAX = 30, 92
_GOOD, _FAIR = 4.0, 3.1


@dataclass(frozen=True, slots=True, kw_only=True)
class CostChart:
    """Cost per day in one currency."""

    currency: str
    plot: Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartsPage:
    """What staff/charts.html shows."""

    account: str
    first: str
    last: str
    errors: dict[str, str]
    days: Sequence[DayUsage]
    minutes: Plot | None
    costs: Sequence[CostChart]
    peaks: Sequence[Peak]
    once: Plot | None
    top: Peak | None
    shares: Sequence[MosShare]
    without_mos: int
    mos: Plot | None
    days_max: int = DAYS_MAX


@router.get("")
def show_charts(request: Request, visitor: BillingStaff, _parts: Parts, services: AllServices) -> Response:
    given = request.query_params
    zone = ZoneInfo(visitor.timezone)
    today = services.now().astimezone(zone).date()
    errors: dict[str, str] = {}
    first, last = _day(given.get("from", "")), _day(given.get("to", ""))
    if (first is None and given.get("from")) or (last is None and given.get("to")):
        errors["from"] = sentence(request, N_("Write a date."))
    last = last or today
    first = first or last - timedelta(days=DAYS - 1)
    days = (last - first).days + 1
    if not 1 <= days <= DAYS_MAX:
        errors["from"] = sentence(request, N_("Choose 1 to 92 days."))
    account = given.get("account", "").strip()[:200]
    with services.readers() as session:
        account_id = None
        try:
            account_id = find_account(session, account).id if account else None
        except UnknownAccountError:
            errors["account"] = sentence(
                request, N_("There is no such account. Write its number or its mail address.")
            )
        if errors:
            shown = _page(Figures("en", visitor.timezone), account, first, last, errors, [], [], [], 0)
            return show(request, visitor, "charts.html", shown, status=422)
        begin, end = (
            datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last + timedelta(days=1))
        )
        which = CdrSearch(account_id=account_id)
        within = CdrSearch(account_id=account_id, setup_from=begin, setup_before=end)
        usage = usage_per_day(session, which, first=first, days=days, zone=zone)
        step = timedelta(minutes=15 if days <= 2 else 60 if days <= 31 else 180)
        peaks = calls_at_once(session, which, start=begin, end=end, step=step)
        shares, without = mos_distribution(session, within)
    fmt = Figures(language_of(request), visitor.timezone)
    shown = _page(fmt, account, first, last, errors, usage, peaks, shares, without)
    return show(request, visitor, "charts.html", shown)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2199 else None


def _page(
    fmt: Figures, account: str, first: date, last: date, errors: dict[str, str], usage: Sequence[DayUsage],
    peaks: Sequence[Peak], shares: Sequence[MosShare], without: int,
) -> ChartsPage:  # fmt: skip
    return ChartsPage(
        account=account,
        first=first.isoformat(),
        last=last.isoformat(),
        errors=errors,
        days=usage,
        minutes=_minutes(fmt, usage) if usage else None,
        costs=_costs(fmt, usage),
        peaks=peaks,
        once=_once(fmt, peaks) if peaks else None,
        top=max(peaks, key=lambda peak: peak.calls, default=None),
        shares=shares,
        without_mos=without,
        mos=_mos(fmt, shares) if shares else None,
    )


def _minutes(fmt: Figures, usage: Sequence[DayUsage]) -> Plot:
    values = [day.connected_ms / 60_000 for day in usage]
    top = ceiling(max(values))
    labels = [fmt.short_day(day.day) for day in usage]
    titles = [f"{fmt.day(day.day)}: {fmt.minutes(day.connected_ms)}" for day in usage]
    return bars(values, labels, titles, [fmt.decimal(top * part) for part in (0, 0.5, 1)], top)


def _costs(fmt: Figures, usage: Sequence[DayUsage]) -> list[CostChart]:
    charts = []
    for currency in sorted({currency for day in usage for currency in day.cost_u}):
        costs = [day.cost_u.get(currency, 0) for day in usage]
        top = ceiling(max(costs) / MICRO)
        labels = [fmt.short_day(day.day) for day in usage]
        titles = [
            f"{fmt.day(day.day)}: {fmt.cost(cost, currency)}" for day, cost in zip(usage, costs, strict=True)
        ]
        digits = 0 if top >= 4 else 2
        scale = [fmt.decimal(top * part, digits) for part in (0, 0.5, 1)]
        plot = bars([cost / MICRO for cost in costs], labels, titles, scale, top)
        charts.append(CostChart(currency=currency, plot=plot))
    return charts


def _once(fmt: Figures, peaks: Sequence[Peak]) -> Plot:
    values = [float(peak.calls) for peak in peaks]
    top = max(2.0, ceiling(max(values)))
    labels = [fmt.short_day(peak.at.astimezone(fmt.zone).date()) for peak in peaks]
    return steps(values, labels, [fmt.decimal(top * part) for part in (0, 0.5, 1)], top)


def _mos(fmt: Figures, shares: Sequence[MosShare]) -> Plot:
    values = [float(share.calls) for share in shares]
    top = max(2.0, ceiling(max(values)))
    labels = [fmt.decimal(share.mos_from, 2) for share in shares]
    titles = [
        f"{fmt.decimal(share.mos_from, 2)}–{fmt.decimal(share.mos_below, 2)}: {fmt.decimal(share.calls)}"
        for share in shares
    ]
    kinds = [
        "" if share.mos_from >= _GOOD else "warn" if share.mos_below > _FAIR else "bad" for share in shares
    ]
    return bars(values, labels, titles, [fmt.decimal(top * part) for part in (0, 0.5, 1)], top, kinds)
