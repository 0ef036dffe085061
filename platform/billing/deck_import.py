"""Rate files: CSV in and out.

All or nothing: one fault anywhere and nothing is taken; and every fault is told at once, with line and
column, because nobody wants to upload a file twenty times.

What programs write is accepted: UTF-8 with or without a byte order mark, UTF-16 with one, Windows-1252 when
the bytes are no UTF-8 (only descriptions can be affected); commas, semicolons or tabs.  A decimal comma is
taken where semicolons or tabs separate cells, as spreadsheets of comma countries write them, and refused
where it would be a guess.  Lines that begin with # are comments.

A missing prefix is refused: a forgotten one would silently price the whole world.  All numbers are `*`.
"""

from __future__ import annotations

import csv
import io
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from billing.deck_faults import DeckImportError, Fault
from billing.decks import FIRST_S_MAX, GRACE_MS_MAX, NEXT_S_MAX, NUMBER_CLASSES, Rate
from billing.errors import BadRateError
from billing.money import MICRO, exponent, from_micro, known_currency
from database.types import to_utc_ms

FILE_BYTES_MAX = 2 * 1024 * 1024
RATES_MAX = 50_000
DESCRIPTION_CHARS_MAX = 255

COLUMNS = ("number_class", "called_prefix", "origin_prefix", "valid_from", "valid_to", "currency",
           "connect_fee", "per_minute", "first_s", "next_s", "min_charge", "max_charge", "grace_ms",
           "description")
REQUIRED = ("number_class", "called_prefix", "per_minute", "first_s", "next_s")

_AMOUNT = re.compile(r"[0-9]{1,12}(?:[.,][0-9]+)?", re.ASCII)
_PREFIX = re.compile(r"\+?[0-9]{1,15}", re.ASCII)
_MANGLED = re.compile(r"[0-9]+[.,]?[0-9]*[eE]\+?[0-9]+|[0-9]+[.,][0-9]+", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
#: Zip (xlsx, ods), OLE (xls), PDF.
_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateFile:
    """A rate file without faults."""

    rates: tuple[Rate, ...]
    encoding: str
    delimiter: str


def read_rates(
    content: bytes, *, currency: str, allow_uneven: bool = False, allow_large: bool = False
) -> RateFile:
    """The rates of a CSV file for a deck in `currency`.

    Raises DeckImportError with every fault, and UnknownCurrencyError for the deck's own currency.
    """
    exponent(currency)
    text, encoding = _decoded(content)
    reader = _Reader(text, currency=currency, allow_uneven=allow_uneven, allow_large=allow_large)
    rates = tuple(reader.read())
    if reader.faults:
        raise DeckImportError(reader.faults)
    return RateFile(rates=rates, encoding=encoding, delimiter=reader.delimiter)


def write_rates(rates: Iterable[Rate], *, currency: str) -> str:
    """The rates as CSV (RFC 4180, CRLF) that `read_rates` reads back to the same rates."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for rate in rates:
        description = rate.description
        if description.startswith((*_FORMULA, "'")):
            description = "'" + description  # a spreadsheet would run it (OWASP, "CSV injection")
        writer.writerow([
            rate.number_class, rate.called_prefix or "*", rate.origin_prefix, _moment(rate.valid_from),
            _moment(rate.valid_to), currency, _amount(rate.connect_fee_u), _amount(rate.per_minute_u),
            rate.first_s, rate.next_s, _amount(rate.min_charge_u), _amount(rate.max_charge_u), rate.grace_ms,
            description,
        ])
    return out.getvalue()


def amount_max(currency: str) -> int:
    """The largest amount that is taken for meant: 1,000 main units, or 100,000 where there are no cents."""
    return 1_000 if exponent(currency) else 100_000


def _amount(amount_u: int | None) -> str:
    if amount_u is None:
        return ""
    text = f"{from_micro(amount_u):f}".rstrip("0")
    return text + "0" if text.endswith(".") else text


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else moment.astimezone(UTC).isoformat(timespec="milliseconds")


def _decoded(content: bytes) -> tuple[str, str]:
    """(text, name of its encoding)."""
    def refuse(slug: str, **values: str) -> DeckImportError:
        return DeckImportError([Fault(line=0, column="", slug=slug, values=values)])

    if len(content) > FILE_BYTES_MAX:
        raise refuse("too-big", size=f"{len(content):,}", max=f"{FILE_BYTES_MAX:,}")
    if content.startswith(_MAGIC):
        raise refuse("workbook")
    try:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text, encoding = content.decode("utf-16"), "utf-16"
        else:
            try:
                text, encoding = content.decode("utf-8-sig"), "utf-8"
            except UnicodeDecodeError:
                text, encoding = content.decode("cp1252"), "windows-1252"
    except UnicodeDecodeError:
        raise refuse("not-text") from None
    if any(ord(char) < 32 and char not in "\t\r\n" for char in text):
        raise refuse("not-text")
    if not text.strip():
        raise refuse("empty")
    return text, encoding


class _BadCellError(Exception):
    def __init__(self, slug: str, **values: str) -> None:
        self.slug = slug
        self.values = values


class _Reader:
    """Reads one file, collecting faults."""

    def __init__(self, text: str, *, currency: str, allow_uneven: bool, allow_large: bool) -> None:
        self.faults: list[Fault] = []
        self._currency = currency
        self._allow_uneven = allow_uneven
        self._allow_large = allow_large
        self._lines = re.split(r"\r\n|\r|\n", text)
        header = next((line for line in self._lines if line.strip() and not line.startswith("#")), "")
        self.delimiter = max(",;\t", key=header.count)
        self._seen: dict[tuple[str, str, str], list[tuple[int, Rate]]] = {}

    def read(self) -> Iterator[Rate]:
        """The rates; what is wrong goes into `faults`."""
        header: list[str] | None = None
        count = 0
        for line, cells in self._rows():
            if header is None:
                header = self._header(line, cells)
                if header is None:
                    return
                continue
            count += 1
            if count > RATES_MAX:
                self._fault(line, "", "too-many", max=f"{RATES_MAX:,}")
                return
            if len(cells) != len(header):
                self._fault(line, "", "cells", found=str(len(cells)), wanted=str(len(header)))
                continue
            rate = self._rate(line, dict(zip(header, (cell.strip() for cell in cells), strict=True)))
            if rate is not None and self._is_alone(line, rate):
                yield rate
        if count == 0 and not self.faults:
            self._fault(0, "", "empty" if header is None else "no-rates")

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """(number of its first line, cells) of every row that is no comment."""
        numbers: list[int] = []

        def lines() -> Iterator[str]:
            for number, line in enumerate(self._lines, 1):
                if not numbers and (not line.strip() or line.startswith("#")):
                    continue
                numbers.append(number)
                yield line + "\n"

        reader = csv.reader(lines(), delimiter=self.delimiter, strict=True)
        while True:
            numbers.clear()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                self._fault(numbers[0] if numbers else 0, "", "quote")
                return
            if any(cell.strip() for cell in cells):
                yield numbers[0], cells

    def _fault(self, line: int, column: str, slug: str, **values: str) -> None:
        self.faults.append(Fault(line=line, column=column, slug=slug, values=values))

    def _header(self, line: int, cells: list[str]) -> list[str] | None:
        names = [cell.strip().lower().replace(" ", "_") for cell in cells]
        for name in dict.fromkeys(names):
            if name not in COLUMNS:
                self._fault(line, name[:40], "unknown-column", value=_shown(name), known=", ".join(COLUMNS))
            elif names.count(name) > 1:
                self._fault(line, name, "twice-column", name=name)
        for name in REQUIRED:
            if name not in names:
                self._fault(line, name, "missing-column", name=name)
        return None if self.faults else names

    def _rate(self, line: int, row: dict[str, str]) -> Rate | None:
        before = len(self.faults)
        cell = _Cells(row, line, self, comma_is_point=self.delimiter != ",")
        number_class = cell.number_class()
        called, origin = cell.called_prefix(), cell.origin_prefix()
        begin, end = cell.moment("valid_from"), cell.moment("valid_to")
        cell.currency(self._currency)
        most = None if self._allow_large else amount_max(self._currency)
        amounts = {name: cell.amount(name, self._currency, most)
                   for name in ("connect_fee", "per_minute", "min_charge", "max_charge")}
        first = cell.whole("first_s", 1, FIRST_S_MAX)
        following = cell.whole("next_s", 1, NEXT_S_MAX)
        grace = cell.whole("grace_ms", 0, GRACE_MS_MAX)
        description = cell.description()
        if len(self.faults) > before or first is None or following is None or amounts["per_minute"] is None:
            return None
        try:
            return Rate(
                number_class=number_class, called_prefix=called, origin_prefix=origin, valid_from=begin,
                valid_to=end, connect_fee_u=amounts["connect_fee"] or 0, per_minute_u=amounts["per_minute"],
                first_s=first, next_s=following, min_charge_u=amounts["min_charge"],
                max_charge_u=amounts["max_charge"], grace_ms=grace or 0, description=description,
                allow_uneven=self._allow_uneven,
            )
        except BadRateError as exc:
            known = {"uneven": {"first": row["first_s"], "next": row["next_s"]},
                     "min-max": {"min": row.get("min_charge", ""), "max": row.get("max_charge", "")},
                     "order": {"begin": row.get("valid_from", ""), "end": row.get("valid_to", "")}}
            self._fault(line, exc.field, exc.slug, **known[exc.slug])
            return None

    def _is_alone(self, line: int, rate: Rate) -> bool:
        # Those that are kept do not overlap, so only the neighbours in time can be in the way.
        others = self._seen.setdefault(rate.key, [])
        place = bisect_right(others, _begin(rate), key=lambda known: _begin(known[1]))
        for other_line, other in others[max(0, place - 1) : place + 1]:
            if rate == other:
                self._fault(line, "", "duplicate", other=str(other_line))
                return False
            if rate.overlaps(other):
                self._fault(line, "called_prefix", "overlap", other=str(other_line))
                return False
        others.insert(place, (line, rate))
        return True


def _begin(rate: Rate) -> datetime:
    return rate.valid_from or datetime.min.replace(tzinfo=UTC)


def _shown(value: str) -> str:
    return f"“{value[:40]}{'…' if len(value) > 40 else ''}”"


class _Cells:
    """The cells of one line, by meaning. A bad cell is a fault and a harmless value."""

    def __init__(self, row: dict[str, str], line: int, reader: _Reader, *, comma_is_point: bool) -> None:
        self._row = row
        self._line = line
        self._reader = reader
        self._comma_is_point = comma_is_point

    def _bad(self, column: str, slug: str, **values: str) -> None:
        self._reader._fault(self._line, column, slug, **values)

    def number_class(self) -> str:
        """city, tollfree or mobile."""
        value = self._row["number_class"].lower()
        if not value:
            self._bad("number_class", "required", what=f"one of {', '.join(NUMBER_CLASSES)}")
        elif value not in NUMBER_CLASSES:
            self._bad("number_class", "class", value=_shown(value), known=", ".join(NUMBER_CLASSES))
        return value

    def called_prefix(self) -> str:
        """Digits; empty for *."""
        if not self._row["called_prefix"]:
            self._bad("called_prefix", "required", what="the beginning of the numbers called, or *")
        return self._prefix("called_prefix")

    def origin_prefix(self) -> str:
        """Digits; empty for * and for nothing."""
        return self._prefix("origin_prefix")

    def _prefix(self, column: str) -> str:
        value = self._row.get(column, "")
        if value in ("", "*"):
            return ""
        if not _PREFIX.fullmatch(value):
            slug = "mangled" if _MANGLED.fullmatch(value) else "prefix"
            self._bad(column, slug, value=_shown(value))
            return ""
        return value.lstrip("+")

    def amount(self, column: str, currency: str, most: int | None) -> int | None:
        """In 10⁻⁶; None for an empty cell."""
        value = self._row.get(column, "")
        if not value:
            if column in REQUIRED:
                self._bad(column, "required", what="an amount, such as 0.05; 0 for free calls")
            return None
        if value.startswith(("-", "−")):
            self._bad(column, "negative", value=_shown(value))
            return None
        if not _AMOUNT.fullmatch(value):
            self._bad(column, "amount", value=_shown(value))
            return None
        if "," in value and not self._comma_is_point:
            self._bad(column, "comma", value=_shown(value))
            return None
        amount = Decimal(value.replace(",", "."))
        if max(0, -int(amount.as_tuple().exponent)) > 6:
            self._bad(column, "digits", value=_shown(value))
            return None
        if most is not None and amount > most:
            self._bad(column, "absurd", value=value, currency=currency, max=f"{most:,}")
            return None
        return int(amount * MICRO)

    def whole(self, column: str, least: int, most: int) -> int | None:
        """A whole number; None for an empty cell."""
        value = self._row.get(column, "")
        what = f"a whole number from {least} to {most}"
        if not value:
            if column in REQUIRED:
                self._bad(column, "required", what=what)
            return None
        if not _WHOLE.fullmatch(value):
            self._bad(column, "whole", value=_shown(value), what=what)
            return None
        number = int(value)
        if not least <= number <= most:
            self._bad(column, "range", value=value, min=str(least), max=str(most), what=what)
            return None
        return number

    def moment(self, column: str) -> datetime | None:
        """An aware moment; a date alone is midnight UTC."""
        value = self._row.get(column, "")
        if not value:
            return None
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self._bad(column, "date", value=_shown(value))
            return None
        if moment.tzinfo is None:
            if len(value) > 10:
                self._bad(column, "naive", value=_shown(value))
                return None
            moment = datetime.combine(moment.date(), time(), UTC)
        return to_utc_ms(moment)

    def currency(self, of_deck: str) -> None:
        """The deck's currency, where the line names one."""
        value = self._row.get("currency", "").upper()
        if value and not known_currency(value):
            self._bad("currency", "unknown-currency", value=_shown(value))
        elif value and value != of_deck:
            self._bad("currency", "mixed-currency", value=value, currency=of_deck)

    def description(self) -> str:
        """Free text, without the apostrophe that protects spreadsheets."""
        value = self._row.get("description", "")
        if value.startswith(tuple(f"'{char}" for char in (*_FORMULA, "'"))):
            value = value[1:]
        if len(value) > DESCRIPTION_CHARS_MAX:
            self._bad("description", "long", found=str(len(value)), max=str(DESCRIPTION_CHARS_MAX))
        return value
