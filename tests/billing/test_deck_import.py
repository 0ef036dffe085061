"""A rate file is taken whole or not at all, and every fault is told with line, column and what to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.deck_faults import SENTENCES, DeckImportError, Fault
from billing.deck_import import COLUMNS, FILE_BYTES_MAX, read_rates, write_rates
from billing.decks import Rate
from billing.sample_deck import PATH, sample_rates
from bridge.numbers import NumberBook

GOOD = {
    "number_class": "tollfree", "called_prefix": "+4980", "origin_prefix": "33", "valid_from": "2026-12-01",
    "valid_to": "2027-01-01T00:00:00+01:00", "currency": "EUR", "connect_fee": "0.02", "per_minute": "0.05",
    "first_s": "60", "next_s": "60", "min_charge": "0.01", "max_charge": "5", "grace_ms": "5000",
    "description": "Germany, toll-free",
}


def file(*rows: dict[str, str], delimiter: str = ",") -> bytes:
    def line(cells: list[str]) -> str:
        return delimiter.join('"' + cell.replace('"', '""') + '"' for cell in cells)

    lines = [delimiter.join(COLUMNS), *(line([row[name] for name in COLUMNS]) for row in rows)]
    return ("\r\n".join(lines) + "\r\n").encode()


def faults(content: bytes, **options: bool) -> list[tuple[int, str, str]]:
    with pytest.raises(DeckImportError) as caught:
        read_rates(content, currency="EUR", **options)
    for fault in caught.value.faults:
        assert fault.text in str(caught.value)
    return [(fault.line, fault.column, fault.slug) for fault in caught.value.faults]


def test_a_good_line_is_read_in_full() -> None:
    (rate,) = read_rates(file(GOOD), currency="EUR").rates
    assert rate == Rate(
        number_class="tollfree", called_prefix="4980", origin_prefix="33",
        valid_from=datetime(2026, 12, 1, tzinfo=UTC), valid_to=datetime(2026, 12, 31, 23, tzinfo=UTC),
        connect_fee_u=20_000, per_minute_u=50_000, first_s=60, next_s=60, min_charge_u=10_000,
        max_charge_u=5_000_000, grace_ms=5000, description="Germany, toll-free",
    )


WRONG = [
    ("number_class", "premium", "class"), ("number_class", "", "required"),
    ("called_prefix", "", "required"), ("called_prefix", "49x", "prefix"),
    ("called_prefix", "4.915E+11", "mangled"),
    ("called_prefix", "1234567890123456", "prefix"), ("called_prefix", "-49", "prefix"),
    ("called_prefix", "４９", "prefix"),
    ("origin_prefix", "33 6", "prefix"),
    ("valid_from", "01.12.2026", "date"), ("valid_from", "2026-12-01T00:00", "naive"),
    ("valid_from", "2026-02-30", "date"), ("valid_to", "soon", "date"), ("valid_to", "2026-12-01", "order"),
    ("valid_to", "2026-11-01", "order"),
    ("currency", "USD", "mixed-currency"), ("currency", "EURO", "unknown-currency"),
    ("currency", "ABC", "unknown-currency"),
    ("connect_fee", "-0.01", "negative"), ("connect_fee", "free", "amount"), ("connect_fee", "1e3", "amount"),
    ("per_minute", "", "required"), ("per_minute", "-0.05", "negative"), ("per_minute", "−5", "negative"),
    ("per_minute", "0,05", "comma"), ("per_minute", "0.0000001", "digits"), ("per_minute", "5000", "absurd"),
    ("per_minute", "999999999999", "absurd"), ("per_minute", "9" * 40, "amount"),
    ("per_minute", "NaN", "amount"),
    ("per_minute", "Infinity", "amount"), ("per_minute", "€0.05", "amount"), ("per_minute", "٣", "amount"),
    ("first_s", "", "required"), ("first_s", "0", "range"), ("first_s", "-60", "range"),
    ("first_s", "60.0", "whole"), ("first_s", "86401", "range"), ("first_s", "90", "uneven"),
    ("next_s", "0", "range"), ("next_s", "one", "whole"), ("next_s", "3601", "range"),
    ("min_charge", "-1", "negative"), ("min_charge", "x", "amount"), ("max_charge", "0.001", "min-max"),
    ("max_charge", "-5", "negative"),
    ("grace_ms", "-1", "range"), ("grace_ms", "5s", "whole"), ("grace_ms", "600001", "range"),
    ("description", "d" * 256, "long"),
]


@pytest.mark.parametrize(("column", "value", "slug"), WRONG)
def test_each_field_wrong_in_turn(column: str, value: str, slug: str) -> None:
    """The bad line is the third of the file; the good one before it is not taken either."""
    good = GOOD | {"called_prefix": "31"}
    at = {"uneven": "first_s", "min-max": "max_charge", "order": "valid_to"}.get(slug, column)
    assert faults(file(good, GOOD | {column: value})) == [(3, at, slug)]


def test_every_column_is_wrong_in_some_test() -> None:
    assert {column for column, _, _ in WRONG} == set(COLUMNS)


def test_all_faults_are_told_at_once() -> None:
    bad = GOOD | {"number_class": "x", "per_minute": "-1", "first_s": "0"}
    assert faults(file(bad, GOOD, bad)) == [
        (2, "first_s", "range"), (2, "number_class", "class"), (2, "per_minute", "negative"),
        (4, "first_s", "range"), (4, "number_class", "class"), (4, "per_minute", "negative"),
    ]


def test_the_same_numbers_at_the_same_time_are_refused() -> None:
    later = GOOD | {"valid_from": "2026-12-15", "valid_to": ""}
    after = GOOD | {"valid_from": "2026-12-31T23:00Z", "valid_to": ""}
    elsewhere = GOOD | {"origin_prefix": ""}
    assert faults(file(GOOD, later)) == [(3, "called_prefix", "overlap")]
    assert faults(file(later, GOOD)) == [(3, "called_prefix", "overlap")]
    assert faults(file(GOOD, GOOD)) == [(3, "", "duplicate")]
    assert len(read_rates(file(GOOD, after, elsewhere), currency="EUR").rates) == 3


def test_a_forever_overlaps_everything() -> None:
    forever = GOOD | {"valid_from": "", "valid_to": ""}
    assert faults(file(GOOD, forever)) == [(3, "called_prefix", "overlap")]
    assert faults(file(forever, GOOD)) == [(3, "called_prefix", "overlap")]


def test_what_looks_like_a_slip_can_be_meant() -> None:
    large, uneven = GOOD | {"per_minute": "5000", "max_charge": ""}, GOOD | {"first_s": "90"}
    assert read_rates(file(large), currency="EUR", allow_large=True).rates[0].per_minute_u == 5_000_000_000
    assert read_rates(file(uneven), currency="EUR", allow_uneven=True).rates[0].first_s == 90
    yen = GOOD | {"per_minute": "5000", "currency": "JPY", "max_charge": ""}
    assert read_rates(file(yen), currency="JPY").rates[0].per_minute_u == 5_000_000_000


@pytest.mark.parametrize(("content", "slug"), [
    (b"", "empty"), (b"\xef\xbb\xbf", "empty"), (b" \r\n\r\n", "empty"), (b"# a comment\n", "empty"),
    (",".join(COLUMNS).encode(), "no-rates"), (b"PK\x03\x04rest of a workbook", "workbook"),
    (b"%PDF-1.7", "workbook"), (b"\xd0\xcf\x11\xe0old", "workbook"), (b"number_class\x00,", "not-text"),
    (b"\xff\xfea", "not-text"), (b"a" * (FILE_BYTES_MAX + 1), "too-big"),
])
def test_files_that_hold_no_rates(content: bytes, slug: str) -> None:
    assert faults(content) == [(0, "", slug)]


def test_utf_16_without_a_mark_is_told_to_be_saved_anew() -> None:
    assert faults(file(GOOD).decode().encode("utf-16-le")) == [(0, "", "not-text")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_what_spreadsheets_write_is_read(encoding: str) -> None:
    content = file(GOOD | {"description": "São Paulo, Zürich"}).decode().encode(encoding)
    (rate,) = read_rates(content, currency="EUR").rates
    assert rate.description == "São Paulo, Zürich"


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_countries_of_the_decimal_comma(delimiter: str) -> None:
    content = file(GOOD | {"per_minute": "0,05"}, delimiter=delimiter)
    assert read_rates(content, currency="EUR").rates[0].per_minute_u == 50_000
    both = file(GOOD | {"per_minute": "1.234,05"}, delimiter=delimiter)
    assert faults(both) == [(2, "per_minute", "amount")]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_line_numbers_count_comments_blank_lines_and_long_cells(ending: str) -> None:
    rows = file(GOOD, GOOD | {"called_prefix": "31"}, GOOD | {"called_prefix": "x"}).decode().splitlines()
    rows[2] = rows[2].replace("Germany, toll-free", f"two{ending}lines")
    content = ending.join(["# SAMPLE", "", *rows[:2], "", *rows[2:]]).encode()
    assert faults(content) == [(8, "called_prefix", "prefix")]


def test_headers_at_fault() -> None:
    text = file(GOOD).decode()
    assert faults(text.replace("per_minute", "per_hour", 1).encode()) == [
        (1, "per_hour", "unknown-column"), (1, "per_minute", "missing-column")]
    assert faults(text.replace("min_charge", "max_charge", 1).encode()) == [(1, "max_charge", "twice-column")]
    assert read_rates(text.replace("per_minute", "Per Minute", 1).encode(), currency="EUR").rates


def test_cells_that_do_not_fit_the_header() -> None:
    assert faults(file(GOOD) + b'"tollfree","49"\r\n') == [(3, "", "cells")]
    assert faults(file(GOOD) + b'"tollfree,49\r\n') == [(3, "", "quote")]
    assert faults(file(GOOD) + b'"toll"free,49\r\n') == [(3, "", "quote")]


def test_two_megabytes_are_read_and_judged_in_seconds() -> None:
    header = b"number_class,called_prefix,per_minute,first_s,next_s,valid_from,valid_to\n"
    day = datetime(1900, 1, 1, tzinfo=UTC)
    lines = []
    for number in range(45_000):  # all for the same numbers, day after day: the worst case for overlaps
        lines.append(f"city,49,0.05,60,60,{(day + timedelta(days=number)).date()},"
                     f"{(day + timedelta(days=number + 1)).date()}")
    content = header + "\n".join(lines).encode()
    assert 1_500_000 < len(content) < FILE_BYTES_MAX
    assert len(read_rates(content, currency="EUR").rates) == 45_000


def test_too_many_rates() -> None:
    header = b"number_class,called_prefix,per_minute,first_s,next_s\n"
    content = header + b"\n".join(b"city,%d,0,60,60" % number for number in range(50_001))
    assert faults(content) == [(50_002, "", "too-many")]


@given(st.binary(max_size=300))
def test_garbage_is_refused_with_reasons_and_nothing_else(content: bytes) -> None:
    with pytest.raises(DeckImportError):
        read_rates(content, currency="EUR")


moments = st.none() | st.datetimes(
    datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)
).map(lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000))


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    following = draw(st.integers(1, 60))
    begin, end = draw(moments), draw(moments)
    if begin is not None and end is not None and end <= begin:
        end = None
    least = draw(st.none() | st.integers(0, 10**9))
    return Rate(
        number_class=draw(st.sampled_from(["city", "tollfree", "mobile"])),
        called_prefix=draw(st.text("0123456789", max_size=15)),
        origin_prefix=draw(st.text("0123456789", max_size=15)), valid_from=begin, valid_to=end,
        connect_fee_u=draw(st.integers(0, 10**9)), per_minute_u=draw(st.integers(0, 10**9)),
        first_s=following * draw(st.integers(1, 60)), next_s=following, min_charge_u=least,
        max_charge_u=draw(st.none() | st.integers(least or 0, 10**9)), grace_ms=draw(st.integers(0, 60_000)),
        description=draw(st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=30)).strip(),
    )


@given(st.lists(rates(), min_size=1, max_size=5, unique_by=lambda rate: rate.key))
def test_an_export_reads_back_to_the_same_rates(deck: list[Rate]) -> None:
    content = write_rates(deck, currency="EUR").encode()
    assert list(read_rates(content, currency="EUR").rates) == deck


@pytest.mark.parametrize("text", ["=1+1", "+49", "-x", "@a", "'=x", "''"])
def test_an_export_runs_in_no_spreadsheet(text: str) -> None:
    deck = [replace(sample_rates()[0], description=text)]
    exported = write_rates(deck, currency="EUR")
    assert exported.splitlines()[1].endswith(f",'{text}")
    assert read_rates(exported.encode(), currency="EUR").rates[0].description == text


def test_every_sentence_can_be_filled_in_and_says_what_to_do() -> None:
    for slug, sentence in SENTENCES.items():
        names = {part.split("}")[0] for part in sentence.split("{")[1:]}
        text = Fault(line=1, column="x", slug=slug, values=dict.fromkeys(names, "7")).text
        assert text.endswith(".")
        assert len(text.split()) > 5


def test_the_sample_is_marked_and_knows_every_number_we_ship() -> None:
    assert PATH.read_text().startswith("# SAMPLE")
    deck = sample_rates()
    assert all(rate.description.startswith("sample: ") for rate in deck)
    book = NumberBook.load(NumberBook.default_path())
    city = {rate.called_prefix: rate.per_minute_u for rate in deck if rate.number_class == "city"}
    assert city == {number.number.value[1:]: 0 for number in book.numbers}
    paid = [rate for rate in deck if rate.number_class == "tollfree"]
    assert all(rate.per_minute_u > 0 for rate in paid)
    for number in book.numbers:
        assert any(number.number.value[1:].startswith(rate.called_prefix) for rate in paid)
