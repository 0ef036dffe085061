"""Lists of contacts as files: read what people's programs write, write what they read. Pure.

Theory. Nobody who exports an address book knows its encoding or separator. Excel writes ";" and Windows-1252
in half of Europe, "Unicode text" is UTF-16 with tabs, the web writes UTF-8 with commas. So the file decides:
a byte order mark, then many zero bytes (UTF-16 without a mark), then strict UTF-8, which other encodings do
not survive by accident, then Windows-1252, of which Latin-1 is the printable part. The separator is the one
of ";", ",", tab and "|" that the first line has most of, outside of quotes (RFC 4180).

A first line without a mail address is a heading and names the columns, in English or French. Without one the
column of mail addresses is found by its "@", and the others are first and last name. A line that cannot be
taken is listed with its number and does not stop the others.

Cells that a spreadsheet would run as a formula are written with an apostrophe before them, which is taken off
again when such a file comes back.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contacts.errors import BadContactError, BadFileError
from contacts.fields import ContactFields, parse_contact

FILE_BYTES_MAX = 2_000_000
ROWS_MAX = 50_000
BAD_LINES_MAX = 200
"""Lines that are listed; further ones are counted."""

COLUMNS = ("email", "first_name", "last_name", "phone", "company", "country")
_SEPARATORS = ";,\t|"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_HEADINGS: dict[str, str] = {
    heading: field
    for field, headings in {
        "email": "email mail emailaddress mailaddress address courriel adressemail "
        "adresseemail adressedecourriel adresse",
        "first_name": "firstname first givenname forename prenom",
        "last_name": "lastname last surname familyname name nom nomdefamille",
        "phone": "phone telephone tel phonenumber mobile numerodetelephone portable",
        "company": "company organisation organization societe entreprise",
        "country": "country countrycode pays",
    }.items()
    for heading in headings.split()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    """A line that could not be taken. `line` from 1; `text` is its beginning; `problem` a sentence."""

    line: int
    text: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadFile:
    """What a file holds: each address once (the last line counts), and what could not be taken."""

    contacts: Sequence[ContactFields]
    bad: Sequence[BadLine]
    bad_total: int
    repeated: int
    encoding: str


def read(body: bytes) -> ReadFile:
    """The contacts of a file. Raises BadFileError when there is nothing to take at all."""
    if len(body) > FILE_BYTES_MAX:
        raise BadFileError("too-large")
    text, encoding = decode(body)
    rows = _rows(text)
    first = next(((number, row) for number, row in rows), None)
    if first is None:
        raise BadFileError("no-addresses")
    heading = _columns(first[1])
    columns = heading or _columns_by_look(first[1])
    found: dict[str, ContactFields] = {}
    bad: list[BadLine] = []
    bad_total = repeated = 0
    for number, row in rows if heading else _again(first, rows):
        if len(found) + repeated + bad_total >= ROWS_MAX:
            raise BadFileError("too-many")
        try:
            contact = parse_contact(_named(row, columns))
        except BadContactError as exc:
            bad_total += 1
            if len(bad) < BAD_LINES_MAX:
                name, message = exc.problems[0]
                shown = " | ".join(row)[:120]
                bad.append(BadLine(line=number, text=shown, problem=f"{name} {message}"))
            continue
        repeated += contact.email in found
        found[contact.email] = contact
    if not found and not bad:
        raise BadFileError("no-addresses")
    return ReadFile(
        contacts=list(found.values()), bad=bad, bad_total=bad_total, repeated=repeated, encoding=encoding
    )


def decode(body: bytes) -> tuple[str, str]:
    """The text of a file and the encoding it seems to have. Raises BadFileError."""
    for mark, encoding in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(encoding, "replace"), encoding.removesuffix("-sig")
    head = body[:2_000]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) * 4 > len(head):  # half of the bytes of Latin text in UTF-16 are zero
        encoding = "utf-16-be" if even > odd else "utf-16-le"
        return body.decode(encoding, "replace"), encoding
    if b"\x00" in body:
        raise BadFileError("no-text")
    try:
        return body.decode(), "utf-8"
    except UnicodeDecodeError:
        try:
            return body.decode("cp1252"), "windows-1252"
        except UnicodeDecodeError:
            return body.decode("latin-1"), "latin-1"


def write(contacts: Iterable[Sequence[str]], columns: Sequence[str] = COLUMNS) -> Iterable[str]:
    """Lines of a CSV file (RFC 4180), a byte order mark first so that Excel knows it is UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    out.write("\ufeff")
    writer.writerow(columns)
    for row in contacts:
        writer.writerow([guarded(cell) for cell in row])
        if out.tell() > 32_000:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def guarded(cell: str) -> str:
    """`cell` so that no spreadsheet runs it."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _rows(text: str) -> Iterable[tuple[int, list[str]]]:
    """Rows with something in them and the number of their last line."""
    head = next((line for line in text.splitlines() if line.strip()), "")
    bare, quoted = [], False
    for char in head:
        quoted ^= char == '"'
        if not quoted:
            bare.append(char)
    separator = max(_SEPARATORS, key=bare.count)
    reader = csv.reader(io.StringIO(text.replace("\x00", ""), newline=""), delimiter=separator)
    csv.field_size_limit(FILE_BYTES_MAX)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        cells = [_bare(cell) for cell in row]
        if any(cells):
            yield reader.line_num, cells


def _again(
    first: tuple[int, list[str]], rest: Iterable[tuple[int, list[str]]]
) -> Iterable[tuple[int, list[str]]]:
    yield first
    yield from rest


def _bare(cell: str) -> str:
    wanted = cell.strip()
    return wanted[1:] if wanted.startswith("'") and wanted[1:].startswith(_FORMULA) else wanted


def _columns(row: Sequence[str]) -> dict[int, str] | None:
    """Column → field when this row is a heading; None when it is a contact or names no column of ours."""
    if any("@" in cell for cell in row):
        return None
    named = {at: _HEADINGS.get(_folded(cell)) for at, cell in enumerate(row)}
    taken: dict[int, str] = {}
    for at, field in named.items():
        if field is not None and field not in taken.values():
            taken[at] = field
    return taken if "email" in taken.values() else None


def _columns_by_look(row: Sequence[str]) -> dict[int, str]:
    at = next((number for number, cell in enumerate(row) if "@" in cell), 0)
    others = [number for number in range(len(row)) if number != at]
    return {at: "email", **dict(zip(others, ("first_name", "last_name"), strict=False))}


def _named(row: Sequence[str], columns: dict[int, str]) -> dict[str, str]:
    return {field: row[at] for at, field in columns.items() if at < len(row)}


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return "".join(char for char in plain if char.isalnum() or char == "-").replace("-", "")
