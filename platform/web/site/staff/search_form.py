"""What was asked for in the address of the page of calls → a search. Pure but for looking up an account.

The address is all there is: a page can be bookmarked, sent to a colleague and exported, and shows the same.
Times are those of the reader's zone; a date alone as the end means to the end of that day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TypeVar
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from billing.errors import InexactAmountError
from billing.money import known_currency, to_micro
from bridge.cdr.errors import BadSearchError
from bridge.cdr.outcome import Disposition
from bridge.cdr.record import Channel, EndBasis, NumberClass
from bridge.cdr.search import CdrSearch, NumberMatch, Sort
from web.site.i18n import N_
from web.site.staff.figures import utc_of

FILTERS = (
    "number", "side", "account", "event", "session", "from", "until", "reason", "q850", "disposition", "mos",
    "channel", "class", "end", "cost_from", "cost_to", "currency", "price", "billable", "suspicious",
)  # fmt: skip
_SHOWN_FIRST = frozenset({"number", "account", "from", "until"})
SIZES = (50, 100, 200)
_TRAIL_MAX = 6
_LENGTH_MAX = 100
_CHOICES: Mapping[str, frozenset[str]] = {
    "side": frozenset({"caller", "called"}),
    "disposition": frozenset(Disposition),
    "channel": frozenset(Channel),
    "class": frozenset(NumberClass),
    "end": frozenset(EndBasis),
    "price": frozenset({"rated", "unrated"}),
    "billable": frozenset({"yes", "no"}),
    "suspicious": frozenset({"1"}),
}
_SAID = {
    "digits": N_("Write a number with + in front, or its last digits."),
    "short": N_("Write at least four of the last digits."),
    "long": N_("A number has 15 digits at most."),
    "text": N_("No call has this."),
    "range": N_("This number is out of range."),
    "account": N_("There is no such account. Write its number or its mail address."),
    "whole": N_("Write a whole number."),
    "time": N_("Write a date, or a date and a time."),
    "order": N_("The end lies before the beginning."),
    "amount": N_("Write an amount such as 0.05."),
    "currency": N_("Write three capital letters, such as EUR."),
    "choice": N_("Choose one of the list."),
    "mos": N_("Write a number from 1 to 4.5."),
    "place": N_("This page of the list is gone. Begin at the first one."),
}


_T = TypeVar("_T")


class _BadValueError(Exception):
    """A value that cannot be; its text is a key of `_SAID`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchForm:
    """What was asked. `which` is None when something is wrong; `errors` says what, by field."""

    values: Mapping[str, str]
    errors: Mapping[str, str]
    which: CdrSearch | None
    sort: Sort
    descending: bool
    size: int
    after: str | None
    trail: tuple[str, ...] = field(default=())
    """Where the pages before began; empty text is the first one."""

    def value(self, name: str) -> str:
        """What was typed."""
        return self.values.get(name, "")

    @property
    def narrowed(self) -> bool:
        """Whether anything but the usual fields is asked for."""
        return any(self.values.get(name) for name in FILTERS if name not in _SHOWN_FIRST)

    @property
    def filtered(self) -> bool:
        """Whether anything is asked for at all."""
        return any(self.values.get(name) for name in FILTERS)

    @property
    def filters(self) -> dict[str, str]:
        """What was asked for, without place and size."""
        return {name: self.values[name] for name in FILTERS if self.values.get(name)}

    def query(self, **more: str | int | None) -> str:
        """The same search with other values: `sort`, `dir`, `after`, … None leaves one away."""
        kept: dict[str, str | int | None] = dict(self.filters)
        kept |= {"sort": self.sort.value, "dir": "desc" if self.descending else "asc", "size": self.size}
        kept |= more
        return urlencode([(name, value) for name, value in kept.items() if value not in (None, "")])

    def sorted_by(self, sort: str) -> str:
        """The query of a column's header: by that column, or the other way round."""
        descending = not self.descending if self.sort == sort else True
        return self.query(sort=sort, dir="desc" if descending else "asc")

    def following(self, place: str) -> str:
        """The query of the next page."""
        trail = (*self.trail, self.after or "")[-_TRAIL_MAX:]
        return self.query(after=place, trail=".".join(trail) + ".")

    @property
    def previous(self) -> str | None:
        """The query of the page before; None on the first one, or when it was too long ago."""
        if not self.trail:
            return None
        rest = self.trail[:-1]
        return self.query(after=self.trail[-1] or None, trail=".".join(rest) + "." if rest else None)


def parse(
    given: Mapping[str, str], *, zone: ZoneInfo, account_of: Callable[[str], int | None]
) -> SearchForm:
    """Never raises: whatever is wrong is in `errors`, as keys of the catalogue."""
    values = {name: given.get(name, "").strip()[:_LENGTH_MAX] for name in FILTERS}
    reader = _Reader(values, zone, account_of)
    which = reader.search()
    for name, days in (("from", 0), ("until", 1)):
        if len(values[name]) == 10 and name not in reader.errors:  # as the field can show it
            values[name] = f"{date.fromisoformat(values[name]) + timedelta(days=days)}T00:00"
    sort = given.get("sort", "")
    size = given.get("size", "")
    trail = given.get("trail", "")[:4000]
    return SearchForm(
        values=values,
        errors=reader.errors,
        which=which,
        sort=Sort(sort) if sort in list(Sort) else Sort.TIME,
        descending=given.get("dir") != "asc",
        size=int(size) if size in map(str, SIZES) else SIZES[0],
        after=given.get("after", "")[:400] or None,
        trail=tuple(trail.removesuffix(".").split("."))[-_TRAIL_MAX:] if trail else (),
    )


def said(slug: str) -> str:
    """The sentence (English, for the catalogue) of something wrong."""
    return _SAID.get(slug, _SAID["text"])


class _Reader:
    def __init__(
        self, values: Mapping[str, str], zone: ZoneInfo, account_of: Callable[[str], int | None]
    ) -> None:
        self._values = dict(values)
        self._zone = zone
        self._account_of = account_of
        self.errors: dict[str, str] = {}

    def search(self) -> CdrSearch | None:
        number = self._take("number", NumberMatch.parse)
        side = self._take("side", _choice("side"))
        price = self._take("price", _choice("price"))
        billable = self._take("billable", _choice("billable"))
        cost_from = self._take("cost_from", _cost)
        start, end = self._take("from", self._start), self._take("until", self._end)
        if start is not None and end is not None and end <= start:
            self.errors["until"] = said("order")
        rest = {
            "account_id": self._take("account", self._account),
            "event_id": self._take("event", _whole),
            "session_id": self._take("session", _session),
            "reason_slug": self._values["reason"] or None,
            "q850": self._take("q850", _whole),
            "disposition": self._take("disposition", _choice("disposition")),
            "mos_below": self._take("mos", _mos),
            "channel": self._take("channel", _choice("channel")),
            "number_class": self._take("class", _choice("class")),
            "end_basis": self._take("end", _choice("end")),
            "cost_to_u": self._take("cost_to", _cost),
            "currency": self._take("currency", _currency),
        }
        suspicious = self._take("suspicious", _choice("suspicious"))
        if price == "rated" and cost_from is None:
            cost_from = 0  # a cost filter leaves out records without a price
        if self.errors:
            return None
        try:
            return CdrSearch(
                number=number if side is None else None,
                caller=number if side == "caller" else None,
                called=number if side == "called" else None,
                setup_from=start,
                setup_before=end,
                cost_from_u=cost_from,
                billable=None if billable is None else billable == "yes",
                unrated=price == "unrated",
                suspicious=suspicious is not None,
                **rest,  # type: ignore[arg-type]
            )
        except BadSearchError as exc:
            names = {"event_id": "event", "session_id": "session", "reason_slug": "reason",
                     "account_id": "account", "cost_from_u": "cost_from", "cost_to_u": "cost_to"}  # fmt: skip
            self.errors[names.get(exc.field, exc.field)] = said(exc.slug)
            return None

    def _take(self, name: str, read: Callable[[str], _T]) -> _T | None:
        text = self._values[name]
        if not text:
            return None
        try:
            return read(text)
        except BadSearchError as exc:
            self.errors[name] = said(exc.slug)
        except _BadValueError as exc:
            self.errors[name] = said(str(exc))
        return None

    def _account(self, text: str) -> int:
        found = self._account_of(text)
        if found is None:
            raise _BadValueError("account")
        return found

    def _start(self, text: str) -> datetime:
        return _moment(text, self._zone)

    def _end(self, text: str) -> datetime:
        moment = _moment(text, self._zone)
        return moment if len(text) > 10 else _moment(text, self._zone, days=1)


def _moment(text: str, zone: ZoneInfo, *, days: int = 0) -> datetime:
    try:
        moment = utc_of(text, zone)
        if days:
            moment = utc_of(
                (datetime.fromisoformat(text) + timedelta(days=days)).isoformat(), zone
            )
    except (ValueError, OverflowError):
        raise _BadValueError("time") from None
    if not 2000 <= moment.year <= 2199:
        raise _BadValueError("time")
    return moment


def _choice(name: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in _CHOICES[name]:
            raise _BadValueError("choice")
        return text

    return read


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _BadValueError("whole")
    return int(text)


def _session(text: str) -> str:
    if not (text.isascii() and text.isprintable()):
        raise _BadValueError("text")
    return text


def _mos(text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        raise _BadValueError("mos") from None
    if not 1 <= value <= 5:
        raise _BadValueError("mos")
    return value


def _cost(text: str) -> int:
    try:
        value = Decimal(text.replace(",", "."))
        if not (value.is_finite() and 0 <= value < 10**9):
            raise _BadValueError("amount")
        return to_micro(value)
    except (InvalidOperation, InexactAmountError):
        raise _BadValueError("amount") from None


def _currency(text: str) -> str:
    code = text.upper()
    if not known_currency(code):
        raise _BadValueError("currency")
    return code
