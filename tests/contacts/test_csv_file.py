"""Address books as files, whatever program wrote them."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contacts import csv_file
from contacts.errors import BadFileError
from contacts.fields import ContactFields, parse_email

TEXT = "E-mail;Prénom;Nom;Société\nzoe@example.org;Zoé;Lefèvre;Café & Cie\nOLAF@example.org;Olaf;Müller;\n"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TEXT.encode(), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8"),
        (TEXT.encode("latin-1"), "windows-1252"),
        (TEXT.encode("cp1252"), "windows-1252"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.replace(";", "\t").encode("utf-16"), "utf-16"),
        (TEXT.replace(";", ",").replace("\n", "\r\n").encode(), "utf-8"),
        (TEXT.replace(";", "|").replace("\n", "\r").encode(), "utf-8"),
    ],
)
def test_every_encoding_and_separator(body: bytes, encoding: str) -> None:
    file = csv_file.read(body)
    assert file.encoding == encoding
    assert list(file.contacts) == [
        ContactFields(email="zoe@example.org", first_name="Zoé", last_name="Lefèvre", company="Café & Cie"),
        ContactFields(email="olaf@example.org", first_name="Olaf", last_name="Müller"),
    ]
    assert file.bad == []


def test_without_a_heading_the_column_with_the_at_sign_counts() -> None:
    file = csv_file.read(b"Ann,Martin,ann@example.org\nBob,,bob@example.org,more\n")
    assert [(one.email, one.first_name, one.last_name) for one in file.contacts] == [
        ("ann@example.org", "Ann", "Martin"),
        ("bob@example.org", "Bob", ""),
    ]
    assert [one.email for one in csv_file.read(b"a@example.org\n\n  \nb@example.org").contacts] == [
        "a@example.org",
        "b@example.org",
    ]


def test_bad_lines_are_listed_and_do_not_stop_the_others() -> None:
    body = (
        "email,first name\nann@example.org,Ann\nnot an address,Bob\n,Carl\n"
        '"two\nlines@x",D\nann@example.org,Anna\n'
    )
    file = csv_file.read(body.encode())
    assert [(one.email, one.first_name) for one in file.contacts] == [("ann@example.org", "Anna")]
    assert [one.line for one in file.bad] == [3, 4, 6]
    assert file.bad[0].text == "not an address | Bob"
    assert "mail address" in file.bad[0].problem
    assert (file.bad_total, file.repeated) == (3, 1)


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"", "no-addresses"),
        (b"\n \n", "no-addresses"),
        (b"a" * (csv_file.FILE_BYTES_MAX + 1), "too-large"),
        (b"PK\x03\x04" + b"\x89\x12\x00\xff\x88" * 50, "no-text"),
    ],
)
def test_what_is_no_list_at_all(body: bytes, slug: str) -> None:
    with pytest.raises(BadFileError) as refused:
        csv_file.read(body)
    assert refused.value.slug == slug


def test_two_megabytes_of_addresses_and_of_rubbish() -> None:
    file = csv_file.read("\n".join(f"person{n}@example.org" for n in range(49_999)).encode())
    assert len(file.contacts) == 49_999
    rubbish = csv_file.read(b"a@example.org\n" + b"x\n" * 1_000)
    assert (len(rubbish.bad), rubbish.bad_total) == (csv_file.BAD_LINES_MAX, 1_000)
    with pytest.raises(BadFileError, match="too-many"):
        csv_file.read(b"x\n" * 900_000)
    with pytest.raises(BadFileError, match="too-many"):
        csv_file.read("\n".join(f"p{n}@example.org" for n in range(csv_file.ROWS_MAX + 1)).encode())


def test_no_cell_is_a_formula_and_what_is_written_is_read_again() -> None:
    rows = [["a@example.org", "=cmd|' /C calc'!A0", '"Q"\n;,', "+33 1", "@x", "FR"]]
    text = "".join(csv_file.write(rows))
    assert text.startswith("\ufeff")
    cells = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))[1]
    assert all(not cell.startswith(("=", "+", "-", "@")) for cell in cells)
    back = csv_file.read(text.encode()).contacts[0]
    assert (back.first_name, back.phone, back.company, back.country) == (rows[0][1], "+33 1", "@x", "FR")


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        file = csv_file.read(body)
    except BadFileError:
        return
    assert all(parse_email(one.email) == one.email for one in file.contacts)


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Ann@Example.ORG ", "ann@example.org"),
        ("<ann@example.org>", "ann@example.org"),
        ("mailto:ann@example.org", "ann@example.org"),
        ("ann@example", None),
        ("ann@@example.org", None),
        ("a b@example.org", None),
        ("ann@example.org\nBcc: x@y.z", None),
        ("ann@example..org", None),
        ("x" * 70 + "@example.org", None),
        (None, None),
        (7, None),
    ],
)
def test_addresses(text: object, email: str | None) -> None:
    assert parse_email(text) == email
